"""`backproof merge`: parts of a grid in one folder, the same as the grid run at once; and wrong input."""

import shutil

import pandas as pd
import pytest
from stored import of_seed, rewrite
from without_report import report_left_out

import backproof
from backproof.interfaces.cli import main

TINY = ("data=xor", "network.hidden=[3]", "training=none", "engine=serial")
GRID = ("-m", "activation=relu,tanh", "training=sgd", "training.steps=3")


@pytest.fixture(scope="module")
def swept(tmp_path_factory):
    """Three folders, run once: seeds 0 and 1, seeds 1 and 2, and all of them at once."""
    folder = tmp_path_factory.mktemp("swept")
    with pytest.MonkeyPatch.context() as patch, report_left_out():
        patch.chdir(folder)
        for name, seeds in (("a", "0,1"), ("b", "1,2"), ("whole", "0,1,2")):
            assert main(["sweep", *TINY, *GRID, f"seed={seeds}", f"name={name}"]) == 0
    return folder / "results"


@pytest.fixture
def parts(swept, here):
    """Copies of them."""
    shutil.copytree(swept, here / "results")


def frames(folder, name, drop=()):
    return pd.read_parquet(folder / f"{name}.parquet").drop(columns=list(drop))


@pytest.mark.usefixtures("parts")
def test_the_parts_of_a_grid_are_the_grid(program, here):
    done = program("merge", "results/a", "results/b", "name=both")
    assert done.status == 0, done.err
    assert "6 cells; 2 in several folders, 0 of those with other results" in done.out
    assert "report: results/both/report.html" in done.out
    for name in ("cells", "curves", "tensors"):
        drop = ["seconds"] if name == "cells" else []
        one, other = (frames(here / "results" / f, name, drop) for f in ("both", "whole"))
        keys = [c for c in ("cell", "series", "step", "tensor") if c in one]
        one, other = (f.sort_values(keys).reset_index(drop=True) for f in (one, other))
        pd.testing.assert_frame_equal(one, other, check_exact=True)
    again = program("sweep", *TINY, *GRID, "seed=0,1,2", "name=both")
    assert "6 already there, 0 to run" in again.err


@pytest.mark.usefixtures("parts")
def test_a_result_counts_more_than_a_failure_and_that_more_than_none(program, here):
    folder = here / "results"
    rewrite(folder / "a", lambda row: row.update(status="failed", outcome="{}"), of_seed(1))
    rewrite(folder / "b", lambda row: row.update(status=None), of_seed(2))
    done = program("merge", "results/b", "results/a", "name=both")
    assert done.status == 1
    assert "2 cells are still to come" in done.err
    assert list(frames(folder / "both", "cells")["status"].unique()) == ["ok"]


@pytest.mark.usefixtures("parts")
def test_other_results_of_the_same_cell_are_counted(program, here):
    rewrite(here / "results" / "b", lambda row: row.set("gradient_error", 0.5), of_seed(1))
    done = program("merge", "results/a", "results/b", "name=both")
    assert done.status == 1
    assert "2 in several folders, 2 of those with other results" in done.out
    assert (frames(here / "results" / "both", "cells")["gradient_error"] < 0.5).all()


@pytest.mark.usefixtures("parts")
@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("results/a", "results/b"), "merge: needs name=NEW"),
        (("results/a", "name=x"), "merge: takes two results folders or more; not 1"),
        (("results/a", "results/none", "name=x"), "results/none: holds no sweep"),
        (("results/a", "results/b", "name=a"), "results/a: is one of the folders to be merged"),
        (("results/a", "results/b", "name=whole"), "results/whole: is there already"),
        (("results/a", "results/b", "name=../x"), "name: must be a folder name"),
    ],
)
def test_wrong_input(program, here, words, says):
    done = program("merge", *words)
    assert done.status == 2
    assert says in done.err
    assert not (here / "results" / "x").exists()


@pytest.mark.usefixtures("parts")
def test_a_malformed_row_is_refused(program, here):
    rewrite(here / "results" / "b", lambda row: row.update(outcome="[1]"))
    done = program("merge", "results/a", "results/b", "name=both")
    assert done.status == 2
    assert "results/b/sweep.sqlite" in done.err and "outcome: must be a mapping" in done.err
    assert not (here / "results" / "both").exists()


def test_the_question_and_claims_of_an_experiment_are_kept(tiny, program, here):
    (here / "experiments").mkdir()
    content = "question: why\ngrid: {activation: [relu, tanh], seed: [0, 1]}\nclaims: []\n"
    (here / "experiments" / "mine.yaml").write_text(content)
    for name, seed in (("a", 0), ("b", 1)):
        assert tiny("sweep", "experiment=mine", f"seed={seed}", f"name={name}").status == 0
    assert program("merge", "results/a", "results/b", "name=both").status == 0
    assert backproof.load(here / "results" / "both").experiment["question"] == "why"
    assert "both: 4 ok" in repr(backproof.load(here / "results" / "both"))
