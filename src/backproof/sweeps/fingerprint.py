"""What decides the bits of a cell's numbers, as digests and versions, so that ids change when it does.

Comments and documentation decide nothing: a digest is of what the code compiles to without them.
"""

from __future__ import annotations

import importlib.metadata
from collections.abc import Iterator, Mapping
from functools import lru_cache
from hashlib import blake2b
from pathlib import Path
from types import CodeType

COMPUTING = (
    "network",
    "targets",
    "estimates",
    "verdicts",
    "training",
    "data",
    "sweeps/canonical.py",
    "sweeps/checking.py",
    "sweeps/components.py",
    "sweeps/construction.py",
    "sweeps/cures.py",
    "sweeps/custom.py",
    "sweeps/derivative_checks.py",
    "sweeps/derivatives.py",
    "sweeps/function_checks.py",
    "sweeps/inputs.py",
    "sweeps/keywords.py",
    "sweeps/limits.py",
    "sweeps/subject.py",
    "sweeps/surroundings.py",
    "sweeps/training_runs.py",
    "sweeps/work.py",
)
"""The code that a cell's numbers depend on."""


DECIDING = ("numpy", "scipy", "scikit-learn", "sympy")
"""Libraries whose versions may change a number: arithmetic, functions, data, derivatives of expressions."""

FRAMEWORKS = {"torch": ("torch",), "jax": ("jax", "jaxlib")}
"""By what a function from outside is written with: libraries that decide its bits, too."""

ROOT = Path(__file__).parents[1]


@lru_cache(maxsize=8)
def fingerprint(*frameworks: str) -> str:
    """A digest of the computing code and of the libraries that it computes with.

    Args:
        frameworks: libraries beside the usual ones that a case computes with.
    """
    digest = blake2b(code_digest().encode(), digest_size=8)
    digest.update(repr(sorted(deciding_versions(*frameworks).items())).encode())
    return digest.hexdigest()


@lru_cache(maxsize=1)
def code_digest() -> str:
    """A digest of what the computing code compiles to, without documentation and assertions."""
    digest = blake2b(digest_size=8)
    for path in _files():
        digest.update(f"{path.relative_to(ROOT).as_posix()}\0".encode())
        code = compile(path.read_bytes(), path.name, "exec", dont_inherit=True, optimize=2)
        for part in _parts_of(code):
            digest.update(part)
    return digest.hexdigest()


@lru_cache(maxsize=1)
def source_digest() -> str:
    """A digest of the computing code's files as they are, which is quick: equal files are equal code."""
    digest = blake2b(digest_size=8)
    for path in _files():
        digest.update(path.relative_to(ROOT).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


@lru_cache(maxsize=8)
def deciding_versions(*frameworks: str) -> Mapping[str, str | None]:
    """Versions of the libraries that decide bits; None for one that is not installed."""
    return {name: version(name) for name in (*DECIDING, *frameworks)}


def version(name: str) -> str | None:
    """The version of an installed distribution; None without one."""
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _files() -> Iterator[Path]:
    for name in COMPUTING:
        yield from sorted((ROOT / name).rglob("*.py")) if "." not in name else [ROOT / name]


def _parts_of(code: CodeType) -> Iterator[bytes]:
    """What a code object does, where it stands in its file left out."""
    names = code.co_name, code.co_names, code.co_varnames, code.co_cellvars, code.co_freevars
    yield repr((*names, code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount)).encode()
    yield code.co_code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _parts_of(constant)
        elif isinstance(constant, frozenset):  # which texts come in another order in each process
            yield repr(sorted(map(repr, constant))).encode()
        else:
            yield repr(constant).encode()
