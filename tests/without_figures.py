"""The program without what takes most of a small sweep's time: its report's figures are not drawn, and it
computes in its own process unless an engine is given.

python tests/without_figures.py sweep …
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import patch

from without_report import in_one_process


def undrawn(_folder, wanted, *_rest):
    """A picture for each figure that is wanted, with the reason why it is not there."""
    from backproof.reports.pictures import Picture

    return iter([Picture(figure.title, "", "", "", problem="not drawn in tests") for figure in wanted])


@contextmanager
def figures_left_out() -> Iterator[None]:
    """Reports are written without drawing their figures."""
    with patch("backproof.reports.write._draw_all", undrawn):
        yield


if __name__ == "__main__":
    from backproof.interfaces.cli import main

    with figures_left_out():
        sys.exit(main(in_one_process(sys.argv[1:])))
