"""Random networks in formats that NumPy has no arithmetic for; the command judges any number of them."""

import pytest
from rounded_networks import rounded_configuration, rounded_tally

from backproof.verdicts import Verdict

FIRST = 30_000
"""Seeds that no part of the judge was looked at with."""


@pytest.mark.parametrize(("count", "wrong"), [(30, 3), pytest.param(100, 1, marks=pytest.mark.slow)])
def test_no_right_gradient_is_accused_and_no_wrong_one_agrees(count, wrong):
    found = rounded_tally(FIRST, count, wrong)
    assert found.crashed == []
    assert found.accused == []
    assert found.agreed == []
    assert found.right[Verdict.AGREES] > count / 2
    assert found.wrong[Verdict.INCORRECT_GRADIENT] > count / 2


def test_every_kind_of_format_is_drawn_and_both_ways_of_adding_a_bias():
    words = [rounded_configuration(seed).text for seed in range(60)]
    kinds = ("bfloat16 ", "float8_e4m3fn", "float8_e5m2", "mantissa", " unfused", " fused")
    assert all(any(kind in text for text in words) for kind in kinds)
