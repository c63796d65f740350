"""Exclusive or."""

from __future__ import annotations

import numpy as np

from backproof.data.dataset import Dataset, one_hot
from backproof.data.source import source


@source(classes=True)
def xor(generator: np.random.Generator) -> Dataset:
    """four rows; with zero biases the row of zeros hits ReLU's kink exactly

    They are for training, validation and test alike: a part of four rows would be another function.
    """
    inputs = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], float)
    targets = one_hot(np.array([0, 1, 1, 0]), 2)
    order = generator.permutation(4)
    return Dataset(*(inputs[order], targets[order]) * 3)
