"""check=screened: agreement by directions, everything else as by check=full, the same bits in any company."""

from dataclasses import replace

import numpy as np
import pytest

import backproof
from backproof.errors import ConfigurationError, FunctionError
from backproof.estimates.screen import DIRECTIONS, MISS
from backproof.sweeps.composition import composed
from backproof.sweeps.cost import expected_seconds
from backproof.sweeps.engines.loky import Loky
from backproof.sweeps.engines.serial import Serial
from backproof.sweeps.execution import run
from backproof.sweeps.one_case import check_cell
from backproof.sweeps.work import compute

BASE = ("data=gaussian", "data.samples=40", "network.hidden=[6]", "training=none")
GRID = (
    *BASE, "activation=tanh,relu", "output=sigmoid,softmax", "delta=exact,y_minus_t",
    "fault=none,sign,doubled,missing_derivative", "precision=float64,float32,float16", "check.cures=2",
)  # fmt: skip


@pytest.fixture(scope="module")
def outcomes():
    """Of every case, by its settings without the check: the outcomes of a screen and of the full check."""
    found = {}
    for check in ("screened", "full"):
        cells = composed((*GRID, f"check={check}")).grid().cells
        for cell, outcome in zip(cells, compute([c.case for c in cells]), strict=True):
            settings = {k: v for k, v in cell.case.flat().items() if not k.startswith("check")}
            found.setdefault(tuple(sorted(settings.items(), key=str)), {})[check] = (cell, outcome)
    return found


def by_directions(outcome):
    return "screened along" in (outcome.values["notes"] or "")


def test_verdict_place_cause_and_cures_are_those_of_the_full_check(outcomes):
    same = ("verdict", "cause", "causes", "cures", "no_cures", "gradient_error", "excess", "worst_parameter")
    assert len(outcomes) > 60
    for pair in outcomes.values():
        (_, screened), (_, full) = pair["screened"], pair["full"]
        assert screened.values["verdict"] == full.values["verdict"]
        if not by_directions(screened):
            assert [screened.values.get(k) for k in same] == [full.values.get(k) for k in same]
            assert screened.tensors == full.tensors


def test_right_rules_in_float64_and_float32_are_settled_by_directions(outcomes):
    settled = {False: 0, True: 0}
    for pair in outcomes.values():
        (cell, screened), (_, full) = pair["screened"], pair["full"]
        assert not by_directions(screened) or full.values["verdict"] == "agrees"
        if full.values["verdict"] == "agrees" and cell.case.precision in ("float64", "float32"):
            settled[by_directions(screened)] += 1
    assert settled[True] > 10
    assert settled[False] == 0


def test_the_resolution_is_that_of_the_screen(outcomes):
    for pair in outcomes.values():
        _, screened = pair["screened"]
        if by_directions(screened):
            assert 0 < screened.values["resolution"] < 1e-3
            assert f"{MISS:g}" in screened.values["notes"]


def test_a_cell_has_the_same_bits_alone_backwards_and_in_other_processes(outcomes):
    cells = [pair["screened"][0] for pair in outcomes.values()]
    cases = [c.case for c in cells]
    expected = {pair["screened"][1].id: pair["screened"][1].values for pair in outcomes.values()}
    backwards = {o.id: o.values for o in compute(cases[::-1])}
    alone = {o.id: o.values for case in cases[::7] for o in compute([case])}
    elsewhere = {o.id: o.values for each in run(cases, Loky(2), lambda _: None) for o in each}
    serial = {o.id: o.values for each in run(cases, Serial(), lambda _: None) for o in each}
    assert len(expected) == len(backwards) == len(elsewhere) == len(serial)
    for other in (backwards, alone, elsewhere, serial):
        for id_, values in other.items():
            for name in ("verdict", "causes", "gradient_error", "excess", "resolution", "notes"):
                assert values[name] == expected[id_][name] or values[name] != values[name], name


def test_a_screen_is_planned_as_cheaper_than_a_full_check_and_as_dearer_where_a_fault_is_planted(one):
    large = (*BASE, "network.hidden=[100]", "output=softmax", "activation=tanh")
    screened, full, faulty = (
        one(*large, *more).case
        for more in (["check=screened"], ["check=full"], ["check=screened", "fault=sign"])
    )
    assert expected_seconds([screened]) < expected_seconds([full]) < expected_seconds([faulty])


@pytest.mark.parametrize(
    ("override", "named"),
    [("check.step=1e-5", "check.step"), ("+check.parameters=5", "check.parameters"),
     ("+check.scheme=central", "check.scheme"), ("+check.baselines=true", "check.baselines"),
     ("+check.evidence=true", "check.evidence")],
)  # fmt: skip
def test_what_is_about_single_parameters_is_refused(grid, override, named):
    with pytest.raises(ConfigurationError, match=named):
        grid(*BASE, "check=screened", override.removeprefix("+"))


def test_the_check_says_what_it_rests_on(one):
    found = check_cell(one(*BASE, "check=screened", "output=sigmoid"))
    facts = found._facts()
    assert (facts["directions"], facts["miss"]) == (DIRECTIONS, MISS)
    assert facts["resolution"] == found.judgement.resolution < 1e-3
    assert f"screened along {DIRECTIONS} random directions" in repr(found)
    wrong = check_cell(one(*BASE, "check=screened", "output=sigmoid", "fault=sign"))
    assert wrong._facts()["directions"] == wrong._facts()["miss"] == 0
    assert "screened" not in repr(replace(wrong, command=""))


def tanh_squared(w):
    return float(np.sum(np.tanh(w) ** 2))


def derivative(w):
    return 2 * np.tanh(w) * (1 - np.tanh(w) ** 2)


def slightly_wrong(w):
    g = derivative(w)
    g[3] *= 1.001
    return g


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_functions_from_outside_are_screened_as_well(dtype):
    w = np.random.default_rng(0).standard_normal(50).astype(dtype)
    right = backproof.check(tanh_squared, w, df=derivative, screened=True)
    full = backproof.check(tanh_squared, w, df=derivative)
    assert right.agrees
    assert right.judgement.screen is not None
    assert right.target.evaluations < full.target.evaluations / 4
    wrong = backproof.check(tanh_squared, w, df=slightly_wrong, screened=True)
    same = backproof.check(tanh_squared, w, df=slightly_wrong)
    assert wrong.judgement.screen is None
    assert (wrong.verdict, wrong.causes) == (same.verdict, same.causes)
    assert "[3]" in str(wrong.causes)


def test_a_screen_of_drawn_parameters_is_refused():
    with pytest.raises(FunctionError, match="screened: does not go with parameters"):
        backproof.check(np.sum, np.ones(3), df=np.ones_like, screened=True, parameters=2)
