"""What every source of data delivers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from backproof.network.arrays import Array


class DataError(ValueError):
    """Data that cannot be used; the message names the file and the place."""


@dataclass(frozen=True)
class Dataset:
    """Samples in float64: inputs (N, features) and targets (N, m), shuffled, in two parts."""

    inputs: Array
    targets: Array
    test_inputs: Array
    test_targets: Array


def one_hot(labels: Array, classes: int) -> Array:
    """Labels 0 … classes − 1 to rows with a single 1."""
    return np.eye(classes)[labels]


def split(inputs: Array, targets: Array, test_share: float, generator: np.random.Generator) -> Dataset:
    """Shuffle, then cut off the test part; at least one sample stays on either side of the cut."""
    order = generator.permutation(len(inputs))
    tested = int(np.clip(round(test_share * len(inputs)), 1, len(inputs) - 1))
    test, train = order[:tested], order[tested:]
    return Dataset(inputs[train], targets[train], inputs[test], targets[test])
