"""Training runs: against a loop on JAX's gradients, alone and in batches, and where they go wrong."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from backproof.network.activations import ACTIVATIONS
from backproof.network.clips import CLIPS
from backproof.network.deltas import DELTAS
from backproof.network.faults import FAULTS
from backproof.network.initial import initial_weights
from backproof.network.losses import LOSSES
from backproof.network.problem import Problem
from backproof.network.rules import BackwardRule
from backproof.training import Plan, Samples, train
from backproof.training.optimisers.adam import adam
from backproof.training.optimisers.momentum import momentum
from backproof.training.optimisers.sgd import sgd
from backproof.training.parts import Part, Parts

RULE = BackwardRule()
IDENTITY, RELU, SIGMOID, TANH = (ACTIVATIONS[name]() for name in ("identity", "relu", "sigmoid", "tanh"))
SQUARED_ERROR, BINARY_CROSS_ENTROPY = LOSSES["squared_error"](), LOSSES["binary_cross_entropy"]()
NONE, FLOOR = CLIPS["none"](), CLIPS["floor"]()
DOUBLED, SIGN = FAULTS["doubled"](), FAULTS["sign"]()
Y_MINUS_T = DELTAS["y_minus_t"]()


def samples_of(seed, count=12, features=3, outputs=2, dtype=np.float64):
    generator = np.random.default_rng(seed)

    def part(n):
        labels = generator.integers(0, outputs, n)
        inputs = generator.standard_normal((n, features)) + labels[:, None]
        return inputs.astype(dtype), np.eye(outputs)[labels].astype(dtype)

    return Samples(*part(count), *part(7), *part(5))


def weights_of(seed, widths=(3, 4, 2), dtype=np.float64, scale=1.0):
    return initial_weights(widths, scale, "normal", np.random.default_rng([seed, 1]), dtype)


def problem_of(samples, activation=TANH, output=SIGMOID, loss=SQUARED_ERROR, clip=NONE, **more):
    return Problem(samples.inputs, samples.targets, activation, output, loss, clip, **more)


def plan_of(rates=(0.5,), optimiser=None, steps=6, batch=None, every=2, threshold=0.9):
    return Plan(optimiser or sgd(), np.tile(rates, (steps, 1)), steps, batch, every, threshold)


def run_one(samples, weights, plan, rule=RULE, problem=None, seed=0):
    stacked = [w[None] for w in weights]
    generators = [np.random.default_rng(seed)]
    return train(problem or problem_of(samples), stacked, rule, plan, [samples], generators)[0]


# --- against an independent implementation


def jax_loss(weights, inputs, targets):
    """½(y − t)² of a tanh network with sigmoid outputs, the mean over samples."""
    hidden = jnp.tanh(inputs @ weights[0][:, :-1].T + weights[0][:, -1])
    outputs = jax.nn.sigmoid(hidden @ weights[1][:, :-1].T + weights[1][:, -1])
    return ((outputs - targets) ** 2).sum() / 2 / len(inputs)


def jax_run(samples, weights, update, batches):
    """The loss at each step and after the last one."""
    weights, losses = [jnp.asarray(w) for w in weights], []
    for chosen in batches:
        x, t = samples.inputs[chosen], samples.targets[chosen]
        loss, gradients = jax.value_and_grad(jax_loss)(weights, x, t)
        losses.append(float(loss))
        weights = update(weights, gradients)
    return [*losses, float(jax_loss(weights, samples.inputs, samples.targets))]


def plain(rate):
    return lambda weights, gradients: [w - rate * g for w, g in zip(weights, gradients, strict=True)]


class HeavyBall:
    def __init__(self, rate, factor):
        self.rate, self.factor, self.velocity = rate, factor, None

    def __call__(self, weights, gradients):
        before = self.velocity or [0 * g for g in gradients]
        self.velocity = [self.factor * v + g for v, g in zip(before, gradients, strict=True)]
        return [w - self.rate * v for w, v in zip(weights, self.velocity, strict=True)]


class Adam:
    def __init__(self, rate):
        self.rate, self.t, self.m, self.s = rate, 0, 0.0, 0.0

    def __call__(self, weights, gradients):
        flat = jnp.concatenate([g.ravel() for g in gradients])
        self.t += 1
        self.m = 0.9 * self.m + 0.1 * flat
        self.s = 0.999 * self.s + 0.001 * flat**2
        step = self.m / (1 - 0.9**self.t) / (jnp.sqrt(self.s / (1 - 0.999**self.t)) + 1e-8)
        cuts = np.cumsum([w.size for w in weights])[:-1]
        parts = jnp.split(self.rate * step, cuts)
        return [w - p.reshape(w.shape) for w, p in zip(weights, parts, strict=True)]


@pytest.mark.parametrize(
    ("optimiser", "update"),
    [(sgd(), plain(0.5)), (momentum(0.9), HeavyBall(0.5, 0.9)), (adam(), Adam(0.5))],
    ids=["sgd", "momentum", "adam"],
)
def test_a_full_batch_run_is_the_one_that_jax_makes(optimiser, update):
    samples, weights = samples_of(0), weights_of(0)
    run = run_one(samples, weights, plan_of(optimiser=optimiser))
    expected = jax_run(samples, weights, update, [slice(None)] * 6)
    assert [*run.curves["loss"][1], run.final_loss] == pytest.approx(expected, rel=1e-12)


def test_a_mini_batch_run_goes_through_shuffled_epochs():
    samples, weights = samples_of(0), weights_of(0)
    run = run_one(samples, weights, plan_of(batch=5, steps=5), seed=7)
    generator, batches = np.random.default_rng(7), []
    for _ in range(3):  # 12 samples are two batches of five; the rest of an epoch is left out
        order = generator.permutation(12)
        batches += [order[:5], order[5:10]]
    expected = jax_run(samples, weights, plain(0.5), batches[:5])
    assert [*run.curves["loss"][1], run.final_loss] == pytest.approx(expected, rel=1e-12)


def test_a_batch_larger_than_the_data_is_the_full_one():
    samples, weights = samples_of(0), weights_of(0)
    full, large = (run_one(samples, weights, plan_of(batch=b)) for b in (None, 99))
    assert full.final_loss == large.final_loss
    assert full.steps_to_threshold == large.steps_to_threshold


@pytest.mark.parametrize("reduction", ["mean", "sample_mean"])
@pytest.mark.parametrize("optimiser", [sgd(), momentum(), adam()], ids=lambda o: o.name)
def test_a_learning_rate_means_the_same_whatever_the_reduction(reduction, optimiser):
    samples, weights, plan = samples_of(0), weights_of(0), plan_of(optimiser=optimiser)
    summed = run_one(samples, weights, plan)
    other = run_one(samples, weights, plan, problem=problem_of(samples, reduction=reduction))
    assert other.final_loss == pytest.approx(summed.final_loss, rel=1e-12)


# --- a network's numbers do not depend on its neighbours


def same(a, b):
    """Two runs, to the last bit."""
    for name in ("final_loss", "accuracy", "steps_to_threshold", "diverged_at", "dead_units", "cosine"):
        left, right = getattr(a, name), getattr(b, name)
        assert left == right or (left != left and right != right), name
    assert a.curves.keys() == b.curves.keys()
    for name, (steps, values) in a.curves.items():
        assert np.array_equal(steps, b.curves[name][0])
        assert np.asarray(values).tobytes() == np.asarray(b.curves[name][1]).tobytes(), name


@pytest.mark.parametrize("batch", [None, 5])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.longdouble])
@pytest.mark.parametrize("optimiser", [sgd(), momentum(), adam()], ids=lambda o: o.name)
def test_batched_is_alone_to_the_last_bit(batch, dtype, optimiser):
    count = 7
    samples = [samples_of(i, dtype=dtype) for i in range(count)]
    weights = [weights_of(i, dtype=dtype) for i in range(count)]
    rates = [0.01 * 10 ** (i / 2) for i in range(count)]
    eps = np.array([10.0**-i for i in range(2, 2 + count)], dtype).reshape(-1, 1, 1)
    at_zero = np.linspace(0, 1, count).astype(dtype).reshape(-1, 1, 1)
    template = problem_of(samples[0], RELU, SIGMOID, BINARY_CROSS_ENTROPY, FLOOR)
    plan = plan_of(rates, optimiser, batch=batch, steps=8, every=3)
    decay = 1 / (1 + np.arange(8)[:, None])

    def run(cells):
        chosen = list(cells)
        return train(
            replace(template, eps=eps[chosen]),
            [np.stack(layer) for layer in zip(*(weights[i] for i in chosen), strict=True)],
            replace(RULE, relu_at_zero=at_zero[chosen]),
            replace(plan, rates=plan.rates[:, chosen] * decay),
            [samples[i] for i in chosen],
            [np.random.default_rng(i) for i in chosen],
        )

    together, reversed_ = run(range(count)), run(reversed(range(count)))
    for i in range(count):
        same(together[i], run([i])[0])
        same(together[i], reversed_[count - 1 - i])


def test_the_given_weights_are_left_as_they_are():
    samples, weights = samples_of(0), weights_of(0)
    before = [w.copy() for w in weights]
    run_one(samples, weights, plan_of())
    assert all(np.array_equal(a, b) for a, b in zip(weights, before, strict=True))


def test_a_diverging_neighbour_spoils_nobody():
    samples, weights = samples_of(0), weights_of(0)
    problem = problem_of(samples, IDENTITY, IDENTITY)
    alone = run_one(samples, weights, plan_of(steps=200, rates=[0.01]), problem=problem)
    wild, mild = train(
        problem,
        [np.stack([w, w]) for w in weights],
        RULE,
        plan_of(steps=200, rates=[50.0, 0.01]),
        [samples] * 2,
        [np.random.default_rng(0)] * 2,
    )
    same(mild, alone)
    assert not np.isfinite(wild.final_loss)


# --- networks whose clips or rules differ


def parts_of(*clips, starts=(0, 1)):
    return Parts([
        Part(slice(start, start + 1), CLIPS[clip](), BackwardRule())
        for start, clip in zip(starts, clips, strict=True)
    ])  # fmt: skip


def test_the_clip_of_several_has_no_edges_and_uses_eps_where_one_does():
    with pytest.raises(NotImplementedError, match="edges of their own"):
        parts_of("floor", "clamp").clip.edges(np.zeros((2, 1, 1)))
    assert parts_of("none", "floor").clip.uses_eps
    assert not parts_of("none", "log_floor").clip.uses_eps


@pytest.mark.parametrize("starts", [(1, 2), (0, 2), (0, 0), (1, 0)])
def test_parts_follow_one_another(starts):
    with pytest.raises(ValueError, match="must follow one another"):
        parts_of("floor", "clamp", starts=starts)


def test_there_are_as_many_networks_in_the_parts_as_samples():
    samples, weights = samples_of(0), [w[None] for w in weights_of(0)]
    plan = plan_of()
    with pytest.raises(ValueError, match="parts of 2 networks for samples of 1"):
        train(problem_of(samples), weights, parts_of("floor", "clamp"), plan, [samples], [None])


def test_one_eps_may_serve_several_clips():
    samples = [samples_of(seed) for seed in (0, 1)]
    weights = [np.stack(layer) for layer in zip(*map(weights_of, (0, 1)), strict=True)]
    given = problem_of(samples[0], loss=BINARY_CROSS_ENTROPY, eps=0.3)
    several = given, replace(given, eps=np.full((2, 1, 1), 0.3))
    one, other = (
        train(problem, weights, parts_of("floor", "shift"), plan_of((0.5, 0.5)), samples, [None] * 2)
        for problem in several
    )
    assert [run.results for run in one] == [run.results for run in other]


# --- what is read off a run


def test_divergence_is_a_result_not_an_error():
    samples, weights = samples_of(0), weights_of(0)
    problem = problem_of(samples, IDENTITY, IDENTITY)
    run = run_one(samples, weights, plan_of(steps=300, rates=[50.0]), problem=problem)
    loss = run.curves["loss"][1]
    assert not np.isfinite(run.final_loss)
    assert run.diverged_at == np.flatnonzero(~(loss <= 10 * loss[0]))[0] > 0
    assert run.accuracy == 0, "outputs that are not finite are not right"


def test_a_run_that_starts_at_a_loss_that_is_not_finite_has_diverged_at_once():
    samples, weights = samples_of(0), weights_of(0, scale=1e4)
    run = run_one(
        samples,
        weights,
        plan_of(),
        problem=problem_of(samples, output=SIGMOID, loss=BINARY_CROSS_ENTROPY),
    )
    assert run.diverged_at == 0


def test_a_run_that_diverges_only_after_its_last_step():
    samples, weights = samples_of(0), weights_of(0)
    problem = problem_of(samples, IDENTITY, IDENTITY)
    run = run_one(samples, weights, plan_of(steps=1, rates=[50.0]), problem=problem)
    assert run.diverged_at == 1


def test_accuracy_and_validation_are_of_their_own_parts():
    samples, weights = samples_of(0), weights_of(0)
    run = run_one(samples, weights, plan_of(steps=3))
    test = replace(samples, validation_inputs=samples.test_inputs, validation_targets=samples.test_targets)
    other = run_one(test, weights, plan_of(steps=3))
    assert other.accuracy == run.accuracy == other.validation_accuracy
    assert other.validation_loss != run.validation_loss
    seen = replace(samples, validation_inputs=samples.inputs, validation_targets=samples.targets)
    assert run_one(seen, weights, plan_of(steps=3)).validation_loss == run.final_loss


def test_an_ordinary_run_does_not_diverge():
    assert run_one(samples_of(0), weights_of(0), plan_of()).diverged_at is None


def line(start, steps, threshold=0.9, batch=None, count=10, rate=0.05):
    """A run of y = w·x + b on targets of one: as y rises from `start`, more and more samples are right."""
    inputs = (np.arange(count)[:, None] + 1.0) / count
    samples = Samples(*(inputs, np.ones((count, 1))) * 3)
    weights = [np.array([[[start, 0.0]]])]
    problem = Problem(inputs, samples.targets, IDENTITY, IDENTITY, SQUARED_ERROR, NONE)
    plan = plan_of([rate], steps=steps, threshold=threshold, batch=batch)
    return train(problem, weights, RULE, plan, [samples], [np.random.default_rng(0)])[0]


def test_steps_to_threshold_counts_the_steps_taken_before_it_was_reached():
    run = line(0.0, 60)
    accuracy = run.curves["accuracy"][1]
    assert run.steps_to_threshold == np.flatnonzero(accuracy >= 0.9)[0] > 0


def test_a_threshold_that_is_never_reached():
    run = line(0.0, 3)
    assert run.curves["accuracy"][1].max() < 0.9
    assert run.steps_to_threshold is None


def test_mini_batch_accuracies_are_averaged_over_ten_steps():
    run = line(0.0, 80, batch=4, threshold=0.95)
    accuracy = run.curves["accuracy"][1]
    means = [accuracy[max(0, i - 9) : i + 1].mean() for i in range(80)]
    expected = next(i for i in range(9, 80) if means[i] >= 0.95)
    assert run.steps_to_threshold == expected
    assert expected > np.flatnonzero(accuracy >= 0.95)[0], "or the averaging was not needed"


def test_a_threshold_of_one_can_be_reached_by_mini_batches():
    run = line(100.0, 20, batch=4, threshold=1.0, rate=1e-9)
    assert run.steps_to_threshold == 9


def test_the_exact_rule_has_cosine_one_and_a_factor_does_not_change_it():
    samples, weights = samples_of(0), weights_of(0)
    for rule in (RULE, replace(RULE, fault=DOUBLED)):
        assert run_one(samples, weights, plan_of(), rule).cosine == pytest.approx(1, abs=1e-12)


def test_the_wrong_sign_has_cosine_minus_one():
    samples, weights = samples_of(0), weights_of(0)
    run = run_one(samples, weights, plan_of(), replace(RULE, fault=SIGN))
    assert run.cosine == pytest.approx(-1, abs=1e-12)


def test_a_wrong_delta_has_a_cosine_below_one():
    samples, weights = samples_of(0), weights_of(0, scale=3.0)
    run = run_one(samples, weights, plan_of(), replace(RULE, delta=Y_MINUS_T))
    assert 0 < run.cosine < 0.999
    assert run.cosine == run.curves["cosine"][1].min()


def test_dead_units_are_those_whose_derivative_is_zero_for_every_sample():
    samples = samples_of(0)
    weights = weights_of(0)
    weights[0][:] = 0
    weights[0][:, -1] = [-1, -1, -1, 1]  # three of four units are negative whatever the input
    run = run_one(samples, weights, plan_of(steps=1), problem=problem_of(samples, RELU))
    assert run.dead_units == 0.75
    assert run_one(samples, weights, plan_of(steps=1)).dead_units == 0


def test_a_network_without_hidden_layers_has_no_dead_units():
    run = run_one(samples_of(0), weights_of(0, (3, 2)), plan_of())
    assert run.dead_units is None
    assert "dead_units" not in run.curves


def test_lengths_of_the_curves():
    run = run_one(samples_of(0), weights_of(0), plan_of(steps=8, every=3))
    assert run.curves["loss"][0].tolist() == run.curves["accuracy"][0].tolist() == list(range(8))
    assert run.curves["cosine"][0].tolist() == run.curves["dead_units"][0].tolist() == [0, 3, 6, 7]
    assert all(len(steps) == len(values) for steps, values in run.curves.values())


@pytest.mark.parametrize("batch", [None, 1, 64])
def test_a_single_sample(batch):
    samples = samples_of(0, count=1)
    run = run_one(samples, weights_of(0), plan_of(batch=batch, steps=50))
    assert run.final_loss < run.curves["loss"][1][0]


@pytest.mark.parametrize("batch", [None, 4])
def test_no_sample_at_all(batch):
    samples = samples_of(0, count=0)
    run = run_one(samples, weights_of(0), plan_of(batch=batch))
    assert run.final_loss == 0
    assert run.cosine is None, "two gradients that vanish have no angle"
    assert run.steps_to_threshold is None


# --- what a mini-batch cannot say alone


def test_an_unlucky_first_sample_is_no_divergence():
    """Single samples differ in loss by orders of magnitude; weights that hardly move do not diverge."""
    samples = samples_of(0, count=40)
    samples.targets[::7] *= 30
    plan = plan_of(rates=(1e-9,), steps=60, batch=1)
    run = run_one(samples, weights_of(0), plan)
    loss = run.curves["loss"][1]
    assert loss.max() > 10 * loss[0]
    assert run.diverged_at is None


def test_mini_batches_that_diverge_are_seen_to():
    run = run_one(samples_of(0, count=40), weights_of(0), plan_of(rates=(1e6,), steps=60, batch=1), RULE,
                  problem_of(samples_of(0, count=40), output=IDENTITY))  # fmt: skip
    assert run.diverged_at is not None


def test_a_unit_that_one_mini_batch_leaves_inactive_is_not_dead():
    samples = samples_of(0, count=40)
    runs = [
        run_one(samples, weights_of(0), plan_of((1e-9,), steps=9, batch=b), problem=problem_of(samples, RELU))
        for b in (1, None)
    ]
    assert runs[0].dead_units == runs[1].dead_units


def test_numbers_as_targets_have_no_accuracy():
    samples = samples_of(0)
    samples.targets[:] = np.linspace(0.5, 50, samples.targets.size).reshape(samples.targets.shape)
    samples.test_targets[:] = 3.5
    run = run_one(samples, weights_of(0), plan_of())
    assert np.isnan(run.accuracy) and run.steps_to_threshold is None
    assert np.isfinite(run.final_loss)
