"""Draws the inputs of `puzzle.m` and writes them as CSV; run once, the files are checked in.

    python draw_puzzle.py FOLDER

Six decimals, so that every program reads the same doubles. The first sample is all zeros and half
of the hidden biases are zero: those units stand on ReLU's kink exactly. The third output has weights
for those units alone and no bias, so that its pre-activation is zero in that sample, too.
"""

import sys
from pathlib import Path

import numpy as np

SAMPLES, FEATURES, HIDDEN, OUTPUTS = 8, 12, 100, 3


def draw() -> dict[str, np.ndarray]:
    generator = np.random.default_rng(20240229)
    x = generator.standard_normal((SAMPLES, FEATURES))
    t = np.eye(OUTPUTS)[generator.integers(0, OUTPUTS, SAMPLES)]
    w1 = generator.standard_normal((HIDDEN, FEATURES + 1)) / np.sqrt(FEATURES)
    w2 = generator.standard_normal((OUTPUTS, HIDDEN + 1)) / np.sqrt(HIDDEN)
    x[0] = 0
    w1[::2, -1] = 0
    w2[2, 1:-1:2] = 0
    w2[2, -1] = 0
    return {"x": x, "t": t, "w1": w1, "w2": w2}


if __name__ == "__main__":
    for name, table in draw().items():
        np.savetxt(Path(sys.argv[1]) / f"{name}.csv", table.round(6), fmt="%.10g", delimiter=",")
