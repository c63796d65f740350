"""`backproof check`: exit status, what is printed, for programs and as figures, and wrong input."""

import json

import pandas as pd
import pytest

SMALL = ("data=gaussian", "network.hidden=[4]", "training=none")
ACTIVATION = """
from dataclasses import replace
import numpy as np
from backproof.network.activations.tanh import tanh
mine = replace(tanh(), name="mine", value=lambda z: np.abs(z - 0.4), derivative=lambda z: np.sign(z - 0.4))
"""


@pytest.mark.parametrize(
    ("overrides", "status", "words"),
    [
        (("output=sigmoid",), 0, ("✓ agrees",)),
        (("output=relu", "delta=y_minus_t"), 1, ("✗ incorrect gradient", "cured by", "delta=exact", "worst")),
        (("output=sigmoid", "activation=tanh", "check.step=1"), 1, ("t truncation", "check.step=null")),
        (("output=sigmoid", "check=none"), 0, ("– not checked",)),
        (
            ("output=sigmoid", "data=xor", "network.bias=zero"),
            0,
            ("s valid", "lies on the kink", "one-sided"),
        ),
        (("output=identity", "clip=none"), 1, ("d outside domain", "loss term, sample")),
    ],
)
def test_the_exit_status_and_what_is_said(program, overrides, status, words):
    done = program("check", *SMALL, *overrides)
    assert done.status == status
    assert all(word in done.out for word in words), done.out
    assert done.err == ""


def test_json_is_all_that_is_printed(program):
    done = program("check", *SMALL, "output=relu", "delta=y_minus_t", "--json")
    told = json.loads(done.out)
    assert (done.status, done.err) == (1, "")
    assert (told["verdict"], told["right"]) == ("incorrect gradient", False)
    assert told["causes"][0]["name"] == "output delta: y - t for another pair"
    assert "delta=exact" in told["cures"]["found"]
    assert [t["name"] for t in told["tensors"]] == ["W1", "b1", "W2", "b2"]
    assert sum(told["verdicts"].values()) == told["parameters"]
    assert told["command"].startswith("backproof check")


def test_json_of_what_is_not_finite_is_json(program):
    told = json.loads(program("check", *SMALL, "output=identity", "clip=none", "--json").out)
    assert (told["verdict"], told["loss"]) == ("outside domain", None)


@pytest.mark.parametrize(("name", "folder"), [((), "check"), (("name=mine",), "mine")])
def test_figures_are_written_where_they_are_looked_for(program, here, name, folder):
    done = program("check", *SMALL, "output=sigmoid", "--plot", *name)
    assert done.status == 0
    written = {p.name for p in (here / "results" / folder).iterdir()}
    assert written == {
        "error-against-step.svg", "error-against-step.png", "error-against-step.csv",
        "error-of-weights.svg", "error-of-weights.png",
        "parameters.csv",
    }  # fmt: skip
    assert f"written: results/{folder}/error-against-step.svg" in done.err


def test_every_parameter_is_listed_with_its_kinks(program, here):
    """xor's row of zeros is sample 0 or another; with zero biases it puts every unit on its kink."""
    program("check", *SMALL, "data=xor", "network.bias=zero", "output=sigmoid", "--plot")
    table = pd.read_csv(here / "results" / "check" / "parameters.csv").set_index("parameter")
    assert len(table) == 2 * 4 + 4 + 4 * 2 + 2
    touched = table.loc[[f"b1[{j}]" for j in range(4)]]
    assert touched["kinks"].str.fullmatch(r"sample \d, layer 1, unit \d: 0 lies on the kink at 0").all()
    assert (touched["safe_step"] == 0).all()
    assert ((touched["low"] <= touched["analytic"]) & (touched["analytic"] <= touched["high"])).all()
    rest = table.drop(index=touched.index)
    assert rest["kinks"].isna().all()
    assert (rest["verdict"] == "agrees").all()
    assert (rest["safe_step"] > 0).all()


WRONG = [
    (("check.step=0",), "check.step: must be null or a number > 0; not 0"),
    (("check.step=-1",), "check.step: must be null or a number > 0; not -1"),
    (("check.step=1e-30",), "check.step: must be at least 2.22e-16, the spacing of float64 at 1; not 1e-30"),
    (("check.step=1e-5", "precision=float16"), "check.step: must be at least 0.000977"),
    (("check.step=4e-16", "network.init_scale=100"), "check.step: 4e-16 is lost beside"),
    (("check.scheme=complx",), "check.scheme: must be one of", "did you mean 'complex'?"),
    (("check.scheme=complex", "precision=float16"), "check.scheme: complex needs complex numbers"),
    (("check.cures=-1",), "check.cures: must be a whole number ≥ 0"),
    (("check.evidence=maybe",), "check.evidence: must be true or false"),
    (("loss.l2=-1",), "loss.l2: must be a number ≥ 0"),
    (("fault=sgin",), "fault: must be one of", "did you mean 'sign'?"),
    (("name=../x", "--plot"), "name: must be a folder name"),
]


@pytest.mark.parametrize(("arguments", "words"), [(a, w) for a, *w in WRONG])
def test_wrong_input_is_one_line(program, arguments, words):
    done = program("check", *SMALL, "output=sigmoid", *arguments)
    assert (done.status, done.out) == (2, "")
    assert done.err.count("\n") == 1
    assert all(word in done.err for word in words), done.err


def test_a_function_that_takes_no_complex_numbers_is_named(program, here):
    (here / "own_functions.py").write_text(ACTIVATION)
    (here / "conf" / "activation").mkdir(parents=True)
    (here / "conf" / "activation" / "mine.yaml").write_text("_target_: own_functions.mine\n")
    arguments = ("--config-dir", "conf", "activation=mine", "output=sigmoid", "check.scheme=complex")
    done = program("check", *SMALL, *arguments)
    assert done.status == 2
    assert "check.scheme: complex does not apply, since activation=mine takes no complex numbers" in done.err
    assert program("check", *SMALL, *arguments[:-1]).status in (0, 1)


def test_sweep_has_no_json(program):
    done = program("sweep", *SMALL, "--json")
    assert done.status == 2
    assert "--json: unknown option" in done.err
