"""Cures: what is tried is what Hydra would compose, and the puzzle's cure is found."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest

from backproof.sweeps import checking, cures
from backproof.sweeps.cures import changes, cures_of, neighbours
from backproof.sweeps.work import compute
from backproof.verdicts import view

PUZZLE = (
    "output=relu",
    "loss=binary_cross_entropy",
    "delta=y_minus_t",
    "network.hidden=[8]",
    "training=none",
)
CASES = [
    PUZZLE,
    ("fault=sign", "kink=assign", "relu_at_zero=0.25", "training=none"),
    ("loss=squared_error", "output=softmax", "precision=float32", "check.step=0.01", "training=none"),
    (
        "loss=categorical_cross_entropy",
        "output=sigmoid",
        "clip=shift",
        "clip.backward=ignored",
        "training=none",
    ),
    (
        "loss=binary_cross_entropy_from_logits",
        "output=sigmoid",
        "network.init_scale=8",
        "check.scheme=forward",
        "training=none",
    ),
    ("clip=none", "output=identity", "precision=float16", "training=none"),
]


def verdict_of(case):
    return checking.judgement_of(case, checking.checkable(case)).verdict


@pytest.mark.parametrize("overrides", CASES, ids=lambda c: c[0])
@pytest.mark.parametrize("numbers", [True, False])
def test_a_neighbour_is_what_hydra_composes(one, overrides, numbers):
    case = one(*overrides).case
    tried = [n for n in neighbours(case, numbers=numbers) if " " not in n[0]]
    assert tried
    for changed, neighbour in tried:
        key = changed.partition("=")[0]
        kept = [o for o in overrides if o.partition("=")[0] != key]
        composed = one(*kept, changed).case
        if key in ("precision", "check.scheme") and (
            composed.check.step or composed.check.scheme != "five_point"
        ):
            composed = one(*kept, changed, "check.parameters=200").case
        assert neighbour == composed, changed


def test_the_puzzles_failing_case_is_cured_by_the_exact_delta(one):
    case = one(*PUZZLE).case
    found = cures_of(case, checking.Neighbourhood().agrees, numbers=False)
    assert found.found == ("delta=exact",)
    assert {o.partition("=")[0] for o in found.failed} == {"relu_at_zero"}


PROBLEM = ("data", "network", "activation", "output", "loss", "clip", "clip.eps", "seed")


@pytest.mark.parametrize("overrides", CASES, ids=lambda c: c[0])
def test_no_cure_changes_the_problem(one, overrides):
    case = one(*overrides).case
    tried = [change.key for change in changes(case, numbers=False)]
    for key in (*tried, *(change.key for change in changes(case, numbers=True))):
        assert not any(key == axis or key.startswith(f"{axis}.") for axis in PROBLEM if axis != "clip")
    assert not {"precision", "check.step", "check.scheme"} & set(tried)


CROSSED = ("fault=sign", "activation=relu", "network.hidden=[20]", "check.step=0.3", "training=none")


def test_a_crossed_kink_does_not_hide_that_a_fault_was_the_fault(one):
    case = one(*CROSSED).case
    known = checking.Neighbourhood()
    at = checking.checkable(case)
    judged = checking.judgement_of(case, at)
    assert checking.cures_for(case, at, judged).found[0] == "fault=none"
    for verdict, cured in [("kink crossed", True), ("unresolved", None), ("incorrect gradient", False)]:
        known._verdict_of = lambda _case, verdict=verdict: checking.Verdict(verdict)
        assert known.right(case) is cured


def test_what_cures_cures_every_parameter(one):
    """Of these weights 200 agree with any derivative at zero, and of 1,210 some are drowned by rounding."""
    drowned = (
        "network=small",
        "network.init_scale=8",
        "output=sigmoid",
        "clip.eps=1e-4",
        "precision=float32",
    )
    case = one(*drowned, "training=none").case
    at = checking.checkable(case)
    found = checking.cures_for(case, at, checking.judgement_of(case, at))
    assert found.found == ("precision=float64", "precision=longdouble")
    assert found.failed == ("relu_at_zero=0.5", "relu_at_zero=1.0")


@pytest.mark.parametrize("more", [(), ("check.screened=true",), ("training=sgd", "training.steps=2")])
def test_rules_beside_the_cases_own_are_held_against_its_own_numerical_gradient(grid, monkeypatch, more):
    measured, real = [], view.numerical_gradients

    def counted(points, **how):
        measured.extend(points)
        return real(points, **how)

    monkeypatch.setattr(view, "numerical_gradients", counted)
    rules = ("fault=sign,transposed", "delta=exact,y_minus_t", "kink=multiply,assign")
    overrides = [o for o in PUZZLE if o.partition("=")[0] not in ("delta", "training")]
    outcomes = compute([c.case for c in grid(*overrides, *rules, *(more or ("training=none",))).cells])
    assert len(outcomes) == 8
    assert any("fault=none" in (o.values["cures"] or "") for o in outcomes)
    assert len(measured) == 1


def test_an_undecided_neighbour_is_neither_a_cure_nor_none(one):
    case = one(*CROSSED).case
    found = cures_of(case, lambda _: None, numbers=False)
    assert found == cures.Cures()


@pytest.mark.parametrize("name", ["sign", "derivative_squared", "no_bias"])
def test_a_fault_is_cured_by_leaving_it_out(one, name):
    case = one(
        "output=sigmoid", "activation=tanh", "network.hidden=[8]", "training=none", f"fault={name}"
    ).case
    assert cures_of(case, checking.Neighbourhood().agrees, numbers=False).found == ("fault=none",)


def test_two_changes_are_tried_where_no_single_one_is_enough(one):
    overrides = (
        "output=relu",
        "loss=binary_cross_entropy",
        "delta=y_minus_t",
        "fault=no_bias",
        "network.hidden=[4]",
    )
    case = one(*overrides, "training=none", "check.cures=60").case
    found = cures_of(case, checking.Neighbourhood().agrees, numbers=False)
    assert "delta=exact" in found.failed
    assert found.found == ("fault=none delta=exact",)


@pytest.mark.parametrize("limit", [0, 1, 3])
def test_no_more_neighbours_are_tried_than_asked(one, limit):
    case = one(*PUZZLE, f"check.cures={limit}").case
    asked = []
    cures_of(case, lambda c: bool(asked.append(c)), numbers=False)
    assert len(asked) == limit


def test_single_changes_come_first_and_axes_that_cannot_matter_are_left_out(one):
    case = one("loss=squared_error", "activation=tanh", "output=sigmoid", "delta=y_minus_t").case
    keys = [c.key for c in changes(case, numbers=True)]
    assert not {"clip.backward", "relu_at_zero", "kink", "fault"} & set(keys)
    tried = [o for o, _ in neighbours(case, numbers=True)]
    assert [" " in o for o in tried] == sorted(" " in o for o in tried)


def test_what_was_tried_before_does_not_matter(one):
    case, used = one(*PUZZLE).case, checking.Neighbourhood()
    for seed in (1, 2, 3):
        cures_of(one(*PUZZLE, f"seed={seed}").case, used.agrees, numbers=False)
    assert cures_of(case, used.agrees, numbers=False) == cures_of(
        case, checking.Neighbourhood().agrees, numbers=False
    )


def test_threads_do_not_share_what_they_remember(one):
    known = checking.Neighbourhood()
    known.agrees(one(*PUZZLE).case)
    with ThreadPoolExecutor(1) as other:
        assert other.submit(lambda: len(known.known)).result() == 0
    assert len(known.known) == 1


DROWNED = (
    "data=moons", "network.hidden=[5]", "network.init_scale=256", "output=sigmoid", "clip=floor",
    "clip.eps=2e-16", "check.samples=8",
)  # fmt: skip
"""Saturated outputs, whose differences rounding drowns."""


@pytest.mark.parametrize("precision", ["float64", "float32"])
def test_extended_precision_is_measured_once_for_a_case_and_its_neighbour_in_it(one, monkeypatch, precision):
    calls, whole = [], checking.Measuring.finer

    def counted(self):
        calls.append(self)
        return whole(self)

    def cures(seed):
        known, case = checking.Neighbourhood(), one(*DROWNED, f"precision={precision}", f"seed={seed}").case
        monkeypatch.setattr(checking, "NEIGHBOURHOOD", known)
        at = checking.checkable(case)
        found = checking.cures_for(case, at, checking.judgement_of(case, at))
        return found, [neighbours.verdicts for neighbours in known.known.values()]

    monkeypatch.setattr(checking.Measuring, "finer", counted)
    shared = [cures(seed) for seed in range(6)]
    fewer = len(calls)
    calls.clear()
    monkeypatch.setattr(checking, "_same_numbers", lambda *_: False)
    assert [cures(seed) for seed in range(6)] == shared
    assert len(calls) > fewer > 0


MANY = (
    ("output=sigmoid", "delta=y_minus_t", "loss=squared_error"),
    ("output=relu", "fault=sign", "clip.eps=1e-3"),
    ("output=relu", "delta=y_minus_t", "kink=assign", "relu_at_zero=0.25"),
    ("data=xor", "network.bias=zero", "output=sigmoid", "fault=doubled", "relu_at_zero=0.25"),
    ("data=xor", "network.bias=zero", "output=sigmoid", "relu_at_zero=0.25", "kink=assign"),
    ("output=sigmoid", "clip=clamp", "clip.eps=0.2", "clip.backward=ignored", "network.init_scale=4"),
    ("output=sigmoid", "precision=float32", "check.step=0.01"),
    ("output=sigmoid", "fault=mutant", "fault.mutation=3"),
    DROWNED,
)


@pytest.mark.parametrize("words", MANY, ids=" ".join)
def test_rules_that_differ_at_kinks_alone_are_judged_once_where_none_is_met(one, monkeypatch, words):
    judged, whole = [], checking.judgement_of

    def counted(case, at, **more):
        judged.append(case)
        return whole(case, at, **more)

    def tried(known_to):
        judged.clear()
        found = []
        for seed in range(3):
            case = one("network.hidden=[5]", *words, "training=none", f"seed={seed}").case
            for numbers in (False, True):
                known = checking.Neighbourhood()
                found.append(cures_of(case, lambda c, k=known: known_to(k).agrees(c), numbers=numbers))
        return found, len(judged)

    monkeypatch.setattr(checking, "judgement_of", counted)
    monkeypatch.setattr(cures, "islice", lambda all_of_them, _limit: all_of_them)
    shared, fewer = tried(lambda known: known)
    alone, all_of_them = tried(lambda _: checking.Neighbourhood())
    assert shared == alone
    assert fewer == all_of_them if "network.bias=zero" in words else fewer < all_of_them


def test_users_code_is_asked_for_every_convention(one):
    case = one("output=sigmoid", "fault=sign").case
    own = case.model_copy(update={"code": (("mine.delta", "1"),)})
    known = checking.Neighbourhood().remember(case, checking.checkable(case))
    assert len(known._rule_of(case)) < len(known._rule_of(own))


def twins(one):
    """A case in double precision that is remembered, and its neighbour in extended precision."""
    known = checking.Neighbourhood()
    case, neighbour = (one(*DROWNED, f"precision={p}").case for p in ("float64", "longdouble"))
    at, there = checking.checkable(case), checking.checkable(neighbour)
    known.remember(case, at)
    return known, at, neighbour, there


def test_what_differs_in_one_number_is_measured_by_itself(one):
    known, at, neighbour, there = twins(one)
    assert known._with_known_differences(neighbour, there).finer is at.finer
    problem, weights = there.own.problem, there.own.weights
    others = [replace(there.own, weights=[np.nextafter(weights[0], 9), *weights[1:]])]
    for name in ("inputs", "targets"):
        moved = getattr(problem, name).copy()
        moved[0, 0] = np.nextafter(moved[0, 0], 9)
        others.append(replace(there.own, problem=replace(problem, **{name: moved})))
    for other in others:
        asked = replace(there, own=other)
        assert known._with_known_differences(neighbour, asked).finer is there.finer


def test_where_complex_numbers_are_refused_extended_precision_is_measured_by_itself(one, monkeypatch):
    """In double precision a sample of the parameters is enough then."""
    known, _, neighbour, there = twins(one)
    monkeypatch.setattr(checking, "refuses_complex", lambda _problem: "no")
    assert known._with_known_differences(neighbour, there) is there


def test_a_neighbour_that_breaks_is_no_cure(one, monkeypatch):
    def broken(_case):
        raise RuntimeError("no")

    monkeypatch.setattr(checking, "checkable", broken)
    assert not checking.Neighbourhood().agrees(one(*PUZZLE).case)


def test_a_problem_that_failed_before_is_known_once_it_is_measured(one, monkeypatch):
    case, known = one(*PUZZLE).case, checking.Neighbourhood()
    with monkeypatch.context() as short_of_memory:
        short_of_memory.setattr(checking, "checkable", lambda _: 1 / 0)
        assert known.agrees(case) is None
    known.remember(case, checking.checkable(case))
    assert known.agrees(case) is False


def test_large_neighbours_are_fewer(one, monkeypatch):
    monkeypatch.setattr(checking, "MOST_WEIGHTS", 1500)
    known = checking.Neighbourhood()
    cases = [one(*PUZZLE, f"seed={seed}").case for seed in range(4)]  # of 610 weights each
    for case in (*cases[:2], cases[0], cases[2]):
        known.remember(case, checking.checkable(case))
    assert list(known.known) == [case.numerical_key for case in (cases[0], cases[2])]


def test_a_worker_forgets_its_oldest_neighbour(one, monkeypatch):
    monkeypatch.setattr(checking, "MOST_NEIGHBOURS", 2)
    known = checking.Neighbourhood()
    for seed in range(4):
        known.agrees(one(*PUZZLE, f"seed={seed}").case)
    assert len(known.known) == 2


def test_changes_are_written_as_overrides():
    assert str(cures.Change("relu_at_zero", 0.5)) == "relu_at_zero=0.5"
    assert str(cures.Change("check.step", None)) == "check.step=null"
