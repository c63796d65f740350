"""The structure of the source in numbers: `python tests/benchmarks/structure.py [ROOT]`.

Lines, functions over 40 lines, files over 300, functions of more than five parameters, `Any`, `cast`,
circles of imports, and the modules that `import backproof` and a first `check` load.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

LOADED = """
import sys
{statement}
print(len(sys.modules))
"""
CHECK = (
    "import numpy as np, backproof; "
    "backproof.check(lambda w: (float((w**2).sum()), 2 * w), np.linspace(-1, 1, 5))"
)


def functions(tree: ast.AST) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    return [n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)]


def parameters(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    given = function.args
    names = [a.arg for a in (*given.posonlyargs, *given.args, *given.kwonlyargs)]
    return len([n for n in names if n not in ("self", "cls")])


def imports(path: Path, known: set[str]) -> set[str]:
    """Modules of the package that a module imports, inside functions too; not those for annotations alone."""
    found = set()
    for node in at_run_time(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("backproof"):
            inner = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= {name if name in known else str(node.module) for name in inner}
        elif isinstance(node, ast.Import):
            found |= {a.name for a in node.names if a.name.startswith("backproof")}
    return found & known


def at_run_time(node: ast.AST) -> Iterator[ast.AST]:
    """All nodes but those under `if TYPE_CHECKING`."""
    yield node
    if not (isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)):
        for child in ast.iter_child_nodes(node):
            yield from at_run_time(child)


def module_of(path: Path, root: Path) -> str:
    parts = path.relative_to(root.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def loaded(statement: str, source: Path) -> int:
    done = subprocess.run(
        [sys.executable, "-c", LOADED.format(statement=statement)],
        capture_output=True, text=True, check=True, env={"PYTHONPATH": str(source), "PATH": ""},
    )  # fmt: skip
    return int(done.stdout.split()[-1])


def main(root: Path) -> None:
    source = root / "src"
    package = source / "backproof"
    files = sorted(source.rglob("*.py"))
    others = [p for p in sorted(source.rglob("*")) if p.suffix in (".js", ".css", ".j2")]
    trees = {p: ast.parse(p.read_text()) for p in files}
    text = "\n".join(p.read_text() for p in files)
    every = [(p, f) for p, tree in trees.items() for f in functions(tree)]
    known = {module_of(p, package): p for p in package.rglob("*.py")}
    graph = {name: imports(path, set(known)) - {name} for name, path in known.items()}
    try:
        list(TopologicalSorter(graph).static_order())
        circle = "none"
    except CycleError as error:
        circle = " → ".join(error.args[1])
    count = {
        "Python files": len(files),
        "lines of Python": sum(p.read_text().count("\n") for p in files),
        "lines of templates, styles and scripts": sum(p.read_text().count("\n") for p in others),
        "functions over 40 lines": sum(f.end_lineno - f.lineno >= 40 for _, f in every),
        "files over 300 lines": sum(p.read_text().count("\n") > 300 for p in files),
        "functions of more than five parameters": sum(parameters(f) > 5 for _, f in every),
        "Any": len(re.findall(r"\bAny\b", re.sub(r"^from typing import.*$", "", text, flags=re.MULTILINE))),
        "cast": len(re.findall(r"\bcast\(", text)),
        "circle of imports": circle,
        "modules of `import numpy`": loaded("import numpy", source),
        "modules of `import backproof`": loaded("import backproof", source),
        "modules of a first check": loaded(CHECK, source),
    }
    for name, value in count.items():
        print(f"{name:45} {value}")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parents[2]).resolve())
