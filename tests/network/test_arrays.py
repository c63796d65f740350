"""Arrays: reductions that do not depend on how an array lies in memory."""

import numpy as np
import pytest

from backproof.network.arrays import NARROW, Precision, evenly_spaced, over_units


@pytest.mark.parametrize("dtype", [p.dtype for p in Precision], ids=list(Precision))
@pytest.mark.parametrize("units", [0, 1, 2, 9, NARROW, NARROW + 1])
def test_rows_are_reduced_whatever_their_layout(dtype, units):
    draw = np.random.default_rng(1)
    rows_first = draw.standard_normal((4, 5, units)).astype(dtype)
    units_first = np.ascontiguousarray(np.moveaxis(rows_first, -1, 0))
    between = np.ascontiguousarray(rows_first.swapaxes(0, 1)).swapaxes(0, 1)
    for a in (rows_first, np.moveaxis(units_first, 0, -1), between, rows_first[:, ::2]):
        total = over_units(np.add, a)
        assert total.dtype == dtype
        assert total.shape == (*a.shape[:-1], 1)
        right = a.astype(np.longdouble).sum(axis=-1, keepdims=True)
        bound = units * np.abs(a).sum(axis=-1, keepdims=True).astype(float) * float(np.finfo(dtype).eps)
        assert (np.abs(total - right) <= bound).all()
        if units:
            assert np.array_equal(over_units(np.maximum, a), a.max(axis=-1, keepdims=True))


@pytest.mark.parametrize("units", [3, 10, NARROW, 40, 300])
def test_a_row_alone_has_the_sum_it_has_among_others(units):
    rows = np.random.default_rng(2).standard_normal((50, units))
    together = over_units(np.add, rows)
    assert np.array_equal(together, np.concatenate([over_units(np.add, rows[i : i + 1]) for i in range(50)]))


def test_what_is_no_number_stays_none():
    row = np.array([[1.0, np.nan, 2.0], [np.inf, 1.0, 2.0]])
    assert np.isnan(over_units(np.maximum, row)[0])
    assert np.isinf(over_units(np.add, row)[1])


@pytest.mark.parametrize("precision", Precision)
def test_a_precision_is_found_again_by_its_type_and_rounds_as_it_says(precision):
    one, u = precision.dtype(1), precision.dtype(precision.unit_roundoff)
    assert Precision.of(np.dtype(precision.dtype)) is precision
    assert one + u == one  # a tie, rounded to the even neighbour
    assert one + 2 * u == np.nextafter(one, precision.dtype(2)) > one


def test_other_types_are_no_precision():
    assert Precision.of(np.dtype(int)) is None


@pytest.mark.parametrize("most", [1, 2, 3, 32, 400])
def test_evenly_spaced_positions_are_all_or_as_many_as_are_asked_for(most):
    for count in (*range(70), 399, 401, 6400, 10**6):
        found = evenly_spaced(count, most)
        assert len(found) == len(set(found.tolist())) == min(count, most)
        assert (np.diff(found) > 0).all()
        assert not count or found[0] == 0
        assert most == 1 or not count or found[-1] == count - 1
