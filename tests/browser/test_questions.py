"""Ten questions about the thread: a reader answers each in at most four actions, as the table does."""

import re

import pandas as pd
import pytest

FIGURE = "figure[id^='{:02d}-']"
MOST_ACTIONS = 4


class Reader:
    """Somebody with a report who counts what they do: a click, a choice, a line typed, a drag."""

    def __init__(self, page):
        self.page, self.actions = page, 0

    def figure(self, number):
        found = self.page.locator(FIGURE.format(number))
        found.scroll_into_view_if_needed()
        found.locator(".drawing > svg").wait_for()
        return found

    def click(self, found):
        self.actions += 1
        found.click()

    def choose(self, found, value):
        self.actions += 1
        found.select_option(value)

    def type(self, text):
        self.actions += 1
        self.page.fill("#search", text)

    def tile(self, number, row, column):
        """Click a tile by its settings."""
        figure = self.figure(number)
        panel = figure.locator(".panel").first
        at = self.page.evaluate(
            """([id, row, column]) => {
                const { parts: [part], spec } = backproof.figures.get(id).drawn.grid;
                const named = (names, key) => key.map((code, k) => backproof.keyLabel(names[k], code)).join();
                const place = (keys, names, wanted) => keys.findIndex(key => named(names, key) === wanted);
                return [(place(part.rows, spec.rows, row) + 0.5) / part.rows.length,
                        (place(part.columns, spec.columns, column) + 0.5) / part.columns.length];
            }""",
            [str(number), row, column],
        )
        box = panel.bounding_box()
        self.actions += 1
        panel.click(position={"x": at[1] * box["width"], "y": at[0] * box["height"]})

    def table(self, number):
        """What a heatmap shows."""
        self.figure(number)
        read = "async n => { const f = backproof.figures.get(n); await f.draw(); return f.drawn.table(); }"
        found = self.page.evaluate(read, str(number))
        return pd.DataFrame(found["rows"], columns=found["head"])


@pytest.fixture
def cells(thread):
    return pd.read_parquet(thread / "cells.parquet")


@pytest.fixture
def reader(thread, opened):
    found = Reader(opened(thread))
    yield found
    assert found.actions <= MOST_ACTIONS


PUZZLE = ("relu", "binary_cross_entropy,y_minus_t")


def test_which_outputs_agree_with_y_minus_t(reader):
    shown = reader.table(1)
    right = shown[(shown["delta"] == "y_minus_t") & (shown["verdict"] == "agrees")]
    assert set(zip(right["output"], right["loss"], strict=True)) == {
        ("identity", "squared_error"),
        ("sigmoid", "binary_cross_entropy"),
        ("softmax", "categorical_cross_entropy"),
    }


def test_does_any_eps_repair_y_minus_t_with_a_relu_output(reader):
    shown = reader.table(4)
    assert not (shown["verdict"][shown["delta"] == "y_minus_t"] == "agrees").any()


def test_why_is_it_wrong_and_what_cures_it(reader):
    reader.tile(1, *PUZZLE)
    reader.click(reader.page.locator("dialog .list button").first)
    reader.page.wait_for_selector("dialog pre")
    words = reader.page.inner_text("dialog")
    assert "Causes: output delta: y - t for another pair" in words


def test_in_what_does_the_nearest_right_cell_differ(reader):
    reader.tile(1, *PUZZLE)
    reader.click(reader.page.locator("dialog .list button").first)
    reader.page.wait_for_selector("dialog .beside")
    differ = reader.page.locator("dialog .beside tr.differs th").all_inner_texts()
    assert len(differ) == 1 and differ[0] in ("delta", "output", "loss")


def test_does_the_hidden_activation_matter(reader):
    figure = reader.figure(1)
    reader.click(figure.locator(".asked > summary"))
    reader.choose(figure.get_by_label("Where activation stands"), "rows")
    shown = reader.table(1)
    puzzle = shown[(shown["output"] == "relu") & (shown["loss"] == "binary_cross_entropy")]
    wrong = puzzle[puzzle["delta"] == "y_minus_t"]
    assert len(wrong) == 5 and (wrong["verdict"] == "incorrect gradient").all()


def test_from_which_weight_scale_on_is_unclipped_cross_entropy_not_finite(reader):
    shown = reader.table(6)
    unclipped = shown[shown["clip"] == "none"]
    large = unclipped["network.init_scale"].astype(float) >= 64
    assert (unclipped["verdict"][large] == "not finite").all() and large.any()
    assert not (unclipped["verdict"][unclipped["network.init_scale"] == "1"] == "not finite").any()


def test_does_a_wrong_gradient_train_with_softplus(reader, cells):
    reader.click(reader.page.locator("#view > details > summary"))
    reader.click(reader.page.locator("#filters .filter summary", has_text=re.compile("^activation")))
    reader.click(reader.page.locator("input[name='activation'][value='softplus']"))
    shown = reader.table(8)
    (row,) = shown[
        (shown["output"] == "relu")
        & (shown["loss"] == "binary_cross_entropy")
        & (shown["delta"] == "y_minus_t")
    ].to_dict("records")
    here = cells[
        (cells["activation"] == "softplus")
        & (cells["output"] == "relu")
        & (cells["delta"] == "y_minus_t")
        & (cells["data"] == "digits")
        & (cells["clip.eps"] < 1e-15)
        & (cells["clip"] == "floor")
    ]
    assert row["median"] == pytest.approx(here["accuracy"].median())


def test_which_wrong_gradients_train_best(reader, cells):
    reader.type("accuracy > 0.3 and verdict = 'incorrect gradient'")
    reader.click(reader.page.locator("#head button", has_text="accuracy"))
    reader.click(reader.page.locator("#head button", has_text="accuracy"))
    fits = cells[(cells["accuracy"] > 0.3) & (cells["verdict"] == "incorrect gradient")]
    heads = [h.split()[0] for h in reader.page.locator("#head th").all_inner_texts() if h]
    first = reader.page.locator("#body tr").first.locator("td").nth(heads.index("accuracy")).inner_text()
    assert float(first) == pytest.approx(fits["accuracy"].max(), rel=1e-3)


def test_is_it_the_data(reader, cells):
    figure = reader.page.locator("#ask-heatmap")
    figure.scroll_into_view_if_needed()
    reader.click(figure.locator(".asked > summary"))
    reader.choose(figure.get_by_label("Where data stands"), "facet")
    reader.choose(figure.get_by_label("Value of"), "gradient_error")
    number = reader.page.evaluate("[...backproof.figures].find(([, f]) => f.host.id === 'ask-heatmap')[0]")
    read = "async n => { const f = backproof.figures.get(n); await f.draw(); return f.drawn.table(); }"
    found = reader.page.evaluate(read, number)
    shown = pd.DataFrame(found["rows"], columns=found["head"])
    assert set(shown["data"]) == set(cells["data"])
    here = cells[(cells["data"] == "xor") & (cells["output"] == "sigmoid") & (cells["delta"] == "exact")]
    here = here[here["loss"] == "binary_cross_entropy"]
    (row,) = shown[
        (shown["data"] == "xor")
        & (shown["output"] == "sigmoid")
        & (shown["delta"] == "exact")
        & (shown["loss"] == "binary_cross_entropy")
    ].to_dict("records")
    assert row["median"] == pytest.approx(here["gradient_error"].median(), rel=1e-6)


def test_which_statements_are_about_a_cell_and_the_figure_that_shows_it(reader):
    reader.click(reader.page.locator("#statement-c summary"))
    reader.click(reader.page.locator("#statement-c .cells-of"))
    assert "statement=c" in reader.page.url
    n = int(re.search(r"[\d,]+", reader.page.inner_text("#count"))[0].replace(",", ""))
    assert n == int(re.search(r"Show its ([\d,]+) cells", reader.page.inner_text("#statement-c"))[1]) > 5
