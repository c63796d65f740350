"""The files that somebody's own module is made of: itself, and what it imports from beside it."""

from __future__ import annotations

import ast
from functools import lru_cache
from pathlib import Path


def sources(path: Path) -> list[Path]:
    """A module's file and those of its folder that it imports, directly or through another; in order of name.

    Libraries are not among them: their versions stand in the provenance.
    """
    found = {path}
    left = [path]
    while left:
        here = left.pop()
        new = _imported(here, here.stat().st_mtime_ns) - found
        found |= new
        left += new
    return sorted(found)


@lru_cache(maxsize=256)
def _imported(path: Path, _changed: int) -> frozenset[Path]:
    """Files of the same folder, or of packages in it, that a file imports."""
    try:
        tree = ast.parse(path.read_bytes())
    except (SyntaxError, ValueError):  # whoever imports it is told so
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
        place = path.parent.joinpath(*name.split("."))
        found |= {f for f in (place.with_suffix(".py"), place / "__init__.py") if f.is_file()}
    return frozenset(found)
