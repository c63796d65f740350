"""Mutants: the lines are the backward pass, edits are edits of it, a number draws the same one anywhere."""

from collections import Counter
from dataclasses import dataclass, replace
from itertools import product

import numpy as np
import pytest
from network.test_faults import by_hand, problem_for, same, setting_of
from oracles import random_problem
from pairings import PAIRINGS

from backproof.network.activations import ACTIVATIONS
from backproof.network.arrays import Precision
from backproof.network.clips import CLIPS
from backproof.network.deltas import DELTAS
from backproof.network.faults.edits import Vocabulary, edits_of
from backproof.network.faults.lines import LINES, NAMES
from backproof.network.faults.mutant import Mutant, mutant
from backproof.network.faults.written import Written
from backproof.network.losses import LOSSES
from backproof.network.rules import BackwardRule

MANY = range(600)
LOSSES_AND_CLIPS = [
    (name, clip) for name in LOSSES for clip in (CLIPS if LOSSES[name]().uses_clip else ["none"])
]


@dataclass(frozen=True, kw_only=True)
class Rewritten(Mutant):
    """A line with a text of the test's choice in place of a drawn edit."""

    new: str = ""

    def texts(self, written):
        text = self.line.text(written)
        return text, (self.new or text) if text else ""


def rewritten(name, new=""):
    line = next(line for line in LINES if line.name == name)
    return Rewritten("mutant", "", "x", line.operation, line=line, drawn=0, new=new)


def gradient_of(fault, problem, weights, **rule):
    return BackwardRule(fault=fault, **rule).gradient(problem, problem.forward(weights), weights)


def written(problem, weights, **rule):
    return Written.of(problem, BackwardRule(**rule), len(weights))


def edited_to(new, problem, weights):
    """The first mutant whose edit leads to a text."""
    at = written(problem, weights)
    return next(m for m in map(mutant, range(100_000)) if m.described(at).endswith(f" → {new}"))


@pytest.mark.parametrize(("activation", "output"), PAIRINGS)
def test_a_line_that_is_not_edited_gives_the_right_gradient(activation, output):
    for (loss, clip), backward in product(LOSSES_AND_CLIPS, ("consistent", "ignored")):
        problem, weights = random_problem(
            3, activation=activation, output=output, loss=loss, clip=clip, hidden=(5, 4), reduction="mean"
        )
        problem = replace(problem, l2=0.01)
        right = BackwardRule(clip_backward=backward).gradient(problem, problem.forward(weights), weights)
        if not all(np.isfinite(r).all() for r in right):
            continue
        for line in LINES:
            found = gradient_of(rewritten(line.name), problem, weights, clip_backward=backward)
            for f, r in zip(found, right, strict=True):
                np.testing.assert_allclose(f, r, rtol=1e-9, atol=1e-11 * abs(r).max())


def test_nothing_is_written_for_identity_alone():
    for name, activation in ACTIVATIONS.items():
        problem, weights = problem_for("sign", activation=name, output=name)
        texts = {line.name: line.text(written(problem, weights)) for line in LINES}
        assert [line for line, text in texts.items() if not text] == (
            ["output derivative", "hidden derivative"] if activation().name == "identity" else []
        )


def test_a_line_is_of_the_packages_own_function_not_of_its_name():
    problem, weights = problem_for("sign")
    other = replace(problem.activation, derivative=lambda z: 2 * z)
    for changed in (replace(problem, activation=other), replace(problem, output=other)):
        at = written(changed, weights)
        kind = "hidden" if changed.activation is other else "output"
        assert next(line for line in LINES if line.name == f"{kind} derivative").text(at) == ""
    renamed = replace(problem, loss=replace(problem.loss, derivative=lambda y, t, *_: 3 * (y - t)))
    assert LINES[0].text(written(problem, weights)) == "y - t"
    assert LINES[0].text(written(renamed, weights)) == ""
    clipped = replace(problem, loss=LOSSES["binary_cross_entropy"](), clip=CLIPS["floor"]())
    assert LINES[0].text(written(clipped, weights))
    other_clip = replace(clipped.clip, log_derivative=lambda q, _eps: 2 / q)
    assert LINES[0].text(written(replace(clipped, clip=other_clip), weights)) == ""


# --- edits ------------------------------------------------------------------------------------------


def test_an_operator_an_operand_a_constant_and_a_name_are_edited():
    assert edits_of("1 - a * a", NAMES, alike=("a", "z")) == (
        "1 + a * a", "1 * (a * a)", "1 / (a * a)", "1", "a * a", "a * a - 1",
        "2 - a * a", "0 - a * a", "0.5 - a * a",
        "1 - (a + a)", "1 - (a - a)", "1 - a / a", "1 - a",
        *(
            f"1 - {text}"
            for name in ("{} * a", "a * {}")
            for text in map(name.format, (
                "a[..., ::-1, :]", "a[..., ::-1]", "a.mT", "roll(a, 1, axis=-2)", "roll(a, 1, axis=-1)",
                "a[..., :1, :]", "a[..., :1]", "-a", "abs(a)", "z",
            ))
        ),
    )  # fmt: skip


def test_functions_are_not_edited_axes_and_comparisons_are():
    assert set(edits_of("total(samples, exp(t))", NAMES)) >= {
        "total(units, exp(t))",
        "total(samples, exp(-t))",
    }
    assert not any("exp[" in text or "-samples" in text for text in edits_of("total(samples, exp(t))", NAMES))
    assert "where(z < 0, 1, 0)" in edits_of("where(z > 0, 1, 0)", NAMES)
    assert edits_of("-eps", NAMES) == ("eps", "--eps")
    assert edits_of("exp(t, keepdims=True)", Vocabulary((), ())) == ()


def test_of_a_product_only_the_named_operand_is_edited():
    found = edits_of("delta @ w", NAMES, operands=("w",))
    assert found and all(text.startswith("delta @ ") for text in found)


@pytest.mark.slow
@pytest.mark.parametrize(("activation", "output"), [("tanh", "softmax"), ("leaky_relu", "sigmoid")])
def test_every_line_and_every_edit_of_it_can_be_drawn(activation, output):
    problem, weights = problem_for("sign", activation=activation, output=output)
    at = written(problem, weights)
    drawn = {line.name: set() for line in LINES}
    for m in map(mutant, range(6000)):
        drawn[m.line.name].add(m.texts(at)[1])
    for line in LINES:
        assert drawn[line.name] == set(line.edits(at) or [""])


def test_lines_are_drawn_about_equally_often():
    counts = Counter(mutant(mutation=i).line.name for i in range(2200))
    assert set(counts) == {line.name for line in LINES}
    assert min(counts.values()) > 130 and max(counts.values()) < 280


def test_a_number_draws_one_mutant_and_others_draw_others():
    problem, weights = problem_for("sign")
    at = written(problem, weights)
    assert mutant(mutation=7) is mutant(mutation=7)
    assert mutant(mutation=0).described(at) == "hidden derivative: 1 - a * a → 1 - (a - a)"
    assert len({mutant(mutation=i).described(at) for i in range(100)}) > 60
    with pytest.raises(ValueError, match="at least 0; not -1"):
        mutant(mutation=-1)


# --- what an edit does ------------------------------------------------------------------------------

BY_HAND = {
    "1 + a * a": {"derivative": lambda _s, z, i, _n: 1 + np.tanh(z[i]) ** 2},
    "y * (1 + y)": {"delta": lambda _d, g, y: g * y * (1 + y)},
    "t - y": {"of_loss": lambda g: -g},
    "delta / scale": {"scale": 18.0},
    "-delta @ w": {"incoming": lambda x: -x},
    "delta @ w[..., ::-1]": {"incoming": lambda x: x[:, ::-1]},
    "l2 / w": {"penalty": lambda _p, w: np.where(np.arange(w.shape[1]) < w.shape[1] - 1, 0.1 / w, 0)},
    "delta.mT @ a.mT": {
        "gradient": lambda g, delta, layer, _d, f: (
            np.c_[delta.T @ f.inputs[layer][:, :-1].T, g[:, -1]]
            if delta.shape[0] == f.inputs[layer].shape[1] - 1
            else g
        )
    },
    "total(units, delta)": {
        "gradient": lambda g, delta, *_: (
            np.c_[g[:, :-1], delta.sum(axis=1)] if delta.shape[0] == delta.shape[1] else g
        )
    },
    "total(samples, delta[..., :1])": {
        "gradient": lambda g, delta, *_: np.c_[g[:, :-1], np.full(len(g), delta[:, 0].sum())]
    },
}


@pytest.mark.parametrize("new", BY_HAND)
def test_an_edit_does_what_its_words_say(new):
    problem, weights = problem_for("sign")
    change = BY_HAND[new]
    found = gradient_of(edited_to(new, problem, weights), problem, weights)
    assert same(found, by_hand(problem, weights, **change))
    assert not same(found, by_hand(problem, weights))
    assert not same(found, [1.001 * g for g in by_hand(problem, weights, **change)])


def test_on_a_kink_the_convention_stays():
    problem, weights = problem_for("kink_assigned")  # a sample of zeros and biases of zero: all on the kink
    found = gradient_of(
        rewritten("hidden derivative", "where(z > 0, 3, 7)"), problem, weights, relu_at_zero=0.5
    )

    def edited(_s, z, i, _name):
        return np.where(z[i] > 0, 3, 7)

    def off_the_kink(s, z, i, name):
        return np.where(z[i] == 0, 0.5, edited(s, z, i, name))

    assert same(found, by_hand(problem, weights, derivative=off_the_kink))
    assert not same(found, by_hand(problem, weights, derivative=edited))


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["float32", "float64", "longdouble"])
def test_an_edit_that_does_not_fit_changes_nothing_and_none_raises(precision):
    """Where all sizes differ, transposes fit nowhere."""
    choice = {"hidden": (7, 5), "features": 4, "samples": 9, "precision": precision, "reduction": "mean"}
    problem, weights = random_problem(4, **choice)
    right = BackwardRule().gradient(problem, problem.forward(weights), weights)
    changed = transposed = 0
    for m in map(mutant, MANY):
        found = gradient_of(m, problem, weights)
        assert [f.shape for f in found] == [w.shape for w in weights]
        assert {f.dtype for f in found} == {problem.inputs.dtype}
        text, edited = m.texts(written(problem, weights))
        if edited.count(".mT") > text.count(".mT"):
            transposed += 1
            assert all(np.array_equal(f, r) for f, r in zip(found, right, strict=True))
        changed += not all(np.array_equal(f, r) for f, r in zip(found, right, strict=True))
    assert changed > 300 and transposed > 20


@pytest.mark.slow
def test_a_mutants_numbers_do_not_depend_on_the_batch():
    """Whose leading axis is as long as the others, so that no edit may take it for one of them."""
    size = 6
    choice = {"hidden": (size, size), "features": size, "samples": size, "outputs": size, "output": "softmax"}
    problems, weights = zip(*(random_problem(seed, **choice) for seed in range(size)), strict=True)
    batch = replace(
        problems[0], inputs=np.stack([p.inputs for p in problems]),
        targets=np.stack([p.targets for p in problems]), l2=0.1,
    )  # fmt: skip
    together = [np.stack(layer) for layer in zip(*weights, strict=True)]
    for m in map(mutant, MANY):
        found = gradient_of(m, batch, together)
        for i, (problem, w) in enumerate(zip(problems, weights, strict=True)):
            alone = gradient_of(m, replace(problem, l2=0.1), w)
            for f, a in zip(found, alone, strict=True):
                np.testing.assert_array_equal(f[i], a, err_msg=m.described(written(batch, together)))


# --- where it matters -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "idle"),
    [
        ({"hidden": ()}, {"carried weights", "arriving gradient", "hidden derivative", "hidden delta"}),
        ({"activation": "identity"}, {"hidden derivative"}),
        ({"output": "identity"}, {"output derivative"}),
        ({"output": "softmax"}, {"output derivative"}),
        ({"l2": 0.0}, {"penalty"}),
        ({"y_minus_t": True}, {"loss derivative", "output derivative"}),
        ({}, set()),
    ],
)
def test_a_mutant_matters_where_the_pass_has_its_line(change, idle):
    own = {k: v for k, v in change.items() if k not in ("l2", "y_minus_t")}
    problem, weights = problem_for("sign", **own)
    problem = replace(problem, l2=change.get("l2", problem.l2))
    setting = setting_of(problem, weights, y_minus_t=change.get("y_minus_t", False))
    rule = {"delta": DELTAS["y_minus_t"]()} if change.get("y_minus_t") else {}
    right = BackwardRule(**rule).gradient(problem, problem.forward(weights), weights)
    seen = set()
    for m in map(mutant, range(200)):
        assert bool(m.described(written(problem, weights, **rule))) == m.matters(setting)
        if not m.matters(setting):
            seen.add(m.line.name)
            found = gradient_of(m, problem, weights, **rule)
            assert all(np.array_equal(f, r) for f, r in zip(found, right, strict=True))
    assert seen == idle


def test_the_shortcuts_line_is_y_minus_t():
    problem, weights = problem_for("sign", output="softmax")
    at = written(problem, weights, delta=DELTAS["y_minus_t"]())
    assert next(line for line in LINES if line.name == "output delta").text(at) == "y - t"
    assert Precision.of(problem.inputs.dtype) is Precision.FLOAT64
