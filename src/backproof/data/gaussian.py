"""Normal clouds, one a class."""

from __future__ import annotations

import numpy as np

from backproof.data.dataset import Dataset, check_counts, one_hot, split
from backproof.data.source import source


@source(classes=True)
def gaussian(
    generator: np.random.Generator,
    samples: int = 512,
    features: int = 20,
    classes: int = 3,
    distance: float = 3.0,
) -> Dataset:
    """normal clouds of unit variance, one per class

    Args:
        samples: in both parts together.
        features: dimensions.
        classes: clouds.
        distance: of each cloud's centre from the origin.

    Raises:
        ValueError: if there are too few samples, features or classes.
    """
    check_counts(samples=samples, features=features)
    if classes < 2:
        raise ValueError(f"classes must be at least 2; not {classes}")
    centres = generator.standard_normal((classes, features))
    centres *= distance / np.linalg.norm(centres, axis=1, keepdims=True)
    labels = generator.integers(0, classes, samples)
    inputs = centres[labels] + generator.standard_normal((samples, features))
    return split(inputs, one_hot(labels, classes), 0.2, generator)
