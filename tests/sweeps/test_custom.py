"""Custom activations: a user's folder outside the package, with activations in YAML and Python."""

import shlex

import forked
import pandas as pd
import pytest

PYTHON = """
import numpy as np

def swish(z, beta=1.0):
    return z / (1 + np.exp(-beta * z))

class Bent:
    '''(sqrt(z² + 1) − 1)/2 + z'''
    def value(self, z):
        return (np.sqrt(z * z + 1) - 1) / 2 + z
    def derivative(self, z):
        return z / (2 * np.sqrt(z * z + 1)) + 1

class Leaky:
    def __init__(self, left=0.1, kinks=(0.0,), wrong=False):
        self.left, self.kinks, self.wrong = left, kinks, wrong
    def value(self, z):
        return np.maximum(z, self.left * z)
    def derivative(self, z):
        return np.where(z > 0, 1.001 if self.wrong else 1, self.left).astype(z.dtype)

def real_only(z):
    return np.asarray([max(float(v), 0.0) for v in z.ravel()]).reshape(z.shape).astype(z.dtype)

def raises(z):
    raise RuntimeError("not today")

class Blind(Leaky):
    def __init__(self):
        super().__init__(kinks=())

class Farsighted(Leaky):
    def __init__(self):
        super().__init__(kinks=(0.0, 2.0))

class Bounded(Bent):
    range = (-1, 1)

class Shaky(Bent):
    def derivative(self, z):
        noise = 1e-12 * np.random.random(z.shape)
        return super().derivative(z) * (1 + noise).astype(z.dtype)
"""
CHOICES = {
    "mish": 'value: "z * tanh(log1p(exp(z)))"',
    "scaled": 'value: "beta * z * sigmoid(z)"\nbeta: 2',
    "given": 'value: "z**2 * where(z > 0, 1, -1)"\nderivative: "2 * abs(z)"',
    "swish": "_target_: acts.swish\nbeta: 1.5",
    "bent": "_target_: acts.Bent",
    "leaky": "_target_: acts.Leaky\nleft: 0.25",
}
REFUSED = {
    "other": ('value: "z**2"\nderivative: "3 * z"', "activation=other: its derivative is"),
    "blind": ("_target_: acts.Blind", "activation=blind: its kinks lack the one at z = 0, from 0.1 to 1"),
    "far": ("_target_: acts.Farsighted", "activation=far: its kinks name z = 2"),
    "off": ("_target_: acts.Leaky\nwrong: true", "activation=off: its derivative is 1.001 at z ="),
    "bounded": ("_target_: acts.Bounded", "activation=bounded: its range is said to be [-1, 1], but"),
    "real": ("_target_: acts.real_only", "activation=real: has no `derivative`, and none can be found"),
    "raising": ("_target_: acts.raises", "activation=raising: RuntimeError: not today"),
    "nothing": ('value: "foo(z)"', "activation.value: 'foo' is not a known function"),
    "word": ('value: "beta * z"\nbeta: two', "activation.beta: must be a number; not 'two'"),
    "extra": ("_target_: acts.swish\ngamma: 2", "activation.gamma: unknown"),
    "empty": ("alpha: 1", "activation=empty: its file needs a `_target_:`"),
}


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "acts.py").write_text(PYTHON)
    where = tmp_path / "my_conf" / "activation"
    where.mkdir(parents=True)
    for name, text in {**CHOICES, **{k: v[0] for k, v in REFUSED.items()}}.items():
        (where / f"{name}.yaml").write_text(text)
    return tmp_path


def backproof(folder, *arguments):
    return forked.program(*arguments, cwd=folder)


@pytest.mark.slow
def test_every_custom_choice_in_a_sweep_on_two_processes(folder):
    done = backproof(
        folder, "sweep", "--config-dir", "my_conf", "-m", f"activation={','.join(CHOICES)}", "data=xor",
        "loss=squared_error", "output=same,sigmoid", "network.hidden=[3]", "training.steps=5", "name=mine",
        "engine.jobs=2", "network.init_scale=0.5,1", "seed=0,1,2",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    cells = pd.read_csv(folder / "results" / "mine" / "cells.csv")
    assert set(cells["activation"]) == set(CHOICES)
    assert set(cells["verdict"]) == {"agrees"}
    assert len(cells) == 2 * 2 * 3 * len(CHOICES)
    again = backproof(folder, *shlex.split(cells["command"][0])[1:])
    assert again.returncode == 0


def test_check_examines_the_component_alone(folder):
    given = ("data=xor", "network.hidden=[3]", "training=none", "output=sigmoid")
    done = backproof(folder, "check", "--config-dir", "my_conf", "activation=mish", *given)
    assert done.returncode == 0
    for line in (
        "activation=mish alone",
        "derivative: is that of its values",
        "kinks: none",
        "range: [-0.308843",
        "float16",
    ):
        assert line in done.stdout
    done = backproof(folder, "check", "--config-dir", "my_conf", "activation=swish", *given)
    assert "! float16: the derivative at z = -10000 is nan: it overflows" in done.stdout


def test_a_derivative_that_is_another_each_time_is_seen(folder):
    (folder / "my_conf" / "activation" / "shaky.yaml").write_text("_target_: acts.Shaky")
    given = ("data=xor", "network.hidden=[3]", "training=none", "output=sigmoid")
    done = backproof(folder, "check", "--config-dir", "my_conf", "activation=shaky", *given)
    assert "not deterministic" in done.stdout
    done = backproof(folder, "check", "--config-dir", "my_conf", "activation=bent", *given)
    assert "not deterministic" not in done.stdout


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_wrong_is_said_in_a_line_before_anything_runs(folder, name):
    given = ("data=xor", "network.hidden=[3]", "output=sigmoid")
    done = backproof(folder, "sweep", "--config-dir", "my_conf", "-m", f"activation={name}", *given)
    assert done.returncode == 2
    assert REFUSED[name][1] in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert not (folder / "results").exists()


def test_suggestions_and_help_know_them(folder):
    done = backproof(folder, "sweep", "--config-dir", "my_conf", "-m", "activation=mihs")
    assert "did you mean 'mish'?" in done.stderr
    assert "mish" in backproof(folder, "sweep", "--config-dir", "my_conf", "--help").stdout
