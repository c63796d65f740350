"""Text measured and laid out before anything is drawn; lengths are in points, 72 to an inch."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache, lru_cache

from matplotlib.backends.backend_agg import RendererAgg
from matplotlib.font_manager import FontProperties

FAMILY = "DejaVu Sans"
"""Comes with matplotlib: the same figure on every machine."""

FINE = 288
"""Dots per inch at which a text is measured: hinting to whole dots is then of no account."""

SPACING = 1.25
"""From line to line, in sizes of the font."""


@cache
def _renderer() -> RendererAgg:
    return RendererAgg(1, 1, FINE)  # type: ignore[no-untyped-call]


@lru_cache(maxsize=1 << 14)
def _width(line: str, size: float, bold: bool) -> float:
    font = FontProperties(family=FAMILY, size=size, weight="bold" if bold else "normal")
    measured = _renderer().get_text_width_height_descent(line, font, ismath=False)  # type: ignore[no-untyped-call]
    return float(measured[0]) * 72 / FINE


def width_of(text: str, size: float, *, bold: bool = False) -> float:
    """How wide a text of one or more lines is."""
    return max((_width(line, size, bold) for line in text.split("\n") if line), default=0.0)


def widest(texts: Sequence[str], size: float) -> float:
    """How wide the widest of some texts is."""
    return max((width_of(text, size) for text in texts), default=0.0)


def height_of(text: str, size: float) -> float:
    """How high a text is, all of its lines."""
    return (text.count("\n") + 1) * SPACING * size if text else 0.0


def tallest(texts: Sequence[str], size: float) -> float:
    """How high the highest of some texts is."""
    return max((height_of(text, size) for text in texts), default=0.0)


def wrapped(text: str, size: float, room: float, *, bold: bool = False) -> str:
    """A text in as few lines as fit the room; a word that is wider stays whole."""
    lines: list[str] = []
    for word in text.split():
        joined = f"{lines[-1]} {word}" if lines else word
        if lines and _width(joined, size, bold) <= room:
            lines[-1] = joined
        else:
            lines.append(word)
    return "\n".join(lines)


def broken(text: str, size: float, room: float, *, bold: bool = False) -> str:
    """The same, where a word that is wider than the room is broken as well."""
    pieces: list[str] = []
    for word in text.split():
        while _width(word, size, bold) > room and len(word) > 1:
            end = max((k for k in range(1, len(word)) if _width(word[:k], size, bold) <= room), default=1)
            pieces.append(word[:end])
            word = word[end:]
        pieces.append(word)
    return wrapped(" ".join(pieces), size, room, bold=bold)
