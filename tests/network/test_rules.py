"""Backward rules: the exact one against JAX for every output, loss and clip, y − t where it is right."""

from dataclasses import replace
from itertools import cycle

import numpy as np
import pytest
from oracles import jax_gradient, jax_loss, random_problem, relative

from backproof.network.activations import ACTIVATIONS, KinkRule
from backproof.network.arrays import Precision
from backproof.network.clips import CLIPS, ClipBackward
from backproof.network.deltas import DELTAS
from backproof.network.losses import LOSSES, Reduction
from backproof.network.outputs import OUTPUTS
from backproof.network.problem import labels_of
from backproof.network.rules import BackwardRule

EXACT, Y_MINUS_T = BackwardRule(DELTAS["exact"]()), BackwardRule(DELTAS["y_minus_t"]())

HIDDEN = ((), (5,), (5, 4))

LOSSES_AND_CLIPS = [
    (loss.name, clip) for loss in LOSSES.records() for clip in (CLIPS if loss.uses_clip else ["none"])
]
ORDER = cycle(ACTIVATIONS)
EVERY_PROBLEM = [
    {"activation": next(ORDER), "output": output, "loss": loss, "clip": clip, "hidden": HIDDEN[(i + j) % 3]}
    for i, output in enumerate(OUTPUTS)
    for j, (loss, clip) in enumerate(LOSSES_AND_CLIPS)
]
"""Every output with every loss and clip; activations and depths, which neither knows of, take turns."""

MATCHING = [(loss.matching_output, loss.name) for loss in LOSSES.records() if loss.matching_output]


def name_of(choice):
    return "-".join(str(v) for v in choice.values()) if isinstance(choice, dict) else None


def gradient(rule, problem, weights):
    return rule.gradient(problem, problem.forward(weights), weights)


@pytest.mark.parametrize("choice", EVERY_PROBLEM, ids=name_of)
def test_the_exact_rule_is_the_gradient_that_jax_finds(choice):
    problem, weights = random_problem(11, **choice)
    forward = problem.forward(weights)
    np.testing.assert_allclose(forward.loss, jax_loss(problem, weights), rtol=1e-12)
    if not np.isfinite(forward.loss):  # there is no gradient; probabilities left [0, 1] or reached its ends
        assert problem.clip.name in ("none", "log_floor", "shift")
        return
    for mine, right in zip(gradient(EXACT, problem, weights), jax_gradient(problem, weights), strict=True):
        assert relative(mine, right) < 1e-10


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_every_hidden_activation_in_three_layers(activation):
    problem, weights = random_problem(2, activation=activation, hidden=(5, 4, 5), init_scale=2)
    for mine, right in zip(gradient(EXACT, problem, weights), jax_gradient(problem, weights), strict=True):
        assert relative(mine, right) < 1e-10


def test_a_gradient_wrong_by_one_in_a_thousand_is_refused():
    problem, weights = random_problem(0)
    for mine, right in zip(gradient(EXACT, problem, weights), jax_gradient(problem, weights), strict=True):
        assert relative(mine * 1.001, right) > 1e-4
        mine[0, 0] *= 1.001
        assert relative(mine, right) > 1e-10


@pytest.mark.parametrize("output", OUTPUTS)
@pytest.mark.parametrize("loss", LOSSES)
def test_the_canonical_delta_is_output_minus_target_whatever_the_pair(output, loss):
    problem, weights = random_problem(1, output=output, loss=loss)
    forward = problem.forward(weights)
    right = (forward.outputs - problem.targets).T @ forward.inputs[-1]
    np.testing.assert_allclose(Y_MINUS_T.gradient(problem, forward, weights)[-1], right, rtol=1e-13)


@pytest.mark.parametrize(("output", "loss"), MATCHING)
def test_the_canonical_delta_is_exact_for_a_matching_pair(output, loss):
    problem, weights = random_problem(2, output=output, loss=loss)
    exact, canonical = gradient(EXACT, problem, weights), gradient(Y_MINUS_T, problem, weights)
    assert all(relative(c, e) < 1e-12 for c, e in zip(canonical, exact, strict=True))


@pytest.mark.parametrize(
    ("from_logits", "output", "loss"),
    [
        ("binary_cross_entropy_from_logits", "sigmoid", "binary_cross_entropy"),
        ("categorical_cross_entropy_from_logits", "softmax", "categorical_cross_entropy"),
    ],
)
def test_a_loss_from_logits_has_the_loss_and_gradient_of_the_pair_it_replaces(from_logits, output, loss):
    logits, weights = random_problem(2, output="identity", loss=from_logits)
    pair, _ = random_problem(2, output=output, loss=loss)
    np.testing.assert_allclose(logits.forward(weights).loss, pair.forward(weights).loss, rtol=1e-12)
    for rule in (EXACT, Y_MINUS_T):
        for a, b in zip(gradient(EXACT, logits, weights), gradient(rule, pair, weights), strict=True):
            assert relative(a, b) < 1e-12


COINCIDENCES = [
    ("softmax", "poisson"),  # where outputs add up to one, categorical cross entropy plus one
]
"""Pairs that no record declares as matching, and whose delta is y − t all the same."""


def mismatched(output, loss):
    return random_problem(2, output=output, loss=loss, clip="floor", init_scale=3)


def is_in_domain(output, loss):
    """Whether the loss has a value at a problem's outputs, which a clip gives it everywhere."""
    problem, weights = mismatched(output, loss)
    return problem.loss.uses_clip or problem.loss.domain.contains(problem.forward(weights).outputs).all()


MISMATCHED = [
    (output, loss)
    for output in OUTPUTS
    for loss in LOSSES
    if (output, loss) not in MATCHING + COINCIDENCES and is_in_domain(output, loss)
]


@pytest.mark.parametrize(("output", "loss"), MISMATCHED)
def test_the_canonical_delta_is_wrong_for_any_other_pair(output, loss):
    problem, weights = mismatched(output, loss)
    exact, canonical = gradient(EXACT, problem, weights), gradient(Y_MINUS_T, problem, weights)
    assert relative(canonical[-1], exact[-1]) > 1e-3


@pytest.mark.parametrize("reduction", Reduction)
@pytest.mark.parametrize("output", ["sigmoid", "softmax"])
@pytest.mark.parametrize("rule", [EXACT, Y_MINUS_T], ids=["exact", "y_minus_t"])
def test_a_reduction_scales_loss_and_gradient_alike(reduction, output, rule):
    summed, weights = random_problem(3, output=output)
    reduced = replace(summed, reduction=reduction)
    factor = {"sum": 1, "mean": 1 / (7 * 3), "sample_mean": 1 / 7}[reduction]
    np.testing.assert_allclose(
        reduced.forward(weights).loss, factor * summed.forward(weights).loss, rtol=1e-14
    )
    for a, b in zip(gradient(rule, reduced, weights), gradient(rule, summed, weights), strict=True):
        np.testing.assert_allclose(a, factor * b, rtol=1e-12)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("output", OUTPUTS)
@pytest.mark.parametrize("reduction", Reduction)
def test_no_samples_no_loss_no_gradient(loss, output, reduction):
    problem, weights = random_problem(4, loss=loss, output=output, samples=0, reduction=reduction)
    forward = problem.forward(weights)
    assert forward.loss == 0
    for g, w in zip(EXACT.gradient(problem, forward, weights), weights, strict=True):
        assert g.shape == w.shape
        assert not g.any()
    assert np.isnan(problem.accuracy(forward.outputs, labels_of(problem.targets)))


SMALLEST = [
    {"samples": 1},
    {"hidden": (1,)},
    {"outputs": 1},
    {"features": 1},
    {"samples": 1, "hidden": (1, 1), "outputs": 1, "features": 1},
]


@pytest.mark.parametrize(
    ("loss", "output", "shape"),
    [
        (loss, ("sigmoid", "softmax")[(i + j) % 2], shape)
        for i, loss in enumerate(LOSSES)
        for j, shape in enumerate(SMALLEST)
    ],
    ids=name_of,
)
def test_the_smallest_shapes(loss, output, shape):
    problem, weights = random_problem(5, loss=loss, output=output, **shape)
    for mine, right in zip(gradient(EXACT, problem, weights), jax_gradient(problem, weights), strict=True):
        # one unit of softmax is always 1: the gradient is nothing but rounding
        assert relative(mine, right) < 1e-10 or np.abs(mine - right).max() < 1e-15


@pytest.mark.parametrize("precision", Precision)
@pytest.mark.parametrize("output", OUTPUTS)
@pytest.mark.parametrize("loss", LOSSES)
def test_every_precision_is_kept_and_close_to_double(precision, output, loss):
    choice = {"output": output, "loss": loss, "clip": "clamp", "eps": 0.1, "activation": "gelu"}
    problem, weights = random_problem(6, precision=precision, **choice)
    forward = problem.forward(weights)
    assert forward.loss.dtype == forward.outputs.dtype == Precision(precision).dtype
    double = replace(problem, inputs=problem.inputs.astype(float), targets=problem.targets.astype(float))
    double = replace(double, eps=float(problem.eps))
    weights_double = [w.astype(float) for w in weights]
    tolerance = 100 * max(float(np.finfo(Precision(precision).dtype).eps), 2.3e-16)
    assert relative(forward.loss, double.forward(weights_double).loss) < tolerance
    right = gradient(EXACT, double, weights_double)
    for mine, theirs in zip(EXACT.gradient(problem, forward, weights), right, strict=True):
        assert mine.dtype == Precision(precision).dtype
        assert relative(mine, theirs) < tolerance


@pytest.mark.parametrize("precision", Precision)
@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("output", ["sigmoid", "softmax", "relu"])
def test_a_problem_of_a_batch_has_the_bits_it_has_alone(loss, output, precision):
    """With eps and the derivative at zero as arrays along the batch, one value a problem."""
    zeros = np.array([0.0, 0.5, 1.0]).reshape(-1, 1, 1)
    eps = np.array([1e-3, 0.05, 0.3]).reshape(-1, 1, 1)
    choice = {"activation": "relu", "loss": loss, "output": output, "clip": "clamp", "hidden": (9, 6)}
    alone = []
    for seed, e, zero in zip(range(3), eps.ravel(), zeros.ravel(), strict=True):
        problem, weights = random_problem(seed, eps=e, precision=precision, samples=33, bias="zero", **choice)
        problem.inputs[::4] = 0  # every unit of these samples is on its kink
        alone.append((problem, weights, replace(EXACT, relu_at_zero=zero)))
    together = replace(
        alone[0][0],
        inputs=np.stack([p.inputs for p, _, _ in alone]),
        targets=np.stack([p.targets for p, _, _ in alone]),
        eps=eps,
    )
    weights = [np.stack(layer) for layer in zip(*(w for _, w, _ in alone), strict=True)]
    forward = together.forward(weights)
    gradients = replace(EXACT, relu_at_zero=zeros).gradient(together, forward, weights)
    accuracy = together.accuracy(forward.outputs, labels_of(together.targets))
    for k, (problem, own, rule) in enumerate(alone):
        single = problem.forward(own)
        assert np.array_equal(forward.loss[k], single.loss, equal_nan=True)
        assert np.array_equal(accuracy[k], problem.accuracy(single.outputs, labels_of(problem.targets)))
        for mine, right in zip(gradients, rule.gradient(problem, single, own), strict=True):
            assert np.array_equal(mine[k], right, equal_nan=True)


def on_the_kink():
    """A ReLU network whose first sample puts every hidden unit on zero exactly."""
    problem, weights = random_problem(8, activation="relu", bias="zero")
    problem.inputs[0] = 0
    return problem, weights


@pytest.mark.parametrize("at_zero", [0.0, 0.5, 1.0, 0.3])
def test_at_a_kink_the_incoming_gradient_is_multiplied_by_the_chosen_number(at_zero):
    problem, weights = on_the_kink()
    biases = [
        gradient(BackwardRule(relu_at_zero=number), problem, weights)[0][:, -1]
        for number in (0.0, at_zero, 1.0)
    ]
    np.testing.assert_allclose(biases[1], biases[0] + at_zero * (biases[2] - biases[0]), rtol=1e-12)
    assert not np.allclose(biases[0], biases[2])


def test_assign_puts_the_number_in_the_place_of_the_incoming_gradient():
    problem, weights = on_the_kink()
    biases = {}
    for kink in KinkRule:
        rule = BackwardRule(relu_at_zero=1.0, kink=kink)
        biases[kink] = gradient(rule, problem, weights)[0][:, -1]
    none = gradient(BackwardRule(relu_at_zero=0.0), problem, weights)[0][:, -1]
    np.testing.assert_allclose(biases["assign"], none + 1, rtol=1e-12)  # one sample on the kink: one more 1
    assert not np.allclose(biases["multiply"], biases["assign"])


@pytest.mark.parametrize("kink", KinkRule)
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_conventions_at_a_kink_change_nothing_away_from_it(activation, kink):
    problem, weights = random_problem(9, activation=activation)
    usual = gradient(EXACT, problem, weights)
    for a, b in zip(gradient(BackwardRule(relu_at_zero=1, kink=kink), problem, weights), usual, strict=True):
        assert np.array_equal(a, b)


@pytest.mark.parametrize("clip", CLIPS)
def test_a_clip_that_is_ignored_is_differentiated_as_if_it_were_not_there(clip):
    problem, weights = random_problem(10, loss="binary_cross_entropy", clip=clip, eps=0.2, init_scale=2)
    plain = replace(problem, clip=CLIPS["none"]())
    modes = {m: gradient(BackwardRule(clip_backward=m), problem, weights) for m in ClipBackward}
    for a, b in zip(modes["ignored"], gradient(EXACT, plain, weights), strict=True):
        assert np.array_equal(a, b)
    same = all(np.array_equal(*pair) for pair in zip(*modes.values(), strict=True))
    assert same == (clip in ("none", "log_floor"))  # 1e-44 is out of reach here


@pytest.mark.parametrize("precision", Precision)
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_saturated_networks_give_numbers_not_warnings(activation, precision):
    for output in OUTPUTS:
        for loss in LOSSES:
            problem, weights = random_problem(
                12, activation=activation, output=output, loss=loss, precision=precision, init_scale=3000
            )
            found = gradient(EXACT, problem, weights)
            assert [g.shape for g in found] == [w.shape for w in weights]


@pytest.mark.parametrize("loss", LOSSES)
def test_accuracy_counts_the_largest_output_or_the_threshold(loss):
    many, _ = random_problem(0, samples=4, loss=loss)
    outputs = many.targets * 2 - 1
    assert many.accuracy(outputs, labels_of(many.targets)) == 1
    outputs[0] = -outputs[0]
    assert many.accuracy(outputs, labels_of(many.targets)) == 0.75
    outputs[1] = np.nan
    assert many.accuracy(outputs, labels_of(many.targets)) == 0.5
    one, _ = random_problem(0, samples=4, loss=loss, outputs=1)
    threshold = LOSSES[loss]().threshold
    assert one.accuracy(one.targets - 0.5 + threshold, labels_of(one.targets)) == 1
    assert one.accuracy(0.5 - one.targets + threshold, labels_of(one.targets)) == 0


def test_eps_is_rounded_to_the_problems_precision():
    problem, _ = random_problem(0, precision="float16", loss="binary_cross_entropy", clip="floor", eps=1e-12)
    assert problem.eps == 0
