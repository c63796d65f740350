"""What a reader does with a report."""

import itertools
import re

import pandas as pd
import pytest

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


def choose(page, name, value):
    if not page.is_visible("#filters"):
        page.click("#view summary")
    page.select_option(f"select[name='{name}']", value)


def test_it_is_small_and_asks_for_nothing(thread, opened):
    page = opened(thread)
    assert (thread / "report.html").stat().st_size < 5_000_000
    assert page.title() == "thread · backproof"
    assert shown(page) == (654, 654)
    for image in page.query_selector_all("figure img"):
        assert image.evaluate("i => i.complete && i.naturalWidth > 0")
        assert len(image.get_attribute("alt")) > 40


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
    assert page.locator("dialog table tbody tr").count() == 4  # W1, b1, W2, b2
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
    filled = page.locator(f"[id='{FIRST}'] .tile")
    assert filled.count() == 36
    here = cells[
        fits
        & (cells["output"] == "relu")
        & (cells["loss"] == "binary_cross_entropy")
        & (cells["delta"] == "exact")
    ]
    assert here["verdict"].eq("agrees").all()
    assert filled.nth(2 * 6 + 2).inner_text() == "✓"
    again = opened(thread, "#" + page.url.partition("#")[2])
    assert "activation=softplus" in again.url
    assert shown(again)[0] == fits.sum()
    again.click("#all")
    assert shown(again) == (654, 654)
    assert "#" not in again.url
    assert again.locator(".tile").count() == 0


def test_the_script_aggregates_as_the_tables_do(thread, opened):
    """Filtered by something that fits every cell, each tile must show what the CSV says."""
    page = opened(thread, "#network.init_scale=1")
    data = pd.read_csv(thread / "figures" / "03-gradient-error-by-output-loss-and-delta.csv")
    texts = page.locator("[id='03-gradient-error-by-output-loss-and-delta'] .tile").all_inner_texts()
    assert len(texts) == len(data) == 36
    for text, value in zip(texts, data["median"], strict=True):
        assert text == "" if pd.isna(value) else float(text) == pytest.approx(value, rel=0.5), (text, value)
    verdicts = pd.read_csv(thread / "figures" / f"{FIRST}.csv")
    symbols = page.locator(f"[id='{FIRST}'] .tile").all_inner_texts()
    assert [s[:1] == "✓" for s in symbols] == list(verdicts["verdict"] == "agrees")


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
    assert 0 < found < 654
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


def test_claims_open_and_lead_to_their_cells(thread, opened):
    page = opened(thread)
    claims = page.locator(".claims details")
    assert claims.count() == 24
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
