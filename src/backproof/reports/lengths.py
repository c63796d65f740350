"""Lengths with a unit, as a journal states the width of its columns."""

from __future__ import annotations

import re

from backproof.errors import ConfigurationError, nearest

UNITS = {"mm": 1 / 25.4, "cm": 1 / 2.54, "in": 1.0, "pt": 1 / 72}
"""Inches to a unit; a point is PostScript's."""

LEAST, GREATEST = 1.5, 20.0
"""Inches across between which a figure can be drawn."""

_LENGTH = re.compile(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)\s*(.*)")


def inches(key: str, text: str) -> float:
    """A length such as 85mm or 3.35in, in inches.

    Raises:
        ConfigurationError: naming the key, what is allowed and the nearest right length.
    """
    found = _LENGTH.fullmatch(text.strip())
    given = text.strip()[:40]
    if found is None:
        raise ConfigurationError(f"{key}: must be a number and a unit, as in 85mm; not {given!r}")
    number, unit = found[1], found[2]
    if unit not in UNITS:
        hint = nearest(unit.lower(), UNITS) if unit else "; did you mean 'mm'?"
        hint = hint.replace("'", f"'{number}", 1)
        raise ConfigurationError(f"{key}: the unit must be one of {', '.join(UNITS)}; not {given!r}{hint}")
    length = float(number) * UNITS[unit]
    if not LEAST <= length <= GREATEST:
        least, greatest = (f"{bound / UNITS[unit]:.4g}{unit}" for bound in (LEAST, GREATEST))
        end = least if length < LEAST else greatest
        raise ConfigurationError(
            f"{key}: must be from {least} to {greatest}; not {given!r}; did you mean '{end}'?"
        )
    return length
