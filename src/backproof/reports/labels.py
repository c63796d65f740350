"""Readable names of axes and of their values: data, shipped in conf/axes.yaml, and added to by experiments.

Figures and sentences use them; tables, addresses and commands keep the names that set the axes.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from functools import cache

import yaml

from backproof import paths
from backproof.errors import ConfigurationError, nearest
from backproof.reports.axes import in_words, label
from backproof.sweeps.overrides import shown

FILE = "axes.yaml"
"""In the folder of configuration groups."""

LONGEST = 80
"""Characters of a name; a longer one is no label."""


@dataclass(frozen=True)
class Axis:
    """The names of one axis.

    Attributes:
        title: in running text, as "learning rate"; empty for the axis's own name.
        symbol, unit: beside the title where the axis is labelled.
        values: readable names by values, each as an override has it.
    """

    title: str = ""
    symbol: str = ""
    unit: str = ""
    values: Mapping[str, str] = field(default_factory=dict)


KEYS = tuple(f.name for f in fields(Axis))


@dataclass(frozen=True)
class Labels:
    """The names of all axes; an axis or a value that has none is shown as it is."""

    axes: Mapping[str, Axis]

    def title(self, axis: str) -> str:
        """An axis in running text."""
        return self._of(axis).title or axis

    def heading(self, axis: str) -> str:
        """An axis where it is labelled: title, symbol and unit."""
        of = self._of(axis)
        unit = f"({of.unit})" if of.unit else ""
        return " ".join(part for part in (of.title or axis, of.symbol, unit) if part)

    def headings(self, axes: Sequence[str]) -> str:
        """Several axes of one side."""
        return " × ".join(map(self.heading, axes))

    def in_words(self, axes: Sequence[str]) -> str:
        """Several axes as a sentence lists them."""
        return in_words([self.title(axis) for axis in axes])

    def value(self, axis: str, value: object) -> str:
        """A value of an axis."""
        return self._of(axis).values.get(_written(value)) or label(value)

    def setting(self, axis: str, value: object) -> str:
        """An axis and its value, as "output activation ReLU"."""
        return f"{self.title(axis)} {self.value(axis, value)}"

    def settings(self, pairs: Mapping[str, object]) -> str:
        """Several settings in a line."""
        return ", ".join(self.setting(axis, value) for axis, value in pairs.items())

    def table(self) -> dict[str, dict[str, object]]:
        """All names as plain containers."""
        return {axis: {k: v for k, v in asdict(of).items() if v} for axis, of in self.axes.items()}

    def with_those_of(self, given: object, axes: Collection[str] | None = None) -> Labels:
        """The same with an experiment's own, key by key and value by value; `axes` are those that there are.

        Raises:
            ConfigurationError: naming the key and the nearest right one.
        """
        merged = dict(self.axes)
        for axis, entry in _mapping("axes", given).items():
            if axes is not None and axis not in axes:
                raise ConfigurationError(f"axes.{axis}: unknown axis{nearest(axis, axes)}")
            own = _axis(f"axes.{axis}", entry)
            old = merged.get(axis, Axis())
            named = {key: value for key in KEYS if key != "values" and (value := getattr(own, key))}
            merged[axis] = replace(old, **named, values={**old.values, **own.values})
        return Labels(merged)

    def _of(self, axis: str) -> Axis:
        return self.axes.get(axis, _NAMELESS)


_NAMELESS = Axis()


@cache
def shipped() -> Labels:
    """The names that come with the program."""
    return Labels({}).with_those_of(yaml.safe_load((paths.conf() / FILE).read_text(encoding="utf-8")))


def stored_labels(given: object) -> Labels:
    """The names of a store's experiment, which may come from anybody: those that are none are left aside."""
    found = shipped()
    for axis, entry in given.items() if isinstance(given, Mapping) else ():
        try:
            found = found.with_those_of({axis: entry})
        except ConfigurationError:
            continue
    return found


def _axis(key: str, given: object) -> Axis:
    entry = _mapping(key, given)
    for name in entry:
        if name not in KEYS:
            raise ConfigurationError(f"{key}.{name}: must be one of {', '.join(KEYS)}{nearest(name, KEYS)}")
    texts = {name: _text(f"{key}.{name}", value) for name, value in entry.items() if name != "values"}
    values = _mapping(f"{key}.values", entry.get("values") or {})
    return Axis(**texts, values={v: _text(f"{key}.values.{v}", text) for v, text in values.items()})


def _mapping(key: str, given: object) -> dict[str, object]:
    if not isinstance(given, Mapping):
        raise ConfigurationError(f"{key}: must be a mapping; not {_excerpt(given)}")
    return {_written(name): value for name, value in given.items()}


def _written(value: object) -> str:
    """A value as an override has it, text without quotes."""
    return value if isinstance(value, str) else shown(value)  # type: ignore[arg-type]


def _text(key: str, given: object) -> str:
    """A name: one line of characters that can be seen."""
    if isinstance(given, bool) or not isinstance(given, str | int | float):
        raise ConfigurationError(f"{key}: must be text; not {_excerpt(given)}")
    text = " ".join(str(given).split())
    if not text or len(text) > LONGEST or not text.isprintable():
        raise ConfigurationError(f"{key}: must be 1 to {LONGEST} printable characters; not {_excerpt(given)}")
    return text


def _excerpt(given: object) -> str:
    return repr(given)[:60]
