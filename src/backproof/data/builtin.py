"""Data that needs no file: digits (real), gaussian, xor and moons."""

from __future__ import annotations

import gzip
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from backproof.data.dataset import DataError, Dataset, one_hot, split
from backproof.network.arrays import Array


@lru_cache(maxsize=1)
def _digits() -> tuple[Array, Array]:
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


def digits(generator: np.random.Generator, test_share: float = 0.2) -> Dataset:
    """1,797 real handwritten digits, 8 × 8 pixels in [0, 1], ten classes (scikit-learn's copy)."""
    _need_share(test_share)
    return split(*_digits(), test_share, generator)


def gaussian(
    generator: np.random.Generator,
    samples: int = 512,
    features: int = 20,
    classes: int = 3,
    distance: float = 3.0,
) -> Dataset:
    """Normal clouds of unit variance around centres `distance` from the origin."""
    _need(samples=samples, features=features)
    if classes < 2:
        raise ValueError(f"classes must be at least 2; not {classes}")
    centres = generator.standard_normal((classes, features))
    centres *= distance / np.linalg.norm(centres, axis=1, keepdims=True)
    labels = generator.integers(0, classes, samples)
    inputs = centres[labels] + generator.standard_normal((samples, features))
    return split(inputs, one_hot(labels, classes), 0.2, generator)


def xor(generator: np.random.Generator) -> Dataset:
    """The four rows of exclusive or, for training and test alike.

    With zero biases its row of zeros puts every pre-activation exactly on ReLU's kink.
    """
    inputs = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], float)
    targets = one_hot(np.array([0, 1, 1, 0]), 2)
    order = generator.permutation(4)
    return Dataset(inputs[order], targets[order], inputs[order], targets[order])


def moons(generator: np.random.Generator, samples: int = 512, noise: float = 0.15) -> Dataset:
    """Two interleaving half circles (scikit-learn's make_moons)."""
    from sklearn.datasets import make_moons

    _need(samples=samples)
    if not noise >= 0:
        raise ValueError(f"noise must be at least 0; not {noise}")
    inputs, labels = make_moons(samples, noise=noise, random_state=int(generator.integers(2**31)))
    return split(inputs, one_hot(labels, 2), 0.2, generator)


def _need(**counts: int) -> None:
    for name, count in counts.items():
        least = 4 if name == "samples" else 1
        if count < least:
            raise ValueError(f"{name} must be at least {least}; not {count}")


def _need_share(share: float) -> None:
    if not 0 < share < 1:
        raise ValueError(f"test_share must be between 0 and 1; not {share}")
