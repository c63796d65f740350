"""Real handwritten digits, from scikit-learn's copy."""

from __future__ import annotations

import numpy as np

from backproof.data.dataset import TEST_SHARE, VALIDATION_SHARE, Dataset, split
from backproof.data.packaged import of_scikit_learn
from backproof.data.source import source


@source(classes=True)
def digits(
    generator: np.random.Generator,
    test_share: float = TEST_SHARE,
    validation_share: float = VALIDATION_SHARE,
) -> Dataset:
    """1,797 real handwritten digits, 64 pixels, 10 classes

    Pixels lie in [0, 1].

    Args:
        test_share: the part that is kept for the test.
        validation_share: of what is left, the part that settings are chosen by.

    Raises:
        ValueError: if a share is not between 0 and 1.
        DataError: if scikit-learn is not there.
    """
    pixels, targets = of_scikit_learn("digits.csv.gz", "digits", classes=10)
    return split(pixels / 16, targets, test_share, validation_share, generator)
