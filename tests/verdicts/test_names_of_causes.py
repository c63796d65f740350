"""Every cause has a name whose meaning is written down, and no name is written down that no cause has."""

import ast
from pathlib import Path

import pandas as pd
import pytest

import backproof
from backproof.network.faults import FAULTS
from backproof.verdicts.names_of_causes import OPERATIONS, SINGLE, STRUCTURES, meaning_of

PACKAGE = Path(backproof.__file__).parent
SOURCES = [*sorted((PACKAGE / "verdicts").glob("*.py")), *sorted((PACKAGE / "targets").glob("torch_*.py"))]
PINNED = Path(__file__).parents[1] / "reference" / "pinned"

ONLY_IN_DETAILS = {"its bias taken off"}
"""Of the argument of f', which `derivative: of another argument` names."""

NAMED = {
    "Cause",
    "Departure",
    "Candidate",
    "Known",
    "Found",
    "Variant",
    "Term",
    "_given",
    "joined",
    "compared",
}
"""Records whose first field is a name, or the structure in one, and what makes them."""


def literals():
    """Names and structures that the code has whole; those put together are the pinned tables' part."""
    found = set()
    for source in SOURCES:
        for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call) or not node.args:
                continue
            name = getattr(node.func, "id", getattr(node.func, "attr", ""))
            if name in NAMED and isinstance(node.args[0], ast.Constant) and node.args[0].value:
                found.add(node.args[0].value)
    return sorted(found - ONLY_IN_DETAILS)


def test_names_in_the_code_have_a_meaning():
    assert len(literals()) > 60
    unknown = []
    for name in literals():
        try:
            meaning_of(name)
        except KeyError:
            unknown.append(name)
    assert not unknown


@pytest.mark.parametrize("name", [n for n, fault in FAULTS.items() if fault().cause and n != "mutant"])
def test_causes_of_planted_faults_have_a_meaning(name):
    cause = FAULTS[name]().cause
    operation = cause.partition(": ")[0]
    assert operation in OPERATIONS or cause == "lower precision"
    assert meaning_of(cause).startswith(OPERATIONS.get(operation, ""))


def test_causes_of_the_shipped_experiments_have_a_meaning():
    tables = [pd.read_parquet(path) for path in sorted(PINNED.glob("*.parquet"))]
    causes = {name for table in tables if "cause" in table for name in table["cause"].dropna()}
    assert len(causes) > 60
    assert all(meaning_of(name) for name in causes)


def test_every_name_stands_in_the_code():
    code = "\n".join(s.read_text(encoding="utf-8") for s in SOURCES if s.stem != "names_of_causes")
    written = {**OPERATIONS, **STRUCTURES, **SINGLE}
    # f"{called} left out", f"another {operand}"
    composed = {"rows left out", "columns left out", "entries left out", "another delta", "another input"}
    absent = [name for name in written if f'"{name}' not in code and f": {name}" not in code]
    assert set(absent) <= composed


def test_a_name_that_no_cause_has_is_refused():
    with pytest.raises(KeyError):
        meaning_of("weight gradient: upside down")
    with pytest.raises(KeyError):
        meaning_of("somewhere: transposed")
