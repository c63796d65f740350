"""The result of a check: the same for a network and for a function from outside, in every form."""

import json
from dataclasses import replace

import numpy as np
import pytest
from oracles import random_problem
from verdicts.test_judge import CASES, EXACT, Y_MINUS_T, clipped, generic, on_the_kink

import backproof
from backproof.estimates.record import EntryStatus, Estimate
from backproof.network.faults import FAULTS
from backproof.network.rules import BackwardRule
from backproof.targets.layout import in_sequence, of_network
from backproof.verdicts.check import Check, Cures
from backproof.verdicts.comparison import Comparison
from backproof.verdicts.function import FunctionTarget
from backproof.verdicts.function_evidence import FunctionEvidence
from backproof.verdicts.judgement import judge
from backproof.verdicts.measuring import Sampling
from backproof.verdicts.network import NetworkTarget
from backproof.verdicts.verdict import Verdict
from backproof.verdicts.view import view_of


def of_network_itself(problem, weights, rule):
    """The check of a network, by the incremental kernel."""
    target = NetworkTarget(rule, view_of(problem, weights))
    return Check(target, judge(target))


def from_outside(problem, weights, rule):
    """The check of the same network as a function of which nothing is known."""
    return backproof.check(
        lambda w: problem.forward(w).loss,
        weights,
        df=lambda w: rule.gradient(problem, problem.forward(w), w),
    )


def keys(value, path=""):
    """The names of all fields, with those of their parts."""
    found = {path}
    if isinstance(value, dict):
        for name, part in value.items():
            found |= keys(part, f"{path}.{name}")
    return found


def test_json_has_the_same_keys_for_networks_and_functions():
    network = (*generic(), BackwardRule(fault=FAULTS["sign"]()))
    one, other = (json.loads(f(*network).as_json()) for f in (of_network_itself, from_outside))
    assert set(one) == set(other)
    for name in ("causes", "tensors"):
        assert {tuple(entry) for entry in one[name]} == {tuple(entry) for entry in other[name]}
    assert keys(one["cures"]) == keys(other["cures"])


def test_json_is_valid_where_nothing_is_finite():
    problem, weights = random_problem(3, output="identity", loss="binary_cross_entropy")
    found = json.loads(of_network_itself(problem, weights, EXACT).as_json(), parse_constant=pytest.fail)
    assert (found["verdict"], found["loss"]) == ("outside domain", None)


SAME = {
    "agrees": (*generic(), EXACT),
    "agrees, softmax": (*generic(output="softmax", loss="categorical_cross_entropy"), EXACT),
    "valid subgradient": (*on_the_kink(), BackwardRule(relu_at_zero=0.0)),
    "agrees at a kink": (*on_the_kink(), BackwardRule(relu_at_zero=0.5)),
    "incorrect gradient": (*generic(output="relu", loss="squared_error"), Y_MINUS_T),
    "incorrect at a kink": (*on_the_kink(), BackwardRule(relu_at_zero=1.5)),
    "sign": (*generic(), BackwardRule(fault=FAULTS["sign"]())),
    "no_bias": (*generic(), BackwardRule(fault=FAULTS["no_bias"]())),
    "not finite": (
        *random_problem(4, loss="binary_cross_entropy", clip="none", eps=1e-15, init_scale=64),
        EXACT,
    ),
}


@pytest.mark.parametrize("name", SAME)
def test_a_network_and_the_same_function_from_outside_get_one_verdict(name):
    network, outside = (f(*SAME[name]).judgement for f in (of_network_itself, from_outside))
    assert network.verdict is outside.verdict
    assert len(network.verdicts) == len(outside.verdicts)
    assert network.touched >= outside.touched  # from outside, only where there is doubt
    if network.gradient_error is not None:
        assert outside.gradient_error == pytest.approx(network.gradient_error, rel=1e-5, abs=1e-6)


def test_repr_terminal_and_notebook_show_the_same_lines():
    for found in (f(*SAME["sign"]) for f in (of_network_itself, from_outside)):
        text = [line.text for line in found.lines()]
        assert repr(found).split("\n") == text
        assert text[0].startswith("✗ incorrect gradient: ")
        assert all(heading in repr(found) for heading in ("cause", "tensor", "worst", "numerical"))
        assert found._repr_html_().count("\n") == len(text) - 2


def test_what_a_case_adds_is_shown():
    found = replace(
        of_network_itself(*SAME["sign"]),
        cures=Cures(("fault=none",), ("delta=exact",)),
        training={
            "final_loss": 0.25, "accuracy": 0.5, "steps_to_threshold": None, "diverged_at": 3, "cosine": -1.0,
        },
        command="backproof check fault=sign",
    )  # fmt: skip
    shown = repr(found)
    for words in ("cured by     fault=none", "not cured by delta=exact", "threshold never reached",
                  "diverged at step 3", "backproof check fault=sign"):  # fmt: skip
        assert words in shown


def test_there_is_one_row_per_parameter_with_the_parts_of_its_bound():
    for found in (f(*SAME["sign"]) for f in (of_network_itself, from_outside)):
        table = found.parameters()
        parts = table[["truncation", "noise", "round_off", "kink"]].sum(axis=1)
        np.testing.assert_allclose(parts, table["bound"], rtol=1e-12)
        beyond = (table["analytic"] - table["numerical"]).abs() > table["bound"]
        assert set(table.loc[beyond, "verdict"]) == {"incorrect gradient"}


def test_an_active_clip_is_named_by_networks_alone():
    """From outside nothing is known of a clip; f is flat there, and the gradient is not zero."""
    rule = BackwardRule(clip_backward="ignored")
    network, outside = (f(*clipped(), rule).verdict for f in (of_network_itself, from_outside))
    assert (network, outside) == (Verdict.CLIP_ACTIVE, Verdict.INCORRECT_GRADIENT)


def test_every_verdict_is_reached_by_a_network_by_a_function_or_by_switching_the_check_off():
    assert {*CASES, Verdict.UNDETERMINED, Verdict.NOT_CHECKED} == set(Verdict)


# Verdicts of functions that need evidence of their own


def quadratic(w):
    return float((w**2).sum())


def judged_with(status, gap=30.0, **changes):
    """A function's verdict where its estimate has a given status and one entry is far beyond its bound."""
    target = FunctionTarget(backproof_function(), Sampling())
    value = target.analytic - np.array([gap, 0, 0])
    zero, one, nan = np.zeros(3), np.ones(3), np.full(3, np.nan)
    flags = np.array([status, 0, 0], np.uint8)
    arrays = {
        "value": value, "truncation": zero, "noise": one, "round_off": zero, "kink": zero, "step": one,
        "unit": one, "low": nan, "high": nan, "status": flags, **changes,
    }  # fmt: skip
    estimate = Estimate(layout=target.function.layout, index=np.arange(3), **arrays)
    evidence = FunctionEvidence(target.function, target.analytic, Comparison(target.analytic, estimate))
    target.own = lambda: evidence
    return judge(target)


def backproof_function():
    from backproof.targets.function import Function

    return Function(np.ones(3), f=quadratic, df=lambda w: 2 * w)


@pytest.mark.parametrize(
    ("status", "verdict", "cause"),
    [
        (EntryStatus.SMOOTH, "incorrect gradient", "not identified"),
        (EntryStatus.AVOIDED, "incorrect gradient", "not identified"),
        (EntryStatus.OPEN, "undetermined", "not resolved"),
        (EntryStatus.OPEN | EntryStatus.CROSSED, "kink crossed", "kink crossed"),
        (EntryStatus.JUMPS, "undetermined", "not smooth at any step"),
    ],
)
def test_what_a_function_meets_decides_its_verdict(status, verdict, cause):
    found = judged_with(status)
    assert found.verdict == verdict
    assert [c.name for c in found.causes] == [cause]


def test_within_large_bounds_the_larger_part_is_named():
    big, none = np.full(3, 9.0), np.zeros(3)
    for part in ("truncation", "noise"):
        bounds = {"truncation": none, "noise": none, part: big}
        found = judged_with(EntryStatus.SMOOTH, gap=3.0, **bounds)
        assert found.verdict == "unresolved"
        assert found.causes[0].name == ("truncation" if part == "truncation" else "round-off")


def test_in_low_precision_double_precision_tells_rounding_from_a_mistake():
    """With float16 the noise of one large term drowns the derivatives of the others."""
    w = np.array([0.1, 0.2, 0.3], np.float16)

    def f(w):
        return w.dtype.type(1000) + (w**2).sum()

    right = backproof.check(f, w, df=lambda w: 2 * w)
    wrong = backproof.check(f, w, df=lambda w: -2 * w)
    assert right.verdict.right
    assert wrong.verdict is Verdict.INCORRECT_GRADIENT


# Layouts


def test_layouts_name_every_entry_and_own_it_once():
    weights = [np.zeros((3, 5)), np.zeros((2, 4))]
    for layout in (of_network(weights), in_sequence(["a", "b", "c"], [(2, 3), (), (4,)])):
        flat = np.arange(layout.size)
        owned = np.concatenate([tensor.positions() for tensor in layout.tensors])
        assert sorted(owned) == flat.tolist()
        for tensor in layout.tensors:
            assert np.array_equal(tensor.of(flat).ravel(), tensor.positions())
            assert np.array_equal(np.flatnonzero(tensor.owns(flat)), np.sort(tensor.positions()))
            assert np.array_equal(tensor.offset(tensor.positions()), np.arange(tensor.size))
    assert of_network(weights).location(5) == "W1[1,0]"
    assert of_network(weights).location(4) == "b1[0]"
    assert in_sequence(["a", "b"], [(2, 3), ()]).location(6) == "b"
