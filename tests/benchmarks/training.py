"""Training many replicates of one network, beside a PyTorch loop and a JAX program.

64-32-10 on digits, ReLU + softmax, mini-batches of 64, 200 steps of gradient descent, 32 seeds.
backproof's side also records loss and accuracy of every step, and the cosine to the exact gradient
and dead units of every tenth, as a sweep's cells do. The peers train, and nothing else. And the run beside
its matrix products alone, for batches of 1 to 48 networks; and networks of different backward rules in one
batch, beside each alone.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from joblib import Parallel, delayed, parallel_config
from rounds import alternate, heading, line, ratios, shown
from threadpoolctl import threadpool_limits

from backproof.data.digits import digits
from backproof.network.activations import ACTIVATIONS
from backproof.network.clips import CLIPS
from backproof.network.faults import FAULTS
from backproof.network.initial import initial_weights
from backproof.network.losses import LOSSES
from backproof.network.outputs import OUTPUTS
from backproof.network.problem import Problem
from backproof.network.rules import BackwardRule
from backproof.training import Plan, Samples, train
from backproof.training.optimisers import OPTIMISERS
from backproof.training.parts import Part, Parts
from backproof.training.run import DEAD_UNIT_SAMPLES

REPLICATES, STEPS, BATCH, EVERY, RATE = 32, 200, 64, 10, 0.1
WIDTHS = (64, 32, 10)
OURS = "backproof, two workers"
TORCH, JAX = "PyTorch loop, one after another", "JAX jit(vmap), compiled before"


def main(rounds: int) -> None:
    data = digits().draw(np.random.default_rng(0))
    inputs, targets = data.inputs, data.targets
    starts = starting_weights(WIDTHS, REPLICATES)
    heading(f"Training {REPLICATES} replicates, {STEPS} steps: how many times slower than backproof")
    with threadpool_limits(1, user_api="blas"), parallel_config("loky", n_jobs=2, inner_max_num_threads=1):
        works = {
            OURS: lambda: on_two_workers(inputs, targets, starts),
            "backproof, one worker": lambda: ours(inputs, targets, starts, range(REPLICATES)),
            TORCH: with_torch(inputs, targets, starts),
            JAX: with_jax(inputs, targets, starts),
        }
        times = alternate(works, rounds)
    asked = {TORCH: "at least 50", JAX: "at least 1"}
    for name in works:
        ratio = ratios(times, name, OURS)
        line("64-32-10 relu + softmax on digits", name, times[name], ratio, asked.get(name, ""))
    with threadpool_limits(1, user_api="blas"):
        beside_products(inputs, targets, rounds)
        of_different_rules(inputs, targets, rounds)


def beside_products(inputs, targets, rounds) -> None:
    """A training run beside its matrix products alone, as the batch of networks grows."""
    heading("Training, its matrix products alone, and their ratio; ms of a network's step, one core")
    for hidden in (32, 100):
        for cells in (1, 4, 16, 48):
            widths = (inputs.shape[1], hidden, targets.shape[1])
            starts = starting_weights(widths, cells)
            works = {
                "run": lambda s=starts, n=cells: ours(inputs, targets, s, range(n)),
                "products": products(widths, cells, len(inputs)),
            }
            times = alternate(works, rounds)
            each = {name: [1000 * t / (STEPS * cells) for t in found] for name, found in times.items()}
            run, alone = (shown(each[name]) for name in works)
            ratio = shown(ratios(times, *works))
            print(
                f"64-{hidden}-10, {cells:2} networks   {run}   {alone}   × {ratio}   at most 1.5", flush=True
            )


def products(widths, cells, samples):
    """The matrix products of a run and nothing else, of random numbers that are there before."""
    draw, layers = np.random.default_rng(0), list(pairwise(widths))
    w = [draw.standard_normal((cells, out, units + 1)) for units, out in layers]
    deltas = [draw.standard_normal((cells, BATCH, out)) for _, out in layers]
    entering = {
        rows: [draw.standard_normal((cells, rows, units + 1)) for units, _ in layers]
        for rows in (BATCH, DEAD_UNIT_SAMPLES, samples)
    }

    def forward(rows):
        for a, each in zip(entering[rows], w, strict=True):
            a @ each.mT

    def run() -> None:
        for step in range(STEPS):
            forward(BATCH)
            for layer, delta in enumerate(deltas):
                delta.mT @ entering[BATCH][layer]
                if layer:
                    delta @ w[layer][..., :-1]
            if step % EVERY == 0:
                forward(DEAD_UNIT_SAMPLES)
        for _ in ("the loss at first", "the loss at last"):
            forward(samples)

    return run


def of_different_rules(inputs, targets, rounds) -> None:
    """Networks of one seed with a fault each, in one batch and one by one."""
    heading(
        "Networks of different backward rules: one batch, each alone, and the ratio; ms of a network's step"
    )
    rules = [
        BackwardRule(fault=FAULTS[name](), relu_at_zero=0.0) for name in sorted(FAULTS) if name != "mutant"
    ]
    for hidden in (32, 100):
        (start,) = starting_weights((inputs.shape[1], hidden, targets.shape[1]), 1)
        works = {
            "one batch": lambda s=start: ours_by_rules(inputs, targets, s, rules),
            "alone": lambda s=start: [ours_by_rules(inputs, targets, s, [rule]) for rule in rules],
        }
        times = alternate(works, rounds)
        each = {name: [1000 * t / (STEPS * len(rules)) for t in found] for name, found in times.items()}
        together, alone = (shown(each[name]) for name in works)
        ratio = shown(ratios(times, "alone", "one batch"))
        print(f"64-{hidden}-10, {len(rules)} rules   {together}   {alone}   × {ratio}", flush=True)


def starting_weights(widths, count):
    return [initial_weights(widths, 1.0, "zero", np.random.default_rng(k), np.float64) for k in range(count)]


def on_two_workers(inputs, targets, starts):
    """As a sweep on two cores: two batches, workers warm."""
    halves = range(REPLICATES // 2), range(REPLICATES // 2, REPLICATES)
    Parallel(batch_size=1)(delayed(ours)(inputs, targets, starts, half) for half in halves)


def ours(inputs, targets, starts, replicates):
    """As a batch of a sweep's cells."""
    starts = [starts[k] for k in replicates]
    runs = trained(inputs, targets, starts, BackwardRule(relu_at_zero=0.0), replicates)
    learned([run.final_loss for run in runs])


def ours_by_rules(inputs, targets, start, rules):
    """The same network by each rule; what it learns is another matter."""
    parts = [Part(slice(k, k + 1), CLIPS["none"](), rule) for k, rule in enumerate(rules)]
    trained(inputs, targets, [start] * len(rules), Parts(parts), [0] * len(rules))


def trained(inputs, targets, starts, rule, seeds):
    cells = len(starts)
    parts = (
        ACTIVATIONS["relu"](),
        OUTPUTS["softmax"](),
        LOSSES["categorical_cross_entropy"](),
        CLIPS["none"](),
    )
    template = Problem(inputs, targets, *parts, np.zeros((cells, 1, 1)), reduction="sample_mean")
    plan = Plan(OPTIMISERS["sgd"](), np.full((STEPS, cells), RATE), STEPS, BATCH, EVERY, 0.9)
    samples = [Samples(inputs, targets, *(inputs[:1], targets[:1]) * 2)] * cells
    generators = [np.random.default_rng(seed) for seed in seeds]
    stacked = [np.stack(layer) for layer in zip(*starts, strict=True)]
    return train(template, stacked, rule, plan, samples, generators)


def learned(losses) -> None:
    """No side may win by not learning."""
    assert max(losses) < 0.5, max(losses)


def with_torch(inputs, targets, starts):
    """nn modules, SGD, one replicate after another, in float64 like ours."""
    import torch
    from torch import nn

    torch.set_default_dtype(torch.float64)
    x, t = torch.tensor(inputs), torch.tensor(targets)

    def run() -> None:
        losses = []
        for k, (first, second) in enumerate(starts):
            net = nn.Sequential(nn.Linear(*WIDTHS[:2]), nn.ReLU(), nn.Linear(*WIDTHS[1:]))
            with torch.no_grad():
                for linear, w in ((net[0], first), (net[2], second)):
                    linear.weight.copy_(torch.tensor(w[:, :-1]))
                    linear.bias.copy_(torch.tensor(w[:, -1]))
            optimiser, criterion = torch.optim.SGD(net.parameters(), lr=RATE), nn.CrossEntropyLoss()
            draw = torch.Generator().manual_seed(k)
            order, position = None, len(x)
            for _ in range(STEPS):
                if position + BATCH > len(x):
                    order, position = torch.randperm(len(x), generator=draw), 0
                rows = order[position : position + BATCH]
                position += BATCH
                optimiser.zero_grad()
                criterion(net(x[rows]), t[rows]).backward()
                optimiser.step()
            with torch.no_grad():
                losses.append(float(criterion(net(x), t)))
        learned(losses)

    return run


def with_jax(inputs, targets, starts):
    """A scan over the steps under vmap over the replicates, mini-batches drawn beforehand."""
    import jax
    import jax.numpy as jnp

    jax.config.update("jax_enable_x64", True)
    x, t = jnp.asarray(inputs), jnp.asarray(targets)
    weights = [jnp.stack(layer) for layer in zip(*starts, strict=True)]

    def loss(w, x, t):
        hidden = jax.nn.relu(x @ w[0][:, :-1].T + w[0][:, -1])
        z = hidden @ w[1][:, :-1].T + w[1][:, -1]
        return -(t * jax.nn.log_softmax(z)).sum() / len(x)

    def one(w, rows):
        def step(w, rows):
            g = jax.grad(loss)(w, x[rows], t[rows])
            return [a - RATE * b for a, b in zip(w, g, strict=True)], None

        w, _ = jax.lax.scan(step, w, rows)
        return loss(w, x, t)

    program = jax.jit(jax.vmap(one))

    def run() -> None:
        rows = np.empty((REPLICATES, STEPS, BATCH), np.int32)
        for k in range(REPLICATES):
            draw, position, order = np.random.default_rng(k), len(inputs), None
            for step in range(STEPS):
                if position + BATCH > len(inputs):
                    order, position = draw.permutation(len(inputs)), 0
                rows[k, step] = order[position : position + BATCH]
                position += BATCH
        learned(np.asarray(program(weights, jnp.asarray(rows))))

    return run
