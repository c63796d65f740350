"""The language of claims, figures and exclusions: what it means, and what it refuses."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from backproof.errors import ConfigurationError
from backproof.sweeps.expressions import MOST_CHARACTERS, MOST_DEPTH, parse

ROOT = Path(__file__).parents[2]

TABLE = pd.DataFrame({
    "verdict": ["agrees", "agrees", "not finite", None],
    "error": [1e-10, 0.5, np.nan, 2.0],
    "clip.eps": pd.array([None, 1e-7, 1e-3, 0.0], "Float64"),
    "steps": pd.array([10, None, 30, 40], "Int64"),
    "named": pd.array([True, False, None, True], "boolean"),
    "evidence": ["true", None, "true", None],
    "unused": [None, None, None, None],
})  # fmt: skip


def truth(text, table=TABLE):
    return parse("holds", text, list(table)).truth(table).astype(int).tolist()


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("verdict == 'agrees'", [1, 1, 0, 0]),
        ("verdict != 'agrees'", [0, 0, 1, 0]),
        ("not verdict == 'agrees'", [0, 0, 1, 0]),
        ("verdict in ['agrees', 'x']", [1, 1, 0, 0]),
        ("verdict not in ('agrees', 'x')", [0, 0, 1, 0]),
        ("error < 1", [1, 1, 0, 0]),
        ("0 < error <= 0.5", [1, 1, 0, 0]),
        ("`clip.eps` >= 1e-7", [0, 1, 1, 0]),
        ("`clip.eps` >= 1e-7 or verdict == 'agrees'", [1, 1, 1, 0]),
        ("steps > 10 and error > 1", [0, 0, 0, 1]),
        ("named", [1, 0, 0, 1]),
        ("not named", [0, 1, 0, 0]),
        ("named == (error < 1)", [1, 0, 0, 0]),
        ("named != (steps == 10)", [0, 0, 0, 1]),
        ("named + 1 == 2", [1, 0, 0, 1]),
        ("isnull(error)", [0, 0, 1, 0]),
        ("notnull(verdict) and steps >= 0", [1, 0, 1, 0]),
        ("evidence == 'true'", [1, 0, 1, 0]),
        ("verdict < 'b'", [1, 1, 0, 0]),
        ("verdict == 3", [0, 0, 0, 0]),
        ("unused > 3 or unused == 'a'", [0, 0, 0, 0]),
        ("isnull(unused)", [1, 1, 1, 1]),
        ("True", [1, 1, 1, 1]),
        ("'it is `quoted`' != verdict", [1, 1, 1, 0]),
        ("log10(error) < -9", [1, 0, 0, 0]),
        ("isnull(log(0 - error))", [1, 1, 1, 1]),
        ("abs(-error) == error and steps % 3 == 1", [1, 0, 0, 1]),
        ("error ** -2 == 4", [0, 1, 0, 0]),
        ("max(error, 1) == 1", [1, 1, 0, 0]),
        ("min(steps, 20, 30) == 20", [0, 0, 1, 1]),
        ("2 * (steps - 5) / 5 // 1 == 2", [1, 0, 0, 0]),
        ("steps / 0 > 1e300", [1, 0, 1, 1]),
    ],
)
def test_it_is_true_in_these_rows(text, rows):
    assert truth(text) == rows


def test_numbers_are_evaluated_with_null_as_nan():
    found = parse("value", "sqrt(error) * 2", list(TABLE)).numbers(TABLE)
    np.testing.assert_allclose(found, 2 * np.sqrt(TABLE["error"]))
    assert parse("value", "named", list(TABLE)).numbers(TABLE)[:2].tolist() == [1, 0]
    with pytest.raises(ConfigurationError, match="value: 'verdict' is text, not a number"):
        parse("value", "verdict", list(TABLE)).numbers(TABLE)


def test_a_column_that_the_table_lacks_is_null():
    assert truth("isnull(error)", TABLE.rename(columns={"error": "e"}).assign(error=None)) == [1] * 4
    assert parse("where", "steps > 0", ["steps"]).truth(TABLE[["verdict"]]).tolist() == [False] * 4


def shipped():
    """Every expression of the shipped experiments, and over which cells it is evaluated."""
    for path in sorted((ROOT / "experiments").glob("*.yaml")):
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        for claim in content["claims"]:
            name = f"{path.stem}: {claim['id']}"
            where = claim.get("where", "True")
            if "where" in claim:
                yield pytest.param(path.stem, where, "True", id=f"{name}, where")
            if "holds" in claim:
                yield pytest.param(path.stem, claim["holds"], where, id=f"{name}, holds")
            for part in ("value", "of", "against") if "contrast" in claim else ():
                yield pytest.param(path.stem, claim["contrast"][part], "True", id=f"{name}, contrast.{part}")
            if "measure" in claim:
                yield pytest.param(path.stem, claim["measure"]["value"], where, id=f"{name}, measure")
        for i, figure in enumerate(content["figures"]):
            if "where" in figure:
                yield pytest.param(path.stem, figure["where"], "True", id=f"{path.stem}: figure {i}")


@pytest.fixture(scope="module")
def pinned():
    folder = ROOT / "tests" / "reference" / "pinned"
    return {path.stem: nullable(pd.read_parquet(path)) for path in folder.glob("*.parquet")}


def nullable(cells):
    """Columns of which pandas knows that what is compared with null is null."""
    kinds = {"f": "Float64", "i": "Int64", "b": "boolean"}
    return cells.astype({name: kinds.get(cells[name].dtype.kind, "string") for name in cells})


@pytest.mark.parametrize(("experiment", "text", "scope"), list(shipped()))
def test_shipped_expressions_mean_what_pandas_makes_of_them(pinned, experiment, text, scope):
    """Over nullable columns, where pandas too takes what is compared with null as null."""
    cells = pinned[experiment]
    cells = cells[parse("where", scope, list(cells)).truth(cells)]
    in_pandas = re.sub(r"(isnull|notnull)\(([^()]+)\)", r"\2.\1()", " ".join(text.split()))
    with np.errstate(divide="ignore"):  # the logarithm of a count of zero
        expected = cells.eval(in_pandas, engine="python")
    found = parse("where", text, list(cells))
    if expected.dtype == bool or expected.dtype == "boolean":
        np.testing.assert_array_equal(found.truth(cells), expected.fillna(False).to_numpy(bool))
    else:
        np.testing.assert_allclose(found.numbers(cells), expected.to_numpy(float, na_value=np.nan))


numbers = st.floats(-1e6, 1e6, allow_subnormal=False)


@given(st.lists(st.one_of(st.none(), numbers), min_size=1), numbers)
def test_a_comparison_and_its_negation_share_the_rows_that_are_not_null(values, limit):
    table = pd.DataFrame({"x": pd.array(values, "Float64")})
    below, above = truth(f"x < {limit!r}", table), truth(f"not x < {limit!r}", table)
    assert [a + b for a, b in zip(below, above, strict=True)] == truth("notnull(x)", table)
    assert below == [int(v is not None and v < limit) for v in values]


@given(
    st.lists(
        st.tuples(*[st.sampled_from([True, False, None])] * 2),
        min_size=1,
    )
)
def test_de_morgan(rows):
    table = pd.DataFrame(
        {k: pd.array(v, "boolean") for k, v in zip("ab", zip(*rows, strict=True), strict=True)}
    )
    assert truth("not (a and b)", table) == truth("not a or not b", table)
    assert truth("not (a or b)", table) == truth("not a and not b", table)


@given(st.text(max_size=60))
def test_any_text_is_parsed_or_refused_in_one_line(text):
    try:
        parse("where", text, list(TABLE)).truth(TABLE)
    except ConfigurationError as error:
        assert "\n" not in str(error) and str(error).startswith("where: ")


HOSTILE = {
    "@pd.io.common.os.system('touch broken')": "invalid syntax",
    "error.to_pickle('broken')": "unknown name error.to_pickle",
    "error.values.tofile('broken')": "unknown name error.values.tofile",
    "error.__class__.__mro__ == 1": "must be in backticks",
    "`error.__class__`": "unknown name error.__class__",
    "__import__('os').system('touch broken')": "unknown name",
    "__builtins__": "unknown name __builtins__",
    "(lambda: 1)() == 1": "unknown name",
    "(lambda x: x) == 1": "Python's Lambda is not part of an expression",
    "[x for x in verdict] == 1": "Python's ListComp is not part",
    "{verdict: 1} == 1": "Python's Dict is not part",
    "f'{verdict}' == 'a'": "Python's JoinedStr is not part",
    "verdict[0] == 'a'": "Python's Subscript is not part",
    "(verdict := 'a') == 'a'": "not part of an expression",
    "verdict == 'a' if named else named": "Python's IfExp is not part",
    "abs(*[error]) > 1": "abs takes one value",
    "abs(x=error) > 1": "abs takes one value",
    "min(error) > 1": "min takes two or more values",
    "error is None": "not part of an expression",
    "error == None": "None is not part of an expression",
    "error == b'x'": "is not part of an expression",
    "error == 1j": "is not part of an expression",
    "error == ...": "is not part of an expression",
    "9**9**9 > 1": "an exponent must be a number of at most 64",
    "error ** error > 1": "an exponent must be a number",
    "error ** 1e9 > 1": "an exponent must be a number",
    "error << 9 > 1": "Python's LShift is not part",
    "named & named": "use and, or, not in place of &, |, ~",
    "~named": "use and, or, not in place of &, |, ~",
    "error in error": "`in` takes a list of values",
    "error in [error]": "`in` takes a list of values",
    "error in []": "`in` takes a list of values",
    "[1, 2] == error": "a list may only follow `in`",
    "verdict == [1]": "a list may only follow `in`",
    "a" * 10**6: "has 1,000,000 characters; at most 4,000 are allowed",
    "(" * 1500 + "1" + ")" * 1500: "",
    "-" * 3900 + "1 > 0": "",
    "not " * 900 + "named": "nested too deeply",
    " + ".join(["1"] * 900) + " > 0": "nested too deeply",
    "9" * 3900 + " > error": "",
    "1" + "0" * 400 + " > error": "is too large",
    "error > ''": "a number is compared with a text",
    "verdict + 1 > 1": "text stands where a number is needed",
    "error and named": "a number stands where true or false is needed",
    "error": "'error' is a number, not true or false",
    "verdict": "'verdict' is a text, not true or false",
    "erorr > 1": "unknown name erorr; did you mean 'error'?",
    "sqr(error) > 1": "unknown name sqr; did you mean 'sqrt'?",
    "": "invalid syntax",
    "named; named": "invalid syntax",
    "\x00": "",
    "\ud800 == verdict": "",
}


@pytest.mark.parametrize(("text", "message"), list(HOSTILE.items()), ids=[repr(t)[:40] for t in HOSTILE])
def test_it_is_refused_in_one_line(text, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigurationError) as refused:
        parse("claims[a].holds", text, list(TABLE)).truth(TABLE)
    said = str(refused.value)
    assert said.startswith("claims[a].holds: ") and "\n" not in said and len(said) < 300
    assert message in said
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("value", [None, 3, ["a"], {"a": 1}])
def test_what_is_not_text_is_refused(value):
    with pytest.raises(ConfigurationError, match="where: must be an expression"):
        parse("where", value, list(TABLE))


def test_the_limits_leave_room_for_long_claims():
    longest = max((p.values[1] for p in shipped()), key=len)
    assert len(longest) * 10 < MOST_CHARACTERS
    assert truth(" or ".join(["named"] * 400)) == [1, 0, 0, 1]
    assert truth("(" * 15 + "named" + ")" * 15) == [1, 0, 0, 1]
    assert truth("not " * (MOST_DEPTH // 2 - 2) + "named") == [1, 0, 0, 1]
