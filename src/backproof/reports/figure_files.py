"""The files of the figures of a page that is no report: a comparison's, a history's."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import pyarrow as pa

from backproof.files import plain_folder
from backproof.reports.figures.kind import Drawn
from backproof.reports.pictures import Picture, keep, remove_others


def keep_all(folder: Path, figures: Sequence[Drawn]) -> list[Picture]:
    """Write the files of figures that are drawn; the folder is made where there are some.

    Figures of an earlier page go.

    Raises:
        ConfigurationError: if the folder is a link, which may lead anywhere.
    """
    if folder.is_symlink() or folder.exists() or any(f.drawing for f in figures):
        plain_folder(folder)
    pictures = [_kept(folder, i, drawn) for i, drawn in enumerate(figures, 1)]
    remove_others(folder, pictures)
    return pictures


def _kept(folder: Path, position: int, drawn: Drawn) -> Picture:
    """One figure; text that cannot be set, as a formula without its end, costs no other."""
    none, no_curves = pd.DataFrame(), pa.table({})  # what is drawn reads no cells
    try:
        return keep(folder, position, drawn, none, no_curves, None)
    except OSError:
        raise
    except Exception as error:
        return keep(folder, position, Drawn.undrawn(drawn.spec, error), none, no_curves, None)
