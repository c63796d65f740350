"""A check in lines of text: every line, where it appears and where it does not, to the letter."""

from types import SimpleNamespace

import numpy as np
import pytest

from backproof.estimates.screen import MISS
from backproof.verdicts.causes import Cause
from backproof.verdicts.check import Check, Cures
from backproof.verdicts.judgement import Judgement
from backproof.verdicts.rendering import digits_of, lines_of
from backproof.verdicts.tensors import TensorJudgement
from backproof.verdicts.verdict import NOT_NAMED_REMEDY, Verdict

NAN = float("nan")


def tensor(name="W1", **given):
    values = {
        "size": 6, "gradient_error": 0.012345, "excess": 3.2, "disagreeing": 2, "worst": f"{name}[1,2]",
        "analytic": 2.0, "numerical": 1.5, "bound": 0.125, "low": NAN, "high": NAN, "touched": 0,
        "crossed": 0, "verdict": Verdict.INCORRECT_GRADIENT, "resolution": 1e-7, "causes": {},
    }  # fmt: skip
    return TensorJudgement(name, **(values | given))


def check(verdict="incorrect gradient", causes=(), *, target=None, **given):
    given = {"parameters": 12, "gradient_error": 0.25, "excess": 3.0, "resolution": 2e-7} | given
    outside = {
        name: given.pop(name)
        for name in ("cures", "training", "examined", "case", "command")
        if name in given
    }
    there = {
        "loss": 0.5, "evaluations": None, "directions": 0, "probability_of_a_miss": 0.0, "notes": (),
        "details": None, "precision": "float32",
    }  # fmt: skip
    known = SimpleNamespace(**(there | (target or {})))
    return Check(known, Judgement(Verdict(verdict), tuple(causes), **given), **outside)


def text(*args, **given):
    return [line.text for line in lines_of(check(*args, **given))]


# Head


def test_the_first_line_is_the_verdict_and_the_second_the_remedy():
    head, remedy, *_ = lines_of(check())
    wrong = Verdict.INCORRECT_GRADIENT
    assert head == (f"✗ incorrect gradient: {wrong.sentence}", "strong")
    assert remedy == (f"remedy: {wrong.remedy}", "soft")


@pytest.mark.parametrize("verdict", Verdict)
def test_what_agrees_has_digits_and_what_does_not_a_remedy(verdict):
    lines = text(verdict)
    agrees = verdict in ("agrees", "valid subgradient")
    assert lines[0].startswith(
        f"{verdict.symbol} {verdict} to 6 digits: " if agrees else f"{verdict.symbol} {verdict}: "
    )
    assert lines[1].startswith("remedy: ") == (not agrees and verdict != "not checked")


def test_a_remedy_names_a_first_cause_only_where_there_is_one():
    unnamed, named = Cause("not identified"), Cause("sign")
    assert check(causes=[unnamed]).remedy == NOT_NAMED_REMEDY
    assert check(causes=[named, unnamed]).remedy == Verdict.INCORRECT_GRADIENT.remedy
    assert check().remedy == Verdict.INCORRECT_GRADIENT.remedy
    assert check("unresolved", [unnamed]).remedy == Verdict.UNRESOLVED.remedy


@pytest.mark.parametrize(
    ("resolution", "digits"),
    [
        (None, 0),
        (1e-3, 3),
        (1.1e-3, 2),
        (9e-4, 3),
        (0.0, 18),
        (1.0, 0),
        (0.99, 0),
        (2.0, 0),
        (NAN, 0),
        (-1.0, 0),
    ],
)
def test_digits_are_those_that_a_resolution_leaves(resolution, digits):
    assert digits_of(resolution) == digits
    assert check(resolution=resolution).digits == digits


def test_one_digit_is_no_digits():
    assert "to 1 digit: " in text("agrees", resolution=0.05)[0]
    assert "to 0 digits: " in text("agrees", resolution=0.5)[0]


def test_an_assertion_asks_for_agreement_and_digits():
    right = check("agrees", resolution=1e-6)
    right.assert_agrees()
    right.assert_agrees(digits=6)
    with pytest.raises(AssertionError, match="compared to 6 digits, fewer than 7"):
        right.assert_agrees(digits=7)
    with pytest.raises(AssertionError, match="incorrect gradient"):
        check().assert_agrees()
    check("valid subgradient").assert_agrees(digits=0)


# Causes and cures


def test_causes_are_numbered_with_their_shares():
    causes = [
        Cause("sign", "it is −1", (2, 1), 0.5, 0.75), Cause("zero", "", (), 0.0, 0.25), Cause("odd", "remark")
    ]  # fmt: skip
    lines = text(causes=causes)
    table = lines[lines.index("") + 1 :][:4]
    assert table == [
        "   cause  layer  detail    error  parameters",
        "1  sign   2, 1   it is −1    75%         50%",
        "2  zero                      25%          0%",
        "3  odd           remark",
    ]


def test_columns_that_hold_nothing_are_left_out():
    lines = text(causes=[Cause("not resolved", "doubt")])
    assert lines[3:5] == ["   cause         detail", "1  not resolved  doubt"]


def test_cures_that_were_found_and_that_failed():
    lines = text(cures=Cures(("a=1", "b=2"), ("c=3", "d=4")))
    assert "cured by     a=1, or b=2" in lines
    assert "not cured by c=3, d=4" in lines
    assert not any("cured" in line for line in text())


# Errors and resolution


def section(lines, start):
    """The lines from one that begins so, up to the next that is empty."""
    first = next(i for i, line in enumerate(lines) if line.startswith(start))
    return lines[first : lines.index("", first) if "" in lines[first:] else None]


def test_errors_and_what_would_have_been_seen():
    assert section(text(), "gradient error") == [
        "gradient error 0.25, excess 3", "resolution 2e-07: a larger relative error would have been seen"
    ]  # fmt: skip
    assert section(text("unresolved"), "gradient error")[1] == (
        "resolution 2e-07: a smaller relative error would not have been seen"
    )
    assert section(text(resolution=None), "gradient error") == ["gradient error 0.25, excess 3"]
    assert not any("gradient error" in line for line in text(gradient_error=None)[1:])


def test_noise_is_told_where_there_is_a_reference():
    assert section(text(noise=1e-3, rule_error=2e-9), "gradient error")[-1] == (
        "of it: noise of float32 0.001, the rule itself 2e-09 (in a reference with the best steps)"
    )
    assert section(text(noise=0.0, rule_error=None), "gradient error")[-1] == (
        "of it: the rule itself unknown (in a reference with the best steps)"
    )
    assert not any(line.startswith("of it") for line in text())


class Seen:
    """A comparison of which one entry is seen far worse than the whole."""

    def __init__(self, *own):
        self.own_relative = np.array(own)
        self.estimate = SimpleNamespace(
            layout=SimpleNamespace(location="w[{}]".format), index=np.arange(len(own))
        )


@pytest.mark.parametrize(("own", "shown"), [(1.9e-6, False), (2.1e-6, True)])
def test_an_entry_that_is_seen_ten_times_worse_is_named(own, shown):
    lines = text(seen=Seen(1e-9, own, 1e-8))
    assert ("least seen is w[1]: 5 digits of its own size" in lines) == shown


# Tensors


def test_the_table_of_tensors():
    tensors = (
        tensor("W1", touched=2, crossed=1, causes={"sign": 1.0, "zero": 0.5, "other": 1.0}),
        tensor("b1", gradient_error=None, verdict=Verdict.AGREES, size=2, disagreeing=0, crossed=3),
        tensor("W2", touched=4),
    )
    lines = text(causes=[Cause("sign"), Cause("zero")], tensors=tensors)
    rows = section(lines, "tensor")
    assert rows[0].split() == [
        "tensor",
        "verdict",
        "size",
        "wrong",
        "error",
        "excess",
        "resolution",
        "kinks",
        "causes",
    ]
    assert rows[1:] == [
        "W1      incorrect gradient     6      2       0.012     3.2     1.0e-07      3  1: 100%, 2: 50%",
        "b1      agrees                 2      0  not finite     3.2     1.0e-07      3",
        "W2      incorrect gradient     6      2       0.012     3.2     1.0e-07      4",
    ]
    assert section(lines, "worst")[1:] == [
        "W1[1,2]         2        1.5     5.0e-01  1.2e-01",
        "b1[1,2]         2        1.5     5.0e-01  1.2e-01",
        "W2[1,2]         2        1.5     5.0e-01  1.2e-01",
    ]


def test_intervals_of_derivatives_are_shown_where_there_are_any():
    rows = section(text(tensors=(tensor(low=-1.0, high=0.25), tensor("b1"))), "worst")
    assert rows[0].endswith("one-sided derivatives")
    assert rows[1].endswith("-1 to 0.25")
    assert rows[2].endswith("1.2e-01")


# Evidence


def test_parameters_and_evaluations():
    assert section(text(), "loss") == ["loss 0.5"]
    assert section(text(target={"evaluations": 99}), "loss") == [
        "loss 0.5",
        "12 parameters, 99 evaluations of the loss",
    ]
    along = {"evaluations": 99, "directions": 8, "probability_of_a_miss": 1e-5}
    assert section(text(target=along), "loss") == [
        "loss 0.5",
        "8 random directions, 99 evaluations of the loss",
    ]
    assert section(text("agrees", target=along), "loss")[2] == (
        "a single wrong entry beyond the bound is never missed; errors of four bounds together (2-norm) with "
        "a probability of at most 1e-05"
    )


def test_a_screen_says_how_likely_an_error_is_missed():
    screen = SimpleNamespace(directions=3)
    lines = text("agrees", target={"evaluations": 99, "directions": 8}, screen=screen)
    assert section(lines, "loss") == [
        "loss 0.5",
        "3 random directions, 99 evaluations of the loss",
        "note: screened along 3 random directions: a relative error of 2e-07, in one entry or in several "
        f"together (2-norm), is missed with a probability of at most {MISS:g}",
    ]


def test_kinks_are_counted_and_notes_come_last():
    lines = section(text(touched=3, crossed=2, target={"notes": ("odd", "noisy")}), "loss")
    assert lines[1:] == [
        "3 of 12 parameters touch a kink", "2 of 12 parameters cross a kink", "note: odd", "note: noisy"
    ]  # fmt: skip
    assert section(text(crossed=2), "loss")[1:] == ["2 of 12 parameters cross a kink"]


def details(*, kinks=(), clipped=(), safe=None, **outputs):
    there = {"outside_domain": 0.0, "saturated": 0.0, "clip_active": 0.0}
    return {
        "details": SimpleNamespace(
            kinked_parameter=1 if kinks else None, kinks=kinks, clipped=clipped,
            view=SimpleNamespace(outputs=SimpleNamespace(**(there | outputs))),
            safe_steps_by_tensor=safe or {},
        )
    }  # fmt: skip


@pytest.mark.parametrize(("count", "more"), [(4, []), (5, []), (6, ["  and 1 more"]), (9, ["  and 4 more"])])
def test_five_kinks_and_five_outputs_are_listed(count, more):
    kinks = [f"kink {k}" for k in range(count)]
    lines = text(target=details(kinks=kinks), comparison=Seen(0, 0))
    assert section(lines, "  w[1]: kink 0") == [*(f"  w[1]: kink {k}" for k in range(min(count, 5))), *more]
    clipped = [SimpleNamespace(sample=k, output=2, y=0.25) for k in range(count)]
    lines = text(target=details(clipped=clipped))
    assert section(lines, "  sample 0")[:1] == ["  sample 0, output 2: y = 0.25"]
    assert section(lines, "  sample 0")[5:] == more


def test_without_a_comparison_no_kinks_are_listed():
    assert not any("kink 0" in line for line in text(target=details(kinks=["kink 0"])))
    assert not any("w[1]" in line for line in text(target=details(), comparison=Seen(0, 0)))


def test_outputs_are_shares():
    lines = text(target=details(outside_domain=0.125, saturated=0.5, clip_active=0.25))
    assert section(lines, "12.5%") == [
        "12.5% of the outputs lie outside the loss's domain", "50.0% of the outputs are exactly 0 or 1",
        "25.0% of the outputs are flattened by the clip",
    ]  # fmt: skip
    assert not any("outputs" in line for line in text(target=details()))


def test_safe_steps_are_those_of_their_tensors():
    rows = section(
        text(tensors=(tensor("W1"), tensor("b1")), target=details(safe={"W1": 0.125, "b1": np.inf})), "tensor"
    )
    assert "safe step" in rows[0]
    assert rows[1].endswith("1.2e-01")
    assert rows[2].endswith("any")


# Training and the command

RUN = {"final_loss": 0.25, "accuracy": 0.5, "steps_to_threshold": 7, "diverged_at": None, "cosine": None}


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({}, "after training: loss 0.25 per sample, test accuracy 50.0%; threshold at step 7"),
        (
            {"steps_to_threshold": None},
            "after training: loss 0.25 per sample, test accuracy 50.0%; threshold never reached",
        ),
        (
            {"diverged_at": 3, "cosine": -0.5},
            "after training: loss 0.25 per sample, test accuracy 50.0%; threshold at step 7; diverged at "
            "step 3; cosine to the exact gradient at least -0.5000",
        ),
    ],
)
def test_a_training_run_is_one_line(changes, line):
    assert line in text(training=RUN | changes)
    steps = text(training=RUN | changes, case={"training.steps": 30})
    assert line.replace("after training", "after 30 steps") in steps


def test_the_command_is_the_last_line():
    *_, before, last = lines_of(check(command="backproof check", examined=["its derivative is right"]))
    assert (before.text, last) == ("", ("backproof check", "soft"))
    assert "its derivative is right" in text(examined=["its derivative is right"])
    assert text()[-1] == "loss 0.5"
