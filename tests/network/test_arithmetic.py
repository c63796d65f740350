"""Rounding to formats: against ml_dtypes, against fractions, and what a rounded network computes."""

from dataclasses import replace
from fractions import Fraction
from pickle import dumps, loads

import ml_dtypes
import numpy as np
import pytest
from oracles import random_problem

from backproof import paths
from backproof.estimates.incremental import numerical_gradient
from backproof.estimates.naive import naive_gradient
from backproof.network.arithmetic import Arithmetic, BiasAdd
from backproof.network.number_formats import (
    BFLOAT16,
    FORMATS,
    MANTISSA,
    NetworkPrecision,
    NumberFormat,
    mantissa,
)
from backproof.network.rules import BackwardRule
from backproof.targets.network import in_precision

HALF = NumberFormat("float16", 10, -14, 65504.0, np.inf, np.float32)
NAMED = {
    "bfloat16": ml_dtypes.bfloat16,
    "float8_e4m3fn": ml_dtypes.float8_e4m3fn,
    "float8_e5m2": ml_dtypes.float8_e5m2,
    "float16": np.float16,
}


def format_of(name):
    return HALF if name == "float16" else FORMATS[name]


def same(a, b):
    """Bit for bit, but for what a NaN carries."""
    return (np.isnan(a) & np.isnan(b)) | ((a == b) & (np.signbit(a) == np.signbit(b)))


def every_kind_of_float32():
    """Numbers of every exponent, and both neighbours of ties: infinities, NaN, subnormals."""
    patterns = np.arange(0, 2**32, 4999, dtype=np.uint64)
    top = np.arange(2**16, dtype=np.uint64) << 16
    ties = np.concatenate([top | 0x8000, top | 0x7FFF, top | 0x8001, top | 0x1000, top | 0x0FFF, top])
    return np.concatenate([patterns, ties]).astype(np.uint32).view(np.float32)


# --- rounding


@pytest.mark.parametrize("name", NAMED)
def test_named_formats_round_and_overflow_as_ml_dtypes_does_bit_for_bit(name):
    x = every_kind_of_float32()
    with np.errstate(all="ignore"):
        expected = x.astype(NAMED[name]).astype(np.float32)
    found = format_of(name).rounded(x)
    assert same(found, expected).all()
    # The comparison sees a rounding that goes the other way at ties, and one that overflows too early.
    with np.errstate(all="ignore"):
        away = format_of(name).rounded(np.nextafter(x, np.float32(np.inf)))
    assert not same(away, expected).all()
    too_early = replace(format_of(name), largest=format_of(name).largest / 2)
    assert name == "bfloat16" or not same(too_early.rounded(x), expected).all()


def nearest(x, bits, least):
    """The nearest number of a format without a largest one, ties to even, in whole numbers."""
    x = Fraction(float(x))
    if x == 0:
        return Fraction(0)
    exponent = max(int(np.frexp(float(x))[1]) - 1, least)
    spacing = Fraction(2) ** (exponent - bits)
    return round(x / spacing) * spacing  # Python rounds halves of fractions to even


@pytest.mark.parametrize("bits", [1, 2, 3, 7, 10, 11, 23, 24, 40, 51])
def test_any_number_of_mantissa_bits_is_the_nearest_number_ties_to_even(bits):
    rng = np.random.default_rng(bits)
    x = rng.normal(size=300) * 2.0 ** rng.integers(-1070, 1000, 300)
    ties = rng.integers(2**bits, 2 ** (bits + 1), 100) * 2.0 + 1  # odd, of one bit too many
    x = np.concatenate([x, ties, -ties, [0.0, 5e-324, 2.0**-1022, -(2.0**-1040) * 3]])
    found = mantissa(bits).rounded(x)
    expected = [nearest(each, bits, -1022) for each in x]
    assert [Fraction(each) for each in found.tolist()] == expected
    if bits < 51:
        assert [Fraction(each) for each in mantissa(bits + 1).rounded(x).tolist()] != expected


def test_mantissa_formats_have_the_exponents_of_float64_and_overflow_at_its_end():
    few = mantissa(3)
    assert few.rounded(np.array([1e308]))[0] == pytest.approx(1e308, rel=0.07)
    assert few.rounded(np.array([few.largest, np.finfo(float).max])).tolist() == [few.largest, np.inf]


@pytest.mark.parametrize("name", NAMED)
def test_spacing_and_smallest_are_those_of_the_format(name):
    x = np.array([0, 1, 1.75, 2, 3, 0.02, 2.0**-8, -3], np.float32)
    there = format_of(name)
    x = there.rounded(x)
    largest = NAMED[name](there.largest)
    one_up = np.array([np.nextafter(abs(each).astype(NAMED[name]), largest) for each in x])
    expected = one_up.astype(np.float32) - np.abs(x)
    assert there.spacing(x).tolist() == expected.tolist()
    assert there.smallest == float(ml_dtypes.finfo(NAMED[name]).smallest_subnormal)
    assert there.unit_roundoff == float(ml_dtypes.finfo(NAMED[name]).eps) / 2


def test_arrays_of_another_type_are_refused():
    with pytest.raises(TypeError, match="bfloat16 is carried by float32; not float64"):
        BFLOAT16.rounded(np.ones(3))


def test_precisions_survive_pickling_and_unknown_ones_are_refused():
    asked = NetworkPrecision("mantissa12")
    assert loads(dumps(asked)) is asked and asked.rounds_to is FORMATS["mantissa12"]
    assert NetworkPrecision("float32").rounds_to is None
    assert NetworkPrecision("float32").unit_roundoff == 2.0**-24
    for wrong in ("mantissa0", "mantissa52", "float4"):
        with pytest.raises(ValueError, match=wrong):
            NetworkPrecision(wrong)


def test_every_format_with_a_name_is_a_precision_and_has_a_file_of_its_own():
    named = {name for name in FORMATS if not name.startswith(MANTISSA)}
    assert named <= {str(each.value) for each in NetworkPrecision}
    files = {path.stem for path in (paths.conf() / "precision").glob("*.yaml")}
    assert named <= files


# --- networks


def rounded_problem(seed, name="bfloat16", bias_add=BiasAdd.FUSED, **choice):
    to = FORMATS[name]
    l2 = choice.pop("l2", 0.0)
    problem, weights = random_problem(seed, **{"hidden": (5, 4), "samples": 6, **choice})
    return replace(
        problem,
        l2=l2,
        inputs=to.rounded(problem.inputs.astype(to.carrier)),
        targets=to.rounded(problem.targets.astype(to.carrier)),
        arithmetic=Arithmetic(to, bias_add),
    ), [to.rounded(w.astype(to.carrier)) for w in weights]


def in_bfloat16(x):
    """A result of an operation, by ml_dtypes."""
    return np.asarray(x, np.float32).astype(ml_dtypes.bfloat16).astype(np.float32)


def by_hand(problem, weights, fused):
    """Forward and backward pass of a ReLU network with squared error, each operation rounded by ml_dtypes."""
    a, entered, sums = problem.inputs, [], []
    for w in weights:
        entered.append(a)
        product = a @ w[:, :-1].T
        z = in_bfloat16(product + w[:, -1]) if fused else in_bfloat16(in_bfloat16(product) + w[:, -1])
        sums.append(z)
        a = np.maximum(z, 0)
    a = sums[-1]
    delta, gradients = in_bfloat16(a - problem.targets), []
    for layer in range(len(weights) - 1, -1, -1):
        ones = np.ones((len(a), 1), np.float32)
        gradients.insert(0, in_bfloat16(delta.T @ np.hstack([entered[layer], ones])))
        if layer:
            arriving = in_bfloat16(delta @ weights[layer][:, :-1])
            delta = in_bfloat16(arriving * (sums[layer - 1] > 0))
    return sums, gradients


@pytest.mark.parametrize("bias_add", BiasAdd)
def test_each_operation_is_rounded_once(bias_add):
    choice = {"activation": "relu", "output": "identity", "loss": "squared_error"}
    problem, weights = rounded_problem(3, bias_add=bias_add, **choice)
    forward = problem.forward(weights)
    backward = BackwardRule().backward(problem, forward, weights)
    sums, gradients = by_hand(problem, weights, fused=bias_add is BiasAdd.FUSED)
    others, _ = by_hand(problem, weights, fused=bias_add is not BiasAdd.FUSED)
    for found, expected in zip(
        (*forward.pre_activations, *backward.gradients), (*sums, *gradients), strict=True
    ):
        assert np.array_equal(found, expected)
    assert any(not np.array_equal(a, b) for a, b in zip(sums, others, strict=True))


@pytest.mark.parametrize("name", ["bfloat16", "float8_e5m2", "mantissa6"])
@pytest.mark.parametrize("loss", ["binary_cross_entropy", "categorical_cross_entropy_from_logits"])
def test_whatever_a_pass_leaves_behind_is_a_number_of_the_format(name, loss):
    problem, weights = rounded_problem(5, name, activation="silu", output="sigmoid", loss=loss, l2=0.1)
    forward = problem.forward(weights)
    backward = BackwardRule(relu_at_zero=0.3).backward(problem, forward, weights)
    arrays = [*forward.pre_activations, *forward.inputs, forward.outputs, forward.terms]
    to = FORMATS[name]
    for array in (*arrays, *backward.deltas, *backward.gradients):
        assert same(to.rounded(array), array).all()
        assert array.dtype == to.carrier
    assert not np.array_equal(replace(to, bits=to.bits - 1).rounded(forward.terms), forward.terms)


def test_without_rounding_it_is_the_problem_before():
    problem, weights = random_problem(4, output="softmax", loss="categorical_cross_entropy")
    to = mantissa(5)
    inputs, targets, *rounded = map(to.rounded, (problem.inputs, problem.targets, *weights))
    plain = replace(problem, inputs=inputs, targets=targets)
    coarse = replace(plain, arithmetic=Arithmetic(to))
    assert coarse.exact == plain or np.array_equal(
        coarse.exact.forward(rounded).terms, plain.forward(rounded).terms
    )
    assert not np.array_equal(coarse.forward(rounded).terms, plain.forward(rounded).terms)
    wide, there = in_precision(coarse, rounded, np.longdouble)
    assert wide.forward(there).terms.dtype == np.longdouble
    assert wide.activation.value is plain.activation.value


@pytest.mark.parametrize("name", ["bfloat16", "mantissa12"])
def test_differences_of_the_rounded_function_are_within_their_bounds_of_the_plain_way(name):
    """Both ways round at other moments: by less than the noise that the bounds allow, and by more than 0."""
    problem, weights = rounded_problem(6, name, activation="tanh", output="sigmoid", loss="squared_error")
    step = 0.25
    found = numerical_gradient(problem, weights, step=step)
    plain = naive_gradient(problem, weights, [np.where(w == w, step, 0) for w in weights])
    gap = np.abs(found.value - np.concatenate([g.ravel() for g in plain]))
    assert (gap <= found.noise).all()
    assert (gap > 0).any()
    exact, there = in_precision(problem, weights, np.float64)
    unrounded = numerical_gradient(exact, there, step=step)
    assert np.abs(found.value - unrounded.value).max() > 10 * np.abs(unrounded.noise).max()


def test_a_step_is_what_the_format_makes_of_it():
    problem, weights = rounded_problem(7, "mantissa4", activation="tanh", output="sigmoid")
    estimate = numerical_gradient(problem, weights)
    fine, there = in_precision(problem, weights, np.float64)
    assert (estimate.bound > numerical_gradient(fine, there).bound).all()
