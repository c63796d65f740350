"""Tables that other packages carry among their files."""

from __future__ import annotations

import gzip
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from backproof.data.dataset import DataError, one_hot
from backproof.network.arrays import Array


@lru_cache(maxsize=4)
def table_in(package: str, parts: tuple[str, ...], choice: str, needs: str, header: int = 0) -> Array:
    """The numbers of a CSV in an installed package, in float64.

    The file is read here, since to import scikit-learn takes ten times as long, in every worker.

    Args:
        parts: of its path inside the package; a name that ends in .gz is of a compressed file.
        choice: the data set's name; needs: what has to be installed. Both are for messages.
        header: lines at its beginning that hold no row.

    Raises:
        DataError: if the package is not installed, or its file cannot be read.
    """
    found = find_spec(package)
    if found is None or not found.submodule_search_locations:
        raise DataError(f"data={choice} needs {needs}, which is not installed")
    path = Path(found.submodule_search_locations[0], *parts)
    try:
        with gzip.open(path, "rt") if path.suffix == ".gz" else path.open() as file:
            return np.loadtxt(file, delimiter=",", skiprows=header)
    except (OSError, ValueError) as error:
        raise DataError(f"data={choice}: {path.name} of {package} cannot be read: {error}") from error


def labelled(table: Array, classes: int) -> tuple[Array, Array]:
    """Inputs (N, features) and targets (N, classes) of a table whose last column is the class."""
    return table[:, :-1], one_hot(table[:, -1].astype(int), classes)


def of_scikit_learn(file: str, choice: str, classes: int, header: int = 0) -> tuple[Array, Array]:
    """Inputs and targets of one of scikit-learn's tables.

    Raises:
        DataError: if scikit-learn is not there.
    """
    table = table_in("sklearn", ("datasets", "data", file), choice, "scikit-learn", header)
    return labelled(table, classes)
