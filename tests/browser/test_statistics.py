"""The page's script has the rules of the tables: the same of random tables, pivots, conditions and texts."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from random_cells import NUMBERS, no_curves, no_tensors, random_condition, random_spec, random_table

from backproof.reports.aggregation import lay_out
from backproof.reports.axes import finished, own
from backproof.reports.figures.drawing.colours import scale_of
from backproof.reports.figures.heatmap import finding
from backproof.reports.intervals import median_interval
from backproof.reports.labels import shipped
from backproof.reports.live import live_text
from backproof.reports.numbers import number
from backproof.reports.write import write_report
from backproof.sweeps.columns import BY_NAME
from backproof.sweeps.expressions import parse

ROOT = Path(__file__).parents[2]

LAY_OUT = """([spec, cells]) => {
    const grid = backproof.layOut(spec, Int32Array.from(cells));
    const scale = grid.categories ? null : backproof.scaleOf(grid.column, [...grid.stats.value]);
    return { ...backproof.tableOf(grid), settings: [...grid.stats.settings], pooled: grid.pooled, scale,
             finding: backproof.findingOf(grid) };
}"""


@pytest.fixture(scope="module", params=[1, *(pytest.param(seed, marks=pytest.mark.slow) for seed in (2, 3))])
def asked(request, browser, tmp_path_factory):
    """A page of a random table, and the table."""
    folder = tmp_path_factory.mktemp("random")
    cells = random_table(request.param)
    figure = {"title": "Verdicts", "value": "verdict", "rows": ["activation"], "columns": ["loss"]}
    experiment = {"name": "random", "question": "?", "figures": [figure]}
    write_report(folder, (cells, no_curves(), no_tensors()), experiment, {})
    page = browser.new_page()
    page.goto((folder / "report.html").as_uri())
    page.wait_for_selector("html[data-ready]")
    yield page, cells
    page.close()


def in_tables(cells, spec):
    """What the tables and the figures of Python make of a specification."""
    column = BY_NAME[spec["value"]]
    tiles = lay_out(cells, column, spec["rows"], [*spec["facet"], *spec["columns"]], spec["aggregate"])
    parts = tiles.split(len(spec["facet"])) if spec["facet"] else [tiles]
    return tiles, parts, pd.concat([part.table() for part in parts], ignore_index=True)


def test_every_pivot_has_the_same_tiles(asked):
    page, cells = asked
    rng, compared = np.random.default_rng(0), 0
    for _ in range(40):
        spec = random_spec(rng)
        condition = random_condition(rng)
        chosen = np.flatnonzero(parse("where", condition, cells.columns).truth(cells))
        if not len(chosen):
            continue
        some = cells.iloc[chosen].reset_index(drop=True)
        tiles, parts, table = in_tables(some, spec)
        found = page.evaluate(LAY_OUT, [spec, chosen.tolist()])
        assert found["head"] == list(table.columns), spec
        sides = len(spec["rows"]) + len(spec["columns"]) + len(spec["facet"])
        assert len(found["rows"]) == len(table), spec
        for mine, theirs in zip(table.itertuples(index=False), found["rows"], strict=True):
            for place, (a, b) in enumerate(zip(mine, theirs, strict=True)):
                if place < sides:
                    continue  # labels are compared where they are made
                assert same(a, b), (spec, condition, tuple(mine), theirs)
        assert list(tiles.pooled) == found["pooled"], (spec, condition)
        assert tiles.stats["settings"].tolist() == found["settings"], (spec, condition)
        assert finding(tiles, shipped()) == found["finding"]
        if found["scale"]:
            scale = scale_of(parts)
            assert (scale.norm.vmin, scale.norm.vmax) == pytest.approx(
                (found["scale"]["low"], found["scale"]["high"])
            ), spec
            assert scale.clipped == (found["scale"]["below"], found["scale"]["above"]), spec
        compared += len(table)
    assert compared > 300


def same(a, b):
    if b is None or a is None or a is pd.NA or a != a:
        return b is None and (a is None or a is pd.NA or a != a)
    return a == b if isinstance(a, str) else float(a) == pytest.approx(b, rel=1e-9)


def test_a_tile_that_is_slightly_wrong_is_seen(asked):
    """The comparison above refuses a median that leaves one cell out."""
    page, cells = asked
    spec = {"value": "accuracy", "rows": ["activation"], "columns": [], "facet": [], "aggregate": "mean"}
    _, _, table = in_tables(cells, spec)
    fewer = np.flatnonzero(cells["status"] == "ok")[1:].tolist()
    found = page.evaluate(LAY_OUT, [spec, fewer])
    assert not all(same(a, b) for a, b in zip(table["mean"], [row[1] for row in found["rows"]], strict=True))


def test_conditions_choose_the_same_cells(asked):
    page, cells = asked
    rng = np.random.default_rng(5)
    conditions = [random_condition(rng) for _ in range(120)]
    read = """conditions => conditions.map(text => {
        const test = backproof.expression(text);
        return Array.from({ length: backproof.size }, (_, i) => test(i) === true);
    })"""
    for condition, theirs in zip(conditions, page.evaluate(read, conditions), strict=True):
        mine = parse("where", condition, cells.columns).truth(cells)
        assert mine.tolist() == theirs, condition


def test_texts_have_the_same_numbers(asked):
    page, cells = asked
    rng = np.random.default_rng(6)
    aggregates = ("share", "median", "mean", "sum", "least", "greatest")
    formats = (".2f", ".0%", ".1e", ".3g", ",.1f", ".0f", ",.0f", "e", "")
    for _ in range(60):
        inside, form = f"{rng.choice(NUMBERS)} where {random_condition(rng)}", rng.choice(formats)
        field = f"{rng.choice(aggregates)}({inside}):{form}".removesuffix(":")
        text = f"It is {{{field}}} of {{count(where {random_condition(rng)})}}."
        live = live_text("answer", text, [str(c) for c in cells.columns])
        filled = page.evaluate(
            "live => backproof.filled(live, [...Array(backproof.size).keys()])", live.plain
        )
        mine = live.filled(finished(own(cells)))
        assert mine == filled or close(mine, filled), text


def close(a, b):
    """Whether texts differ in the last digit of a sum alone, whose order of summation is another one."""
    x, y = (text.split()[2].replace(",", "").rstrip("%") for text in (a, b))
    return a.split()[3:] == b.split()[3:] and float(x) == pytest.approx(float(y), rel=1e-9, abs=1e-12)


def test_intervals_leave_out_as_many_values(asked):
    page, _ = asked
    lengths = [*range(1, 60), 99, 100, 997, 1074, 1075, 1500, 20_000]
    read = "lengths => lengths.map(n => backproof.medianInterval([...Array(n).keys()]))"
    for n, theirs in zip(lengths, page.evaluate(read, lengths), strict=True):
        mine = median_interval(np.arange(n, dtype=float))
        assert mine == tuple(theirs) or (np.isnan(mine[0]) and np.isnan(theirs[0])), n


def test_numbers_are_written_alike(asked):
    page, _ = asked
    rng = np.random.default_rng(7)
    values = [0.0, 1.0, 0.5, 2.5, 0.125, 999.5, 1000.0, 0.01, 0.0099, -3.0, 1e-300, 99.95, 12345678.0]
    values += (rng.choice([-1, 1], 300) * 10 ** rng.uniform(-20, 20, 300)).tolist()
    for form in ("short", "decimals", "whole", "percent"):
        theirs = page.evaluate("([all, form]) => all.map(v => backproof.brief(v, form))", [values, form])
        mine = [number(v, form) for v in values if abs(v) < 1e15]
        assert mine == [t for v, t in zip(values, theirs, strict=True) if abs(v) < 1e15]
    for form in (".0f", ".3f", ",.2f", ".2e", ".0e", "e", ".1g", ".3g", ".10g", ".1%", "%"):
        small = [v for v in values if abs(v) < 1e15]
        theirs = page.evaluate("([all, form]) => all.map(v => backproof.formatted(v, form))", [small, form])
        assert [format(v, form) for v in small] == theirs, form


def test_the_experiments_texts_are_filled_in_as_in_python(thread, opened):
    """Answer and captions of the thread, over cells that a filter leaves."""
    asked = yaml.safe_load((ROOT / "experiments" / "thread.yaml").read_text())
    page = opened(thread, "#activation=relu&network.init_scale=1")
    cells = pd.read_parquet(thread / "cells.parquet")
    fits = ((cells["activation"] == "relu") & (cells["network.init_scale"] == 1)).to_numpy()
    columns = [str(c) for c in cells.columns]

    def expected(text, about):
        return f"Of the {len(about)} cells shown: " + live_text("text", text, columns).filled(finished(about))

    assert page.inner_text("#answer .text") == expected(asked["answer"], cells[fits])
    page.evaluate("async () => { for (const f of backproof.figures.values()) await f.draw(); }")
    compared = 0
    for figure in asked["figures"]:
        shown = page.locator(f'figure[data-title="{figure["title"]}"] .headline')
        where = parse("where", figure["where"], columns).truth(cells) if figure.get("where") else True
        chosen = cells["tuned"].fillna(False).to_numpy(bool) if figure.get("at") == "tuned" else True
        about = cells[fits & where & chosen]
        if figure["value"] not in ("steps", "map") and len(about):
            assert shown.inner_text() == expected(figure["caption"], about)
            compared += 1
    assert compared >= 8
