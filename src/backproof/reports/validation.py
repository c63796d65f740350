"""What an experiment may ask of its report; checked at the door, before the first cell runs."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from backproof.errors import ConfigurationError, nearest
from backproof.reports.tables import AGGREGATES, MOST_FREQUENT, UNITS, WORST, is_axis
from backproof.sweeps.expressions import parse

CURVES = "curves"
WORDS = ("verdict", "cause")
"""Results that are words, drawn as categories."""

STEPS, MAP, CONFUSION, DETECTION = "steps", "map", "confusion", "detection"
SCATTER = "error_against_convergence"
VALUES = (*WORDS, *UNITS, CURVES, STEPS, MAP, CONFUSION, DETECTION, SCATTER)
SIDES = ("rows", "columns", "facet")
SHARES = ("all", "none", "some")
MEASURES = ("share", "median", "mean", "sum")


def validate_claims(claims: Iterable[Mapping[str, Any]], columns: Sequence[str]) -> None:
    """Refuse claims that the table of cells cannot answer, before the first cell runs.

    Raises:
        ConfigurationError: naming the claim, the key and the nearest right name.
    """
    for i, claim in enumerate(claims):
        name = f"claims[{claim.get('id', i)}]"
        for key in ("where", "holds"):
            parse(f"{name}.{key}", claim[key], columns)
        required_share(f"{name}.share", claim.get("share", "all"))
        measure = claim.get("measure")
        if measure is not None:
            _check_measure(f"{name}.measure", measure, columns)


def _check_measure(name: str, measure: Any, columns: Sequence[str]) -> None:
    if not isinstance(measure, Mapping) or set(measure) != {"by", "value", "as"}:
        raise ConfigurationError(f"{name}: must be a mapping with by, value and as; not {measure!r}")
    if measure["as"] not in MEASURES:
        hint = nearest(str(measure["as"]), MEASURES)
        raise ConfigurationError(
            f"{name}.as: must be one of {', '.join(MEASURES)}; not {measure['as']!r}{hint}"
        )
    if not isinstance(measure["by"], list):
        raise ConfigurationError(f"{name}.by: must be a list of columns; not {measure['by']!r}")
    for column in measure["by"]:
        if column not in columns:
            raise ConfigurationError(f"{name}.by: unknown name {column}{nearest(str(column), columns)}")
    parse(f"{name}.value", measure["value"], columns)


def required_share(name: str, share: Any) -> tuple[float, float, str]:
    """The least and the greatest share that must hold, and that in words."""
    if share in SHARES:
        return {"all": (1.0, 1.0, "all"), "none": (0.0, 0.0, "none"), "some": (1e-12, 1.0, "at least one")}[
            share
        ]
    match = re.fullmatch(r"(>=|<=)\s*(0(?:\.\d+)?|1(?:\.0+)?)", str(share))
    if not match:
        raise ConfigurationError(
            f"{name}: must be all, none, some, or a bound such as '>= 0.9'; not {share!r}"
        )
    bound = float(match[2])
    return (bound, 1.0, f"at least {bound:.0%}") if match[1] == ">=" else (0.0, bound, f"at most {bound:.0%}")


def validate_figures(figures: Iterable[Mapping[str, Any]], columns: Sequence[str]) -> None:
    """Refuse figures that the table of cells cannot fill, before the first cell runs.

    Raises:
        ConfigurationError: naming the figure, the key and the nearest right name.
    """
    for i, figure in enumerate(figures):
        name = f"figures[{i}]"
        if figure["value"] not in VALUES:
            hint = nearest(str(figure["value"]), VALUES)
            raise ConfigurationError(
                f"{name}.value: must be one of {', '.join(VALUES)}; not {figure['value']!r}{hint}"
            )
        for side in SIDES:
            wanted = figure.get(side) or []
            if not isinstance(wanted, list):
                raise ConfigurationError(f"{name}.{side}: must be a list of axes; not {wanted!r}")
            axes = [c for c in columns if is_axis(c)]
            for axis in wanted:
                if axis not in axes:
                    raise ConfigurationError(f"{name}.{side}: unknown axis {axis}{nearest(str(axis), axes)}")
        both = [axis for side in SIDES for axis in figure.get(side) or []]
        if not both and figure["value"] in (*WORDS, *UNITS):
            raise ConfigurationError(f"{name}: needs rows or columns, each a list of axes")
        for axis in both:
            if both.count(axis) > 1:
                raise ConfigurationError(f"{name}: {axis} is named twice in rows, columns and facet")
        if figure.get("aggregate") is not None:
            allowed = (MOST_FREQUENT, WORST) if figure["value"] in WORDS else tuple(AGGREGATES)
            if figure["aggregate"] not in allowed:
                hint = nearest(str(figure["aggregate"]), allowed)
                raise ConfigurationError(
                    f"{name}.aggregate: must be one of {', '.join(allowed)}; "
                    f"not {figure['aggregate']!r}{hint}"
                )
        if figure.get("where") is not None:
            parse(f"{name}.where", figure["where"], columns)
