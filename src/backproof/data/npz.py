"""Archives of arrays as NumPy writes them: nothing in them is unpickled, and sizes are limited."""

from __future__ import annotations

import math
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.lib.npyio import NpzFile

from backproof.data.dataset import DataError
from backproof.network.arrays import Array

MOST_BYTES = 1 << 28
"""Of a file; a CSV holds at most half as many numbers, which take eight bytes each and are copied."""

MOST_NUMBERS = 1 << 25
"""Of an array, as one-hot targets too: 256 MB in double precision. A gradient check has use for far fewer."""


def require_modest(path: Path, named: str) -> None:
    """Refuse a file that is too large to be read; `named`: how the message names it.

    Raises:
        DataError: if it is.
    """
    if (size := path.stat().st_size) > MOST_BYTES:
        raise DataError(f"{named}: must have at most {MOST_BYTES >> 20} MB; has {size >> 20}")


@contextmanager
def opened(path: Path) -> Iterator[NpzFile]:
    """The arrays of a file; what is wrong with it when they are read is one line.

    Raises:
        DataError: if it cannot be read, there or within; the message does not name the file.
    """
    try:
        with path.open("rb") as stream:  # given a path, NumPy leaves a broken archive open
            arrays = np.load(stream, allow_pickle=False)
            if not isinstance(arrays, NpzFile):
                raise DataError("not a readable NPZ (it holds a single array)")
            yield arrays
    except DataError:
        raise
    except (ValueError, OSError, KeyError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise DataError(f"not a readable NPZ ({str(error).splitlines()[0]})") from error


def numbers_in(arrays: NpzFile, key: str) -> Array:
    """An array of an open file.

    Raises:
        DataError: if it holds no numbers, too many, or fewer than it claims.
        ValueError: if the member is no array.
    """
    _check_claim(arrays.zip, key)
    found = np.asarray(arrays[key])
    if found.dtype.kind not in "fiub":
        raise DataError(f"{key} must hold numbers; holds {found.dtype}")
    return found


def _check_claim(archive: zipfile.ZipFile | None, key: str) -> None:
    """Refuse an array of more numbers than its member of the archive holds: NumPy would allocate them."""
    assert archive is not None
    name = f"{key}.npy" if f"{key}.npy" in archive.namelist() else key
    with archive.open(name) as member:
        version = np.lib.format.read_magic(member)
        read = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
        if version not in read:
            raise ValueError(f"{key} is an array of an unknown format")
        shape, _, dtype = read[version](member)
    numbers = math.prod(shape)
    if numbers > MOST_NUMBERS:
        raise DataError(f"{key} must hold at most {MOST_NUMBERS:,} numbers; claims {numbers:,}")
    if numbers * dtype.itemsize > archive.getinfo(name).file_size:
        raise DataError(f"{key} claims more numbers than it holds")
