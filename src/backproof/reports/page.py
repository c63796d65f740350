"""The page: one HTML file, offline, everything that was typed or measured escaped by the template engine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from backproof.reports.axes import own
from backproof.reports.claims import Settled
from backproof.reports.contrasts import Difference
from backproof.reports.details import packed
from backproof.reports.edges import Edges
from backproof.reports.expectations import Tested
from backproof.reports.page_data import ASKED, page_data
from backproof.reports.report import Report, significant
from backproof.reports.templates import environment
from backproof.sweeps.status import FAILURES, Status
from backproof.verdicts.verdict import Verdict

FAILURE_COLUMNS = ["cell", "status", "error", "command"]

EDGE_COLUMNS = (
    "below", "above", "condition_below", "condition_above", "width", "flips", "evaluations", "stopped",
)  # fmt: skip
"""Of an edge, after the settings of its row."""

SCRIPTS = (
    "dom", "numbers", "cells", "expressions", "live", "statistics", "view", "scales", "heatmap", "points",
    "curves", "figure", "table", "cell", "main",
)  # fmt: skip
"""The parts of the page's script in their order: each uses what stands before it, or what it calls later.

They draw by themselves. Observable Plot and D3 would add 305 kB to every page and Vega-Lite 829 kB, take 1.7
and 4 times as long for 50,000 points under the page's policy, and have neither the tables' statistics nor
tiles that keys can walk over; what would be left to them is some 150 lines of rectangles, lines and ticks.
"""


def page(report: Report) -> str:
    """The whole report as text."""
    cells = report.cells[report.cells["status"] != Status.PENDING]
    pending = len(report.cells) - len(cells)
    pages = environment()
    pages.filters.update(sig=significant, ink=ink)
    mine = own(cells)
    counts = {v: int((mine["verdict"] == v).sum()) for v in Verdict}
    return pages.get_template("page.html.j2").render(
        report=report,
        effect=effect,
        judged_in_words=judged_in_words,
        hypotheses=_by_hypothesis(report.claims),
        shown_in={p.title: p.stem for p in report.pictures if p.source},
        verdicts=[(v, n) for v, n in counts.items() if n],
        failures=report.held.loc[report.held["status"].isin(FAILURES), FAILURE_COLUMNS].to_dict("records"),
        failed=int(cells["status"].isin(FAILURES).sum()),
        exclusions=cells.loc[cells["status"] == Status.EXCLUDED, "error"].value_counts().to_dict(),
        constants=report.constants,
        count=len(cells),
        refined=len(cells) - len(mine),
        edges=_edge_rows(report.edges),
        done=int((cells["status"] == Status.OK).sum()),
        pending=pending,
        data=packed(page_data(report)),
        scripts=SCRIPTS,
        asked=ASKED,
        provenance=_flat(report.provenance),
    )


def _by_hypothesis(claims: Sequence[Settled]) -> dict[str, list[Settled]]:
    """The claims of each hypothesis, in the order in which they come; those of none first."""
    found: dict[str, list[Settled]] = {}
    for claim in sorted(claims, key=lambda claim: bool(claim.place.hypothesis)):
        found.setdefault(claim.place.hypothesis, []).append(claim)
    return found


def effect(claim: Settled) -> str:
    """What a claim found, in a few characters: a difference and its interval or range, or a count."""
    if claim.difference is not None:
        found, test = claim.difference, claim.difference.test
        if test is not None:
            return f"{test.mean:+.2g} [{test.low:+.2g}, {test.high:+.2g}], {test.n} seeds, {_powered(test)}"
        low, high = found.interval or (found.least, found.greatest)
        return f"{found.median:+.2g} [{low:+.2g}, {high:+.2g}], {found.replicates} seeds"
    seeds = f", {claim.replicates} seeds" if claim.replicates > 1 else ""
    return f"{claim.holding}/{claim.n}{seeds}"


def _powered(test: Tested) -> str:
    if test.underpowered and test.needed is not None:
        return f"{test.needed:,} would do"
    return f"power {test.power:.2f}"


def judged_in_words(difference: Difference) -> str:
    """What a test of a contrast found, with its power at the effect that would matter."""
    test = difference.test
    assert test is not None
    expected, effect = test.expectation.expected, f"{test.expectation.effect:g}"
    what = "an equivalence within" if expected == "equivalent" else f"a difference that is {expected}, by"
    parts = [
        f"Expected: {what} {effect}; {test.finding}.",
        f"Mean difference, paired at equal other settings: {test.mean:.3g} over {test.n} seeds"
        f" ({difference.pairs:,} pairs), deviation {test.deviation:.2g},"
        f" 95 % bootstrap interval {test.low:.3g} to {test.high:.3g};"
        f" Student's t, corrected for the tests of its hypothesis: p = {test.corrected:.2g}.",
        f"Power at {effect} with this deviation: {test.power:.2f}.",
    ]
    if test.underpowered:
        needed = f"{test.needed:,} seeds" if test.needed else "more seeds than can be run"
        parts.append(f"For a power of 0.8 it takes {needed}.")
    return " ".join(parts)


def _edge_rows(edges: Edges | None) -> tuple[list[str], list[list[object]]] | None:
    """The heading and the rows of the page's table of edges."""
    if edges is None or edges.problem or not len(edges.table):
        return None
    columns = [*edges.shown, *EDGE_COLUMNS]
    return columns, edges.table[columns].astype(object).to_numpy().tolist()


def ink(colour: str) -> str:
    """Black or white, whichever is legible upon a colour; the page's script has the same rule."""
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return "#111" if 0.299 * red + 0.587 * green + 0.114 * blue > 140 else "#fff"


def _flat(about: Mapping[str, object], prefix: str = "") -> dict[str, str]:
    flat: dict[str, str] = {}
    for key, value in about.items():
        if isinstance(value, Mapping):
            flat.update(_flat(value, f"{prefix}{key} "))
        elif value is not None:
            flat[prefix + str(key)] = str(value)
    return flat
