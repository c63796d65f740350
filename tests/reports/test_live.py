"""Text with measured numbers."""

import pandas as pd
import pytest

from backproof.errors import ConfigurationError
from backproof.reports.live import live_text

CELLS = pd.DataFrame(
    {
        "output": ["relu", "relu", "sigmoid", "sigmoid"],
        "accuracy": [0.5, 0.7, 0.9, None],
        "verdict": ["agrees", "incorrect gradient", "agrees", "agrees"],
        "clip.eps": [1e-7, 1e-3, None, None],
    }
)


def filled(text):
    return live_text("answer", text, list(CELLS)).filled(CELLS)


@pytest.mark.parametrize(
    ("field", "shown"),
    [
        ("{median(accuracy where output == 'relu'):.2f}", "0.60"),
        ("{mean(accuracy):.3f}", "0.700"),
        ("{share(verdict == 'agrees'):.0%}", "75%"),
        ("{share(verdict == 'agrees' where output == 'relu'):.0%}", "50%"),
        ("{count(where verdict == 'agrees')}", "3"),
        ("{count()}", "4"),
        ("{least(accuracy)} to {greatest(accuracy)}", "0.5 to 0.9"),
        ("{sum(notnull(`clip.eps`))}", "2"),
        ("{greatest(`clip.eps`):.0e}", "1e-03"),
        ("{median(accuracy where output == 'tanh'):.2f}", "–"),
        ("{count(where output == 'tanh')}", "0"),
        ("{median( accuracy\n where output\n == 'relu' ) : .1f}".replace(" : ", ":"), "0.6"),
    ],
)
def test_a_field_is_the_aggregate_of_cells(field, shown):
    assert filled(f"It is {field}, so it is.") == f"It is {shown}, so it is."


def test_text_without_fields_is_itself_on_one_line():
    assert filled("a\n  b 100 %") == "a b 100 %"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{medain(accuracy)}", "did you mean 'median'"),
        ("{median(acuracy)}", "did you mean 'accuracy'"),
        ("{median(accuracy where otput == 'relu')}", "did you mean 'output'"),
        ("{median()}", "median takes a value"),
        ("{count(accuracy)}", "count takes cells alone"),
        ("{accuracy}", "must be an aggregate of cells"),
        ("{median(accuracy):>999999999}", "a format must be"),
        ("{median(accuracy):.9999f}", "a format must be"),
        ("{median(accuracy.__class__)}", "backticks"),
        ("{median(open('x'))}", "unknown name open"),
        ("a { b", "a brace without its other one"),
    ],
)
def test_what_is_no_field_is_refused(text, said):
    with pytest.raises(ConfigurationError) as caught:
        live_text("answer", text, list(CELLS))
    assert str(caught.value).startswith("answer") and said in str(caught.value).replace('"', "'")


def test_a_text_in_place_of_a_number_is_refused_once_there_are_cells():
    with pytest.raises(ConfigurationError, match="is text, not a number"):
        filled("{median(output)}")


def test_cells_of_a_refinement_count_where_they_are_named():
    cells = CELLS.assign(refined=[False, True, False, True])
    text = "{count(where output == 'relu')} {count(where output == 'relu' and (refined or not refined))}"
    found = live_text("answer", text, list(cells))
    assert found.filled(cells) == "1 2"
    assert [field["refined"] for field in found.plain["fields"]] == [False, True]
