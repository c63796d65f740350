"""Numbers as text, as short as where they are shown needs it."""

from __future__ import annotations

from backproof.sweeps.columns import Format


def number(x: float, form: Format = "short") -> str:
    """A number in a tile, an axis or a sentence; the page's script has the same rules."""
    match form:
        case "percent":
            return f"{x:.0%}"
        case _ if x == 0:
            return "0"
        case "decimals":
            return f"{x:.2f}"
        case "whole":
            return f"{x:.0f}"
    if 0.01 <= abs(x) < 1000:
        return f"{x:.2g}" if abs(x) < 100 else f"{x:.0f}"
    mantissa, exponent = f"{x:.0e}".split("e")
    return f"{mantissa}e{int(exponent)}"
