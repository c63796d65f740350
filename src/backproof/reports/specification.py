"""Figures as an experiment asks for them, validated against the columns of its table."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from backproof.errors import ConfigurationError, nearest
from backproof.reports.axes import in_words
from backproof.reports.claims import at_tuned
from backproof.reports.contrasts import effect_of
from backproof.reports.figures import kinds
from backproof.reports.figures.kind import FigureSpec, Kind
from backproof.reports.forest import Beside
from backproof.reports.labels import Labels, shipped
from backproof.reports.live import live_text
from backproof.sweeps.expressions import parse
from backproof.sweeps.overrides import is_axis

SIDES = ("rows", "columns", "facet")


def figure_specs(
    figures: Sequence[Mapping[str, object]], columns: Collection[str], labels: Labels | None = None
) -> tuple[FigureSpec, ...]:
    """The figures of an experiment.

    Raises:
        ConfigurationError: naming the figure, the key and the nearest right name.
    """
    return tuple(figure_spec(f"figures[{i}]", figure, columns, labels) for i, figure in enumerate(figures))


def figure_spec(
    key: str, figure: Mapping[str, object], columns: Collection[str], labels: Labels | None = None
) -> FigureSpec:
    """One figure; `key` is where it stands, and `labels` name the axes of a title that is left to us.

    Raises:
        ConfigurationError: naming the key and the nearest right name.
    """
    value = str(figure.get("value"))
    kind = kinds().get(_one_of(f"{key}.value", value, tuple(kinds())))
    assert kind is not None
    sides = {side: _side(f"{key}.{side}", figure.get(side), columns) for side in SIDES}
    _check_sides(key, kind, sides)
    axes = tuple(map((labels or shipped()).title, sum(sides.values(), ())))
    aggregate = str(figure.get("aggregate") or "")
    contrast = figure.get("contrast")
    if kind.contrasts is (contrast is None):
        wrong = "needs one" if kind.contrasts else "takes none"
        raise ConfigurationError(f"{key}.contrast: {kind.names[0]} {wrong}")
    where = figure.get("where")
    return FigureSpec(
        value=value,
        title=str(figure.get("title") or kind.title(value, axes)),
        caption=live_text(f"{key}.caption", figure.get("caption") or "", columns),
        where=None if where is None else parse(f"{key}.where", where, columns),
        aggregate=_one_of(f"{key}.aggregate", aggregate, kind.aggregates) if aggregate else "",
        rows=sides["rows"],
        columns=sides["columns"],
        facet=sides["facet"],
        tuned=at_tuned(key, figure),
        contrast=None if contrast is None else _beside(f"{key}.contrast", contrast, columns),
    )


def _beside(key: str, given: object, columns: Collection[str]) -> Beside:
    needed = ("value", "against", "effect")
    if not isinstance(given, Mapping) or set(given) != set(needed):
        raise ConfigurationError(f"{key}: must be a mapping with {in_words(needed)}; not {given!r}")
    value, against = (parse(f"{key}.{name}", given[name], columns) for name in needed[:2])
    return Beside(value, against, effect_of(f"{key}.effect", given["effect"]))


def _side(key: str, wanted: object, columns: Collection[str]) -> tuple[str, ...]:
    if not wanted:
        return ()
    if not isinstance(wanted, list | tuple):
        raise ConfigurationError(f"{key}: must be a list of axes; not {wanted!r}")
    axes = [c for c in columns if is_axis(c)]
    for axis in wanted:
        if axis not in axes:
            raise ConfigurationError(f"{key}: unknown axis {axis}{nearest(str(axis), axes)}")
    return tuple(wanted)


def _check_sides(key: str, kind: Kind, sides: Mapping[str, tuple[str, ...]]) -> None:
    axes: tuple[str, ...] = sum(sides.values(), ())
    if kind.axes_needed and not axes:
        raise ConfigurationError(f"{key}: needs rows or columns, each a list of axes")
    for axis in axes:
        if axes.count(axis) > 1:
            raise ConfigurationError(f"{key}: {axis} is named twice in rows, columns and facet")
    for side, named in sides.items():
        if named and side not in kind.sides:
            takes = " and ".join(kind.sides) or "no axes"
            raise ConfigurationError(f"{key}.{side}: {kind.names[0]} takes {takes}")


def _one_of(key: str, given: str, allowed: Sequence[str]) -> str:
    if given not in allowed:
        hint = nearest(given, allowed)
        expected = f"must be one of {', '.join(allowed)}" if allowed else "cannot be chosen for this figure"
        raise ConfigurationError(f"{key}: {expected}; not {given!r}{hint}")
    return given
