"""Arrays that were captured from a real run, as NumPy or safetensors write them.

Nothing in a file is ever executed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from backproof import paths
from backproof.data.dataset import DataError
from backproof.data.npz import MOST_NUMBERS, numbers_in, opened, require_modest
from backproof.network.arrays import Array

SAFETENSORS = {
    "F64": "<f8", "F32": "<f4", "F16": "<f2", "I64": "<i8", "I32": "<i4", "I16": "<i2", "I8": "i1",
    "U64": "<u8", "U32": "<u4", "U16": "<u2", "U8": "u1", "BOOL": "?",
}  # fmt: skip
"""Types of that format that NumPy has; BF16, of which it has none, is read as float32, which holds it."""


def captured(path: str) -> Mapping[str, Array]:
    """The arrays of a .npz or .safetensors file by name.

    Raises:
        DataError: if there is none, or it cannot be used; the message names it.
    """
    where = paths.at_home(path)
    if not paths.is_file(where):
        raise DataError(f"{path}: no such file")
    return _read(str(where), where.stat().st_mtime_ns)


@lru_cache(maxsize=4)
def _read(path: str, _changed: int) -> Mapping[str, Array]:
    reader = READERS.get(Path(path).suffix.lower())
    if reader is None:
        raise DataError(f"{path}: must be a .npz or a .safetensors")
    require_modest(Path(path), path)
    try:
        found = reader(Path(path))
    except DataError as error:
        raise DataError(f"{path}: {error}") from error.__cause__
    if not found:
        raise DataError(f"{path}: holds no array")
    return found


def _read_npz(path: Path) -> dict[str, Array]:
    found, numbers = dict[str, Array](), 0
    with opened(path) as arrays:
        for name in arrays:
            found[name] = numbers_in(arrays, name)
            numbers += found[name].size
            if numbers > MOST_NUMBERS:
                raise DataError(f"must hold at most {MOST_NUMBERS:,} numbers")
    return found


def _read_safetensors(path: Path) -> dict[str, Array]:
    try:
        safetensors: Any = import_module("safetensors")
    except ImportError as error:
        raise DataError(
            "safetensors is needed and not there: pip install 'backproof[safetensors]'"
        ) from error
    try:
        tensors = safetensors.deserialize(path.read_bytes())
    except safetensors.SafetensorError as error:
        raise DataError(f"not a readable safetensors file ({str(error).splitlines()[0]})") from error
    return {name: _array(name, tensor) for name, tensor in tensors}


def _array(name: str, tensor: Mapping[str, Any]) -> Array:
    kind, shape, data = tensor["dtype"], tuple(tensor["shape"]), tensor["data"]
    if math.prod(shape) > MOST_NUMBERS:
        raise DataError(f"{name} must hold at most {MOST_NUMBERS:,} numbers; holds {math.prod(shape):,}")
    if kind == "BF16":
        upper = np.ndarray(shape, "<u2", data).astype(np.uint32) << np.uint32(16)
        return np.asarray(upper).view(np.float32)
    if kind not in SAFETENSORS:
        raise DataError(f"{name} must be of BF16, {', '.join(SAFETENSORS)}; not {kind}")
    return np.ndarray(shape, SAFETENSORS[kind], data).copy()


READERS: Mapping[str, Callable[[Path], dict[str, Array]]] = {
    ".npz": _read_npz,
    ".safetensors": _read_safetensors,
}
