"""A history on disk: from results folders to a page, its figures and their numbers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd

from backproof.errors import ConfigurationError
from backproof.files import plain_folder, write
from backproof.reports.compare import differing_entries, differing_settings
from backproof.reports.compared import OF_THE_RUN
from backproof.reports.figure_files import keep_all
from backproof.reports.figures.kind import Drawing, Drawn, FigureSpec
from backproof.reports.history import EVERY, History, Point, Series, Step, history, needed
from backproof.reports.listings import marked
from backproof.reports.templates import environment
from backproof.sweeps.generations import generations
from backproof.sweeps.store import read_only

MOST_PANELS, MOST_STEPS, MOST_ENTRIES, MOST_CHANGES = 6, 200, 12, 200
"""Of a figure, of the page's list of steps, of what differs between two points, and of verdicts."""

COMMIT = 8
"""Characters of a commit that are shown."""


@dataclass(frozen=True)
class HistoryResult:
    """The history of a sweep, and the page that shows it."""

    history: History
    page: Path
    in_order: bool


def write_history(folders: Sequence[Path], output: Path | None = None) -> HistoryResult:
    """The history of the sweeps in results folders; writes page and figures into `output`.

    Args:
        output: a folder, made if missing; by default the last one of `folders`.

    Raises:
        ConfigurationError: if a folder holds no sweep, or there are less than two points together.
        OSError: if the page cannot be written.
    """
    points, in_order = points_of(folders)
    if len(points) < 2:
        raise ConfigurationError(
            f"history: needs two results at least, of several folders or of one that was swept by several"
            f" states of the code; found {len(points)}"
        )
    found = history(points)
    target = folders[-1] if output is None else _made(output)
    drawn, unchanged = figures_of(found)
    pictures = keep_all(target / "history", drawn)
    page = environment().get_template("history.html.j2").render(
        names=list(dict.fromkeys(p.folder.resolve().name or "root" for p in found.points)),
        answer=answer_of(found, in_order=in_order), pictures=pictures, figures="history",
        unchanged=unchanged, steps=[step_entry(found, s) for s in found.steps[:MOST_STEPS]],
        more_steps=max(len(found.steps) - MOST_STEPS, 0), changes=_changes(found),
        points=list(_point_entries(found.points)),
    )  # fmt: skip
    path = target / "history.html"
    write(path, page.encode())
    return HistoryResult(found, path, in_order)


def points_of(folders: Sequence[Path]) -> tuple[list[Point], bool]:
    """The generations in some folders in order of time, and whether all of them have one; else as given."""
    points = []
    for folder in {f.resolve(): f for f in folders}.values():
        with read_only(folder) as store:
            for found in generations(store):
                started = str(found.about.get("started") or "")[:40]
                label, cells = _label(found.about, folder), needed(found.cells)
                points.append(Point(label, started, folder, found.about, cells))
    times = [_time(p.started) for p in points]
    known = [t for t in times if t is not None]
    if len(known) < len(times):
        return points, False
    order = sorted(range(len(points)), key=known.__getitem__)
    return [points[i] for i in order], True


def _made(folder: Path) -> Path:
    folder.parent.mkdir(parents=True, exist_ok=True)
    return plain_folder(folder)


def _label(about: Mapping[str, object], folder: Path) -> str:
    git = about.get("git")
    commit = git.get("commit") if isinstance(git, Mapping) else None
    if not isinstance(commit, str) or not commit:
        return folder.resolve().name or "root"
    return f"{commit[:COMMIT]}{'+' if isinstance(git, Mapping) and git.get('dirty') else ''}"


def _time(started: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(started)
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


# --- in words


def answer_of(found: History, *, in_order: bool) -> list[str]:
    """What the history shows, in a few sentences."""
    first, last = found.points[0], found.points[-1]
    when = f" from {first.started} to {last.started}" if in_order else " in the order given"
    sentences = [
        f"{len(found.points)} results{when}, {found.combinations:,} combinations of settings;"
        f" {found.common:,} cells are in all of them."
    ]
    if found.repeated:
        sentences.append(f"Left out are {found.repeated:,} cells: a result has several with their settings.")
    overall = [s for s in found.steps if s.series.overall]
    others = len(found.steps) - len(overall)
    named = [(name_of(s.series), s) for s in overall[:6]]
    sentences += [
        f"{name[0].upper()}{name[1:]}: {s.change} at {found.points[s.at].label}." for name, s in named
    ]
    if len(overall) > 6:
        sentences.append(f"And {len(overall) - 6} further steps over all combinations.")
    if not overall:
        sentences.append("Over all combinations together no measure has a step.")
    sentences.append(
        f"{others:,} steps in single combinations; of {sum(s.noisy for s in found.series):,} series with"
        f" noise, at most about {found.by_chance:.0f} would have one by chance."
    )
    alone = [s.last for s in found.series if s.overall and s.last]
    if alone:
        listed = "; ".join(f"{name_of(s.series)} {s.change}" for s in alone[:6])
        sentences.append(f"The last result alone is off its level, which is no step yet: {listed}.")
    if len(found.points) < 4:
        sentences.append("A step needs two points on each side, and so four results.")
    return sentences


def name_of(series: Series) -> str:
    """A series in a sentence or a table: its measure, or the verdict that it counts."""
    if series.measure.categories:
        return f"cells with {marked(series.settings)}"
    return series.measure.title or series.measure.name


def step_entry(found: History, step: Step) -> dict[str, str]:
    """A step as a row of a table."""
    at, before = found.points[step.at], found.points[step.before]
    return {
        "measure": name_of(step.series),
        "settings": EVERY if step.series.overall else step.series.settings,
        "change": step.change,
        "at": at.label,
        "after": before.label,
        "when": at.started,
    }


def _changes(found: History) -> list[tuple[str, str, str]]:
    """The verdicts that changed: commit, from what to what, how many cells."""
    return [
        (found.points[c.at].label, f"{marked(c.old)} → {marked(c.new)}", f"{c.cells:,}")
        for c in found.changes[:MOST_CHANGES]
    ]


def _point_entries(points: Sequence[Point]) -> Iterator[dict[str, object]]:
    """The points as rows of a table, each with what differs from the one before it."""
    for before, point in zip([None, *points[:-1]], points, strict=True):
        git = point.about.get("git")
        commit = git.get("commit") if isinstance(git, Mapping) else None
        yield {
            "label": point.label, "commit": str(commit or "–"), "started": point.started or "–",
            "folder": point.folder, "cells": f"{len(point.cells):,}",
            "changed": _differing(before, point) if before else [],
        }  # fmt: skip


def _differing(before: Point, after: Point) -> list[str]:
    """What differs in code, versions and settings, but for the commit that is shown anyhow."""
    sides = [{k: v for k, v in p.about.items() if k not in (*OF_THE_RUN, "git")} for p in (before, after)]
    rows = pd.concat([differing_settings(before.cells, after.cells), differing_entries(*sides)])
    shown = [f"{what}: {a} → {b}"[:200] for what, a, b in rows.itertuples(index=False)]
    more = len(shown) - MOST_ENTRIES
    return shown[:MOST_ENTRIES] + ([f"and {more} more"] if more > 0 else [])


# --- figures


def figures_of(found: History) -> tuple[list[Drawn], list[str]]:
    """A figure per measure that moved, and the names of those that did not."""
    drawn, unchanged = list[Drawn](), list[str]()
    for name in dict.fromkeys(s.measure.name for s in found.series):
        series = [s for s in found.series if s.measure.name == name]
        title = (series[0].measure.title or name).capitalize()
        if not any(len(s.values) and np.ptp(s.values) > 0 for s in series):
            unchanged.append(title)
            continue
        drawn.append(_drawn(found, series, "Verdicts" if series[0].measure.categories else title))
    return drawn, unchanged


def _drawn(found: History, series: Sequence[Series], title: str) -> Drawn:
    """One figure; what prevents it costs no other."""
    spec = FigureSpec(series[0].measure.name, f"{title} over {len(found.points)} results")
    labels = [point.label for point in found.points]
    try:
        from backproof.reports.figures.drawing.history import draw_series, draw_verdicts, first_panels

        if series[0].measure.categories:
            figure = draw_verdicts(series, labels, spec.title)
        else:
            figure = draw_series(first_panels(series, MOST_PANELS), labels, spec.title)
        return Drawn(spec, Drawing(figure, _finding(found, series), _table(found, series)))
    except Exception as error:
        return Drawn.undrawn(spec, error)


def _finding(found: History, series: Sequence[Series]) -> str:
    """What a figure shows, in a few sentences; also for those who cannot see it."""
    steps = [s for s in found.steps if s.series.measure.name == series[0].measure.name]
    if not steps:
        moved = sum(bool(len(s.values) and np.ptp(s.values) > 0) for s in series)
        return f"No step in {len(series)} series, of which {moved} move."
    first = "; ".join(_in_words(found, step) for step in steps[:3])
    more = f" And {len(steps) - 3} further steps." if len(steps) > 3 else ""
    return f"{len(steps)} step{'s' if len(steps) > 1 else ''}, the first: {first}.{more}"


def _in_words(found: History, step: Step) -> str:
    about = name_of(step.series) if step.series.measure.categories else step.series.settings
    return f"{about}: {step.change} at {found.points[step.at].label}"


def _table(found: History, series: Sequence[Series]) -> pd.DataFrame:
    """A figure's numbers, long: a line per series and point, of all series."""
    parts = []
    for each in series:
        level = 10**each.levels if each.measure.compared == "ratio" else each.levels
        at = [found.points[i] for i in each.points]
        parts.append(
            pd.DataFrame(
                {
                    "measure": each.measure.name, "settings": each.settings, "point": each.points,
                    "commit": [p.label for p in at], "started": [p.started for p in at],
                    "value": each.shown, "n": each.n, "level": level,
                    "step": np.isin(np.arange(len(each.values)), each.starts[1:]),
                }
            )
        )  # fmt: skip
    return pd.concat(parts, ignore_index=True)
