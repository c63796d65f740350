"""What is concluded from a comparison, evidence and kinks: every way to a verdict, entry by entry."""

from dataclasses import dataclass, field, replace

import numpy as np
import pytest
from verdicts.test_tensors import CROSSED, SMOOTH, TOUCHED, compared

from backproof.estimates.record import EntryStatus
from backproof.verdicts.causes import Cause, Explanation
from backproof.verdicts.comparison import Comparison
from backproof.verdicts.conclusion import NOT_LOCATED, Question, conclude
from backproof.verdicts.judgement import Judgement, judge
from backproof.verdicts.subgradients import Joint, Standing
from backproof.verdicts.verdict import Verdict

OPEN, JUMPS = EntryStatus.OPEN, EntryStatus.JUMPS
SIGN = Cause("sign", "it is the negative")
UNEXPLAINED = Explanation()


@dataclass
class Seen:
    """Evidence: a comparison and what can be found out about it."""

    comparison: Comparison
    explained: Explanation = field(default_factory=Explanation)
    kinks: Joint | None = None
    precision: str = "float64"

    def explain(self):
        return self.explained

    def joint(self):
        return self.kinks

    def doubt(self):
        return Cause("not resolved", "doubt")


@dataclass
class Asked:
    """A target, of which finer differences may be had."""

    by_finer: Seen | None = None
    resolution: float = 1e-3
    rtol: float = 0.0
    precision: str = "float32"
    differences_chosen: bool = True
    clip: bool = False

    def finer(self):
        return self.by_finer

    def clipped(self):
        return self.clip


def concluded(here, *, target=None, joint=None, explain=True, own=None, explained=UNEXPLAINED):
    """The conclusion where `here` are the best differences, and `own` the case's if these are others."""
    best = Seen(here, explained)
    mine = best if own is None else Seen(own, precision="float32")
    question = Question(target or Asked(), mine, best, mine.comparison, here, joint, explain)
    return conclude(question)


def names(found):
    return [cause.name for cause in found.causes]


GOOD = compared([1.0, 2], [1.0, 2], bound=1e-6)
WIDE = compared([1.0, 2], [1.0, 2], bound=0.1)
AT_KINK = {"status": [TOUCHED, SMOOTH], "low": [0, np.nan], "high": [2, np.nan], "bound": 1e-6}
AT_KINKS = {"status": [TOUCHED, TOUCHED], "low": [0, 0], "high": [2, 2], "bound": 1e-6}


def test_what_is_seen_well_and_not_off_agrees():
    found = concluded(GOOD)
    assert (found.verdict, found.causes, found.seen) == (Verdict.AGREES, (), GOOD)


@pytest.mark.parametrize(("bound", "verdict"), [(4.9e-4, "agrees"), (5.1e-4, "unresolved")])
def test_the_resolution_that_is_asked_for_decides(bound, verdict):
    """Twice the bound, of an entry of 1."""
    assert concluded(compared([1.0], [1.0], bound=bound)).verdict == verdict


def test_what_the_gradient_may_err_by_is_allowed_for():
    here = compared([1.0], [1.0], bound=1e-6, rtol=0.01)
    assert concluded(here, target=Asked(resolution=1e-3)).verdict == "unresolved"
    assert concluded(here, target=Asked(resolution=1e-3, rtol=0.01)).verdict == "agrees"


# What the best differences do not resolve


@pytest.mark.parametrize(
    ("truncation", "noise", "cause"),
    [(0.06, 0.05, Cause("truncation", "", (), 0.0, 1.0)),
     (0.05, 0.06, Cause("round-off", "float32 cannot resolve it", (), 0.0, 1.0)),
     (0.05, 0.05, Cause("round-off", "float32 cannot resolve it", (), 0.0, 1.0))],
)  # fmt: skip
def test_within_wide_bounds_the_larger_part_is_named(truncation, noise, cause):
    parts = {"truncation": np.full(2, truncation), "noise": np.full(2, noise)}
    here = compared([1.0, 2], [1.0, 2], parts=parts)
    assert concluded(here).causes == (cause,)
    in_reference = concluded(here, own=GOOD).causes[0]
    assert in_reference.detail == cause.detail.replace("float32", "float64")
    assert concluded(here).verdict == concluded(here, own=GOOD).verdict == "unresolved"


def test_finer_differences_decide_what_these_do_not():
    found = concluded(WIDE, target=Asked(Seen(GOOD)))
    assert (found.verdict, found.causes, found.seen.resolution) == ("agrees", (), GOOD.resolution)
    wrong = compared([1.0, 2], [1.0, 2.1], bound=1e-6)
    found = concluded(WIDE, target=Asked(Seen(wrong, Explanation((SIGN,)))))
    assert (found.verdict, found.causes) == ("incorrect gradient", (SIGN,))
    assert concluded(WIDE, target=Asked(Seen(wrong))).causes == (NOT_LOCATED,)
    unexplained = concluded(WIDE, target=Asked(Seen(wrong, Explanation((SIGN,)))), explain=False)
    assert unexplained.causes == (NOT_LOCATED,)


def test_finer_differences_that_are_no_better_decide_nothing():
    infinite = compared([1.0, 2], [1.0, np.nan])
    for finer in (
        None,
        WIDE,
        infinite,
        compared([1.0], [1.0], bound=1e-6, sizes={"a": 2}, index=np.array([0])),
    ):
        target = Asked(finer and Seen(finer))
        assert concluded(WIDE, target=target).verdict == "unresolved"


def test_finer_differences_of_some_entries_are_enough_where_the_others_are_seen():
    here = compared([1.0, 2], [1.0, 2], bound=[1e-6, 0.1])
    some = compared([2.0], [2.0], bound=1e-6, sizes={"a": 2}, index=np.array([1]))
    assert concluded(here).verdict == "unresolved"
    assert concluded(here, target=Asked(Seen(some))).verdict == "agrees"


# Wrong entries

WRONG = compared([1.0, 2], [1.0, 2.1], bound=1e-6)


def test_an_entry_that_nothing_explains_is_wrong():
    found = concluded(WRONG, explained=Explanation((SIGN,)))
    assert (found.verdict, found.causes, found.explanation.causes) == ("incorrect gradient", (SIGN,), (SIGN,))
    assert concluded(WRONG).causes == (NOT_LOCATED,)
    assert concluded(WRONG, explained=Explanation((SIGN,)), explain=False).causes == (NOT_LOCATED,)


def test_departures_at_the_clip_alone_are_its_own_verdict():
    found = concluded(WRONG, explained=Explanation((SIGN,), only_at_clip=True))
    assert (found.verdict, found.causes) == ("clip active", (SIGN,))


@pytest.mark.parametrize(("bounds", "verdict"), [(999.0, "agrees"), (1001.0, "incorrect gradient")])
def test_entries_off_by_few_bounds_are_looked_at_with_finer_differences(bounds, verdict):
    """Which find that the entry is right; of more than a thousand bounds nobody asks."""
    here = compared([1.0, 2], [1.0, 2 + bounds * 1e-6], bound=1e-6)
    assert concluded(here, target=Asked(Seen(GOOD), differences_chosen=False)).verdict == verdict
    assert concluded(here, target=Asked()).verdict == "incorrect gradient"


WRONG_BY_FEW = compared([1.0, 2], [1.0, 2 + 3e-6], bound=1e-6)


def test_finer_differences_must_see_the_entries_that_are_wrong():
    other = compared([1.0], [1.0], bound=1e-6, sizes={"a": 2}, index=np.array([0]))
    assert concluded(WRONG_BY_FEW, target=Asked(Seen(other))).verdict == "incorrect gradient"
    infinite = compared([1.0, 2], [1.0, np.inf], bound=1e-6)
    assert concluded(WRONG_BY_FEW, target=Asked(Seen(infinite))).verdict == "incorrect gradient"


def test_finer_differences_that_find_them_wrong_as_well_confirm_it():
    explained = Explanation((SIGN,))
    wrong = compared([1.0, 2], [1.0, 2 + 3e-6], bound=1e-7)
    found = concluded(WRONG_BY_FEW, target=Asked(Seen(wrong)), explained=explained)
    assert (found.verdict, found.causes, found.seen) == ("incorrect gradient", (SIGN,), WRONG_BY_FEW)


def test_finer_differences_that_resolve_too_little_leave_it_open():
    found = concluded(WRONG_BY_FEW, target=Asked(Seen(WIDE)))
    assert found.verdict == "unresolved"


# Kinks


def test_entries_within_the_interval_of_their_kink_are_a_valid_choice():
    here = compared([1.5, 2], [1.0, 2], **AT_KINK)
    found = concluded(here)
    assert (found.verdict, names(found)) == ("valid subgradient", ["kink touched"])
    assert found.causes[0] == Cause("kink touched", "", (), 0.5, 1.0)
    assert concluded(compared([1.0, 2], [1.0, 2], **AT_KINK)).verdict == "agrees"
    together = replace(here, excused=True)
    found = concluded(together, joint=Joint(Standing.SUBGRADIENT, words="together a mixture"))
    assert found.causes[0].detail == "together a mixture"


NONE, UNDECIDED = (
    Joint(standing, derivative=1.5, product=2.5, words="along v")
    for standing in (Standing.NONE, Standing.UNDECIDED)
)


@pytest.mark.parametrize(
    ("joint", "verdict", "cause"),
    [(NONE, "incorrect gradient", "no subgradient"), (UNDECIDED, "undetermined", "kinks combined")],
)
def test_kinks_that_allow_no_such_gradient_together(joint, verdict, cause):
    here = compared([1.5, 1.5], [1.0, 1.0], **AT_KINKS)
    found = concluded(here, joint=joint)
    assert (found.verdict, names(found)) == (verdict, [cause])
    assert found.causes[0].detail == "along v the derivative is 1.5, and the gradient's 2.5"
    assert (found.causes[0].parameters, found.causes[0].error) == (1, 1)


def test_an_entry_that_is_wrong_elsewhere_counts_before_undecided_kinks():
    here = compared([1.5, 2], [1.0, 2.1], **AT_KINK)
    assert concluded(here, joint=UNDECIDED).verdict == "incorrect gradient"
    outside = compared([2.5, 2], [1.0, 2], **AT_KINK)
    assert concluded(outside, joint=UNDECIDED).verdict == "undetermined"
    assert concluded(outside, joint=NONE).verdict == "incorrect gradient"


def test_entries_at_fault_on_kinks_alone_are_no_subgradient_unless_an_operation_is():
    outside = compared([2.5, 2], [1.0, 2], **AT_KINK)
    found = concluded(outside)
    assert names(found) == ["no subgradient"]
    assert (found.causes[0].parameters, found.causes[0].error) == (0.5, 1)
    assert names(concluded(outside, explain=False)) == ["no subgradient"]
    assert names(concluded(outside, explained=Explanation((SIGN,)))) == ["sign"]
    both = compared([2.5, 2], [1.0, 2.1], **AT_KINK)
    assert names(concluded(both)) == ["not located"]


def test_kinks_are_named_beside_what_is_wrong():
    here = compared(
        [1.5, 2, 3, 4], [1.0, 2.1, 3.2, 4], status=[TOUCHED, SMOOTH, CROSSED, SMOOTH],
        low=[0, *[np.nan] * 3], high=[2, *[np.nan] * 3], bound=1e-6,
    )  # fmt: skip
    found = concluded(here, explained=Explanation((SIGN,)))
    assert names(found) == ["sign", "kink touched", "kink crossed"]
    touched, crossed = found.causes[1:]
    assert (touched.parameters, touched.error) == (0.25, pytest.approx(0.5 / 0.8))
    assert (crossed.parameters, crossed.error) == (0.25, pytest.approx(0.2 / 0.8))


def test_a_difference_that_straddles_a_kink_shows_nothing():
    here = compared([1.0, 2], [1.0, 2.5], status=[SMOOTH, CROSSED], bound=1e-6)
    found = concluded(here)
    assert (found.verdict, names(found)) == ("kink crossed", ["kink crossed"])
    left_open = Asked(Seen(GOOD), differences_chosen=False)
    assert concluded(here, target=left_open).verdict == "agrees"
    asked_for = concluded(here, target=Asked(Seen(GOOD)))
    assert (asked_for.verdict, asked_for.seen) == ("kink crossed", GOOD)
    some = compared([1.0], [1.0], bound=1e-6, sizes={"a": 2}, index=np.array([0]))
    assert concluded(here, target=Asked(Seen(some))).verdict == "kink crossed"
    agreeing = compared([1.0, 2], [1.0, 2], status=[SMOOTH, CROSSED], bound=1e-6)
    assert concluded(agreeing).verdict == "agrees"


def test_finer_differences_may_lie_on_kinks_themselves():
    outside = compared([2.5, 2], [1.0, 2], **AT_KINK)
    assert concluded(WIDE, target=Asked(Seen(outside))).verdict == "unresolved"
    joint = Joint(Standing.SUBGRADIENT, resolution=1e-4)
    found = concluded(WIDE, target=Asked(Seen(outside, kinks=joint)))
    assert found.verdict == "valid subgradient"
    assert found.seen.at_kinks == 1e-4
    assert concluded(WIDE, target=Asked(Seen(outside, kinks=UNDECIDED))).verdict == "unresolved"
    elsewhere = compared([1.5, 2], [1.0, 2.1], **AT_KINK)
    assert concluded(WIDE, target=Asked(Seen(elsewhere, kinks=joint))).verdict == "incorrect gradient"


# What is open


def test_what_kinks_may_explain_is_undetermined():
    for status, verdict in ((OPEN, "undetermined"), (OPEN | CROSSED, "kink crossed")):
        found = concluded(compared([1.0, 2], [1.0, 2.5], status=[SMOOTH, status], bound=1e-6))
        assert found.verdict == verdict
    found = concluded(compared([1.0, 2], [1.0, 2.5], status=[SMOOTH, OPEN], bound=1e-6))
    assert found.causes == (Cause("not resolved", "doubt"),)


@pytest.mark.parametrize(
    ("status", "words"),
    [([SMOOTH, JUMPS, SMOOTH], "a[1]: "), ([SMOOTH, JUMPS, JUMPS], "a[1] and 1 more: "),
     ([JUMPS, JUMPS, JUMPS], "a[0] and 2 more: ")],
)  # fmt: skip
def test_jumps_say_where_and_how_many(status, words):
    here = compared([1.0, 2, 3], [1.0, 2, 3], status=status, step=2e-9, bound=1e-6)
    found = concluded(here)
    assert found.verdict == "undetermined"
    assert found.causes[0].detail.startswith(words + "within 2.0e-09 of the point")
    assert found.causes[0].parameters == pytest.approx(sum(s == JUMPS for s in status) / 3)


# The case's own numbers, where the best differences agree

U = 2.0**-24  # of float32


@pytest.mark.parametrize(("roundings", "verdict"), [(15.5, "agrees"), (16.5, "round-off")])
def test_numbers_as_good_as_their_precision_agree(roundings, verdict):
    """Where that is coarser than what is asked for: sixteen roundings of it."""
    mine = compared([1 + roundings * U], [1 + roundings * U], bound=0.1)
    best = compared([1.0], [1.0], bound=1e-9)
    found = concluded(best, own=mine, target=Asked(resolution=1e-8))
    assert (found.verdict, found.seen) == (verdict, best)


def test_numbers_that_their_own_bounds_do_not_explain_are_off():
    mine = compared([1.5, 2], [1.0, 2], bound=0.1)
    best = compared([1.5, 2], [1.5, 2], bound=1e-6)
    found = concluded(best, own=mine)
    assert (found.verdict, names(found)) == ("truncation", ["truncation"])
    assert found.seen is best


NUMBERS = compared(
    [1.0] * 5, [1.1, 1.2, 1.3, 1.4, 1.0],
    status=[SMOOTH, SMOOTH, CROSSED, TOUCHED, SMOOTH], bound=[0.01, 0, 0.01, 0.01, 0.01],
    low=[np.nan] * 3 + [0.5, np.nan], high=[np.nan] * 3 + [1.5, np.nan],
    parts={"noise": np.array([0, 0.01, 0, 0, 0])},
)  # fmt: skip
FINE = compared([1.0] * 5, [1.0] * 5, bound=1e-6)


def test_what_makes_numbers_be_off_is_ranked_by_its_share_of_the_error():
    found = concluded(FINE, own=NUMBERS)
    assert names(found) == ["kink touched", "kink crossed", "round-off", "truncation"]
    assert [c.error for c in found.causes] == pytest.approx([0.4, 0.3, 0.2, 0.1])
    assert [c.parameters for c in found.causes] == pytest.approx([0.2] * 4)
    assert found.verdict == "valid subgradient"


def test_at_an_active_clip_rounding_is_why_numbers_are_off():
    found = concluded(FINE, own=NUMBERS, target=Asked(clip=True))
    assert names(found) == ["kink touched", "kink crossed", "clip active"]
    assert found.causes[-1].error == pytest.approx(0.3)


def test_differences_that_nobody_asked_for_are_no_fault_of_the_numbers():
    """Entries that differences get wrong are left out; what is left is as good as its precision."""
    off = Asked(differences_chosen=False)
    assert concluded(FINE, own=NUMBERS, target=off).verdict == "agrees"
    assert concluded(FINE, own=NUMBERS, target=Asked()).verdict == "valid subgradient"


def test_numbers_are_held_against_the_finest_as_well():
    """They agree with their own differences, and are off by a tenth."""
    mine = compared([1.1, 2], [1.1, 2], bound=0.1)
    assert concluded(GOOD, own=mine).verdict == "round-off"
    assert concluded(GOOD, own=compared([1 + 1e-6, 2], [1.0, 2], bound=0.1)).verdict == "agrees"


def test_of_numbers_that_agree_but_for_rounding_the_resolution_is_told():
    mine = compared([1 + 5e-5, 2], [1.0, 2], bound=0.1)
    best = compared([1.0, 2], [1.0, 2], bound=1e-6)
    found = concluded(best, own=mine)
    assert found.verdict == "agrees"
    assert found.seen.rtol == pytest.approx(5e-5 / np.sqrt(2.5), rel=1e-4)


# Around it: the judge


class Judged(Asked):
    """A target whose evidence is given."""

    size = 7

    def __init__(self, mine, reference=None, differs="", **given):
        super().__init__(**given)
        self.mine, self.better, self.differs = mine, reference, differs

    def own(self):
        return self.mine

    def reference(self, _own):
        return self.better

    def difference_between_calls(self, *, gradient):
        return self.differs if gradient else ""

    def not_finite(self):
        return Verdict.NOT_FINITE, [Cause("loss not finite")]

    def remarks(self):
        return [Cause("outside domain")]


def test_the_judge_counts_and_names_the_worst():
    found = judge(Judged(Seen(WRONG, Explanation((SIGN,)))))
    assert (found.verdict, names(found)) == ("incorrect gradient", ["sign", "outside domain"])
    assert (found.parameters, found.disagreeing, found.touched, found.crossed) == (2, 1, 0, 0)
    assert (found.worst_parameter, found.excess) == ("a[1]", pytest.approx(1e5))
    assert found.gradient_error == found.rule_error == pytest.approx(0.1 / (5**0.5 + 5.41**0.5))
    assert found.noise is None
    assert found.resolution == pytest.approx(2e-6 / np.sqrt(2.705))
    assert found.verdicts.tolist() == [0, Verdict.INCORRECT_GRADIENT.severity]
    agreeing = judge(Judged(Seen(GOOD)))
    assert (agreeing.verdict, agreeing.causes, agreeing.worst_parameter, agreeing.excess) == (
        "agrees",
        (),
        None,
        0,
    )


def test_of_a_gradient_that_agrees_the_entry_nearest_to_its_bound_is_the_worst():
    found = judge(Judged(Seen(compared([1.0, 2], [1.0, 2 + 5e-7], bound=1e-6))))
    assert (found.verdict, found.worst_parameter) == ("agrees", "a[1]")
    assert found.excess == pytest.approx(0.5)


def test_without_an_explanation_there_is_a_verdict_and_its_error():
    found = judge(Judged(Seen(WRONG), differs="the gradient"), explain=False)
    assert (found.verdict, found.causes, found.parameters, found.tensors) == ("incorrect gradient", (), 0, ())
    assert found.gradient_error == WRONG.error


def test_what_differs_between_calls_is_not_judged():
    found = judge(Judged(Seen(WRONG), differs="the gradient"))
    assert (found.verdict, found.parameters) == ("not deterministic", 7)
    assert found.causes == (Cause("not deterministic", "the gradient"),)


def test_what_is_not_finite_is_not_compared():
    for mine, count in ((None, 7), (Seen(compared([np.nan, 2], [1.0, 2])), 2)):
        found = judge(Judged(mine))
        assert (found.verdict, found.parameters, found.gradient_error) == ("not finite", count, None)
        assert (found.disagreeing, found.touched, found.crossed, found.notes) == (0, 0, 0, ())


def test_where_only_differences_leave_the_finite_numbers_others_may_not():
    beyond = Seen(compared([1.0, 2], [1.0, np.inf]))
    assert judge(Judged(beyond)).verdict == "not finite"
    assert judge(Judged(beyond, reference=Seen(GOOD))).verdict == "agrees"
    assert judge(Judged(beyond, by_finer=Seen(GOOD))).verdict == "agrees"
    assert judge(Judged(beyond, reference=beyond, by_finer=Seen(GOOD))).verdict == "agrees"
    assert judge(Judged(beyond, reference=beyond)).verdict == "not finite"
    analytic = Seen(compared([1.0, np.inf], [1.0, 2]))
    assert judge(Judged(analytic, reference=Seen(GOOD))).verdict == "not finite"


def test_a_reference_is_where_differences_are_at_their_best():
    mine = compared([1.0001, 2], [1.0003, 2], bound=1.0)
    best = compared([1.0, 2], [1.0, 2.000001], bound=1e-5)
    found = judge(Judged(Seen(mine), reference=Seen(best)))
    assert found.verdict == "agrees"
    assert found.gradient_error == mine.error
    assert found.rule_error == best.error
    assert found.noise == pytest.approx(1e-4 / (2 * 5**0.5), rel=1e-3)
    infinite = Seen(compared([1.0, 2], [1.0, np.nan]))
    assert judge(Judged(Seen(GOOD), reference=infinite)).verdict == "agrees"


def test_a_subgradient_that_single_entries_do_not_show_is_excused():
    outside = compared([2.5, 2.5], [1.0, 1.0], **AT_KINKS)
    joint = Joint(Standing.SUBGRADIENT, words="together", resolution=1e-5)
    found = judge(Judged(Seen(outside, kinks=joint)))
    assert (found.verdict, names(found)) == ("valid subgradient", ["kink touched", "outside domain"])
    assert found.resolution == 1e-5
    assert judge(Judged(Seen(outside, kinks=UNDECIDED))).verdict == "undetermined"


def test_the_entry_that_is_seen_least():
    mine = compared([1.0, 2, 1e-3], [1.0, 2, 1e-3], bound=1e-6)
    name, resolution = judge(Judged(Seen(mine))).least_seen
    assert (name, resolution) == ("a[2]", pytest.approx(2e-3))
    zero = compared([1.0, 0, 1e-3], [1.0, 0, 1e-3], bound=1e-6)
    assert judge(Judged(Seen(zero))).least_seen == ("a[1]", np.inf)
    assert Judgement(Verdict.NOT_CHECKED, (), 0).least_seen is None
    assert judge(Judged(Seen(compared([], [], sizes={"a": 0})))).least_seen is None
