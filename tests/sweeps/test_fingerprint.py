"""Ids follow what decides bits: code without its comments, and versions."""

import shutil

import pytest

from backproof.sweeps import fingerprint as module
from backproof.sweeps.case import FunctionCase, NetworkCase
from backproof.sweeps.fingerprint import COMPUTING, DECIDING, deciding_versions, fingerprint
from backproof.sweeps.provenance import changed_since, provenance


@pytest.fixture
def copy(tmp_path, monkeypatch):
    """A copy of the package's code; answers with a digest after an edit of one of its files."""
    root = tmp_path / "backproof"
    shutil.copytree(module.ROOT, root, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(module, "ROOT", root)

    def digest(edit=lambda text: text):
        path = root / "network" / "rules.py"
        path.write_text(edit(path.read_text()))
        module.code_digest.cache_clear()
        return module.code_digest()

    yield digest
    module.code_digest.cache_clear()


def test_comments_and_documentation_do_not_change_an_id_and_code_does(copy):
    before = copy()
    assert copy(lambda s: s.replace('"""', '"""Something else. ', 1)) == before
    assert copy(lambda s: "# a comment\n" + s + "\n\n# and another\n") == before
    assert copy(lambda s: s + "\n\ndef unused():\n    return 1\n") != before


@pytest.mark.slow
def test_every_file_that_computes_counts(copy, tmp_path):
    before = copy()
    for name in COMPUTING:
        path = tmp_path / "backproof" / name
        path = path if path.is_file() else next(path.glob("[a-z]*.py"))
        text = path.read_text()
        path.write_text(text + "\nADDED = 1\n")
        assert copy() != before, name
        path.write_text(text)


def test_versions_that_decide_bits_are_part_of_an_id(monkeypatch):
    before = fingerprint()
    assert set(deciding_versions()) == set(DECIDING)
    monkeypatch.setattr(module, "version", lambda name: "9.9" if name == "numpy" else "1")
    deciding_versions.cache_clear()
    fingerprint.cache_clear()
    try:
        assert fingerprint() != before
    finally:
        monkeypatch.undo()
        deciding_versions.cache_clear()
        fingerprint.cache_clear()
    assert fingerprint() == before
    assert fingerprint("torch") != before


def test_frameworks_count_for_the_functions_that_are_written_with_them():
    assert NetworkCase.frameworks.fget(NetworkCase.model_construct()) == ()
    for by, names in (("torch", ("torch",)), ("jax", ("jax", "jaxlib")), ("numpy", ())):
        case = FunctionCase.model_construct(subject=type("Subject", (), {"by": by}))
        assert case.frameworks == names


def test_what_changed_is_said():
    now = provenance("backproof sweep")
    assert changed_since(now) == []
    older = {**now, "versions": {**now["versions"], "numpy": "1.0"}}
    assert changed_since(older) == [f"numpy 1.0 → {now['versions']['numpy']}"]
    assert changed_since({**now, "fingerprint": "x"}) == ["backproof's computing code"]
