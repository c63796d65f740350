"""Normal clouds, one a class."""

from __future__ import annotations

import numpy as np

from backproof.data.dataset import TEST_SHARE, VALIDATION_SHARE, Dataset, check_counts, one_hot, split
from backproof.data.source import source


@source(classes=True)
def gaussian(
    generator: np.random.Generator,
    samples: int = 512,
    features: int = 20,
    classes: int = 3,
    distance: float = 3.0,
    test_share: float = TEST_SHARE,
    validation_share: float = VALIDATION_SHARE,
) -> Dataset:
    """normal clouds of unit variance, one per class

    Args:
        samples: in all parts together.
        features: dimensions.
        classes: clouds.
        distance: of each cloud's centre from the origin.
        test_share: the part that is kept for the test.
        validation_share: of what is left, the part that settings are chosen by.

    Raises:
        ValueError: if there are too few samples, features or classes, or a share is not between 0 and 1.
    """
    check_counts(samples=samples, features=features)
    if classes < 2:
        raise ValueError(f"classes must be at least 2; not {classes}")
    centres = generator.standard_normal((classes, features))
    centres *= distance / np.linalg.norm(centres, axis=1, keepdims=True)
    labels = generator.integers(0, classes, samples)
    inputs = centres[labels] + generator.standard_normal((samples, features))
    return split(inputs, one_hot(labels, classes), test_share, validation_share, generator)
