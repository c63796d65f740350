"""Results of a sweep, loaded: the same tables and figures as the report's."""

import pandas as pd
import pytest

import backproof
from backproof.errors import ConfigurationError
from backproof.interfaces.cli import main

SWEEP = (
    "data=xor", "network.hidden=[3]", "training.steps=5", "output=sigmoid,relu", "delta=exact,y_minus_t",
    "seed=0,1", "name=mine", "engine=serial",
)  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("notebook")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        assert main(["sweep", "-m", *SWEEP]) == 0
    return place / "results" / "mine"


def test_tables_are_the_files(folder):
    results = backproof.load(folder)
    for name in ("cells", "curves", "tensors"):
        read = pd.read_parquet(folder / f"{name}.parquet")
        pd.testing.assert_frame_equal(getattr(results, name), read, check_dtype=False)
    assert len(results.cells) == 8
    assert set(results.tensors["cell"]) == set(results.cells["cell"])


def test_figures_are_the_reports(folder):
    results = backproof.load(folder)
    assert len(results.figures) == len(list((folder / "figures").glob("*.svg"))) > 4
    drawn = results.figure("verdict by")
    assert drawn.title == results.figure(1).title == "Verdict by delta and output"
    with (folder / "figures" / "01-verdict-by-delta-and-output.csv").open() as file:
        pd.testing.assert_frame_equal(drawn.data.reset_index(drop=True), pd.read_csv(file), check_dtype=False)
    assert drawn._repr_html_().startswith("<svg")


def test_one_of_ones_own(folder):
    drawn = backproof.load(folder).figure({"value": "excess", "rows": ["output"], "facet": ["delta"]})
    assert list(drawn.data["delta"].unique()) == ["exact", "y_minus_t"]
    assert "n" in drawn.data


@pytest.mark.parametrize(
    ("which", "says"),
    [
        (99, "must be 1 to"),
        ("gradient wrong", "no title has 'gradient wrong'"),
        ({"value": "exces", "rows": ["output"]}, "did you mean 'excess'?"),
    ],
)
def test_what_is_not_there_is_told(folder, which, says):
    with pytest.raises(ConfigurationError, match=r"fig") as told:
        backproof.load(folder).figure(which)
    assert says in str(told.value)


def test_no_sweep_there(tmp_path):
    with pytest.raises(ConfigurationError, match="holds no sweep"):
        backproof.load(tmp_path)


def test_it_prints_what_is_in_it(folder):
    results = backproof.load(folder)
    assert "8 ok" in repr(results)
    assert "figure 1: Verdict by delta and output" in repr(results)
    assert "<p>" in results._repr_html_()
