"""The verdict on each entry and tensor, from a comparison that is written out entry by entry."""

import numpy as np
import pytest

from backproof.estimates.record import EntryStatus, Estimate
from backproof.targets.layout import in_sequence
from backproof.verdicts.comparison import Comparison, allowed_beside
from backproof.verdicts.tensors import judged_tensors, verdict_of_each
from backproof.verdicts.verdict import Verdict

SMOOTH, TOUCHED, CROSSED = EntryStatus.SMOOTH, EntryStatus.TOUCHED, EntryStatus.CROSSED


def compared(
    analytic, value, *, sizes=None, status=None, low=None, high=None, bound=0.1, unit=1.0, step=1.0, **given
):
    """A comparison whose bounds are truncation, or `parts` of it."""
    n = len(analytic)
    sizes = {"a": n} if sizes is None else sizes
    layout = in_sequence(list(sizes), [(k,) for k in sizes.values()])
    parts = dict.fromkeys(("truncation", "noise", "round_off", "kink"), np.zeros(n))
    parts |= {"truncation": np.broadcast_to(bound, n) * 1.0} | given.pop("parts", {})
    nan = np.full(n, np.nan)
    estimate = Estimate(
        layout=layout, index=given.pop("index", np.arange(n)), value=np.array(value, float),
        step=np.full(n, step), unit=np.broadcast_to(unit, n) * 1.0,
        low=nan if low is None else np.array(low, float), high=nan if high is None else np.array(high, float),
        status=np.array([SMOOTH] * n if status is None else status, np.uint8), **parts,
    )  # fmt: skip
    return Comparison(np.array(analytic, float), estimate, **given)


def each(verdict, mine, best=None, resolution=1e-3):
    by_severity = [v.value for v in Verdict]
    found = verdict_of_each(Verdict(verdict), mine, mine if best is None else best, resolution)
    return [by_severity[k] for k in found]


# The verdict on every entry


def test_where_nothing_is_off_every_entry_agrees():
    assert each("agrees", compared([1.0, 2], [1.05, 2])) == ["agrees", "agrees"]


def test_of_an_unresolved_gradient_the_entries_that_are_seen_agree():
    """Twice the bound, relative to the entry: 0.2 of 100, of 1 and of 200."""
    mine = compared([100.0, 100, 200], [100, 100, 200], bound=[0.05, 5, 0.1])
    assert each("unresolved", mine, resolution=0.01) == ["agrees", "unresolved", "agrees"]
    assert each("unresolved", mine, resolution=0.2) == ["agrees"] * 3


WRONG = compared([1.0, 2, 3, 4], [1.0, 2.5, 3, 4.05])


def test_an_entry_beyond_its_bound_is_wrong():
    assert each("incorrect gradient", WRONG) == ["agrees", "incorrect gradient", "agrees", "agrees"]
    assert each("clip active", WRONG) == ["agrees", "clip active", "agrees", "agrees"]
    assert each("kink crossed", WRONG)[1] == "incorrect gradient"


def test_wrong_entries_count_as_wrong_beside_what_is_undetermined():
    mine = compared([1.0, 2, 3], [1.5, 2.5, 3], status=[SMOOTH, EntryStatus.OPEN, EntryStatus.JUMPS])
    assert each("incorrect gradient", mine) == ["incorrect gradient", "undetermined", "undetermined"]


def test_kinks_excuse_entries_within_their_interval():
    mine = compared(
        [1.0, 2, 3, 4], [1.5, 2.5, 3.5, 4.0], status=[TOUCHED, TOUCHED, CROSSED, CROSSED],
        low=[0.9, 2.1, np.nan, np.nan], high=[2, 3, np.nan, np.nan],
    )  # fmt: skip
    expected = ["valid subgradient", "incorrect gradient", "kink crossed", "agrees"]
    assert each("incorrect gradient", mine) == expected
    assert each("kink crossed", mine) == expected


@pytest.mark.parametrize("verdict", ["incorrect gradient", "undetermined"])
def test_entries_that_are_at_fault_only_together_are_all_that_touch_a_kink(verdict):
    mine = compared(
        [1.0, 2, 3], [1.0, 2, 3], status=[TOUCHED, SMOOTH, TOUCHED], low=[0, 0, 0], high=[9, 9, 9]
    )
    assert each(verdict, mine) == [verdict, "agrees", verdict]


def test_numbers_that_are_off_in_their_own_precision_have_the_verdict_of_their_bound():
    """The rule is right, since the best differences agree; its own numbers differ by 0.1 of 1."""
    best = compared([1.0] * 6, [1.0] * 6)
    mine = compared(
        [1.0] * 6, [1.1, 1.1, 1.1, 1.1, 1.0009, 1.0011],
        bound=[1.0, 0, 1, 1, 1, 1], status=[SMOOTH, SMOOTH, CROSSED, TOUCHED, SMOOTH, SMOOTH],
        low=[np.nan] * 3 + [0.5] + [np.nan] * 2, high=[np.nan] * 3 + [1.5] + [np.nan] * 2,
        parts={"noise": np.array([0, 1.0, 0, 0, 0, 0])},
    )  # fmt: skip
    for verdict in ("truncation", "round-off"):
        assert each(verdict, mine, best) == [
            "truncation", "round-off", "kink crossed", "valid subgradient", "agrees", "truncation"
        ]  # fmt: skip
    assert each("agrees", mine, best) == ["agrees"] * 6
    assert each("truncation", mine) == ["agrees", "agrees", "agrees", "agrees", "agrees", "agrees"]
    assert each("round-off", mine)[:2] == ["truncation", "round-off"]


# Tensors


SIZES = {"a": 2, "b": 3, "c": 1}
MANY = compared(
    [1.0, 2, 3, 4, 5, 6], [1.05, 2.3, 3, 4.3, 5.2, 6], sizes=SIZES,
    status=[TOUCHED, CROSSED, SMOOTH, SMOOTH, CROSSED, TOUCHED],
    low=[0, np.nan, np.nan, np.nan, np.nan, 5], high=[2, np.nan, np.nan, np.nan, np.nan, 7],
)  # fmt: skip


def tensors(mine=MANY, seen=None, moved=(), severities=None):
    severities = np.zeros(len(mine.analytic), np.int8) if severities is None else severities
    return list(judged_tensors(mine, mine if seen is None else seen, moved, severities))


def test_every_tensor_has_the_numbers_of_its_worst_entry():
    a, b, c = tensors()
    assert (a.name, a.size, a.worst, a.analytic, a.numerical) == ("a", 2, "a[1]", 2, 2.3)
    assert (b.name, b.size, b.worst, b.analytic, b.numerical) == ("b", 3, "b[1]", 4, 4.3)
    assert (a.excess, b.excess, c.excess) == (pytest.approx(3), pytest.approx(3), 0)
    assert (a.bound, c.bound) == (0.1, 0.1)
    assert (a.disagreeing, b.disagreeing, c.disagreeing) == (1, 2, 0)
    assert (a.touched, b.touched, c.touched) == (1, 0, 1)
    assert (a.crossed, b.crossed, c.crossed) == (1, 1, 0)
    assert (c.low, c.high) == (5, 7)
    assert np.isnan([a.low, a.high]).all()
    assert b.gradient_error == pytest.approx(np.sqrt(0.09 + 0.04) / (50**0.5 + (9 + 4.3**2 + 5.2**2) ** 0.5))


def test_the_resolution_of_a_tensor_is_that_of_what_the_verdict_rests_on():
    """0.2 of an entry of 2.3 is the most in a; a finer comparison of a and c alone has 2e-3 of these."""
    a, b, c = tensors()
    assert a.resolution == pytest.approx(0.2 / 2.3)
    assert b.resolution == pytest.approx(0.2 / np.sqrt((9 + 4.3**2 + 5.2**2) / 3))
    assert c.resolution == 0  # an interval decides there
    chosen = np.array([1, 5])
    finer = compared([2.0, 6], [2.3, 6], sizes=SIZES, bound=1e-3, index=chosen)
    a, b, c = tensors(seen=finer)
    assert (a.resolution, b.resolution) == (pytest.approx(2e-3 / 2.3), 0)
    assert c.resolution == pytest.approx(2e-3 / 6)


def test_a_cause_has_the_larger_share_of_the_entries_that_it_moves():
    masks = [("x", [1, 0, 0, 0, 0, 0]), ("x", [1, 1, 1, 0, 0, 0]), ("y", [0, 0, 0, 1, 1, 0])]
    a, b, c = tensors(moved=[(name, np.array(mask, bool)) for name, mask in masks])
    assert a.causes == {"x": 1.0}
    assert b.causes == {"x": pytest.approx(1 / 3), "y": pytest.approx(2 / 3)}
    assert c.causes == {}


def test_a_tensor_has_its_gravest_verdict_but_what_is_known_before_what_is_open():
    names = [
        "agrees",
        "valid subgradient",
        "undetermined",
        "incorrect gradient",
        "unresolved",
        "kink crossed",
    ]
    severities = np.array([Verdict(name).severity for name in names], np.int8)
    assert [t.verdict for t in tensors(severities=severities)] == [
        "valid subgradient", "incorrect gradient", "kink crossed"
    ]  # fmt: skip
    severities = np.array(
        [Verdict(n).severity for n in ["undetermined", "agrees", *names[:3], "agrees"]], np.int8
    )
    assert [t.verdict for t in tensors(severities=severities)] == ["undetermined", "undetermined", "agrees"]


def test_tensors_of_which_no_entry_was_compared_are_left_out():
    some = compared([3.0, 4], [3, 4], sizes=SIZES, index=np.array([2, 3]))
    (only,) = tensors(some)
    assert (only.name, only.size, only.worst) == ("b", 2, "b[0]")


# The comparison itself


def test_what_may_not_go_unseen_bounds_what_is_allowed():
    assert allowed_beside(1e-3, 1e-3) == ""
    assert "resolution=0.001" in allowed_beside(1e-3, 1.001e-3)


def test_an_entry_is_seen_to_twice_its_bound_of_the_larger_gradient():
    mine = compared([2.0, -4], [1, -8], bound=[0.1, 0.2])
    assert mine.size.tolist() == [2, 8]
    np.testing.assert_allclose(mine.own_relative, [0.1, 0.05])
    assert mine.gap.tolist() == [1, 4]
    np.testing.assert_allclose(mine.excess, [10, 20])


def test_small_entries_are_measured_by_their_tensors_typical_size():
    """The root mean square of 3, 4 and 0 is √(25/3)."""
    mine = compared([3.0, 4, 0, 0.1], [3.0, 4, 0, 0.1], sizes={"a": 3, "b": 1}, bound=1e-3)
    typical = np.sqrt(25 / 3)
    np.testing.assert_allclose(mine.scale, [3 if typical < 3 else typical, 4, typical, 0.1])


def test_a_tensor_within_its_bounds_is_measured_by_all_others():
    mine = compared([3.0, 4, 0, 0.1], [3.0, 4, 0, 0.1], sizes={"a": 3, "b": 1}, bound=[1e-3, 1e-3, 1e-3, 0.2])
    np.testing.assert_allclose(mine.scale[3], np.sqrt(25.01 / 4))


def test_entries_of_other_units_are_compared_by_what_they_do():
    """A unit of 10 does ten times as much: 0.3, 4 and 0 in steps of 10, 1 and 2."""
    mine = compared([0.3, 4, 0], [0.3, 4, 0], unit=[10, 1, 2])
    typical = np.sqrt(25 / 3)
    np.testing.assert_allclose(mine.scale, [max(0.3, typical / 10), 4, typical / 2])


@pytest.mark.parametrize("size", [1e-300, 1e300])
def test_scales_neither_overflow_nor_vanish(size):
    mine = compared(np.array([3.0, 4, 0]) * size, np.array([3.0, 4, 0]) * size, bound=1e-3 * size)
    np.testing.assert_allclose(mine.scale / size, [3, 4, np.sqrt(25 / 3)])


def test_what_a_gradient_may_err_by_widens_its_bound_by_its_scale():
    mine = compared([2.0, 4], [2.0, 4], bound=0.1, rtol=0.01)
    np.testing.assert_allclose(mine.bound, [0.1 + 0.01 * np.sqrt(10), 0.14])
    np.testing.assert_allclose(mine.own_relative, [(0.2 + 0.01 * np.sqrt(10)) / 2, 0.06])


def test_where_nothing_changes_and_the_gradient_says_so_everything_is_seen():
    flat = EntryStatus.FLAT
    mine = compared([0.0, 0, 1, 0], [0.0, 0, 0, 0], status=[flat, SMOOTH, flat, SMOOTH], bound=[1, 1, 1, 0.0])
    assert mine.own_relative.tolist() == [0, np.inf, 2, 0]
    still = compared([0.0], [0.0], step=0.0, bound=1.0)
    assert still.own_relative.tolist() == [0]


def test_at_a_kink_its_own_resolution_counts():
    given = {"status": [TOUCHED, SMOOTH], "low": [0, np.nan], "high": [2, np.nan]}
    assert compared([1.0, 1], [1.0, 1], **given).relative.tolist() == [0, 0.2]
    mine = compared([1.0, 1], [1.0, 1], **given, at_kinks=0.3)
    assert mine.relative.tolist() == [0.3, 0.2]
    assert mine.resolution == 0.3


def test_the_resolution_of_what_is_not_a_number_is_infinite():
    assert compared([1.0, np.nan], [1.0, 1]).resolution == np.inf
    assert compared([], []).resolution == 0


def test_the_derivative_within_reach_is_the_size_of_an_entry_that_is_zero():
    mine = compared([0.0, 5], [0.0, 5], variation=np.array([2.0, 0]))
    assert mine.size.tolist() == [2, 5]
    assert compared([0.0, 5], [0.0, 5], variation=np.array([2.0, 9])).size.tolist() == [2, 9]


def test_the_interval_of_a_kink_has_both_ends():
    given = {"status": [TOUCHED] * 4 + [SMOOTH], "low": [1.0] * 5, "high": [2.0] * 5}
    mine = compared([1.0, 2, 0.999, 2.001, 1.5], [1.5] * 5, **given)
    assert mine.inside.tolist() == [True, True, False, False, False]
    excused = compared([1.0, 2, 0.999, 2.001, 1.5], [1.5] * 5, **given, excused=True)
    assert excused.inside.tolist() == [True, True, True, True, False]


def test_numbers_are_off_by_more_than_is_asked_for_or_explained():
    mine = compared([1.0, 1, 1], [1.0009, 1.0011, 1.0009], bound=[1, 1, 5e-4])
    assert mine.off(1e-3).tolist() == [False, True, True]


def test_shares_of_entries_and_of_the_error():
    mine = compared([1.0, 2, 3, 4], [1.0, 2.5, 3, 5.5])
    mask = np.array([True, True, False, False])
    assert (mine.share(mask), mine.error_share(mask)) == (0.5, 0.25)
    nothing = compared([], [])
    assert (nothing.share(mask[:0]), nothing.error_share(mask[:0])) == (0, 0)
    assert compared([1.0], [1.0]).error_share(mask[:1]) == 0


def test_another_gradient_of_more_rounding():
    mine = compared([1.0, 2], [1.0, 2], rtol=0.01, variation=np.array([0.0, 7]))
    other = mine.of(np.array([1.5, 2], np.float32), np.array([0.2, 0.3]))
    np.testing.assert_allclose(other.estimate.bound, [0.3, 0.4])
    assert other.analytic.tolist() == [1.5, 2]
    assert (other.rtol, other.variation.tolist()) == (0.01, [0, 7])
    assert other.analytic.dtype == np.float64


def test_some_of_the_entries():
    some = compared([1.0, 2, 3], [4.0, 5, 6], index=np.array([2, 5, 7]), sizes={"a": 9}).at(np.array([5, 7]))
    assert (some.analytic.tolist(), some.estimate.value.tolist()) == ([2, 3], [5, 6])
