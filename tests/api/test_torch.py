"""Gradients that PyTorch makes, where it is installed."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

import backproof

torch = pytest.importorskip("torch")


class Square(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * x

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        return g * x  # 2 forgotten


def test_an_autograd_function():
    w = {"a": torch.linspace(-1, 2, 6, dtype=torch.float64), "b": torch.ones(2, dtype=torch.float64)}
    right = backproof.check(lambda w: (w["a"] ** 2).sum() + (w["b"] ** 2).sum(), w)
    assert right.agrees, right
    found = backproof.check(lambda w: Square.apply(w["a"]).sum() + (w["b"] ** 2).sum(), w)
    assert found.causes == ("scale: W['a']: the gradient is 1/2 times the right one",)


def test_a_backward_pass_of_tensors():
    x = torch.linspace(-1, 2, 6, dtype=torch.float64).reshape(2, 3)
    index = torch.tensor([0, 2])
    assert backproof.check_vjp(lambda x, i: (x[:, i] ** 2, x.sum(0)), None, x, index).agrees
    wrong = backproof.check_vjp(lambda x: (Square.apply(x), x.sum()), None, x)
    assert wrong.verdict == "incorrect gradient"
    assert wrong.judgement.worst_parameter.startswith("∂y[0][")


def test_complex_tensors():
    z = torch.tensor([1 + 2j, -0.5j], dtype=torch.complex128)
    assert backproof.check_vjp(lambda z: (z * z.conj(), z**2), None, z).agrees
    assert backproof.check(lambda z: (z.abs() ** 2).sum(), z).agrees


class Net(torch.nn.Module):
    def __init__(self, square):
        super().__init__()
        self.square = square
        self.first, self.second = torch.nn.Linear(4, 5), torch.nn.Linear(5, 1)

    def forward(self, x, t):
        return ((self.second(self.square(self.first(x))) - t) ** 2).mean()


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_a_module(dtype):
    torch.manual_seed(0)
    x, t = torch.randn(6, 4, dtype=dtype), torch.randn(6, 1, dtype=dtype)
    assert backproof.check(Net(torch.square).to(dtype), None, x, t).agrees
    found = backproof.check(Net(Square.apply).to(dtype), None, x, t)
    assert not found.agrees
    wrong = {row.tensor for row in found.table().itertuples() if row.verdict != "agrees"}
    assert wrong == {"W['first.weight']", "W['first.bias']"}


@pytest.mark.slow
def test_a_module_as_the_subject_of_a_sweep(tmp_path):
    (tmp_path / "mine.py").write_text(
        "import torch\n"
        "class Net(torch.nn.Module):\n"
        "    def __init__(self, hidden=3, wrong=False):\n"
        "        super().__init__()\n"
        "        self.a, self.b, self.wrong = torch.nn.Linear(2, hidden), torch.nn.Linear(hidden, 2), wrong\n"
        "    def forward(self, x, t):\n"
        "        h = torch.tanh(self.a(x))\n"
        "        h = (h + h.detach()) / 2 if self.wrong else h\n"
        "        return ((self.b(h) - t) ** 2).mean()\n"
    )
    axes = ["subject.wrong=false,true", "precision=float32,float64", "seed=0,1", "data=xor", "name=mine"]
    command = [sys.executable, "-m", "backproof", "sweep", "-m", "subject=torch", "subject._target_=mine.Net"]
    done = subprocess.run([*command, *axes], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    cells = pd.read_csv(tmp_path / "results" / "mine" / "cells.csv")
    assert len(cells) == 8
    assert (
        cells["verdict"] == cells["subject.wrong"].map({False: "agrees", True: "incorrect gradient"})
    ).all()
    wrong = cells.loc[cells["subject.wrong"], "causes"]
    assert all("scale: W['a.weight']: the gradient is 1/2 times the right one" in text for text in wrong)
    assert cells["loss_value"].round(4).nunique() == 2  # the seed's, the same in both precisions


def test_numpy_arrays_and_parameters_without_a_part():
    found = backproof.check(
        lambda w, x: (w[0] * x).sum(), [np.ones(3), np.ones(2)], np.arange(3.0), by="torch"
    )
    assert found.agrees
    with pytest.raises(backproof.FunctionError, match=r"test_torch.py:\d+.*shape \(3,\)"):
        backproof.check(lambda w: w * 2, torch.ones(3, dtype=torch.float64))
