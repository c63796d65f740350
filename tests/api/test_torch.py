"""Gradients that PyTorch makes, where it is installed."""

from __future__ import annotations

import numpy as np
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


def test_numpy_arrays_and_parameters_without_a_part():
    found = backproof.check(
        lambda w, x: (w[0] * x).sum(), [np.ones(3), np.ones(2)], np.arange(3.0), by="torch"
    )
    assert found.agrees
    with pytest.raises(backproof.FunctionError, match=r"test_torch.py:\d+.*shape \(3,\)"):
        backproof.check(lambda w: w * 2, torch.ones(3, dtype=torch.float64))
