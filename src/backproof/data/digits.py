"""Real handwritten digits, from scikit-learn's copy."""

from __future__ import annotations

import gzip
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from backproof.data.dataset import DataError, Dataset, check_share, one_hot, split
from backproof.data.source import source
from backproof.network.arrays import Array


@source(classes=True)
def digits(generator: np.random.Generator, test_share: float = 0.2) -> Dataset:
    """1,797 real handwritten digits, 64 pixels, 10 classes

    Pixels lie in [0, 1].

    Args:
        test_share: the part that is kept for the test.

    Raises:
        ValueError: unless `test_share` is between 0 and 1.
        DataError: if scikit-learn is not there.
    """
    check_share(test_share)
    return split(*_table(), test_share, generator)


@lru_cache(maxsize=1)
def _table() -> tuple[Array, Array]:
    """Pixels and one-hot classes, from the file that scikit-learn's `load_digits` reads.

    Read here, because importing scikit-learn takes ten times as long, in every worker.
    """
    package = find_spec("sklearn")
    if package is None or not package.submodule_search_locations:
        raise DataError("data=digits needs scikit-learn, which is not installed")
    path = Path(package.submodule_search_locations[0], "datasets", "data", "digits.csv.gz")
    try:
        with gzip.open(path, "rt") as file:
            table = np.loadtxt(file, delimiter=",")
    except OSError as error:
        raise DataError(f"data=digits: scikit-learn's copy cannot be read: {error}") from error
    return table[:, :-1] / 16, one_hot(table[:, -1].astype(int), 10)
