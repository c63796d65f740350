"""A comparison's arrays beside their definitions, entry by entry, in decimal numbers."""

from dataclasses import replace
from decimal import Decimal, getcontext

import numpy as np
import pytest

from backproof.estimates.record import EntryStatus, Estimate
from backproof.targets.layout import in_sequence
from backproof.verdicts.comparison import Comparison, gradient_error

PRECISIONS = {np.float16: 5e-3, np.float32: 1e-6, np.float64: 1e-14, np.longdouble: 1e-17}


def exact(x):
    """A number of any precision as a decimal one."""
    numerator, denominator = x.as_integer_ratio()
    return Decimal(numerator) / Decimal(denominator)


def length(values):
    return sum((v * v for v in values), Decimal(0)).sqrt()


def typical(values, units):
    return length([v * u for v, u in zip(values, units, strict=True)]) / Decimal(max(len(values), 1)).sqrt()


def drawn(seed, dtype):
    """Tensors of all sizes and units; some vanish, some bounds are 0, some entries are still or on a kink.

    Of some not all entries are selected, of some none.
    """
    draw = np.random.default_rng(seed)
    shapes = [int(k) for k in draw.integers(0, 6, draw.integers(1, 5))]
    chosen = draw.random(sum(shapes)) < draw.choice([0.6, 1])
    sizes = np.array([each.sum() for each in np.split(chosen, np.cumsum(shapes)[:-1])])
    n = int(sizes.sum())
    per_tensor = [np.repeat(10.0 ** draw.uniform(-3, 3, len(sizes)) * (draw.random(len(sizes)) < 0.7), sizes)]
    value = (draw.standard_normal(n) * per_tensor[0]).astype(dtype)
    analytic = (value * (1 + 1e-3 * draw.standard_normal(n) * (draw.random(n) < 0.5))).astype(dtype)
    if draw.random() < 0.5:  # a tensor that only one side sees
        analytic[: sizes[0]] = draw.standard_normal(sizes[0]).astype(dtype)
    if seed % 3:
        size = dtype(2.0) ** draw.integers(*(np.array([-1, 1]) * (np.finfo(dtype).maxexp - 30)))
        value, analytic = value * size, analytic * size
    bound = (
        np.abs(value).max(initial=1e-3) * dtype(1e-3) * draw.random(n).astype(dtype) * (draw.random(n) < 0.8)
    )
    status = (
        draw.choice([0, 0, 0, 0, EntryStatus.TOUCHED, EntryStatus.FLAT], n)
        if draw.random() < 0.5
        else np.zeros(n)
    )
    zero, nan = np.zeros(n, dtype), np.full(n, np.nan, dtype)
    estimate = Estimate(
        layout=in_sequence([f"t{k}" for k in range(len(sizes))], [(k,) for k in shapes]),
        index=np.flatnonzero(chosen), value=value, truncation=bound.astype(dtype), noise=zero, round_off=zero,
        kink=zero, step=(draw.random(n) < 0.9).astype(dtype),
        unit=(10.0 ** draw.uniform(-2, 2, n)).astype(dtype),
        low=nan, high=nan, status=status.astype(np.uint8),
    )  # fmt: skip
    return Comparison(analytic, estimate, rtol=float(draw.choice([0.0, 1e-4])))


CASES = [(seed, dtype) for seed in range(150) for dtype in (np.float32, np.float64, np.longdouble)]


@pytest.mark.parametrize(("seed", "dtype"), CASES, ids=lambda v: getattr(v, "__name__", v))
def test_every_array_is_its_definition(seed, dtype):
    getcontext().prec = 60
    c = drawn(seed, dtype)
    e, close = c.estimate, 40 * PRECISIONS[dtype]
    value, unit, bound = ([exact(x) for x in each] for each in (e.value, e.unit, e.bound))
    analytic = [exact(x) for x in c.analytic]
    size = [max(abs(a), abs(v)) for a, v in zip(analytic, value, strict=True)]
    of_all = typical(value, unit)
    scale = list(size)
    for members in e.members:
        seen = any(size[k] > bound[k] for k in members)
        own = typical([value[k] for k in members], [unit[k] for k in members]) if seen else of_all
        for k in members:
            scale[k] = max(size[k], own / unit[k])
    allowed = [b + Decimal(c.rtol) * s for b, s in zip(bound, scale, strict=True)]
    with np.errstate(all="ignore"):
        for k, (a, v) in enumerate(zip(analytic, value, strict=True)):
            near(c.scale[k], scale[k] if any(size) else Decimal(0), close)
            near(c.gap[k], abs(a - v), close, abs_=size[k])
            gap = exact(c.gap[k])
            near(c.excess[k], Decimal(0) if gap == 0 else gap / allowed[k] if allowed[k] else None, close)
            idle = size[k] == 0 and (e.status[k] & EntryStatus.FLAT or e.step[k] == 0)
            none = idle or allowed[k] == 0 or e.status[k] & EntryStatus.TOUCHED
            near(
                c.relative[k],
                Decimal(0) if none else (allowed[k] + bound[k]) / scale[k] if scale[k] else None,
                close,
            )
        assert np.array_equal(c.beyond, c.excess > 1)


def test_gradients_that_overflow_have_gaps_without_a_warning():
    largest = np.finfo(float).max
    comparison = drawn(0, np.float64)
    estimate = replace(
        comparison.estimate, layout=in_sequence(["t"], [(3,)]), index=np.arange(3),
        value=np.array([np.inf, largest, 1.0]), truncation=np.ones(3), noise=np.zeros(3),
        round_off=np.zeros(3), kink=np.zeros(3), step=np.ones(3), unit=np.ones(3), low=np.ones(3),
        high=np.ones(3), status=np.zeros(3, np.uint8),
    )  # fmt: skip
    found = Comparison(np.array([np.inf, -largest, np.nan]), estimate)
    assert np.isnan(found.gap[[0, 2]]).all()
    assert np.isinf(found.gap[1])
    assert not found.finite
    assert found.beyond.tolist() == [False, True, False]
    assert found.error is None


def near(found, expected, close, abs_=0):
    """`expected` is None where it is infinite."""
    if expected is None:
        assert np.isinf(found)
    else:
        assert abs(exact(found) - expected) <= Decimal(close) * max(abs(expected), abs_)


@pytest.mark.parametrize("dtype", PRECISIONS, ids=lambda d: d.__name__)
@pytest.mark.parametrize("seed", range(40))
def test_the_gradient_error_is_its_formula_in_every_precision(seed, dtype):
    getcontext().prec = 60
    draw, info = np.random.default_rng(seed), np.finfo(dtype)
    sizes = 2.0 ** draw.uniform(-20, 3, 2) if dtype is not np.float16 else 2.0 ** draw.uniform(-2, 1, 2)
    a, n = (draw.standard_normal((2, 7)) * sizes[:, None]).astype(dtype)
    if seed % 4 == 1:
        n = (a * dtype(1 + 8 * info.eps)).astype(dtype)
    if seed % 2:
        factor = (
            dtype(2.0) ** draw.integers(info.minexp + 30, info.maxexp - 30) if dtype is not np.float16 else 1
        )
        a, n = a * dtype(factor), n * dtype(factor)
    gap = [exact(x) for x in a.astype(np.longdouble) - n]
    right = length(gap) / (length(map(exact, a)) + length(map(exact, n)))
    assert abs(exact(np.longdouble(gradient_error(a, n))) - right) <= Decimal(20 * PRECISIONS[dtype]) * max(
        right, Decimal(float(info.eps))
    )
