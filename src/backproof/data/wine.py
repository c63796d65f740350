"""Real wines, from scikit-learn's copy of the UCI repository's table."""

from __future__ import annotations

import numpy as np

from backproof.data.dataset import TEST_SHARE, VALIDATION_SHARE, Dataset, split
from backproof.data.packaged import of_scikit_learn
from backproof.data.source import source


@source(classes=True)
def wine(
    generator: np.random.Generator,
    test_share: float = TEST_SHARE,
    validation_share: float = VALIDATION_SHARE,
) -> Dataset:
    """178 real wines of three growers, 13 measurements of their chemistry, 3 classes

    The training part's mean is subtracted and its deviation divided by, column by column.

    Args:
        test_share: the part that is kept for the test.
        validation_share: of what is left, the part that settings are chosen by.

    Raises:
        ValueError: if a share is not between 0 and 1.
        DataError: if scikit-learn is not there.
    """
    inputs, targets = of_scikit_learn("wine_data.csv", "wine", classes=3, header=1)
    return split(inputs, targets, test_share, validation_share, generator).standardised()
