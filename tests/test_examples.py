"""The examples of the README: a user's folder outside the package, with the commands that stand there."""

import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import backproof

EXAMPLES = Path(__file__).parent / "examples"
README = (EXAMPLES.parents[1] / "README.md").read_text(encoding="utf-8")


@pytest.fixture
def folder(tmp_path):
    return shutil.copytree(EXAMPLES, tmp_path / "mine")


def commands(word):
    """Commands of the README in which a word stands, as somebody would type them."""
    lines = (line.partition("  #")[0] for line in README.splitlines())
    found = [line for line in lines if line.startswith("backproof ") and word in line]
    assert found, word
    return [shlex.split(line)[1:] for line in found]


def table(folder, word):
    (arguments,) = commands(word)
    done = subprocess.run(
        [sys.executable, "-m", "backproof", *arguments], cwd=folder, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    (name,) = (a.removeprefix("name=") for a in arguments if a.startswith("name="))
    return pd.read_csv(folder / "results" / name / "cells.csv")


def test_an_activation_in_yaml_alone_and_one_in_python(folder):
    cells = table(folder, "activation=mish,snake")
    assert set(cells["activation"]) == {"mish", "snake", "relu"}
    assert set(cells["verdict"]) <= {"agrees", "valid subgradient"}
    assert (folder / "results" / "smooth" / "report.html").is_file()


def test_a_network_by_hand_with_the_mistake_of_the_puzzle(folder):
    cells = table(folder, "subject=puzzle")
    verdicts = cells.groupby("subject.output")["verdict"].unique()
    assert list(verdicts["relu"]) == ["incorrect gradient"]
    assert list(verdicts["sigmoid"]) == ["agrees"]


def test_a_backward_pass_by_hand_over_shapes_and_precisions(folder):
    pytest.importorskip("ml_dtypes")
    cells = table(folder, "experiment=attention")
    assert (cells["subject.shape"].nunique(), cells["precision"].nunique()) == (3, 4)
    verdicts = cells.groupby("subject.row_sums")["verdict"].unique()
    assert list(verdicts[True]) == ["agrees"]
    assert list(verdicts[False]) == ["incorrect gradient"]
    assert set(backproof.load(folder / "results" / "attention").claims["status"]) == {"confirmed"}
    (figure,) = (folder / "results" / "attention" / "figures").glob("*.csv")
    assert {"subject.shape", "precision", "subject.row_sums"} <= set(pd.read_csv(figure).columns)


def test_a_shape_for_each_input_and_layouts(folder):
    pytest.importorskip("ml_dtypes")
    cells = table(folder, "name=shapes")
    assert len(cells) == 8
    assert set(cells["verdict"]) == {"agrees"}
    assert set(cells["subject.shape"]) == {"[4,2]", "[[9,4],[5,4],[5,3]]"}


def test_inputs_that_were_captured(folder):
    arrays = np.random.default_rng(0).normal(size=(3, 6, 4)).astype(np.float32)
    np.savez(folder / "captured.npz", **dict(zip("qkv", arrays, strict=True)))
    cells = table(folder, "name=captured")
    assert list(cells["verdict"]) == ["agrees", "agrees"]


@pytest.mark.parametrize("library", ["torch", "jax"])
def test_a_derivative_of_ones_own_in_a_library(folder, library):
    pytest.importorskip(library)
    cells = table(folder, f"subject={library}").set_index("subject.own")
    assert cells.loc[True, "verdict"] == "incorrect gradient"
    assert "1/2 times the right one" in cells.loc[True, "causes"]
    assert cells.loc[False, "verdict"] == "agrees"


def test_a_test_suite_of_ones_own(folder):
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_mine.py"]
    assert subprocess.run(command, cwd=folder, capture_output=True).returncode == 0
    (folder / "test_mine.py").write_text((folder / "test_mine.py").read_text().replace("sigmoid", "relu"))
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 1
    assert "incorrect gradient: The analytic gradient is not the gradient" in done.stdout


@pytest.mark.parametrize("file", ["activation/mish", "subject/puzzle", "subject/attention"])
def test_the_readme_shows_the_files_as_they_are(file):
    assert (EXAMPLES / "my_conf" / f"{file}.yaml").read_text().strip() in README
