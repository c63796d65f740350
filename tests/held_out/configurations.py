"""Random configurations of the network and right and wrong rules for each: the judge of the network's judge.

    python tests/held_out/configurations.py --seed 1 --count 300

A configuration is drawn from a seed and nothing else, and so are its rules. The chain rule, with any
weight at kinks, is right by construction (tests/network holds it to JAX's and to fifty digits), so a verdict
against it is a false alarm, unless what the verdict says is found to be so without the kernel's help. A rule
that is off by a known amount must not be called right where that amount is beyond the resolution reported.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np
from threadpoolctl import threadpool_limits

from backproof.data import SOURCES
from backproof.network.activations import ACTIVATIONS
from backproof.network.arrays import Array, Precision
from backproof.network.clips import CLIPS
from backproof.network.faults import FAULTS, Fault, Operation
from backproof.network.faults.fault import Setting
from backproof.network.initial import initial_weights
from backproof.network.losses import LOSSES, Reduction
from backproof.network.outputs import OUTPUTS
from backproof.network.problem import Forward, Problem
from backproof.network.rules import Backward, BackwardRule
from backproof.sweeps.checking import Checkable, evaluated
from backproof.targets.layout import flattened
from backproof.targets.network import in_precision
from backproof.verdicts import Judgement, Verdict, judge
from backproof.verdicts.network import NetworkTarget

PRECISIONS = {
    Precision.FLOAT64: 0.5,
    Precision.FLOAT32: 0.25,
    Precision.FLOAT16: 0.15,
    Precision.LONGDOUBLE: 0.1,
}

LARGE_SHARE = 0.01
"""The share of configurations with up to a million parameters."""

TWO_BOUNDS = 2.0
"""A gradient off by e agrees where e is up to two bounds: the estimate may be off by one of them itself."""


@dataclass(frozen=True)
class Configuration:
    """A problem at a point, the right rule for it, and what was drawn, in words."""

    seed: int
    problem: Problem
    weights: list[Array]
    rule: BackwardRule
    text: str


def configuration(seed: int) -> Configuration:
    """The configuration of a seed: any activation, output, loss, clip, precision, depth, width and scale."""
    rng = np.random.default_rng([18, seed])
    precision = Precision(rng.choice(list(PRECISIONS), p=list(PRECISIONS.values())))
    loss = LOSSES.records()[rng.integers(len(LOSSES))]
    output = _output(rng, loss)
    inputs, targets, source = _data(rng)
    large = rng.random() < LARGE_SHARE and precision in (Precision.FLOAT64, Precision.FLOAT32)
    widths = _widths(rng, inputs.shape[1], targets.shape[1], large)
    scale = float(10 ** rng.uniform(-3, 3)) if rng.random() < 0.5 else 1.0
    bias = str(rng.choice(["zero", "normal"]))
    weights = initial_weights(widths, scale, bias, rng, precision.dtype)
    clip = CLIPS.records()[rng.integers(len(CLIPS))]
    problem = Problem(
        inputs.astype(precision.dtype),
        targets.astype(precision.dtype),
        ACTIVATIONS.records()[rng.integers(len(ACTIVATIONS))],
        output,
        loss,
        clip,
        float(10 ** rng.uniform(-16, -1)),
        Reduction(rng.choice(list(Reduction))),
        float(10 ** rng.uniform(-4, 0)) if rng.random() < 0.5 else 0.0,
    )
    rule = BackwardRule(relu_at_zero=float(rng.choice([0.0, 0.5, 1.0])))
    text = (
        f"{precision} {source}, widths {widths}, N {len(inputs)}, {problem.activation.name}/{output.name}/"
        f"{loss.name}, clip {clip.name} {float(problem.eps):.1e}, {problem.reduction}, l2 {problem.l2:.1e}, "
        f"weights {scale:.1e}, bias {bias}, kinks {rule.relu_at_zero}"
    )
    return Configuration(seed, problem, weights, rule, text)


def _output(rng: np.random.Generator, loss: object) -> object:
    """Any; mostly one whose range is the loss's domain, where that is an interval."""
    fitting = [o for o in OUTPUTS.records() if o.name in ("sigmoid", "softmax", "hard_sigmoid")]
    within = loss.uses_clip and rng.random() < 0.7
    among = fitting if within else OUTPUTS.records()
    return among[rng.integers(len(among))]


def _data(rng: np.random.Generator) -> tuple[Array, Array, str]:
    """Up to 32 samples of a source; in a third of the cases each column, in another all, in other units."""
    name = str(rng.choice(["digits", "gaussian", "moons", "xor"]))
    found = SOURCES[name]().draw(rng)
    count = int(np.clip(2 ** rng.uniform(0, 5.1), 1, len(found.inputs)))
    inputs, targets = found.inputs[:count], found.targets[:count]
    units = rng.random()
    if units < 1 / 3:
        inputs = inputs * 10 ** rng.uniform(-3, 3, inputs.shape[1])
        name += " (columns in units of their own)"
    elif units < 2 / 3:
        factor = 10 ** rng.uniform(-3, 3)
        inputs = inputs * factor
        name += f" (times {factor:.1e})"
    return inputs, targets, name


def _widths(rng: np.random.Generator, features: int, outputs: int, large: bool) -> list[int]:
    depth = int(rng.integers(1, 5))
    if large:
        return [features, *(int(2 ** rng.uniform(6, 10)) for _ in range(min(depth, 3))), outputs]
    return [features, *(int(2 ** rng.uniform(0, 6.01)) for _ in range(depth - 1)), outputs]


@dataclass(frozen=True)
class Scaled:
    """The right rule but for some entries of one layer's gradient, which are (1 + d) times too large."""

    right: BackwardRule
    layer: int
    entries: tuple[Array | slice, Array | slice]
    factor: float

    def backward(self, problem: Problem, forward: Forward, weights: list[Array]) -> Backward:
        """The right backward pass, with the mistake in it."""
        found = self.right.backward(problem, forward, weights)
        wrong = [g.copy() for g in found.gradients]
        at = wrong[self.layer]
        at[self.entries] *= at.dtype.type(self.factor)
        return Backward(found.deltas, wrong)


def wrong_rules(case: Configuration, count: int) -> Iterator[tuple[str, object]]:
    """Rules that are off: by a factor, somewhere in a gradient or a delta, or as a planted fault is."""
    rng = np.random.default_rng([81, case.seed])
    planted = [f for f in FAULTS.records() if f.operation is not None and f.matters(_setting(case))]
    for _ in range(count):
        d = float(10 ** rng.uniform(np.log10(3e-3), 0) * rng.choice([-1, 1]))
        layer = int(rng.integers(len(case.weights)))
        rows, columns = case.weights[layer].shape
        j, p = int(rng.integers(rows)), int(rng.integers(columns))
        kind = rng.integers(6)
        if kind < 4:
            name, entries = [
                (f"layer {layer + 1}", np.s_[:, :]),
                (f"unit {j} of layer {layer + 1}", np.s_[j : j + 1, :]),
                (f"input {p} of layer {layer + 1}", np.s_[:, p : p + 1]),
                (f"W{layer + 1}[{j}, {p}]", np.s_[j : j + 1, p : p + 1]),
            ][kind]
            yield f"{name} times {1 + d:.4g}", Scaled(case.rule, layer, entries, 1 + d)
        elif kind == 4 or not planted:
            yield f"delta of layer {layer + 1} times {1 + d:.4g}", _mutated_delta(case, layer, 1 + d)
        else:
            fault = planted[rng.integers(len(planted))]
            yield f"fault {fault.name}", replace(case.rule, fault=fault)


def _mutated_delta(case: Configuration, layer: int, factor: float) -> BackwardRule:
    last = len(case.weights) - 1
    operation = Operation.OUTPUT_DELTA if layer == last else Operation.HIDDEN_DERIVATIVE

    def change(right, here):
        return right * right.dtype.type(factor) if here.layer == layer else right

    return replace(case.rule, fault=Fault("mutated_delta", "", "", operation, change))


def _setting(case: Configuration) -> Setting:
    problem = case.problem
    widths = (problem.inputs.shape[1], *(len(w) for w in case.weights))
    return Setting(
        widths, len(problem.inputs), problem.activation, problem.output, problem.loss.name, problem.clip.name,
        problem.reduction, problem.l2, Precision.of(problem.inputs.dtype), False,
    )  # fmt: skip


def judged(rule: object, at: Checkable) -> Judgement:
    """The verdict that a check gives, on a rule at a point."""
    return judge(NetworkTarget(rule, at.own, at.reference, at.finer))


def false_alarm(case: Configuration, found: Judgement) -> str:
    """Why a verdict on the right rule is a false one; empty where it is right, or true of the point."""
    verdict = found.verdict
    forward = case.problem.forward(case.weights)
    finite = np.isfinite(forward.loss) and all(
        np.isfinite(g).all() for g in case.rule.gradient(case.problem, forward, case.weights)
    )
    if verdict.right or verdict is Verdict.UNRESOLVED:
        return ""
    if verdict in (Verdict.NOT_FINITE, Verdict.OUTSIDE_DOMAIN):
        return "loss and gradient are finite" if finite else ""
    if verdict is Verdict.KINKS_COMBINED:
        return "" if _nearest_kink(case) == 0 else "no kink is touched"
    if verdict is Verdict.KINK_CROSSED:
        near = 64 * float(np.sqrt(np.finfo(case.problem.inputs.dtype).eps))
        return "" if _nearest_kink(case) < near else "no kink is near"
    return "the chain rule is right"


def _nearest_kink(case: Configuration) -> float:
    """The smallest distance of an argument from a kink, relative to 1 and to its own size."""
    best = np.float64 if case.problem.inputs.dtype != np.longdouble else np.longdouble
    problem, weights = in_precision(case.problem, case.weights, best)
    distances = [np.inf]
    for each in (case.problem.forward(case.weights), problem.forward(weights)):
        for depth, z in enumerate(each.pre_activations, 1):
            kinks = (problem.output if depth == len(weights) else problem.activation).kinks
            distances += [
                float((np.abs(z - k.at) / np.maximum(1, np.abs(z))).min(initial=np.inf)) for k in kinks
            ]
        if problem.loss.uses_clip:
            for edge in problem.clip.edges(np.asarray(problem.eps)):
                y = each.outputs
                distances += [float(np.abs(q - edge).min(initial=np.inf)) for q in (y, 1 - y)]
    return min(distances)


def hidden_error(case: Configuration, wrong: object, found: Judgement) -> float:
    """The largest error of a rule that was called right, relative to the scale of its entry."""
    seen = found.seen
    kind = np.longdouble if case.problem.inputs.dtype == np.longdouble else np.float64
    problem, weights = in_precision(case.problem, case.weights, kind)
    forward = problem.forward(weights)
    with np.errstate(all="ignore"):
        off = flattened(wrong.backward(problem, forward, weights).gradients)
        right = flattened(case.rule.backward(problem, forward, weights).gradients)
        error = np.abs(off - right)[seen.estimate.index]
        relative = np.where(error > 0, error / seen.scale, 0)
    return float(np.nan_to_num(relative, nan=0).max(initial=0))


@dataclass
class Tally:
    """What was found over many configurations."""

    verdicts: Counter[str] = field(default_factory=Counter)
    false_alarms: list[str] = field(default_factory=list)
    wrong: Counter[str] = field(default_factory=Counter)
    missed: list[str] = field(default_factory=list)
    unresolved: list[str] = field(default_factory=list)

    def add(self, case: Configuration, wrong: int) -> None:
        """Judge the right rule of a configuration, and some wrong ones."""
        at = evaluated(case.problem, case.weights)
        found = judged(case.rule, at)
        self.verdicts[found.verdict] += 1
        why = false_alarm(case, found)
        if why:
            causes = "; ".join(map(str, found.causes[:2]))
            self.false_alarms.append(f"{case.seed}: {found.verdict} ({why}): {causes} | {case.text}")
        if found.verdict is Verdict.UNRESOLVED:
            self.unresolved.append(f"{case.seed}: {found.resolution:.1e} | {case.text}")
        for name, rule in wrong_rules(case, wrong):
            self._add_wrong(case, name, rule, judged(rule, at))

    def _add_wrong(self, case: Configuration, name: str, rule: object, found: Judgement) -> None:
        self.wrong[found.verdict] += 1
        if not found.verdict.right:
            return
        error = hidden_error(case, rule, found)
        if error > TWO_BOUNDS * found.resolution:
            said = f"{found.verdict}, resolution {found.resolution:.1e}"
            self.missed.append(f"{case.seed}: {name}: off by {error:.1e}, {said} | {case.text}")

    def lines(self) -> Iterator[str]:
        """The tally, in words."""
        yield f"right rules: {dict(self.verdicts)}"
        yield f"  false alarms: {len(self.false_alarms)}"
        yield from (f"    {line}" for line in self.false_alarms)
        yield f"wrong rules: {dict(self.wrong)}"
        yield f"  called right beyond the resolution reported: {len(self.missed)}"
        yield from (f"    {line}" for line in self.missed)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seed", type=int, default=0, help="the first configuration's")
    parser.add_argument("--count", type=int, default=100, help="how many configurations")
    parser.add_argument("--wrong", type=int, default=4, help="wrong rules for each")
    parser.add_argument("--seconds", type=float, default=np.inf, help="stop after so long")
    parser.add_argument("--unresolved", action="store_true", help="list the configurations left unresolved")
    asked = parser.parse_args()
    tally, begun, done = Tally(), time.monotonic(), 0
    with threadpool_limits(1):
        for seed in range(asked.seed, asked.seed + asked.count):
            if time.monotonic() - begun > asked.seconds:
                break
            tally.add(configuration(seed), asked.wrong)
            done += 1
    print(f"{done} configurations from seed {asked.seed}, {time.monotonic() - begun:.0f} s")
    print(*tally.lines(), sep="\n")
    if asked.unresolved:
        print("unresolved:", *tally.unresolved, sep="\n    ")


if __name__ == "__main__":
    main()
