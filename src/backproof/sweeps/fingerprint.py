"""What decides the bits of a cell's numbers, as digests and versions, so that ids change when it does.

Comments and documentation decide nothing: a digest is of the code's syntax trees without them.
"""

from __future__ import annotations

import ast
import importlib.metadata
from collections.abc import Iterator, Mapping
from functools import lru_cache
from hashlib import blake2b
from pathlib import Path

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
    """A digest of the computing code without its comments and documentation; takes a third of a second."""
    digest = blake2b(digest_size=8)
    for path in _files():
        tree = _without_documentation(ast.parse(path.read_bytes()))
        digest.update(f"{path.relative_to(ROOT).as_posix()}\0{ast.dump(tree)}\0".encode())
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


def _without_documentation(tree: ast.Module) -> ast.Module:
    """The tree without strings that stand alone: docstrings, and those below what they document."""
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list):
            body[:] = [s for s in body if not _is_text(s)]
    return tree


def _is_text(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )
