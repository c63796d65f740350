"""Pages of the documentation as programs: their blocks run in order, in one folder and one namespace.

    python, then output      runs in the page's namespace; what it prints is compared, as is the value of
                             a last expression
    {code-block} with :caption: FILE    is written to FILE
    {literalinclude} with :caption: FILE    is copied to FILE
    console                  `$ command`, then what it prints; nothing there means that only its status counts

Reports are written without their figures, but for pages of `DRAWN`.

In expected output `...` stands for anything. A command must succeed, unless `$ echo $?` follows it. A comment
`<!-- not run: REASON -->` before a block leaves it out.
"""

from __future__ import annotations

import ast
import contextlib
import doctest
import importlib
import io
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import zip_longest
from pathlib import Path

import pytest
from forked import address
from without_figures import figures_left_out

ROOT = Path(__file__).parents[1]

DRAWN = ("README.md", "docs/tutorials/read-a-report.md")
"""Pages whose reports have their figures; all others do without, which saves most of their time."""

FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE

_FENCE = re.compile(
    r"(?:<!-- not run: (?P<reason>.*?) -->\n+)?^```(?P<kind>.*)\n(?P<text>(?:.*\n)*?)^```$", re.MULTILINE
)
_OPTION = re.compile(r":(\w+): ?(.*)")


@dataclass(frozen=True)
class Block:
    """A block of a page.

    Attributes:
        kind: its language, or the directive in braces with what follows it.
        caption: the file that it shows; empty where it shows none.
        reason: why it does not run; empty where it does.
        line: where it begins.
    """

    kind: str
    text: str
    caption: str
    reason: str
    line: int


def blocks_of(page: Path) -> list[Block]:
    """The blocks of a page, in order."""
    content, found = page.read_text(encoding="utf-8"), []
    for match in _FENCE.finditer(content):
        lines, options = match["text"].splitlines(), {}
        while lines and (option := _OPTION.fullmatch(lines[0])):
            options[option[1]] = option[2]
            del lines[0]
        text = "\n".join(lines).strip("\n") + "\n"
        line = content.count("\n", 0, match.start("text")) + 1
        found.append(Block(match["kind"], text, options.get("caption", ""), match["reason"] or "", line))
    return found


def pages() -> list[Path]:
    """README and every page of the site."""
    return [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]


class Run:
    """A page that is run in a folder."""

    def __init__(self, page: Path, folder: Path) -> None:
        self.page, self.folder = page, folder
        self.environment = environment(drawn=page in [ROOT / each for each in DRAWN])
        self.names: dict[str, object] = {"__name__": "page"}
        self.ran = 0

    def all(self) -> int:
        """Run every block; returns how many ran."""
        blocks = blocks_of(self.page)
        for block, after in zip_longest(blocks, blocks[1:]):
            if block.reason:
                continue
            expected = after.text if after is not None and after.kind == "output" else None
            with contextlib.chdir(self.folder):
                self._one(block, expected)
        return self.ran

    def _one(self, block: Block, expected: str | None) -> None:
        if block.kind.startswith("{literalinclude}"):
            given = self.page.parent / block.kind.removeprefix("{literalinclude}").strip()
            self._kept(block.caption or given.name, given.read_text(encoding="utf-8"))
        elif block.caption:
            self._kept(block.caption, block.text)
        elif block.kind == "python":
            self._same(block, expected, self._python(block))
            self.ran += 1
        elif block.kind == "console":
            self._console(block)
            self.ran += 1
        elif block.kind in ("sh", "bash", "yaml", ""):
            raise AssertionError(f"{self.page}:{block.line}: {block.kind or 'a block'} that nothing runs")

    def _kept(self, name: str, text: str) -> None:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        if path.parent == self.folder:
            sys.modules.pop(path.stem, None)  # another test's, of the same name
            importlib.invalidate_caches()

    def _python(self, block: Block) -> str:
        """Run a block; what it prints, with the value of a last expression as an interpreter shows it."""
        tree = ast.parse("\n" * (block.line - 1) + block.text, str(self.page))
        valued = bool(tree.body) and isinstance(tree.body[-1], ast.Expr)
        first, last = (tree.body[:-1], tree.body[-1:]) if valued else (tree.body, [])
        printed, here = io.StringIO(), str(self.folder)
        sys.path.insert(0, here)
        try:
            with contextlib.redirect_stdout(printed):
                exec(compile(ast.Module(first, []), str(self.page), "exec"), self.names)
                exec(compile(ast.Interactive(last), str(self.page), "single"), self.names)
        except Exception as error:
            raise AssertionError(f"{self.page}:{block.line}: {type(error).__name__}: {error}") from error
        finally:
            sys.path.remove(here)
        return printed.getvalue()

    def _same(self, block: Block, expected: str | None, found: str) -> None:
        if expected is not None and not same(expected, found):
            raise AssertionError(f"{self.page}:{block.line}: expected\n{expected}\nand found\n{found}")

    def _console(self, block: Block) -> None:
        steps = list(commands_of(block.text))
        status: int | str = 0
        for k, (command, expected) in enumerate(steps):
            if command == "echo $?":
                self._same(block, expected, f"{status}\n")
                continue
            done = subprocess.run(
                ["bash", "-c", command], cwd=self.folder, env=self.environment, text=True,
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            )  # fmt: skip
            status, asked = done.returncode, [*steps, ("", "")][k + 1][0] == "echo $?"
            if status and not asked:
                raise AssertionError(
                    f"{self.page}:{block.line}: {command} ended with {status}\n{done.stdout}"
                )
            self._same(block, expected or None, done.stdout)


def commands_of(text: str) -> Iterator[tuple[str, str]]:
    """Commands with what they print; a line that ends in a backslash goes on."""
    for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
        lines = part.splitlines()
        count = 1 + next(i for i, line in enumerate(lines) if not line.endswith("\\"))
        command = "\n".join(lines[:count]).partition("  #")[0].strip()
        expected = "\n".join(lines[count:]).strip("\n")
        yield command, expected + "\n" if expected else ""


def same(expected: str, found: str) -> bool:
    """Whether an output is the one expected: spaces at ends of lines do not count, `...` is anything."""
    return doctest.OutputChecker().check_output(expected, found, FLAGS)


PLUGIN = "-p no:backproof -p backproof.interfaces.pytest_plugin"
"""The plugin of this checkout, whatever was installed."""


def environment(*, drawn: bool) -> dict[str, str]:
    """With the interpreter's own programs first, and a terminal of a fixed width."""
    path = [str(ROOT / "tests" / "programs"), str(Path(sys.executable).parent), os.environ["PATH"]]
    made = {"PATH": os.pathsep.join(path), "COLUMNS": "110", "NO_COLOR": "1", "PYTEST_ADDOPTS": PLUGIN}
    server = {"PYTHON": sys.executable, "COMMANDS": address(), "LEFT_OUT": "" if drawn else "figures"}
    return {**os.environ, **made, **server}


def run_page(page: Path, folder: Path) -> int:
    """Run a page in a folder that it may fill; returns how many blocks ran."""
    loaded = set(sys.modules)
    try:
        with figures_left_out():
            return Run(page, folder).all()
    finally:
        for name in set(sys.modules) - loaded:  # modules that the page wrote, which another may have too
            file = getattr(sys.modules[name], "__file__", None)
            if file and Path(file).is_relative_to(folder):
                del sys.modules[name]


# --- pages as tests ----------------------------------------------------------------------------------

LIBRARIES = ("torch", "jax", "statsmodels", "ml_dtypes", "optuna", "xarray")
"""Libraries that some pages import, and that need not be installed."""

QUICK = ("README.md", "docs/tutorials/check-my-gradient.md", "docs/how-to/own-gradient.md")
"""Pages that run without a sweep's time."""


def of_sections(*names: str) -> list[Path]:
    """The pages of some folders of the documentation."""
    return [page for name in names for page in sorted((ROOT / "docs" / name).rglob("*.md"))]


def needed(page: Path) -> list[str]:
    """The libraries that a page imports, or that a comment of it names."""
    found = re.findall(
        r"^(?:import|from) (\w+)|^<!-- needs: (\w+) -->$", page.read_text("utf-8"), re.MULTILINE
    )
    return sorted({name for pair in found for name in pair if name in LIBRARIES})


def each_of(chosen: list[Path]) -> pytest.MarkDecorator:
    """A test of each page, named with what the page needs, and slow unless it is one of the quick."""
    cases = []
    for page in chosen:
        name = page.relative_to(ROOT).as_posix()
        marks = () if name in QUICK else pytest.mark.slow
        cases.append(pytest.param(page, marks=marks, id="-".join([name, *needed(page)])))
    return pytest.mark.parametrize("page", cases)


def run_or_skip(page: Path, folder: Path) -> None:
    """Run a page, unless it needs a library that is not here."""
    if absent := [name for name in needed(page) if find_spec(name) is None]:
        pytest.skip(f"needs {', '.join(absent)}")
    run_page(page, folder)


if __name__ == "__main__":
    for given in sys.argv[1:]:
        with tempfile.TemporaryDirectory() as work:
            print(given, run_page(Path(given).resolve(), Path(work)), "blocks ran")
