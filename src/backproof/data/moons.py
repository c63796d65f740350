"""Two interleaving half circles (scikit-learn's make_moons)."""

from __future__ import annotations

import numpy as np

from backproof.data.dataset import Dataset, check_counts, one_hot, split
from backproof.data.source import source


@source(classes=True)
def moons(generator: np.random.Generator, samples: int = 512, noise: float = 0.15) -> Dataset:
    """two interleaving half circles

    Args:
        samples: in both parts together.
        noise: the standard deviation of the normal noise on the points.

    Raises:
        ValueError: if there are too few samples, or the noise is negative.
    """
    from sklearn.datasets import make_moons  # a second to import

    check_counts(samples=samples)
    if not noise >= 0:
        raise ValueError(f"noise must be at least 0; not {noise}")
    inputs, labels = make_moons(samples, noise=noise, random_state=int(generator.integers(2**31)))
    return split(inputs, one_hot(labels, 2), 0.2, generator)
