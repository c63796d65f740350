"""An activation examined alone: each declaration that its values contradict is named, a true one is not."""

from dataclasses import replace

import numpy as np
import pytest

from backproof.network.activations import ACTIVATIONS, Activation, Kink
from backproof.network.activations.relu import relu
from backproof.network.activations.tanh import tanh
from backproof.network.arrays import Interval, Precision
from backproof.verdicts.component import examine

TANH, RELU = tanh(), relu()


def about(activation, *subjects):
    """(right, remark) of what was examined."""
    return [(f.right, f.remark) for f in examine(activation) if f.what in subjects]


@pytest.mark.parametrize("activation", ACTIVATIONS.records(), ids=lambda a: a.name)
def test_activations_of_the_package_are_what_they_declare(activation):
    found = examine(activation)
    assert [f.what for f in found] == ["derivative", "kinks", "range", *Precision]
    assert not any(f.right is False for f in found)


def wrong_by(error, activation=TANH):
    return replace(activation, derivative=lambda z: activation.derivative(z) + error(z))


def test_a_derivative_must_be_that_of_the_values():
    assert about(TANH, "derivative") == [(True, "is that of its values at 807 points")]
    ((right, remark),) = about(wrong_by(lambda z: np.where(np.abs(z - 2.00123) < 1e-9, 0.5, 0)), "derivative")
    assert right is False
    assert remark == "is 0.570483 at z = 2.00123, where that of its values is 0.0704835"


@pytest.mark.parametrize(("error", "right"), [(0.5e-8, True), (4e-8, False)])
def test_a_derivative_may_be_off_by_one_in_a_hundred_million(error, right):
    """Relative to 1 + |f'|."""
    assert about(wrong_by(lambda _z: error), "derivative")[0][0] is right
    steep = Activation("steep", "", lambda z: 1e6 * z, lambda z: 1e6 * (1 + error) + 0 * z)
    assert about(steep, "derivative")[0][0] is right


def test_the_worst_point_is_named():
    found = about(
        wrong_by(lambda z: 0.01 * (np.abs(z - 3.00123) < 1) + (np.abs(z + 4.99877) < 1e-9)), "derivative"
    )
    assert "at z = -4.99877" in found[0][1]


def test_points_beside_a_kink_are_not_looked_at_and_the_next_are():
    def bent(at):
        return Activation(
            "bent", "", lambda z: np.maximum(z - at, 0), lambda z: (z > at).astype(z.dtype), (Kink(at, 0, 1),)
        )

    for at, points in ((0.00123, 806), (0.00123 + 0.0030, 806), (0.00123 + 0.0050, 807)):
        assert about(bent(at), "derivative") == [(True, f"is that of its values at {points} points")]


def test_far_out_a_derivative_may_overflow_and_near_it_must_be_a_number():
    nan_beyond = {
        limit: wrong_by(lambda z, a=limit: np.where(np.abs(z) > a, np.nan, 0)) for limit in (40, 60)
    }
    assert about(nan_beyond[60], "derivative")[0][0] is True
    assert about(nan_beyond[40], "derivative")[0] == (
        False, "is nan at z = -50, where that of its values is 0"
    )  # fmt: skip
    off_beyond = wrong_by(lambda z: np.where(np.abs(z) > 60, 1e-3, 0))
    assert about(off_beyond, "derivative")[0][0] is False
    unknown = replace(TANH, value=lambda z: np.where(np.abs(z) > 40, np.nan, np.tanh(z)))
    assert about(unknown, "derivative")[0][0] is True


def kinked(*kinks):
    return replace(RELU, kinks=tuple(Kink(*k) for k in kinks))


@pytest.mark.parametrize(
    ("kinks", "wrong"),
    [
        ([(0, 0, 1)], []),
        ([(0.9e-5, 0, 1)], []),
        ([(0, 0.9e-5, 1 - 0.9e-5)], []),
        ([], ["lack the one at z = 0, from 0 to 1"]),
        ([(0, 0, 1), (100, 0, 7)], []),
        ([(0, 0.1, 1)], ["say 0.1 to 1 at z = 0; the values, 0 to 1"]),
        ([(0, 0, 1.1)], ["say 0 to 1.1 at z = 0; the values, 0 to 1"]),
        ([(0, 0, 1 + 1.2e-5)], ["say 0 to 1.00001 at z = 0; the values, 0 to 1"]),
        ([(0, 0, 1), (2, 0, 1)], ["name z = 2, where the values have none"]),
        (
            [(1.1e-5, 0, 1)],
            ["lack the one at z = 0, from 0 to 1", "name z = 1.1e-05, where the values have none"],
        ),
    ],
)
def test_kinks_must_be_where_and_what_the_values_say(kinks, wrong):
    found = about(kinked(*kinks), "kinks")
    assert [remark for right, remark in found if right is False] == wrong
    assert found[-1][0] is True


def test_kinks_that_are_found_are_listed():
    assert about(RELU, "kinks") == [(True, "z = 0: derivative 0 to 1, as a scan from -32 to 32 finds them")]
    two = Activation(
        "two", "", lambda z: np.clip(z, -1, 2), lambda z: ((z > -1) & (z < 2)).astype(z.dtype),
        (Kink(-1, 0, 1), Kink(2, 1, 0)),
    )  # fmt: skip
    words = "z = -1: derivative 0 to 1; z = 2: derivative 1 to 0, as a scan from -32 to 32 finds them"
    assert about(two, "kinks") == [(True, words)]
    assert about(TANH, "kinks") == [(True, "none, as a scan from -32 to 32 finds them")]


def test_a_function_that_jumps_has_no_derivative():
    step = Activation("step", "", lambda z: (z > 0).astype(z.dtype), lambda z: 0 * z)
    found = about(step, "value", "kinks")
    assert len(found) == 1
    assert found[0][0] is False
    assert found[0][1].startswith("has no derivative: ")


@pytest.mark.parametrize(
    ("low", "high", "remark"),
    [
        (-1, 1, None),
        (-1 + 0.9e-4, 1, None),
        (-1 + 3e-4, 1, "at z = -32 it is -1"),
        (-1, 1 - 3e-4, "it is 0.999"),
        (-2, 5, None),
        (0, 1, "at z = -32 it is -1"),
    ],
)
def test_values_must_lie_within_the_range(low, high, remark):
    """Or within 1e-4 beside it, relative to 1 and the smaller of its ends."""
    ((right, found),) = about(replace(TANH, range=Interval(low, high)), "range")
    assert right is (remark is None)
    assert (remark or str(Interval(low, high))) in found


def test_the_slack_of_a_range_grows_with_its_ends_and_not_with_what_is_infinite():
    """999 and 10⁹: 0.1 is allowed. 999 and infinity: likewise."""
    for high in (1e9, np.inf):
        for reach, right in ((0.09, True), (0.11, False)):
            value = Activation("flat", "", lambda z, r=reach: 999 - r + 0 * z, lambda z: 0 * z)
            assert about(replace(value, range=Interval(999, high)), "range")[0][0] is right


def test_a_range_is_looked_at_far_out():
    line = Activation("line", "", lambda z: z, lambda z: 1 + 0 * z, range=Interval(-9e3, 2e4))
    ((right, remark),) = about(line, "range")
    assert (right, remark.rpartition(", but ")[2]) == (False, "at z = -10000 it is -10000")
    assert about(replace(line, range=Interval(-2e4, 9e3)), "range")[0][0] is False
    assert about(replace(line, range=Interval(-2e4, 2e4)), "range")[0][0] is True


def test_values_keep_their_precision():
    widened = replace(TANH, value=lambda z: np.tanh(z.astype(np.longdouble)))
    assert about(widened, "float32")[0] == (False, f"the value of float32 is {np.dtype(np.longdouble)}")
    widened = replace(TANH, derivative=lambda z: TANH.derivative(z.astype(np.float64)))
    assert about(widened, "float32")[0] == (False, "the derivative of float32 is float64")
    assert about(widened, "float64")[0][0] is True


def test_what_overflows_in_a_precision_is_a_limit_of_it():
    """exp(100) is beyond float32, and the logarithm of that sum is not."""
    naive = Activation("naive softplus", "", lambda z: np.log(1 + np.exp(z)), lambda z: 1 / (1 + np.exp(-z)))
    assert about(naive, "float32")[0] == (None, "the value at z = 100 is inf: it overflows")
    assert about(naive, "float64")[0] == (None, "the value at z = 10000 is inf: it overflows")
    growing = Activation("exp", "", np.exp, np.exp)
    assert about(growing, "float32")[0][0] is True  # there the value itself is beyond the precision
    steep = Activation("", "", lambda z: np.maximum(z, 0), lambda z: np.exp(z) / (1 + np.exp(z)), RELU.kinks)
    assert about(steep, "float64")[0] == (None, "the derivative at z = 10000 is nan: it overflows")


def test_the_error_of_values_is_counted_in_roundings():
    """float32's are 2^-24 of the value."""
    off = replace(TANH, value=lambda z: np.tanh(z) * (1 + z.dtype.type(2.0**-20) * (z.dtype == np.float32)))
    (remark,) = (remark for _, remark in about(off, "float32"))
    assert 16 < float(remark.split()[1]) < 19
    assert remark.endswith("roundings, finite at ±10000")
    assert float(about(TANH, "float64")[0][1].split()[1]) < 3
