"""Keys in order, and values as overrides quote them."""

import pytest

from backproof.sweeps.case import FunctionCase, NetworkCase
from backproof.sweeps.overrides import AXES, ordered, shown


def test_the_axes_are_the_fields_of_a_case():
    fields = set(NetworkCase.model_fields) - {"code"}
    assert set(AXES) == fields
    assert set(FunctionCase.model_fields) - {"code"} <= fields


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "null"), (True, "true"), (3, "3"), (1e-7, "1e-07"), ((3, 4), "[3,4]"), ((), "[]"),
        ("a_b.c-d", "a_b.c-d"),
        ("two words", "'two words'"), ("null", "'null'"), ("1", "'1'"), ("it's", r"'it\'s'"), ("", "''"),
    ],
)  # fmt: skip
def test_shown(value, text):
    assert shown(value) == text


def test_ordered():
    assert ordered({"seed", "clip.eps", "clip", "zebra", "data"}) == [
        "data",
        "clip",
        "clip.eps",
        "seed",
        "zebra",
    ]
