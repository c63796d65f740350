"""Cells of a product that differ in plain values only, made from a few of them as text.

What a plain value is changes nothing else in a cell's canonical form, and neither do several together: the
seed, a scale, a threshold. So along such axes every value is validated and made canonical once, not at every
point, and the points are put together from pieces of JSON. `tests/sweeps/test_templates.py` compares all of
them with the cells that are made one by one.
"""

from __future__ import annotations

import itertools
import json
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import Protocol

from backproof.sweeps import components
from backproof.sweeps.canonical import case_of
from backproof.sweeps.case import Case, NetworkCase
from backproof.sweeps.commands import command_of
from backproof.sweeps.listing import Listed, family_of, share_of
from backproof.sweeps.overrides import REPLICATE, Settings, Value, ordered

PLAIN = ("network.init_scale", "clip.eps", "relu_at_zero", "training.learning_rate", "seed")
"""Settings that `canonical` passes on, or drops whatever their value."""

FREE = ("network.init_scale", "seed")
"""Plain settings of which every cell allows the same values, so that once validated they are for all."""

ENOUGH = 8
"""Values of such an axis that are looked at in every template."""

Known = dict[str, tuple[tuple[str, ...], tuple[str, ...]]]
"""The text in JSON and in the command of each value, by the key of a free axis."""

MOST = 1 << 62
"""Of numbers that a store can hold."""


class Source(Protocol):
    """What makes settings and overrides of values; see `grid.Combination`."""

    @property
    def interpolated(self) -> bool:
        """Whether a value refers to others."""
        ...

    def with_values(self, values: Settings) -> Settings: ...

    def overrides(self, case: Case, settings: Settings) -> tuple[str, ...]: ...


@dataclass(frozen=True)
class Template:
    """The cells of a product of plain axes.

    Attributes:
        id, settings, command: with a place in braces for the text of each axis.
        texts, words: of each axis and value, what stands there in JSON and in the command.
        share: of the first cell; `shares`: what each axis and value adds, which is nothing where the axis
            makes no other problem.
        keys: the settings of the cells.
    """

    id: str
    settings: str
    command: str
    texts: tuple[tuple[str, ...], ...]
    words: tuple[tuple[str, ...], ...]
    share: int
    shares: tuple[tuple[int, ...], ...]
    family: int
    keys: frozenset[str]

    def with_fixed(self, at: Sequence[int]) -> Template:
        """The cells with these values of the first axes."""
        if not at:
            return self
        parts = (self.texts, self.words, self.shares)
        fixed = [(*((of[i],) for of, i in zip(each, at, strict=False)), *each[len(at) :]) for each in parts]
        return replace(self, texts=fixed[0], words=fixed[1], shares=fixed[2])

    def digests(self) -> Iterator[bytes]:
        """The ids of the cells as bytes, the last axis first to change."""
        for texts in itertools.product(*self.texts):
            yield blake2b(self.id.format(*texts).encode(), digest_size=8).digest()

    def cells(self) -> Iterator[Listed]:
        """The cells, in the same order."""
        axes = (itertools.product(*of) for of in (self.texts, self.words, self.shares))
        for texts, words, shares in zip(*axes, strict=True):
            digest = blake2b(self.id.format(*texts).encode(), digest_size=8).hexdigest()
            settings, command = self.settings.format(*texts), self.command.format(*words)
            yield Listed(digest, settings, self.family, (self.share + sum(shares)) % MOST, command)


@dataclass(frozen=True)
class _Made:
    """A cell, made as any other."""

    case: Case
    flat: Mapping[str, Value]
    overrides: Mapping[str, str]


def template(
    source: Source,
    fixed: Settings,
    axes: Sequence[tuple[str, Sequence[Value]]],
    options: Sequence[str],
    known: Known | None = None,
) -> Template | None:
    """The cells of a product of plain axes; None where they have to be made one by one.

    Args:
        fixed: the values of the other axes.
        axes: keys among `PLAIN`, each with its values.
        options: of the command.
        known: what earlier templates of the same axes found along them; this one's are added.

    Raises:
        ConfigurationError: if a value is wrong.
    """
    first = {key: values[0] for key, values in axes}
    if source.interpolated or len(first) < len(axes):
        return None
    base = _made(source, {**fixed, **first})
    if base is None or (REPLICATE in first and not _seed_is_plain(base.case)):
        return None
    along = list[_Along]()
    for key, values in axes:
        found = _along(source, base, {**fixed, **first}, key, values, {} if known is None else known)
        if found is None:
            return None
        along.append(found)
    keys = [key for key, _ in axes]
    flat = _braced(base.flat, keys, ascii_only=False)
    return Template(
        id=f"[{flat}, {_escaped(base.case.beside_settings)}]",
        settings=_braced(base.flat, keys, ascii_only=True),
        command=_command(base, along, keys, options),
        texts=tuple(axis.texts for axis in along),
        words=tuple(axis.words for axis in along),
        share=share_of(base.case) % MOST,
        shares=tuple(axis.shares for axis in along),
        family=family_of(base.case),
        keys=frozenset(base.flat),
    )


def _made(source: Source, values: Settings) -> _Made | None:
    """A cell of these values; None where an override of it has no key of its own."""
    settings = source.with_values(values)
    case = case_of(settings)
    overrides = source.overrides(case, settings)
    by_key = {override.partition("=")[0].lstrip("+~"): override for override in overrides}
    return _Made(case, case.flat(), by_key) if len(by_key) == len(overrides) else None


def _seed_is_plain(case: Case) -> bool:
    """Whether no seed's data can be unfit for the loss, which is looked at for each."""
    return not isinstance(case, NetworkCase) or components.source(case.data).classes


def _differ_in(key: str, one: _Made, other: _Made) -> bool:
    """Whether two cells differ in a key's value at most."""
    if (key in one.flat) != (key in other.flat):
        return False
    flats, commands = (
        [{k: v for k, v in of.items() if k != key} for of in pair]
        for pair in ((one.flat, other.flat), (one.overrides, other.overrides))
    )
    return flats[0] == flats[1] and commands[0] == commands[1]


@dataclass(frozen=True)
class _Along:
    """What an axis puts into the text of each of its values.

    Attributes:
        behind: the overrides behind its own in the command; None if it never has one.
    """

    texts: tuple[str, ...]
    words: tuple[str, ...]
    shares: tuple[int, ...]
    behind: tuple[str, ...] | None


def _along(
    source: Source, base: _Made, settings: Settings, key: str, values: Sequence[Value], known: Known
) -> _Along | None:
    """An axis, the others at their first values; None if it is not plain here."""
    looked_at = values[:ENOUGH] if key in known else values
    made = [_made(source, {**settings, key: value}) for value in looked_at]
    alike = [one for one in made if one is not None and _differ_in(key, base, one)]
    if len(alike) < len(made):
        return None
    texts = tuple(json.dumps(one.flat.get(key)) for one in alike)
    words = tuple(_word(key, one) for one in alike)
    if len(looked_at) < len(values):
        if (texts, words) != tuple(each[:ENOUGH] for each in known[key]):
            return _along(source, base, settings, key, values, {})
        texts, words = known[key]
    elif key in FREE:
        known[key] = texts, words
    others = len({share_of(one.case) for one in alike}) > 1
    shares = tuple(hash((key, text)) % MOST if others else 0 for text in texts)
    own = next((list(one.overrides) for one in alike if key in one.overrides), None)
    return _Along(texts, words, shares, None if own is None else tuple(own[own.index(key) + 1 :]))


def _escaped(text: str) -> str:
    return text.replace("{", "{{").replace("}", "}}")


def _braced(flat: Mapping[str, Value], keys: Sequence[str], *, ascii_only: bool) -> str:
    """Settings as JSON, in braces where an axis has its text."""
    parts = []
    for key, value in flat.items():
        text = (
            f"{{{keys.index(key)}}}" if key in keys else _escaped(json.dumps(value, ensure_ascii=ascii_only))
        )
        parts.append(f"{_escaped(json.dumps(key, ensure_ascii=ascii_only))}: {text}")
    return "{{" + ", ".join(parts) + "}}"


def _word(key: str, made: _Made) -> str:
    """An axis's part of the command, with the space before it; empty where the value is the default."""
    return f" {shlex.quote(made.overrides[key])}" if key in made.overrides else ""


def _command(base: _Made, along: Sequence[_Along], keys: Sequence[str], options: Sequence[str]) -> str:
    """The command, in braces where an axis has its override, which not every value needs."""
    before: dict[str | None, str] = {}
    for key in ordered(keys):
        behind = along[keys.index(key)].behind
        if behind is not None:
            constant = next((name for name in behind if name not in keys), None)
            before[constant] = before.get(constant, "") + f"{{{keys.index(key)}}}"
    text = _escaped(command_of(options, ()))
    for name, override in base.overrides.items():
        if name not in keys:
            text += before.get(name, "") + f" {_escaped(shlex.quote(override))}"
    return text + before.get(None, "")
