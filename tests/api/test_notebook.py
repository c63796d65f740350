"""Results of a sweep, loaded: the same tables and figures as the report's."""

import numpy as np
import pandas as pd
import pytest

import backproof
from backproof.errors import ConfigurationError
from backproof.interfaces.cli import main
from backproof.interfaces.labelled import to_dataset

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
    assert drawn.title == results.figure(1).title == "Verdict by delta and output activation"
    with (folder / "figures" / "01-verdict-by-delta-and-output-activation.csv").open() as file:
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


# --- labelled arrays


def test_labelled_arrays_have_a_dimension_for_every_setting_that_varies(folder):
    results = backproof.load(folder)
    found = results.to_xarray()
    assert dict(found.sizes) == {"output": 2, "delta": 2, "seed": 2}
    assert list(found["output"].values) == ["sigmoid", "relu"]
    assert found.attrs["data"] == "xor"
    for row in results.cells.itertuples():
        one = found.sel(output=row.output, delta=row.delta, seed=row.seed)
        assert one["cell"].item() == row.cell
        assert one["verdict"].item() == row.verdict
        assert one["gradient_error"].item() == pytest.approx(row.gradient_error, nan_ok=True)
    assert found["gradient_error"].median("seed").shape == (2, 2)


def test_a_setting_that_cannot_matter_stands_at_all_of_its_values():
    cells = pd.DataFrame({
        "cell": ["a", "b", "c"], "activation": ["relu", "relu", "tanh"], "relu_at_zero": [0.0, 1.0, None],
        "seed": [0, 0, 0], "status": "ok", "verdict": ["agrees", None, "agrees"], "excess": [0.1, None, 0.3],
    })  # fmt: skip
    found = to_dataset(cells)
    assert found["cell"].values.tolist() == [["a", "b"], ["c", "c"]]
    assert found["verdict"].values.tolist() == [["agrees", ""], ["agrees", "agrees"]]
    assert np.isnan(found["excess"].values).tolist() == [[False, True], [False, False]]
    assert found.attrs == {"seed": 0}


def test_arrays_that_would_be_too_large_are_refused():
    n = 500
    cells = pd.DataFrame({
        "cell": map(str, range(n)), "seed": range(n), "clip.eps": range(n), "loss.l2": range(n),
        "status": "ok",
    })  # fmt: skip
    with pytest.raises(ConfigurationError, match="500 × 500 × 500 entries are too many; select"):
        to_dataset(cells)


def test_some_of_the_cells(folder):
    some = backproof.load(folder).select("output == 'relu' and seed == 1")
    assert len(some.cells) == 2
    assert set(some.curves["cell"]) == set(some.tensors["cell"]) == set(some.cells["cell"])
    with pytest.raises(ConfigurationError, match="outptu"):
        some.select("outptu == 1")
