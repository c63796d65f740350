"""Functions of PyTorch and of NumPy in bfloat16 and float16 from inputs so large that they saturate.

    python tests/held_out/saturated.py --seed 100 --count 5

PyTorch's own backward passes, and those of NumPy that are right, must not be called wrong; a pass of NumPy
with one fault must be. An array whose entries are all smaller than what rounding makes of them is not told
from a wrong one, and then `unresolved`.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Callable
from typing import Any

import ml_dtypes
import numpy as np
import torch

import backproof

F = torch.nn.functional
DTYPES = ("bfloat16", "float16")
SCALES = (0.3, 1.0, 3.0, 10.0)
SHAPE = (4, 7)

Array = Any
Pass = Callable[[Array, Array], Array]

OF_PYTORCH: dict[str, Callable[[Any], Any]] = {
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
    "softmax": lambda x: torch.softmax(x, 1),
    "gelu": F.gelu,
    "softplus": F.softplus,
    "silu": F.silu,
    "layer_norm": lambda x: F.layer_norm(x, SHAPE[1:]),
    "log_softmax": lambda x: F.log_softmax(x, 1),
    "erf": torch.erf,
}


def one(a: Array) -> Array:
    """The number 1 in an array's format."""
    return a.dtype.type(1)


def sigmoid(x: Array) -> Array:
    """1 / (1 + e⁻ˣ), every operation rounded."""
    return one(x) / (one(x) + np.exp(-x))


def softmax(x: Array) -> Array:
    """Of each row, every operation rounded."""
    e = np.exp(x - x.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def along(a: Array) -> Array:
    """Sums of rows."""
    return a.sum(axis=1, keepdims=True)


OF_NUMPY: dict[str, tuple[Callable[[Array], Array], dict[str, Pass]]] = {
    "tanh": (
        np.tanh,
        {
            "": lambda g, y: g * (one(y) - y * y),
            "1 − y": lambda g, y: g * (one(y) - y),
            "1 + y²": lambda g, y: g * (one(y) + y * y),
            "1": lambda g, y: g * one(y),
        },
    ),
    "sigmoid": (
        sigmoid,
        {
            "": lambda g, y: g * y * (one(y) - y),
            "y": lambda g, y: g * y,
            "1 − y": lambda g, y: g * (one(y) - y),
            "y(1 − y²)": lambda g, y: g * y * (one(y) - y * y),
        },
    ),
    "softmax": (
        softmax,
        {
            "": lambda g, y: y * (g - along(y * g)),
            "no sum": lambda g, y: y * g,
            "the diagonal alone": lambda g, y: y * (one(y) - y) * g,
            "sum of g": lambda g, y: y * (g - along(g)),
        },
    ),
}
"""Functions, and from cotangent and output the gradient: the right one first, then with a fault each."""

FACTOR = 1.5
"""Of a pass that is wrong by that."""


def drawn(scale: float, dtype: str, seed: int) -> Array:
    """Inputs in a format."""
    kind = getattr(ml_dtypes, dtype, dtype)
    return (scale * np.random.default_rng(seed).normal(size=SHAPE)).astype(kind)


def of_pytorch(name: str, scale: float, dtype: str, seed: int) -> str:
    """The verdict on PyTorch's own backward pass."""
    x = torch.tensor(drawn(scale, dtype, seed).astype(float)).to(getattr(torch, dtype))
    return str(backproof.check_vjp(OF_PYTORCH[name], None, x, seed=seed).verdict)


def of_numpy(name: str, fault: str, scale: float, dtype: str, seed: int) -> str:
    """The verdict on a pass with a fault, or on the right one; `factor` multiplies the right one."""
    forward, passes = OF_NUMPY[name]

    def backward(g: Array, x: Array) -> Array:
        if fault == "factor":
            return passes[""](g, forward(x)) * x.dtype.type(FACTOR)
        return passes[fault](g, forward(x))

    return str(backproof.check_vjp(forward, backward, drawn(scale, dtype, seed), seed=seed).verdict)


def main() -> int:
    """Print how many verdicts there are of each kind; 1 if one is not what it must be."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--count", type=int, default=1)
    given = parser.parse_args()
    seeds = range(given.seed, given.seed + given.count)
    cells = [(scale, dtype, seed) for scale in SCALES for dtype in DTYPES for seed in seeds]
    failed = 0
    for name in OF_PYTORCH:
        found = Counter(of_pytorch(name, *cell) for cell in cells)
        failed += found["incorrect gradient"]
        print(f"{name:12} of PyTorch {dict(found)}", flush=True)
    for name, (_, passes) in OF_NUMPY.items():
        for fault in (*passes, "factor"):
            found = Counter(of_numpy(name, fault, *cell) for cell in cells)
            wrong = found["incorrect gradient"]
            failed += len(cells) - wrong if fault else wrong
            print(f"{name:12} {fault or 'right':20} {dict(found)}", flush=True)
    print(f"{failed} false alarms and faults that are not found")
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
