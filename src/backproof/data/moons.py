"""Two interleaving half circles (scikit-learn's make_moons)."""

from __future__ import annotations

import numpy as np

from backproof.data.dataset import TEST_SHARE, VALIDATION_SHARE, Dataset, check_counts, one_hot, split
from backproof.data.source import source


@source(classes=True)
def moons(
    generator: np.random.Generator,
    samples: int = 512,
    noise: float = 0.15,
    test_share: float = TEST_SHARE,
    validation_share: float = VALIDATION_SHARE,
) -> Dataset:
    """two interleaving half circles

    Args:
        samples: in all parts together.
        noise: the standard deviation of the normal noise on the points.
        test_share: the part that is kept for the test.
        validation_share: of what is left, the part that settings are chosen by.

    Raises:
        ValueError: if there are too few samples, the noise is negative, or a share is not between 0 and 1.
    """
    from sklearn.datasets import make_moons  # a second to import

    check_counts(samples=samples)
    if not noise >= 0:
        raise ValueError(f"noise must be at least 0; not {noise}")
    inputs, labels = make_moons(samples, noise=noise, random_state=int(generator.integers(2**31)))
    return split(inputs, one_hot(labels, 2), test_share, validation_share, generator)
