"""What a reader does with a report."""

import itertools
import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from backproof.reports.aggregation import lay_out
from backproof.sweeps.columns import BY_NAME
from backproof.sweeps.expressions import parse

THREAD = Path(__file__).parents[2] / "experiments" / "thread.yaml"

FIRST = "01-is-the-gradient-right-every-pair-of"
"""The thread's first figure: output against loss and delta."""


def point_at(page, figure, row, column):
    """Put the pointer on a tile of a figure's heatmap, by its row and column."""
    panel = page.locator(f"[id='{figure}'] .panel").first
    panel.scroll_into_view_if_needed()
    box = panel.bounding_box()
    rows, columns = 6, 6
    x, y = box["width"] * (column + 0.5) / columns, box["height"] * (row + 0.5) / rows
    panel.hover(position={"x": x, "y": y})
    return panel, {"x": x, "y": y}


def shown(page):
    """The numbers of cells that fit and that there are."""
    words = re.findall(r"[\d,]+", page.inner_text("#count"))
    return tuple(int(w.replace(",", "")) for w in words[:2])


def choose(page, name, *values):
    """Tick values of a column in the filters."""
    if not page.is_visible("#filters"):
        page.click("#view > details > summary")
    for value in values:
        box = page.locator(f"input[name='{name}'][value='{value}']")
        if not box.is_visible():
            page.locator("#filters .filter", has=box).locator("summary").click()
        box.check()


def all_drawn(page):
    page.evaluate("async () => { for (const f of backproof.figures.values()) await f.draw(); }")


def tiles(page, figure):
    """What the heatmap of a figure shows, as a table."""
    all_drawn(page)
    read = "id => backproof.tableOf([...backproof.figures.values()].find(f => f.host.id === id).drawn.grid)"
    found = page.evaluate(read, figure)
    return pd.DataFrame(found["rows"], columns=found["head"])


def test_it_is_small_and_asks_for_nothing(thread, opened):
    page = opened(thread)
    assert (thread / "report.html").stat().st_size < 5_000_000
    assert page.title() == "thread · backproof"
    assert shown(page) == (694, 694)
    for image in page.query_selector_all("figure img"):
        assert image.evaluate("i => i.complete && i.naturalWidth > 0")
        assert len(image.get_attribute("alt")) > 40
    all_drawn(page)
    drawn = page.locator("figure .drawing > svg")
    assert drawn.count() == 12
    assert all(len(node.get_attribute("aria-label")) > 15 for node in drawn.all())


def test_a_tile_describes_its_cells(thread, opened):
    page = opened(thread)
    point_at(page, FIRST, 2, 3)  # ReLU with the binary_cross_entropy loss, y - t
    told = page.inner_text("#tip")
    data = pd.read_csv(thread / "figures" / f"{FIRST}.csv")
    row = data[
        (data["output"] == "relu") & (data["loss"] == "binary_cross_entropy") & (data["delta"] == "y_minus_t")
    ].iloc[0]
    assert "output=relu, loss=binary_cross_entropy, delta=y_minus_t" in told
    assert f"{row['verdict']} in {row['agreeing']} of {row['n']} cells" in told


def test_a_number_is_told_with_n_spread_and_interval(thread, opened):
    page = opened(thread)
    point_at(page, "03-gradient-error-by-output-loss-and-delta", 2, 3)
    told = page.inner_text("#tip")
    assert re.search(r"median \S+\nfrom \S+ to \S+, n = \d+", told)


def test_a_click_opens_its_cells_and_a_cell_its_detail(thread, opened):
    page = opened(thread)
    panel, position = point_at(page, FIRST, 2, 3)
    panel.click(position=position)
    rows = page.locator("dialog tbody tr").count()
    assert rows == 5
    page.locator("dialog .list button").first.click()
    page.wait_for_selector("dialog pre")
    cell = re.search("cell=([0-9a-f]+)", page.url)[1]
    known = pd.read_parquet(thread / "cells.parquet").set_index("cell").loc[cell]
    detail = page.inner_text("dialog")
    assert known["command"] in detail
    assert known["causes"] in detail
    assert page.locator("dialog h3:has-text('Tensors') + .scroll tbody tr").count() == 4  # W1, b1, W2, b2
    assert page.locator("dialog svg").count() >= 2
    page.keyboard.press("Escape")
    assert not page.locator("dialog").is_visible()
    assert "cell=" not in page.url


def test_a_statement_shows_its_cells_and_they_are_gone_through(thread, opened):
    cells = pd.read_parquet(thread / "cells.parquet")
    about = cells[(cells["loss"] == "categorical_cross_entropy") & (cells["output"] == "softmax")]
    page = opened(thread)
    page.locator("#statement-e summary").click()
    page.locator("#statement-e .cells-of").click()
    assert shown(page)[0] == len(about) > 5
    assert "statement (e)" in page.inner_text("#shown") and "statement=e" in page.url
    page.locator(".cells tbody tr").nth(1).locator("td").first.click()
    page.wait_for_selector("dialog .ways")
    assert f"2 of {len(about)}" in page.inner_text("dialog .ways")
    second = page.url
    page.get_by_role("button", name="Next").click()
    page.wait_for_function("document.querySelector('dialog .ways').textContent.includes('3 of')")
    page.get_by_role("button", name="Previous").click()
    page.wait_for_function("document.querySelector('dialog .ways').textContent.includes('2 of')")
    assert page.url == second
    page.keyboard.press("Escape")
    page.click("#all")
    assert shown(page)[0] == len(cells) and "statement" not in page.url


def test_a_cell_leads_back_to_its_tile(thread, opened):
    page = opened(thread)
    panel, position = point_at(page, FIRST, 2, 3)
    panel.click(position=position)
    title = page.inner_text("dialog h2")
    page.locator("dialog .list button").first.click()
    page.get_by_role("button", name="Back to the tile").click()
    assert page.inner_text("dialog h2") == title


def test_evidence_is_drawn_agreeings_slopes(thread, opened):
    cells = pd.read_parquet(thread / "cells.parquet")
    kept = cells[(cells["check.evidence"].astype(str) == "true") & (cells["verdict"] == "agrees")]
    page = opened(thread, "#cell=" + kept["cell"].iloc[0])
    page.wait_for_selector("dialog svg")
    assert "slope +2" in page.inner_text("dialog")


def test_keys_move_and_open(thread, opened):
    page = opened(thread)
    page.locator(".panel").first.focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowRight")
    assert "output=tanh, loss=squared_error, delta=y_minus_t" in page.inner_text("#tip")
    page.keyboard.press("Enter")
    assert page.locator("dialog").is_visible()
    assert "output=tanh" in page.inner_text("dialog h2")


def test_filters_act_on_figures_and_table_and_the_address_keeps_them(thread, opened):
    page = opened(thread)
    choose(page, "activation", "softplus")
    choose(page, "network.init_scale", "1")
    cells = pd.read_parquet(thread / "cells.parquet")
    fits = (cells["activation"] == "softplus") & (cells["network.init_scale"] == 1)
    assert shown(page)[0] == fits.sum()
    here = cells[
        fits
        & (cells["output"] == "relu")
        & (cells["loss"] == "binary_cross_entropy")
        & (cells["delta"] == "exact")
    ]
    assert here["verdict"].eq("agrees").all()
    shown_tiles = tiles(page, FIRST)
    assert len(shown_tiles) == 36
    assert shown_tiles.loc[2 * 6 + 2, "verdict"] == "agrees"
    again = opened(thread, "#" + page.url.partition("#")[2])
    assert "activation=softplus" in again.url
    assert shown(again)[0] == fits.sum()
    again.click("#all")
    assert shown(again) == (694, 694)
    assert "#" not in again.url


def test_several_values_and_a_range(thread, opened):
    page = opened(thread)
    cells = pd.read_parquet(thread / "cells.parquet")
    choose(page, "output", "relu", "softplus")
    fits = cells["output"].isin(["relu", "softplus"])
    assert shown(page)[0] == fits.sum()
    page.get_by_label("gradient_error from").fill("1e-3")
    page.get_by_label("gradient_error from").press("Enter")
    # Without an upper end, what is not finite is among them.
    checked = cells["check"] == "full"
    fits &= (cells["gradient_error"] >= 1e-3) | (cells["gradient_error"].isna() & checked)
    assert shown(page)[0] == fits.sum() > 0
    page.get_by_label("gradient_error to").fill("0.5")
    page.get_by_label("gradient_error to").press("Enter")
    fits &= cells["gradient_error"] <= 0.5
    assert shown(page)[0] == fits.sum() > 0
    assert "output=relu&output=softplus&gradient_error=0.001..0.5" in page.url
    again = opened(thread, "#" + page.url.partition("#")[2])
    assert shown(again)[0] == fits.sum()
    assert again.locator("#answer .text").inner_text().startswith(f"Of the {fits.sum()} cells shown: ")


def test_a_figure_is_turned_by_menus_and_by_dragging(thread, opened):
    page = opened(thread)
    figure = page.locator(f"[id='{FIRST}']")
    figure.locator(".asked > summary").click()
    figure.get_by_label("Value of").select_option("accuracy")
    figure.get_by_label("Aggregate of").select_option("greatest")
    figure.get_by_label("Where activation stands").select_option("columns")
    figure.get_by_label("Where delta stands").select_option("facet")
    cells = pd.read_parquet(thread / "cells.parquet")
    where = parse("where", yaml.safe_load(THREAD.read_text())["figures"][0]["where"], cells.columns)
    sides = (["output"], ["delta", "loss", "activation"])
    shown_there = cells[where.truth(cells)].reset_index(drop=True)
    expected = lay_out(shown_there, BY_NAME["accuracy"], *sides, "greatest").split(1)
    wanted = pd.concat([part.table() for part in expected]).iloc[:, 4]
    np.testing.assert_allclose(tiles(page, FIRST).iloc[:, 4].to_numpy(float), wanted, rtol=1e-8)
    assert "1.value=accuracy" in page.url and "1.facet=delta" in page.url
    assert (
        "Test accuracy by output activation, delta, loss and hidden activation"
        in figure.locator(".headline").inner_text()
    )
    chip, shelf = figure.locator(".chip[data-axis='activation']"), figure.locator(".shelf").nth(0)
    chip.drag_to(shelf)
    assert list(tiles(page, FIRST).columns[:4]) == ["delta", "output", "activation", "loss"]
    again = opened(thread, "#" + page.url.partition("#")[2])
    assert list(tiles(again, FIRST).columns[:4]) == ["delta", "output", "activation", "loss"]
    figure.get_by_role("button", name="As it was").click()
    assert "#" not in page.url and list(tiles(page, FIRST).columns[:3]) == ["output", "loss", "delta"]


def test_points_are_chosen_by_dragging_and_everything_follows(thread, opened):
    page = opened(thread)
    panel = page.locator("#ask-points .panel.points")
    page.locator("#ask-points").scroll_into_view_if_needed()
    panel.wait_for()
    box = panel.bounding_box()
    page.mouse.move(box["x"] + box["width"] * 0.7, box["y"] + 5)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] - 2, box["y"] + box["height"] - 5, steps=4)
    page.mouse.up()
    assert "gradient_error=" in page.url
    n, whole = shown(page)
    assert 0 < n < whole
    low = float(re.search(r"gradient_error=([^.]*(?:\.\d+)?)\.\.", page.url)[1])
    cells = pd.read_parquet(thread / "cells.parquet")
    assert ((cells["gradient_error"] >= low) | cells["gradient_error"].isna()).sum() >= n
    assert page.locator("#answer .text").inner_text().startswith(f"Of the {n} cells shown: ")


def test_an_axis_of_lines_is_brushed(thread, opened):
    page = opened(thread)
    page.locator("#ask-parallel").scroll_into_view_if_needed()
    brushes = page.locator("#ask-parallel .panel.points")
    brushes.first.wait_for()
    box = brushes.first.bounding_box()
    x = box["x"] + box["width"] / 2
    page.mouse.move(x, box["y"] + box["height"] * 0.02)
    page.mouse.down()
    page.mouse.move(x, box["y"] + box["height"] * 0.35, steps=3)
    page.mouse.up()
    outputs = re.findall(r"output=(\w+)", page.url)
    assert outputs and set(outputs) < {"sigmoid", "tanh", "relu", "softplus", "identity", "softmax"}
    cells = pd.read_parquet(thread / "cells.parquet")
    assert shown(page)[0] == cells["output"].isin(outputs).sum()


@pytest.mark.parametrize("format", ["SVG", "PNG", "CSV", "LaTeX"])
def test_a_view_is_saved(thread, opened, format, tmp_path):
    page = opened(thread)
    name = "03-gradient-error-by-output-loss-and-delta"
    with page.expect_download() as saved:
        page.locator(f"[id='{name}']").get_by_role("button", name=f"as {format}").click()
    path = tmp_path / saved.value.suggested_filename
    saved.value.save_as(path)
    content = path.read_bytes()
    if format == "SVG":
        root = ElementTree.fromstring(content)
        assert root.find("{http://www.w3.org/2000/svg}title").text.startswith("A wrong shortcut is off by")
        assert b"var(--ink)" not in content
    if format == "PNG":
        assert content[:8] == b"\x89PNG\r\n\x1a\n" and len(content) > 10_000
    if format == "CSV":
        mine, theirs = (pd.read_csv(f) for f in (path, thread / "figures" / f"{name}.csv"))
        assert list(mine.columns) == list(theirs.columns)
        np.testing.assert_allclose(mine["median"], theirs["median"], rtol=1e-8)
        assert mine["n"].tolist() == theirs["n"].tolist()
    if format == "LaTeX":
        text = content.decode()
        assert r"\begin{tabular}{lrrrrrr}" in text and "y $-$ t" in text and r"\times 10^{-" in text
        assert text.count(r" \\") == 8  # two lines of headings and six outputs


def test_a_heatmap_can_be_read_as_a_table(thread, opened):
    page = opened(thread)
    page.click(f"[id='{FIRST}'] .reading summary")
    lines = page.locator(f"[id='{FIRST}'] .reading tbody tr")
    lines.first.wait_for()  # the table is made once it is opened
    assert lines.count() == 36
    data = pd.read_csv(thread / "figures" / f"{FIRST}.csv")
    read = lines.all_inner_texts()
    for line, (_, row) in zip(read, data.iterrows(), strict=True):
        assert line.startswith("\t".join([row["output"], row["loss"], row["delta"], row["verdict"]]))


def test_search_and_sort(thread, opened):
    page = opened(thread)
    page.fill("#search", "output=relu binary_cross_entropy incorrect")
    found = shown(page)[0]
    assert 0 < found < 694
    page.click("#head button:has-text('gradient_error')")
    cells = pd.read_parquet(thread / "cells.parquet")
    least = page.locator("#body tr").first.inner_text()
    page.click("#head button:has-text('gradient_error')")
    greatest = page.locator("#body tr").first.inner_text()
    assert least != greatest
    assert page.get_attribute("#head th:has-text('gradient_error')", "aria-sort") == "descending"
    assert "sort=-gradient_error" in page.url
    page.fill("#search", cells["cell"].iloc[7])
    assert shown(page)[0] == 1


def test_search_by_comparisons(thread, opened):
    page = opened(thread)
    cells = pd.read_parquet(thread / "cells.parquet")
    page.fill("#search", "accuracy > 0.2 and output = relu")
    assert shown(page)[0] == ((cells["accuracy"] > 0.2) & (cells["output"] == "relu")).sum() > 0
    page.fill("#search", "loss in [squared_error] (clip.eps < 1e-5 or not delta = exact)")
    either = (cells["clip.eps"] < 1e-5) | ~(cells["delta"] == "exact")
    assert shown(page)[0] == ((cells["loss"] == "squared_error") & either).sum() > 0
    before = shown(page)
    page.fill("#search", "acuracy > 0.2")
    assert page.inner_text("#misread") == "no column is called acuracy; the nearest is accuracy"
    page.fill("#search", "output = rleu")
    assert page.inner_text("#misread") == "output has no value rleu; the nearest is relu"
    page.fill("#search", "accuracy >")
    assert page.inner_text("#misread") == "something is missing at the end"
    assert shown(page) == before, "the rows of the last search stay"


def test_columns_are_chosen(thread, opened):
    page = opened(thread)
    page.click("#chosen-columns summary")
    page.get_by_label("cosine", exact=True).check()
    page.get_by_label("accuracy", exact=True).uncheck()
    heads = page.locator("#head th").all_inner_texts()
    assert "cosine" in heads and "accuracy" not in heads
    again = opened(thread, "#" + page.url.partition("#")[2])
    again.locator("#head th").first.wait_for()  # a table out of sight is drawn when nothing else is to do
    assert again.locator("#head th").all_inner_texts() == heads


def test_a_wrong_cell_stands_beside_its_nearest_right_one(thread, opened):
    cells = pd.read_parquet(thread / "cells.parquet")
    wrong = cells[(cells["verdict"] == "incorrect gradient") & (cells["loss"] == "squared_error")].iloc[0]
    page = opened(thread, f"#cell={wrong['cell']}")
    page.wait_for_selector("dialog .beside")
    differ = page.locator("dialog .beside tr.differs")
    assert differ.count() == 1 and differ.inner_text().split() == ["delta", "y_minus_t", "exact"]
    neighbour = page.locator("dialog .beside button").inner_text()
    (right,) = cells[cells["cell"].str.startswith(neighbour)]["verdict"]
    assert right == "agrees"
    assert page.locator("dialog path.beside").count() >= 1  # its curves, dashed
    page.locator("dialog .beside button").click()
    page.wait_for_function("!document.querySelector('dialog .beside')")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_is_accessible(thread, opened, scheme):
    """By axe, which is what Lighthouse asks; with everything opened that can be."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    page = opened(thread, color_scheme=scheme)
    all_drawn(page)
    page.evaluate("document.querySelectorAll('details').forEach(d => { d.open = true; })")
    found = axe.run(page)
    assert found.violations_count == 0, found.generate_report()
    point_at(page, FIRST, 2, 3)[0].click()
    page.wait_for_selector("dialog")
    found = axe.run(page, "dialog")
    assert found.violations_count == 0, found.generate_report()


def test_claims_open_and_lead_to_their_cells(thread, opened):
    page = opened(thread)
    claims = page.locator(".claims details")
    assert claims.count() == 25
    claims.first.locator("summary").click()
    assert "must hold for all of them; it holds for" in claims.first.inner_text()


def test_nothing_is_cut_in_print(thread, opened):
    page = opened(thread, viewport={"width": 720, "height": 1000})  # A4 within its margins
    page.emulate_media(media="print")
    beyond = """[...document.querySelectorAll("main *")].map(e => e.getBoundingClientRect())
        .filter(box => box.width && box.right > innerWidth + 1).length"""
    assert page.evaluate(beyond) == 0
    page.emulate_media(media="screen")
    assert page.evaluate(beyond) > 0, "on a screen the table scrolls"


@pytest.mark.parametrize("width", [360, 768, 1400])
def test_nothing_overlaps_or_runs_over(thread, opened, width):
    page = opened(thread, viewport={"width": width, "height": 800})
    assert page.evaluate("document.scrollingElement.scrollWidth") <= width
    boxes = page.evaluate(
        "[...document.querySelectorAll('main > *')].filter(e => e.offsetHeight && !e.matches('.view'))"
        ".map(e => { const r = e.getBoundingClientRect(); return [r.top, r.bottom, r.left, r.right]; })"
    )
    assert len(boxes) > 15
    all_drawn(page)
    for (_, bottom, _, _), (top, _, left, right) in itertools.pairwise(boxes):
        assert top >= bottom - 1
        assert left >= 0 and right <= width + 1
    inside = page.evaluate(
        "[...document.querySelectorAll('.panel')].every(p => {"
        " const a = p.getBoundingClientRect(), b = p.parentNode.getBoundingClientRect();"
        " return a.left >= b.left && a.right <= b.right && a.top >= b.top && a.bottom <= b.bottom; })"
    )
    assert inside


def test_it_prints(thread, opened):
    page = opened(thread)
    page.emulate_media(media="print")
    assert not page.is_visible("#view")
    assert page.pdf()[:4] == b"%PDF"


def test_dark_is_dark(thread, opened):
    page = opened(thread, color_scheme="dark")
    red, *_ = map(int, re.findall(r"\d+", page.evaluate("getComputedStyle(document.body).backgroundColor")))
    assert red < 60


def test_without_a_script_there_are_figures_and_statements(thread, opened):
    page = opened(thread, ready=False, java_script_enabled=False)
    assert page.locator("figure img").count() > 8
    assert not page.is_visible("#ask") and not page.is_visible(".asked")
    assert "need JavaScript" in page.inner_text("main")


def test_what_was_typed_is_text(failing, opened):
    page = opened(failing)
    assert page.title() == "failing · backproof"
    assert "<img src=x" in page.inner_text("#failed + .scroll")
    page.fill("#search", "status=failed")
    assert shown(page) == (2, 4)
    page.locator("#body button").first.click()
    page.wait_for_selector("dialog h3")
    assert "<img src=x" in page.inner_text("dialog")
    page.click("dialog summary:has-text('Traceback')")
    assert "raise ValueError" in page.inner_text("dialog")
    assert page.locator("img[src=x]").count() == 0
