"""Reports whose figures are not drawn, which takes most of a small sweep's time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import patch


def undrawn(_folder, wanted, *_rest):
    """A picture for each figure that is wanted, with the reason why it is not there."""
    from backproof.reports.pictures import Picture

    return iter([Picture(figure.title, "", "", "", problem="not drawn in tests") for figure in wanted])


@contextmanager
def figures_left_out() -> Iterator[None]:
    """Reports are written without drawing their figures."""
    with (
        patch("backproof.reports.write.draw_all", undrawn),
        patch("backproof.reports.drawers.drawing_processes", lambda *_: 0),
    ):
        yield
