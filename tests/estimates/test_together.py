"""Small problems measured at once: every number is what it is alone, bit for bit."""

from dataclasses import dataclass, fields, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles import FUNCTIONS, random_problem

from backproof.estimates import error_bounds
from backproof.estimates.incremental import ProblemAt, numerical_gradient, numerical_gradients
from backproof.estimates.perturbed import PerturbedLoss, sum_of
from backproof.estimates.record import Estimate
from backproof.estimates.stencils import Scheme, takes_complex
from backproof.network.activations import Kink
from backproof.network.arrays import Precision


def same(one, other):
    """Whether two estimates are equal to the last bit."""
    if one is None or other is None:
        return one is other
    arrays = [f.name for f in fields(Estimate) if f.name != "layout"]
    parts = [(getattr(one, name), getattr(other, name)) for name in arrays]
    for mine, its in zip(one.bounds, other.bounds, strict=True):
        parts += [(getattr(mine, f.name), getattr(its, f.name)) for f in fields(mine)]
    return all(a.dtype == b.dtype and np.array_equal(a, b, equal_nan=a.dtype.kind == "f") for a, b in parts)


def on_kinks(problem, weights, seed):
    """Some units are set to exactly zero in every sample, some inputs too."""
    if seed % 3 == 1:
        weights[0][0] = 0
    if seed % 3 == 2:
        problem.inputs[:, 0] = 0


@settings(max_examples=150, deadline=None, derandomize=True, database=None)
@given(
    seeds=st.lists(st.integers(0, 10**6), min_size=2, max_size=6),
    **{part: st.sampled_from(list(names)) for part, names in FUNCTIONS.items()},
    hidden=st.lists(st.integers(1, 5), max_size=2).map(tuple),
    samples=st.integers(0, 4),
    features=st.integers(1, 4),
    outputs=st.sampled_from([1, 2, 3, 9, 17]),  # from eight on NumPy adds up in pairs where it can
    precision=st.sampled_from(list(Precision)),
    init_scale=st.sampled_from([0.5, 1.0, 30.0]),
    step=st.sampled_from([None, None, 2.0**-10]),
    scheme=st.sampled_from([Scheme.FIVE_POINT, Scheme.FIVE_POINT, Scheme.CENTRAL, Scheme.FORWARD]),
)
def test_problems_that_are_measured_at_once_have_the_bits_that_they_have_alone(seeds, step, scheme, **choice):
    problems = [random_problem(seed, **choice) for seed in seeds]
    for seed, (problem, weights) in zip(seeds, problems, strict=True):
        on_kinks(problem, weights, seed)
    points = [ProblemAt(problem, weights, problem.forward(weights)) for problem, weights in problems]
    with np.errstate(all="ignore"):
        together = numerical_gradients(points, step=step, scheme=scheme)
        for (problem, weights), found in zip(problems, together, strict=True):
            assert same(found, numerical_gradient(problem, weights, step=step, scheme=scheme))


def test_problems_of_other_kinds_and_shapes_may_lie_between_them():
    problems = [
        random_problem(seed, activation=activation, hidden=hidden, loss=loss, eps=eps)
        for seed in range(3)
        for activation in ("tanh", "relu")
        for hidden in ((6,), (5,), (3, 4), ())
        for loss in ("squared_error", "binary_cross_entropy")
        for eps in (0.05, 0.1)
    ]
    points = [ProblemAt(problem, weights, problem.forward(weights)) for problem, weights in problems]
    for point, found in zip(points, numerical_gradients(points), strict=True):
        assert same(found, numerical_gradient(point.problem, point.weights))


def test_few_evaluations_serve_many_problems(monkeypatch):
    """Those of one network and those of twenty call the activation as often."""
    calls = []
    plain = PerturbedLoss.moved

    def counted(self, layer, sample, *rest, **options):
        calls.append(len(sample))
        return plain(self, layer, sample, *rest, **options)

    monkeypatch.setattr(PerturbedLoss, "moved", counted)
    points = []
    for seed in range(20):
        problem, weights = random_problem(seed, activation="tanh")
        points.append(ProblemAt(problem, weights, problem.forward(weights)))
    numerical_gradients(points[:1])
    alone, calls[:] = list(calls), []
    numerical_gradients(points)
    assert len(calls) == len(alone)
    assert sum(calls) == 20 * sum(alone)


def test_no_more_are_probed_at_once_than_is_worth_while(monkeypatch):
    monkeypatch.setattr(error_bounds, "TOGETHER", 100)
    counts, plain = [], PerturbedLoss.together
    monkeypatch.setattr(PerturbedLoss, "together", lambda losses: counts.append(len(losses)) or plain(losses))
    points = []
    for seed in range(5):
        problem, weights = random_problem(seed)  # 7 samples of 6 units
        points.append(ProblemAt(problem, weights, problem.forward(weights)))
    found = numerical_gradients(points)
    assert counts == [2, 2, 1]
    for point, each in zip(points, found, strict=True):
        assert same(each, numerical_gradient(point.problem, point.weights))


@pytest.mark.parametrize("count", [1, 7, 8, 9, 100])
def test_a_row_is_sum_of_as_it_is_among_others(count):
    terms = np.random.default_rng(count).standard_normal((count, 5)).T  # in memory as (m, rows)
    for row in range(5):
        np.testing.assert_array_equal(sum_of(terms[row : row + 1]), sum_of(terms)[row : row + 1])


def test_what_is_kept_of_one_problem_keeps_no_other():
    points = []
    for seed in range(8):
        problem, weights = random_problem(seed)
        points.append(ProblemAt(problem, weights, problem.forward(weights)))
    for estimate in numerical_gradients(points):
        for bounds in estimate.bounds:
            assert all(getattr(bounds, f.name).base is None for f in fields(bounds))


@dataclass(eq=True)
class Unhashable:
    """A function of a user's that cannot be a key."""

    def __call__(self, z):
        return np.tanh(z)


@pytest.mark.parametrize("changes", [{"value": Unhashable()}, {"kinks": [Kink(0.0, 1.0, 2.0)]}])
def test_functions_that_cannot_be_keys_are_measured_alone(changes):
    problem, weights = random_problem(3, activation="tanh")
    odd = replace(problem, activation=replace(problem.activation, **changes))
    points = [ProblemAt(each, weights, each.forward(weights)) for each in (odd, problem, odd, problem)]
    found = numerical_gradients(points)
    assert same(found[0], found[2])
    assert same(found[1], numerical_gradient(problem, weights))
    if "value" in changes:
        np.testing.assert_array_equal(found[0].value, found[1].value)


def test_whether_a_function_takes_complex_numbers_is_found_once():
    calls = []

    def counted(z):
        calls.append(1)
        return np.exp(z)

    assert takes_complex(counted, np.float64)
    first = len(calls)
    assert takes_complex(counted, np.float64)
    assert len(calls) == first
    assert takes_complex(Unhashable(), np.float64)


def test_that_memory_did_not_suffice_is_not_remembered():
    left = [MemoryError()]

    def short_of_memory(z):
        if left:
            raise left.pop()
        return np.exp(z)

    assert not takes_complex(short_of_memory, np.float64)
    assert takes_complex(short_of_memory, np.float64)
