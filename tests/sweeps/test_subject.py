"""Somebody's f and df as the subject of a sweep: every keyword an axis, every mistake a row."""

import json
import shlex

import forked
import pandas as pd
import pytest

PYTHON = """
import time
import numpy as np

def start(seed, hidden=6):
    rng = np.random.default_rng(seed)
    x, t = rng.normal(size=(8, 4)), np.eye(3)[rng.integers(0, 3, 8)]
    return [rng.normal(size=(4, hidden)), rng.normal(size=(hidden, 3))], x, t

def backprop(w, x, t, eps=1e-7, out="relu"):
    '''The puzzle: cross entropy, and y - t whatever the output.'''
    a = np.tanh(x @ w[0])
    z = a @ w[1]
    y = np.maximum(z, 0) if out == "relu" else 1 / (1 + np.exp(-z))
    loss = -(t * np.log(np.maximum(y, eps)) + (1 - t) * np.log(np.maximum(1 - y, eps))).sum()
    d = y - t
    return loss, [x.T @ ((d @ w[1].T) * (1 - a * a)), a.T @ d]

def loss(w, x, t):
    return backprop(w, x, t, out="sigmoid")[0]

def slope(w, x, t, factor=1.0):
    return [factor * g for g in backprop(w, x, t, out="sigmoid")[1]]

def own(w, x, t):
    '''backprop(W, X, Y) on the weights and data that the configuration names.'''
    one = np.ones((len(x), 1))
    a = np.tanh(np.hstack([x, one]) @ w[0].T)
    d = np.hstack([a, one]) @ w[1].T - t
    da = (d @ w[1][:, :-1]) * (1 - a * a)
    return (d * d).sum() / 2, [da.T @ np.hstack([x, one]), d.T @ np.hstack([a, one])]

def raises(w, x, t):
    raise RuntimeError("<b>boom</b>")  # line 34

def shape(w, x, t):
    return np.ones(3), w

def integer(w, x, t):
    return 3, w

def nan(w, x, t):
    return float("nan"), w

def single(w, x, t):
    f, df = own(w, x, t)
    return np.float32(f), df

def changes(w, x, t):
    w[0] += 1
    return own(w, x, t)

calls = [0]
def random(w, x, t):
    calls[0] += 1
    f, df = own(w, x, t)
    return f + calls[0] * 1e-9, df

def prints(w, x, t):
    print("hello")
    return own(w, x, t)

def leaves(w, x, t):
    raise SystemExit(3)

def hangs(w, x, t):
    time.sleep(60)
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "mine.py").write_text(PYTHON)
    (tmp_path / "my_conf" / "subject").mkdir(parents=True)
    (tmp_path / "my_conf" / "subject" / "puzzle.yaml").write_text(
        "by: function\n_target_: mine.backprop\nstart: mine.start\neps: 1e-7\nout: relu\n"
    )
    return tmp_path


def backproof(folder, *arguments):
    return forked.program(*arguments, cwd=folder, left_out="")


def swept(folder, *arguments, left_out="report"):
    done = forked.program("sweep", "-m", *arguments, "name=mine", cwd=folder, left_out=left_out)
    assert done.returncode in (0, 1), done.stderr
    return pd.read_csv(folder / "results" / "mine" / "cells.csv")


@pytest.mark.slow
def test_every_keyword_is_an_axis(folder):
    axes = ("subject.out=relu,sigmoid", "subject.eps=1e-3,1e-7", "seed=0,1")
    cells = swept(folder, "--config-dir", "my_conf", "subject=puzzle", *axes, left_out="")
    assert len(cells) == 8
    verdicts = cells.groupby("subject.out")["verdict"].unique()
    assert list(verdicts["relu"]) == ["incorrect gradient"]
    assert list(verdicts["sigmoid"]) == ["agrees"]
    assert (folder / "results" / "mine" / "report.html").is_file()


@pytest.mark.slow
def test_without_a_file_of_ones_own(folder):
    given = ("subject=function", "subject._target_=mine.backprop", "subject.start=mine.start")
    cells = swept(folder, *given, "subject.out=relu,sigmoid", "subject.hidden=3,5")
    assert len(cells) == 4
    assert dict(zip(cells["subject.out"], cells["verdict"], strict=True)) == {
        "relu": "incorrect gradient", "sigmoid": "agrees",
    }  # fmt: skip
    assert set(cells["parameters"]) == {4 * 3 + 3 * 3, 4 * 5 + 5 * 3}
    again = backproof(folder, *shlex.split(cells["command"].iloc[-1])[1:])
    assert "agrees" in again.stdout


def test_f_and_df_apart(folder):
    given = (
        "subject=function",
        "subject._target_=mine.loss",
        "subject.df=mine.slope",
        "subject.start=mine.start",
    )
    cells = swept(folder, *given, "subject.start=mine.start", "subject.factor=1,2.0")
    assert list(cells["verdict"]) == ["agrees", "incorrect gradient"]
    assert "scale: the gradient is 2 times the right one, everywhere" in cells["causes"][1]


def test_a_keyword_of_another_kind_is_another_cell(folder):
    """Python takes 1, 1.0 and true for equal, and a function may not."""
    given = ("subject=function", "subject._target_=mine.loss", "subject.df=mine.slope")
    cells = swept(folder, *given, "subject.start=mine.start", "subject.factor=1,1.0,true")
    assert cells["cell"].nunique() == 3
    ends = [command.partition("subject.factor=")[2].split()[0] for command in cells["command"]]
    assert ends == ["1", "1.0", "true"]


@pytest.mark.slow
def test_the_weights_and_data_of_the_configuration(folder):
    cells = swept(
        folder, "subject=function", "subject._target_=mine.own", "data=xor,gaussian",
        "network.hidden=[3],[5]", "precision=float64,float32",
    )  # fmt: skip
    assert len(cells) == 8
    assert set(cells["verdict"]) == {"agrees"}


@pytest.mark.slow
def test_every_mistake_is_a_row_and_the_rest_goes_on(folder):
    names = [
        "raises", "shape", "integer", "nan", "single", "changes", "random", "prints", "leaves", "hangs",
        "own",
    ]  # fmt: skip
    cells = swept(
        folder, "subject=function", f"subject._target_={','.join('mine.' + n for n in names)}", "data=xor",
        "network.hidden=[3]", "engine.timeout=2", "check.resolution=0.01",  # as far as float32 goes
        left_out="",
    )  # fmt: skip
    found = cells.set_index(cells["subject._target_"].str.removeprefix("mine."))
    place = str(folder / "mine.py")
    assert list(found.index) == names
    assert found.loc["own", "verdict"] == "agrees"
    for name, text in {
        "raises": f"{place}:34, raises: raises RuntimeError: <b>boom</b>",
        "shape": "shape: the loss must be one number; it returns an array of shape (3,)",
        "integer": "integer: the loss is a whole number",
        "changes": "changes: changes its argument, at W[0][0,0]",
        "leaves": "SystemExit: 3",
    }.items():
        assert found.loc[name, "status"] == "failed"
        assert text in found.loc[name, "error"]
        assert place in found.loc[name, "error"]
    assert found.loc["hangs", "status"] == "timeout"
    assert "took longer than 2 s (engine.timeout)" in found.loc["hangs", "error"]
    assert found.loc["nan", "verdict"] == "not finite"
    assert found.loc["random", "verdict"] == "not deterministic"
    assert found.loc["single", "verdict"] == "agrees"
    assert "the loss is float32 although W is float64" in found.loc["single", "notes"]
    assert "prints, at first 'hello'" in found.loc["prints", "notes"]
    assert "<b>boom" not in (folder / "results" / "mine" / "report.html").read_text()


@pytest.mark.slow
def test_changed_code_is_another_cell(folder):
    given = ("subject=function", "subject._target_=mine.own", "data=xor", "network.hidden=[3]")
    before = swept(folder, *given)["cell"][0]
    (folder / "mine.py").write_text(PYTHON + "\n# another\n")
    assert swept(folder, *given)["cell"][0] != before


@pytest.mark.parametrize(("target", "arguments", "message"), [
    (None, [], "subject._target_: must name a function"),
    ("mine.nobody", [], "subject._target_: cannot import mine.nobody"),
    ("nowhere.f", [], "cannot import nowhere.f"),
    ("mine.calls", [], "mine.calls is no function but list"),
    ("mine.backprop", ["subject.ep=1"], "mine.backprop has no such parameter; did you mean 'eps'?"),
    ("mine.own", ["subject.start=mine.no"], "subject.start: cannot import"),
    ("mine.own", ["subject.by=numpy"], "subject.by: must be one of function"),
    ("mine.own", ["check=none"], "check: there is nothing but the check"),
    ("mine.own", ["subject=functon"], "did you mean 'function'?"),
    ("mine.own", ["engine=threads", "engine.timeout=3"], "engine.timeout: not among the values"),
    ("mine.own", ["engine.timeout=0"], "engine.timeout: must be null or seconds > 0; not 0"),
])  # fmt: skip
def test_wrong_input_is_one_line(folder, target, arguments, message):
    named = [f"subject._target_={target}"] if target else []
    own = [] if any(a.startswith("subject=") for a in arguments) else ["subject=function"]
    done = backproof(folder, "sweep", "-m", *own, *named, *arguments)
    assert done.returncode == 2
    assert message in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_jax(folder):
    (folder / "traced.py").write_text(
        "import jax, jax.numpy as jnp\n"
        "@jax.custom_vjp\n"
        "def cube(x):\n    return x**3\n"
        "cube.defvjp(lambda x: (x**3, x), lambda x, g: (2 * x**2 * g,))\n"
        "def loss(w, x, t, own=True):\n"
        "    f = cube if own else (lambda x: x**3)\n"
        "    return jnp.sum(f(x @ w[0][:, :-1].T + w[0][:, -1]) - t) / 2\n"
    )
    given = ("subject=jax", "subject._target_=traced.loss", "data=xor", "network.hidden=[]")
    cells = swept(folder, *given, "subject.own=true,false")
    assert list(cells["verdict"]) == ["incorrect gradient", "agrees"]
    assert "0.666667 times the right one" in cells["causes"][0]


@pytest.mark.slow
def test_check_of_one_function(folder):
    given = ("check", "subject=function", "subject._target_=mine.backprop", "subject.start=mine.start")
    done = backproof(folder, *given, "--json")
    told = json.loads(done.stdout)
    assert done.returncode == 1
    assert told["verdict"] == "incorrect gradient"
    assert [t["name"] for t in told["tensors"]] == ["W[0]", "W[1]"]
    done = backproof(folder, *given, "subject.out=sigmoid", "--plot", "name=one")
    assert done.returncode == 0
    assert "agrees" in done.stdout
    assert len(pd.read_csv(folder / "results" / "one" / "parameters.csv")) == told["parameters"]
    assert (folder / "results" / "one" / "check.svg").is_file()
    done = backproof(folder, "check", "subject=function", "subject._target_=mine.raises", "data=xor")
    assert done.returncode == 2
    assert "mine.py:34, raises: raises RuntimeError" in done.stderr


@pytest.mark.slow
def test_code_may_lie_in_the_configuration_folder(folder):
    (folder / "mine.py").rename(folder / "my_conf" / "mine.py")
    cells = swept(folder, "--config-dir", "my_conf", "subject=puzzle", "subject.out=sigmoid,relu", "seed=0,1")
    assert len(cells) == 4
    assert (cells["status"] == "ok").all()
