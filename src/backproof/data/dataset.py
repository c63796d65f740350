"""What every source of data delivers, and what several of them need."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from backproof.network.arrays import Array


class DataError(ValueError):
    """Data that cannot be used; the message names the file and the location."""


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


def check_share(share: float) -> None:
    """Refuse a test part that is empty or everything."""
    if not 0 < share < 1:
        raise ValueError(f"test_share must be between 0 and 1; not {share}")


def check_counts(**counts: int) -> None:
    """Refuse fewer than four samples, or less than one of anything else."""
    for name, count in counts.items():
        least = 4 if name == "samples" else 1
        if count < least:
            raise ValueError(f"{name} must be at least {least}; not {count}")
