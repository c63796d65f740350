"""What was made of one tensor's gradient, from the right one alone: every mistake by hand, and its name."""

from dataclasses import replace

import numpy as np
import pytest

from backproof.verdicts.causes import Cause, Explanation
from backproof.verdicts.gradient_candidates import Tensor, terms_of
from backproof.verdicts.residuals import parts_of, shared_by_all, structure_of

DRAW = np.random.default_rng(3)
N = DRAW.standard_normal((5, 4))
THETA = DRAW.standard_normal((5, 4))
SQUARE, OF_SQUARE = DRAW.standard_normal((4, 4)), DRAW.standard_normal((4, 4))


def tensor(
    analytic, numerical=N, theta=THETA, *, name="w", bound=1e-12, complete=True, project=None, **given
):
    shape = np.shape(numerical)
    flat = [np.array(x, float).ravel() for x in (analytic, theta, numerical)]
    project = project or (lambda x: x)
    bounds = np.full(project(flat[2]).shape, bound)
    return Tensor(name, shape, flat[0], flat[1], project(flat[2]), bounds, project, complete, **given)


def named(analytic, *others, **given):
    with np.errstate(all="ignore"):
        known = structure_of(tensor(analytic, **given), list(others))
    return known and (known.name, known.detail)


MASK = np.zeros((5, 4), bool)
MASK[[1, 3], 2] = MASK[4, 0] = True
ROW = np.arange(5)[:, None] == 2

MISTAKES = {
    ("missing", "the gradient is zero"): 0 * N,
    ("sign", "the gradient is the negative of the right one"): -N,
    ("scale", "the gradient is 3 times the right one"): 3 * N,
    ("scale", "the gradient is 1/7 times the right one"): N / 7,
    ("scale", "the gradient is 0.37 times the right one"): 0.37 * N,
    ("reversed", "the order along axis 0 is reversed"): N[::-1],
    ("reversed", "the order along axis 1 is reversed, and negative"): -N[:, ::-1],
    ("shifted", "the entries along axis 0 are shifted by -1"): np.roll(N, -1, axis=0),
    ("transpose", "the gradient is transposed"): N.ravel().reshape(4, 5).T,
    ("regulariser", "0.3 times the parameter is too much"): N + 0.3 * THETA,
    ("regulariser", "1/4 times the parameter is left out"): N - THETA / 4,
    ("regulariser", "0.3 times the parameter's sign is too much"): N + 0.3 * np.sign(THETA),
    ("a constant", "0.7 times one is left out"): N - 0.7,
    ("another term", "2 times the parameter squared is too much"): N + 2 * THETA**2,
    ("another term", "1/2 times exp of the parameter is left out"): N - np.exp(THETA) / 2,
    ("factors of rows", "1 of 5: 2, × 2.5"): N * np.where(ROW, 2.5, 1),
    ("columns left out", "2 of 4: 0, 3"): N * [0, 1, 1, 0],
    ("cut off", "at ±0.5"): np.clip(N, -0.5, 0.5),
    ("another parametrisation", "the right one, times the parameter"): N * THETA,
    ("another parametrisation", "the right one, divided by the parameter"): N / THETA,
    ("another parametrisation", "half the right one, times exp of the parameter"): N * np.exp(THETA) / 2,
    ("another parametrisation", "twice the right one, times one minus the parameter"): 2 * N * (1 - THETA),
    ("another parametrisation", "the right one, times the parameter squared"): N * THETA**2,
    ("another parametrisation", "the right one, times the parameter's sign"): N * np.sign(THETA),
    ("squared", ""): N**2,
    ("mean taken off", "over the columns"): N - N.mean(axis=1, keepdims=True),
    ("scale", "the gradient is 2.5 times the right one, but for a regulariser"): 2.5 * N + 0.3 * THETA,
    ("lower precision", "its entries are numbers of float32"): N.astype(np.float32),
    ("whole numbers", "all its entries are such"): np.round(7 * DRAW.standard_normal((5, 4))),
    ("truth values", "its entries are 0 and 1, as those of a comparison"): DRAW.random((5, 4)) > 0.6,
    ("two terms", "0.3 the parameter - 0.7 the parameter squared too much"): N + 0.3 * THETA - 0.7 * THETA**2,
    ("another formula", "the parameter in place of the right one"): THETA,
    ("another formula", "2 the right one + 0.7 the parameter cubed in place of the right one"): (
        2 * N + 0.7 * THETA**3
    ),
}


@pytest.mark.parametrize("key", MISTAKES, ids=" ".join)
def test_a_mistake_in_every_entry(key):
    assert named(MISTAKES[key]) == key


def test_a_gradient_that_is_nothing_known():
    assert named(N * (1 + 0.1 * DRAW.standard_normal((5, 4)))) is None
    assert named(np.where(MASK, np.nan, N)) is None
    assert named(N[:0], numerical=N[:0], theta=N[:0]) is None


SYMMETRY = {
    "its transpose added": SQUARE + SQUARE.T,
    "made symmetric": (SQUARE + SQUARE.T) / 2,
    "the lower triangle alone": np.where(np.arange(4)[:, None] >= np.arange(4), SQUARE, 0),
    "the upper triangle alone": np.where(np.arange(4)[:, None] <= np.arange(4), SQUARE, 0),
}


@pytest.mark.parametrize("words", SYMMETRY)
def test_mistakes_of_square_matrices(words):
    assert named(SYMMETRY[words], numerical=SQUARE, theta=OF_SQUARE) == ("symmetry", words)


# Some entries alone


def test_wrong_entries_among_right_ones_have_a_name_with_their_place():
    assert named(np.where(MASK, 0, N)) == ("missing", "in rows 1, 3, 4 the gradient is zero")
    assert named(np.where(MASK, -N, N)) == (
        "sign", "in rows 1, 3, 4 the gradient is the negative of the right one"
    )  # fmt: skip
    assert named(np.where(ROW, 2.5 * N, np.where(MASK, 2.5 * N, N)))[1].startswith("in 7 of 20 entries")
    entry = np.zeros((5, 4), bool)
    entry[3, 1] = True
    assert named(np.where(entry, 0, N)) == ("missing", "in the entry [3,1] the gradient is zero")
    assert named(np.where(entry, N[0, 2], N)) == ("another entry", "[3,1] has the value of [0,2]")


def test_a_term_that_was_added_to_most_entries_has_a_name_and_to_few_none():
    """To half of them, and to three at least."""
    for rows, known in ((3, True), (2, False)):
        added = np.where(np.arange(5)[:, None] < rows, 0.3 * THETA**2, 0)
        found = named(N + added)
        assert (found is not None) == known
    assert named(N + np.where(np.arange(5)[:, None] < 3, 0.3 * THETA**2, 0)) == (
        "another term", "in rows 0, 1, 2 0.3 times the parameter squared is too much"
    )  # fmt: skip
    half = np.arange(20).reshape(5, 4) < 10
    assert named(N + np.where(half, 0.3 * THETA, 0))[0] == "regulariser"
    assert named(N + np.where(half & (np.arange(4) < 3), 0.3 * THETA, 0)) is None
    small, theta = N[0], THETA[0]
    two = np.array([1, 1, 0, 0])
    assert named(small + 0.3 * two * theta, numerical=small, theta=theta) is None


# Where the right one is zero


def test_where_the_right_one_is_zero_within_its_bounds():
    nothing = np.zeros((5, 4))
    assert named(N, numerical=nothing, bound=1e-3) == (
        "not zero", "no derivative differs from zero by its bound, at most 1.0e-03; the gradient does"
    )  # fmt: skip
    assert named(N, numerical=nothing, bound=1e-3, still=True) == (
        "no effect", "the loss does not change as it moves, and the gradient is not zero"
    )  # fmt: skip
    almost = nothing.copy()
    almost[0, 0] = 1.1e-3
    assert named(N, numerical=almost, bound=1e-3) is None
    assert named(0 * N, numerical=nothing)[0] == "missing"


# Other tensors


def test_another_tensors_gradient_in_its_place():
    other = tensor(SQUARE[:, :1] * N[:4], N[:4], THETA[:4], name="v")
    mine = N[1:] * 0.5 + 1
    assert named(N[:4], other, numerical=mine, theta=THETA[1:]) == ("exchanged", "it is the gradient of v")
    partly = tensor(N[:4], N[:4], THETA[:4], name="v", complete=False)
    assert named(N[:4], partly, numerical=mine, theta=THETA[1:]) is None
    assert named(N[:4].ravel(), other, numerical=mine.ravel(), theta=THETA[1:].ravel()) is None
    own = tensor(N[:4], N[:4], THETA[:4], name="w")
    assert named(N[:4], own, numerical=mine, theta=THETA[1:]) is None


def test_terms_are_those_of_parameters_and_of_all_data_where_every_entry_was_measured():
    data = {"x": DRAW.standard_normal((5, 4))}
    whole = terms_of(tensor(N, data=data), [tensor(SQUARE, SQUARE, SQUARE, name="v")])
    assert {"the parameter", "one", "x", "w v", "v"} - set(whole) == {"v"}
    np.testing.assert_allclose(whole["w v"], (THETA @ SQUARE).ravel())
    some = terms_of(tensor(N, data=data, complete=False), [])
    assert "the parameter" in some
    assert "x" not in some


def test_an_array_of_the_data_that_was_added():
    x = DRAW.standard_normal((5, 4))
    assert named(N + 0.3 * x, data={"x": x}) == ("another term", "0.3 times x is too much")


# Products with directions


DIRECTIONS = DRAW.choice([-1.0, 1.0], (12, 20))
ALONG = {
    ("sign", "the gradient is the negative of the right one"): -N,
    ("scale", "the gradient is 3 times the right one"): 3 * N,
    ("scale", "the gradient is 0.37 times the right one"): 0.37 * N,
    ("missing", "the gradient is zero"): 0 * N,
    ("transpose", "the gradient is transposed"): N.ravel().reshape(4, 5).T,
    ("reversed", "the order along axis 0 is reversed"): N[::-1],
    ("reversed", "the order along axis 1 is reversed, and negative"): -N[:, ::-1],
    ("shifted", "the entries along axis 0 are shifted by 1"): np.roll(N, 1, axis=0),
    ("regulariser", "0.3 times the parameter is too much"): N + 0.3 * THETA,
    ("regulariser", "0.3 times the parameter's sign is left out"): N - 0.3 * np.sign(THETA),
    ("scale", "the gradient is 2.5 times the right one, but for a regulariser"): 2.5 * N + 0.3 * THETA,
}


@pytest.mark.parametrize("key", ALONG, ids=" ".join)
def test_a_mistake_seen_along_directions(key):
    assert named(ALONG[key], project=lambda x: DIRECTIONS @ x, complete=False) == key


def test_other_mistakes_have_no_name_along_directions():
    assert named(N**2, project=lambda x: DIRECTIONS @ x, complete=False) is None
    assert named(N * (1 + 1e-3 * MASK), project=lambda x: DIRECTIONS @ x, complete=False) is None


# Vectors of several kinds of parameters


VECTOR, OF_VECTOR = DRAW.standard_normal(8), DRAW.standard_normal(8)


def parts(analytic, **given):
    with np.errstate(all="ignore"):
        found = parts_of(tensor(analytic, VECTOR[: len(analytic)], OF_VECTOR[: len(analytic)], **given), [])
    return [(known and (known.name, known.detail), np.flatnonzero(mask).tolist()) for known, mask in found]


def odd(values):
    return values * (1 + 0.1 * np.arange(1, len(values) + 1) ** 2)


def test_a_vector_whose_last_or_first_entry_is_another_matter():
    first = np.append(-VECTOR[:7], 1.37 * VECTOR[7])
    assert parts(first) == [
        (("sign", "entries 0 to 6: the gradient is the negative of the right one"), [0, 1, 2, 3, 4, 5, 6]),
        (None, [7]),
    ]
    last = np.append(1.42 * VECTOR[0], 0.37 * VECTOR[1:])
    assert parts(last) == [
        (None, [0]),
        (("scale", "entries 1 to 7: the gradient is 0.37 times the right one"), [1, 2, 3, 4, 5, 6, 7]),
    ]


def test_a_vector_with_one_name_or_none_is_one_part():
    assert parts(-VECTOR) == [(("sign", "the gradient is the negative of the right one"), list(range(8)))]
    assert parts(odd(VECTOR)) == [(None, list(range(8)))]


def test_matrices_and_what_was_not_measured_whole_have_no_parts():
    first = np.append(-VECTOR[:7], 1.37 * VECTOR[7])
    assert len(parts(first, complete=False)) == 1
    whole = tensor(first.reshape(2, 4), VECTOR.reshape(2, 4), OF_VECTOR)
    with np.errstate(all="ignore"):
        assert len(parts_of(whole, [])) == 1
    assert len(parts(np.append(-VECTOR[:2], 1.37 * VECTOR[2]))) == 1


# One cause for all


def causes(*given):
    return Explanation(tuple(Cause(name, detail, (), 0.3, 0.5) for name, detail in given))


def test_a_structure_that_all_tensors_share_is_one_cause():
    found = shared_by_all(causes(("sign", "a: negative"), ("sign", "b: negative")), 2)
    assert found.causes == (Cause("sign", "negative, everywhere", (), 0.6, 1.0),)
    large = Explanation(tuple(Cause("sign", f"{n}: negative", (), 0.7, 0.5) for n in "ab"))
    assert shared_by_all(large, 2).causes[0].parameters == 1


@pytest.mark.parametrize(
    ("given", "tensors"),
    [
        ([("sign", "a: negative"), ("sign", "b: negative")], 3),
        ([("sign", "a: negative"), ("scale", "b: negative")], 2),
        ([("sign", "a: negative"), ("sign", "b: other")], 2),
        ([("not identified", "a: every"), ("not identified", "b: every")], 2),
        ([("sign", "a: negative")], 1),
        ([], 0),
    ],
)
def test_what_they_do_not_share_stays_apart(given, tensors):
    found = causes(*given)
    assert shared_by_all(found, tensors) is found


# Exact edges


def test_an_entry_may_be_off_by_twice_its_bound():
    """Once for the numerical gradient, and once for what is compared with it."""
    for bounds, known in ((1.9, True), (2.1, False)):
        off = -N + bounds * 1e-6 * (np.arange(20).reshape(5, 4) == 7)
        assert (named(off, bound=1e-6)[0] == "sign") == known


def test_a_gradient_is_zero_where_its_bound_is_reached():
    assert named(N, numerical=np.full((5, 4), 1e-3), bound=1e-3)[0] == "not zero"
    assert named(N, numerical=np.full((5, 4), -1e-3), bound=1e-3)[0] == "not zero"


def test_terms_are_looked_for_from_three_entries_on():
    for count, known in ((3, ("regulariser", "0.3 times the parameter is too much")), (2, None)):
        right, theta = VECTOR[:count], OF_VECTOR[:count]
        found = named(right + 0.3 * theta, numerical=right, theta=theta)
        assert found == known or (known is None and found[0] != "regulariser")


@pytest.mark.parametrize(
    ("right", "known"),
    [
        ([0.5, -0.5, 2.0, -3.0], True),
        ([0.5, 0.0, 2.0, -3.0], False),
        ([0.5, 2.0, -3.0, 4.0], False),
        ([0.5, -0.5, 0.25, 2.0], False),
    ],
)
def test_of_a_gradient_that_is_cut_off_two_entries_are_and_two_are_not(right, known):
    right = np.array(right)
    found = named(np.clip(right, -1, 1), numerical=right, theta=np.array([0.3, 0.7, -0.2, 1.9]))
    assert (found == ("cut off", "at ±1")) == known


def test_changes_of_a_vector_are_said_of_entries():
    mean = np.full(8, VECTOR.mean())
    assert named(mean, numerical=VECTOR, theta=OF_VECTOR) == ("one for all", "the mean of the entries")
    assert named(N - N.mean(axis=0), numerical=N) == ("mean taken off", "over the rows")


def test_four_whole_numbers_are_no_accident_and_three_may_be():
    for count, known in ((4, ("whole numbers", "all its entries are such")), (3, None)):
        whole = np.array([7.0, -3, 11, 2])[:count]
        given = {"numerical": VECTOR[:count] * 1.1, "theta": OF_VECTOR[:count] * 1.3}
        found = named(whole, **given)
        assert found == known or found[0] in ("another formula", "two terms")


def test_multiples_are_weighted_by_what_is_sure():
    """The first entry is known to 1e-3 alone, and the others tell the factor to nine digits."""
    w = tensor(0.37 * N + np.where(np.arange(20).reshape(5, 4) == 0, 5e-4, 0))
    bounds = np.where(np.arange(20) == 0, 1e-3, 1e-12)
    known = structure_of(replace(w, bound=bounds), [])
    assert (known.name, known.detail) == ("scale", "the gradient is 0.37 times the right one")
