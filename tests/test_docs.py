"""Every block of the README and the documentation runs and prints what stands there; docstrings' too."""

import doctest
import re
import tomllib
from importlib import import_module
from importlib.util import find_spec

import pages
import pytest

import backproof

GUIDES = pages.of_sections("tutorials", "how-to")
"""Pages with most of the sweeps; they have a file of their own, and so a process."""


@pages.each_of([page for page in pages.pages() if page not in GUIDES])
def test_a_page_runs(page, tmp_path):
    pages.run_or_skip(page, tmp_path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("```python\n1 + 1\n```\n```output\n3\n```\n", "expected\n3"),
        ("```python\n1 / 0\n```\n", "ZeroDivisionError"),
        ("```console\n$ false\n```\n", "ended with 1"),
        ("```console\n$ echo one\ntwo\n```\n", "expected\ntwo"),
        ("```console\n$ false\n$ echo $?\n0\n```\n", "expected\n0"),
        ("```sh\ntrue\n```\n", "nothing runs"),
    ],
)
def test_a_page_that_is_wrong_is_refused(text, message, tmp_path):
    page = tmp_path / "page.md"
    page.write_text(text)
    with pytest.raises(AssertionError, match=re.escape(message)):
        pages.run_page(page, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["check", "sweep"])
def test_a_notebook_runs_and_is_stored_without_outputs(name, tmp_path):
    nbformat, nbclient = pytest.importorskip("nbformat"), pytest.importorskip("nbclient")
    pytest.importorskip("ipykernel")
    notebook = nbformat.read(pages.ROOT / "docs" / "notebooks" / f"{name}.ipynb", as_version=4)
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert cells and not any(cell.outputs or cell.execution_count for cell in cells)
    nbclient.NotebookClient(notebook, timeout=120, resources={"metadata": {"path": tmp_path}}).execute()
    assert all(cell.execution_count for cell in cells)


@pytest.mark.parametrize(
    ("page", "problem"),
    [
        ('<a href="gone.html">', "gone.html leads nowhere"),
        ('<a href="index.html#gone">', "index.html#gone leads to no such place"),
        (
            '<script src="https://cdn.example/x.js"></script>',
            "loads https://cdn.example/x.js from the network",
        ),
        ('<img src="//cdn.example/x.png">', "loads //cdn.example/x.png from the network"),
    ],
)
def test_a_site_with_a_broken_link_or_a_foreign_script_is_refused(page, problem, tmp_path, monkeypatch):
    pytest.importorskip("sphinx")
    monkeypatch.syspath_prepend(pages.ROOT / "docs" / "_ext")
    problems_of = import_module("whole_site").problems_of
    whole = '<h1 id="here"></h1><a href="#here"><a href="index.html"><a href="https://example.org">'
    (tmp_path / "index.html").write_text(whole)
    assert problems_of(tmp_path) == ([], 2)
    (tmp_path / "other.html").write_text(page)
    assert problems_of(tmp_path)[0] == [f"other.html: {problem}"]


def test_few_blocks_do_not_run():
    left_out = [block for page in pages.pages() for block in pages.blocks_of(page) if block.reason]
    assert len(left_out) <= 20, [block.text for block in left_out]
    assert all(len(block.reason) > 10 for block in left_out)


def public():
    """The names that are public, with what they are; those for libraries only where these are here."""
    found = {f"backproof.{name}": getattr(backproof, name) for name in backproof.__all__}
    for library in ("torch", "jax"):
        if find_spec(library):
            module = import_module(f"backproof.{library}")
            found |= {f"{module.__name__}.{name}": getattr(module, name) for name in module.__all__}
    return found


@pytest.mark.parametrize("name", public())
def test_public_docstrings_have_an_example_that_runs(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    examples = doctest.DocTestFinder(recurse=False).find(public()[name], name, globs={})
    assert examples and examples[0].examples, "no example"
    said = []
    results = doctest.DocTestRunner(optionflags=pages.FLAGS).run(examples[0], out=said.append)
    assert not results.failed, "".join(said)


def test_the_public_names_are_listed():
    assert set(backproof.__all__) < set(dir(backproof))
    assert not any(name.startswith("_") for name in dir(backproof))


def hidden_on_a_host(page):
    """What a page shows on the site alone: links without a text, lists of pages and files that are included.

    A repository's host draws the Markdown, and of Sphinx's directives only their text.
    """
    text, found = page.read_text(encoding="utf-8"), []
    found += [f"[]({target})" for target in re.findall(r"\[\s*\]\(([^)]*)\)", text)]
    linked = {(page.parent / target).resolve() for target in re.findall(r"\]\(([^)#]+)", text)}
    for block in pages.blocks_of(page):
        if block.kind.startswith("{literalinclude}"):
            shown = [block.kind.removeprefix("{literalinclude}").strip()]
        elif block.kind == "{toctree}" and page.name == "index.md" and page.parent.name != "docs":
            shown = [f"{name}.md" for name in block.text.split()]
        else:
            continue
        found += [name for name in shown if (page.parent / name).resolve() not in linked]
    return found


@pytest.mark.parametrize("page", pages.pages(), ids=lambda page: page.relative_to(pages.ROOT).as_posix())
def test_a_page_hides_nothing_on_a_repositorys_host(page):
    assert hidden_on_a_host(page) == []


@pytest.mark.parametrize(
    ("text", "hidden"),
    [
        ("See [](other.md).", ["[](other.md)"]),
        ("[the other](other.md)", []),
        ("```{literalinclude} mine.py\n:caption: mine.py\n```\n", ["mine.py"]),
        ("[`mine.py`](mine.py)\n\n```{literalinclude} mine.py\n```\n", []),
        ("- [one](one.md)\n\n```{toctree}\n:hidden:\n\none\ntwo\n```\n", ["two.md"]),
    ],
)
def test_what_is_hidden_on_a_repositorys_host_is_found(text, hidden, tmp_path):
    page = tmp_path / "index.md"
    page.write_text(text)
    assert hidden_on_a_host(page) == hidden


def test_readme_is_short_and_has_the_two_commands():
    text = (pages.ROOT / "README.md").read_text(encoding="utf-8")
    assert len(text.split()) <= 900
    assert re.search(r"^python3 -m venv .*/backproof sweep experiment=thread$", text, re.MULTILINE)
    assert re.search(r"^python3 -m venv .*/pytest -n auto$", text, re.MULTILINE)


def test_the_newest_entry_of_the_changelog_is_the_version():
    changes = (pages.ROOT / "CHANGELOG.md").read_text()
    newest = re.search(r"^(?:## \[|The first release will be )(\d+\.\d+\.\d+)", changes, re.MULTILINE)
    citation = re.search(r"^version: (\S+)", (pages.ROOT / "CITATION.cff").read_text(), re.MULTILINE)
    version = tomllib.loads((pages.ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert newest and citation
    assert newest[1] == citation[1] == version
