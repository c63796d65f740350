"""Several sweeps side by side: what each found, and what changed in each against the first."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from string import ascii_uppercase

import pandas as pd

from backproof.files import write
from backproof.reports.aggregation import Tiles, lay_out
from backproof.reports.axes import own
from backproof.reports.compare import Comparison, transitions
from backproof.reports.compare_figures import ComparedFigures, heatmaps_of
from backproof.reports.compared import Side, compare_sides, plain_name, side_of
from backproof.reports.figure_files import keep_all
from backproof.reports.figures.heatmap import MOST_PANELS
from backproof.reports.figures.heatmap import finding as finding_of_numbers
from backproof.reports.figures.kind import Drawing, Drawn, FigureSpec, NothingToDrawError
from backproof.reports.index import answer_in
from backproof.reports.labels import shipped
from backproof.reports.listings import marked, overall
from backproof.reports.templates import environment
from backproof.sweeps.columns import BY_NAME
from backproof.sweeps.status import Status
from backproof.verdicts import Verdict

SWEEP = "sweep"
"""The column that holds a cell's sweep, and the axis of the small multiples; no setting is named so."""

MOST_SWEEPS = 26
"""They go by letters."""

MOST_TRANSITIONS = 4

NOTHING = "–"


@dataclass(frozen=True)
class Change:
    """What changed in a sweep against the first one.

    Attributes:
        both, alone, repeated: cells of both; those of one of them only; those left out as there are several
            with their settings.
        statuses, verdicts: how many cells changed in them; `differing` how many pairs are not bit-identical
            in the result in which most are not.
        kinds: which verdicts became which, the most frequent first.
        measures: per measure what, mean difference and interval, as text.
    """

    letter: str
    both: int
    alone: int
    repeated: int
    statuses: int
    verdicts: int
    differing: int
    kinds: tuple[str, ...]
    measures: dict[str, tuple[str, str]]
    unchanged: bool


@dataclass(frozen=True)
class Row:
    """What a sweep found: how many cells have each verdict, and the answer that its report begins with.

    Attributes:
        others: cells with a verdict that is none of ours.
    """

    letter: str
    name: str
    folder: Path
    started: str
    cells: int
    done: int
    failed: int
    pending: int
    verdicts: dict[Verdict, int]
    others: int
    answer: tuple[str, ...]


@dataclass(frozen=True)
class SeveralResult:
    """Sweeps, what changed in each against the first, and the page that shows it."""

    rows: tuple[Row, ...]
    changes: tuple[Change, ...]
    page: Path

    @property
    def unchanged(self) -> bool:
        """Whether every cell of each sweep has its pair in the first, with the same status and verdict."""
        return all(change.unchanged for change in self.changes)


def compare_several(folders: Sequence[Path]) -> SeveralResult:
    """Compare sweeps with the first one, and write the page into the last folder.

    Raises:
        ConfigurationError: if there is no sweep in one of the folders.
        OSError: if the page cannot be written.
    """
    sides = [side_of(folder) for folder in folders]
    letters = ascii_uppercase[: len(sides)]
    rows = [_row(letter, side) for letter, side in zip(letters, sides, strict=True)]
    changes = [
        _change(letter, compare_sides(sides[0], side))
        for letter, side in zip(letters[1:], sides[1:], strict=True)
    ]
    names = [f"{row.letter}: {plain_name(row.name)[:40]}" for row in rows]
    figures = draw_several(sides, names)
    stem = f"compare-{len(sides)}-{'-'.join(plain_name(row.name) for row in rows)}"[:100]
    path = folders[-1] / f"{stem}.html"
    pictures = keep_all(path.with_suffix(""), figures.drawn)
    page = environment().get_template("several.html.j2").render(
        rows=rows, changes=changes, answer=answer_of(rows, changes), verdicts=_present(rows),
        measures=list(dict.fromkeys(name for change in changes for name in change.measures)),
        pictures=pictures, figures=stem, unchanged=figures.unchanged, how=figures.how,
        others=any(row.others for row in rows),
    )  # fmt: skip
    write(path, page.encode())
    return SeveralResult(tuple(rows), tuple(changes), path)


def answer_of(rows: Sequence[Row], changes: Sequence[Change]) -> list[str]:
    """What differs, in a few sentences."""
    same = [c.letter for c in changes if c.unchanged]
    identical = [c.letter for c in changes if c.unchanged and not c.differing]
    others = [c for c in changes if not c.unchanged]
    sentences = [f"{len(rows)} sweeps; {_counted(same)} every cell of A with its status and verdict."]
    if same:
        sentences.append(f"Bit-identical to A in every result: {', '.join(identical) or 'none of them'}.")
    for change in others:
        cells = f"{change.verdicts:,} of {change.both:,} shared cells"
        kinds = f" ({'; '.join(change.kinds[:2])})" if change.kinds else ""
        alone = f", {change.alone:,} cells are in one of the two only" if change.alone else ""
        status = f", the status in {change.statuses:,}" if change.statuses else ""
        sentences.append(f"{change.letter}: the verdict changed in {cells}{kinds}{status}{alone}.")
    return sentences


def _counted(letters: Sequence[str]) -> str:
    if not letters:
        return "none of the others has"
    return f"{', '.join(letters)} {'has' if len(letters) == 1 else 'have'}"


def draw_several(sides: Sequence[Side], names: Sequence[str]) -> ComparedFigures:
    """A heatmap of each figure with a panel per sweep, on one scale; where all are equal it is only named."""
    tables = [own(side.cells).assign(**{SWEEP: name}) for side, name in zip(sides, names, strict=True)]
    cells = pd.concat(tables, ignore_index=True)
    if not len(cells):
        return ComparedFigures()
    specs, how = heatmaps_of([side.asked for side in sides], tables[-1])
    drawn, unchanged = list[Drawn](), list[str]()
    for spec in specs:
        found = _draw(spec, cells)
        if found is None:
            unchanged.append(spec.title)
        else:
            drawn.append(found)
    return ComparedFigures(tuple(drawn), tuple(unchanged), how)


def _draw(spec: FigureSpec, cells: pd.DataFrame) -> Drawn | None:
    """One figure; None if all panels are equal. What prevents it costs no other figure."""
    try:
        if spec.where is not None:
            cells = cells[spec.where.truth(cells)].reset_index(drop=True)
        if not len(cells):
            raise NothingToDrawError("no cell fits its `where`")
        tiles = lay_out(
            cells, BY_NAME[spec.value], spec.rows, (SWEEP, *spec.facet, *spec.columns), spec.aggregate
        )
        if _all_equal(tiles.split(1)):
            return None
        parts = tiles.split(1 + len(spec.facet))
        if len(parts) > MOST_PANELS:
            raise NothingToDrawError(f"{len(parts)} small multiples; at most {MOST_PANELS} fit")
        from backproof.reports.figures.drawing.tiles import draw_tiles

        data = pd.concat([part.table() for part in parts], ignore_index=True)
        return Drawn(spec, Drawing(draw_tiles(parts, spec.title), _finding(tiles), data))
    except Exception as error:
        return Drawn.undrawn(spec, error)


def _all_equal(parts: Sequence[Tiles]) -> bool:
    return len(parts) > 1 and all(part.stats.equals(parts[0].stats) for part in parts[1:])


def _finding(tiles: Tiles) -> str:
    """What the panels show; of categories, how often each is shown in each sweep."""
    if not tiles.column.categories:
        return finding_of_numbers(tiles, shipped())
    sentences = []
    for part in tiles.split(1):
        shown = part.stats["value"].dropna().astype(int)
        counts = ", ".join(f"{part.categories[int(str(i))]} in {n}" for i, n in shown.value_counts().items())
        sentences.append(f"{part.facet[0][1]}: {counts or 'nothing'} of {len(shown)} tiles.")
    return " ".join(sentences)


def _row(letter: str, side: Side) -> Row:
    cells, status = side.cells, side.cells["status"]
    counts = cells.loc[status == Status.OK, "verdict"].dropna().value_counts()
    known = {v: int(counts[v]) for v in Verdict if v in counts}
    return Row(
        letter, side.name, side.folder, str(side.about.get("started") or "")[:40], len(cells),
        int((status == Status.OK).sum()), int(status.map(lambda s: Status(s).failed).sum()),
        int((status == Status.PENDING).sum()), known, int(counts.sum()) - sum(known.values()),
        answer_in(side.folder),
    )  # fmt: skip


def _change(letter: str, found: Comparison) -> Change:
    at = found.alignment
    kinds = [
        f"{marked(str(start))} → {marked(str(end))} in {n:,}"
        for start, end, n in transitions(found.verdicts).head(MOST_TRANSITIONS).itertuples(index=False)
    ]
    return Change(
        letter, len(at.a), len(at.only_a) + len(at.only_b), len(at.repeated_a) + len(at.repeated_b),
        len(found.statuses), len(found.verdicts), max(found.differing.values(), default=0), tuple(kinds),
        {
            what.replace("log10(B/A)", "log10 of the ratio"): (mean, interval)
            for what, *_, mean, interval in overall(found.overall)
        },
        found.unchanged,
    )  # fmt: skip


def _present(rows: Iterable[Row]) -> list[Verdict]:
    return [v for v in Verdict if any(v in row.verdicts for row in rows)]
