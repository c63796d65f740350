"""Code that users name in configurations: found, digested, and imported again once it has changed.

A user's module is its file with what it imports from the same folder. Libraries are not part of it: their
versions are recorded in the provenance.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable, Iterable
from functools import lru_cache
from hashlib import blake2b
from importlib import invalidate_caches
from importlib.util import cache_from_source
from pathlib import Path
from pkgutil import resolve_name
from typing import Any, ParamSpec, TypeVar

from backproof.errors import ConfigurationError
from backproof.sweeps import surroundings

P = ParamSpec("P")
T = TypeVar("T")

_clear: list[Callable[[], None]] = []
"""Clears what was made of users' code; filled by `remembered` as modules are loaded."""

_digests: dict[str, str | None] = {}
"""Targets, and the digests that their modules had when this process imported them."""


def remembered(maxsize: int = 1 << 14) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """A cache of what is made of users' code: it is emptied when that code has changed."""

    def decorated(function: Callable[P, T]) -> Callable[P, T]:
        cached: Any = lru_cache(maxsize)(function)
        _clear.append(cached.cache_clear)
        return cached  # type: ignore[no-any-return]

    return decorated


@remembered()
def find(target: str, key: str) -> Any:
    """The object that a target names; `key` is the setting that names it.

    Raises:
        ConfigurationError: naming the key and why the target cannot be imported, or may not be used.
    """
    surroundings.put_back()
    try:
        found = resolve_name(target)
    except (ImportError, AttributeError, ValueError) as error:
        raise ConfigurationError(f"{key}: cannot import {target} ({error})") from error
    except Exception as error:  # importing runs the user's code
        raise ConfigurationError(
            f"{key}: cannot import {target} ({type(error).__name__}: {error})"
        ) from error
    replaced = surroundings.put_back()
    if replaced:
        raise ConfigurationError(f"{key}: importing {target} {surroundings.words_for(replaced)}")
    _digests.setdefault(target, source_digest(target))
    return found


def imported_digest(target: str) -> str | None:
    """The digest of a target's module as this process computes with it; None without a file.

    Raises:
        ConfigurationError: if it cannot be imported.
    """
    find(target, target)
    return _digests[target]


def source_digest(target: str) -> str | None:
    """A digest of an imported target's module as its files are now; None without a file."""
    path = _module_file(target)
    if path is None:
        return None
    digests = (file_digest(str(f), f.stat().st_mtime_ns) for f in sources(path))
    return blake2b("".join(digests).encode(), digest_size=8).hexdigest()


@lru_cache(maxsize=64)
def file_digest(path: str, _changed: int) -> str:
    """A digest of a file's content; the time of its last change is in the key of the cache only."""
    return blake2b(Path(path).read_bytes(), digest_size=8).hexdigest()


def refresh() -> None:
    """Import users' modules again if their files have changed since, as they do beside a notebook."""
    changed = [target for target, digest in _digests.items() if source_digest(target) != digest]
    if changed:
        forget(changed)


def forget(targets: Iterable[str]) -> None:
    """Forget the modules of targets, and what was made of them, so that they are imported as they are now."""
    for target in targets:
        path = _module_file(target)
        files = set(map(str, sources(path))) if path else set()
        for name, module in list(sys.modules.items()):
            if getattr(module, "__file__", None) in files:
                del sys.modules[name]
        for file in files:  # bytecode counts as current if the source has its size and its second
            Path(cache_from_source(file)).unlink(missing_ok=True)
    invalidate_caches()
    _digests.clear()
    for clear in _clear:
        clear()


def _module_file(target: str) -> Path | None:
    parts = target.replace(":", ".").split(".")
    for end in range(len(parts), 0, -1):
        module = sys.modules.get(".".join(parts[:end]))
        if module is not None:
            path = getattr(module, "__file__", None)
            return Path(path) if path and Path(path).is_file() else None
    return None


def sources(path: Path) -> list[Path]:
    """A module's file and those of its folder that it imports, directly or through another, sorted."""
    found = {path}
    left = [path]
    while left:
        here = left.pop()
        new = _imported_by(here, here.stat().st_mtime_ns) - found
        found |= new
        left += new
    return sorted(found)


@lru_cache(maxsize=256)
def _imported_by(path: Path, _changed: int) -> frozenset[Path]:
    """Files of the same folder, or of packages in it, that a file imports."""
    try:
        tree = ast.parse(path.read_bytes())
    except (SyntaxError, ValueError):  # reported to whoever imports it
        return frozenset()
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names |= {
                node.module or "",
                *(f"{node.module or ''}.{alias.name}".strip(".") for alias in node.names),
            }
    found = set()
    for name in names - {""}:
        module = path.parent.joinpath(*name.split("."))
        found |= {f for f in (module.with_suffix(".py"), module / "__init__.py") if f.is_file()}
    return frozenset(found)
