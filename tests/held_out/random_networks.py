"""Random networks at a point, each drawn from its seed and nothing else.

Most are drawn at large, from every choice of every axis. The others belong to classes in which judges have
failed: see `CLASSES`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from backproof.data import SOURCES
from backproof.network.activations import ACTIVATIONS
from backproof.network.arrays import REALS, Array, Precision
from backproof.network.clips import CLIPS
from backproof.network.initial import initial_weights
from backproof.network.losses import LOSSES, Loss, Reduction
from backproof.network.outputs import OUTPUTS
from backproof.network.problem import Problem
from backproof.network.rules import BackwardRule

PRECISIONS = {
    Precision.FLOAT64: 0.5,
    Precision.FLOAT32: 0.25,
    Precision.FLOAT16: 0.15,
    Precision.LONGDOUBLE: 0.1,
}

AT_LARGE = 0.6
"""The share of configurations that belong to no class."""

SAMPLED = 2000
"""Parameters that are checked of a large network."""


@dataclass
class Drawn:
    """What a configuration is made of, before it is put together; a class changes it.

    Attributes:
        weight_scale: of `initial_weights`.
        edits: what is done to the finished arrays: inputs, targets and weights, which they write to.
    """

    rng: np.random.Generator
    precision: Precision
    activation: str
    output: str
    loss: str
    clip: str
    eps: float
    reduction: str
    l2: float
    inputs: Array
    targets: Array
    widths: list[int]
    weight_scale: float
    bias: str
    at_kinks: float
    words: str
    edits: list[Callable[[list[Array]], None]] = field(default_factory=list)


@dataclass(frozen=True)
class Configuration:
    """A problem at a point, the right rule for it, and what was drawn, in words.

    Attributes:
        parameters: how many are checked, or "all".
    """

    seed: int
    problem: Problem
    weights: list[Array]
    rule: BackwardRule
    parameters: int | str
    text: str


def configuration(seed: int, large: bool = True) -> Configuration:
    """The configuration of a seed; without `large`, networks of up to a million parameters are kept small."""
    rng = np.random.default_rng([18, seed])
    drawn = _at_large(rng)
    if rng.random() > AT_LARGE:
        name = str(rng.choice(list(CLASSES)))
        if large or name != "large":
            CLASSES[name](drawn)
            drawn.words = f"{name}: {drawn.words}"
    return _put_together(seed, drawn)


def _at_large(rng: np.random.Generator) -> Drawn:
    loss = LOSSES.records()[rng.integers(len(LOSSES))]
    inputs, targets, words = _data(rng)
    depth = int(rng.integers(1, 5))
    hidden = [int(2 ** rng.uniform(0, 6.01)) for _ in range(depth - 1)]
    return Drawn(
        rng,
        precision=Precision(rng.choice(list(PRECISIONS), p=list(PRECISIONS.values()))),
        activation=_any(rng, ACTIVATIONS),
        output=_output(rng, loss),
        loss=loss.name,
        clip=_any(rng, CLIPS),
        eps=float(10 ** rng.uniform(-16, -1)),
        reduction=str(rng.choice(list(Reduction))),
        l2=float(10 ** rng.uniform(-4, 0)) if rng.random() < 0.5 else 0.0,
        inputs=inputs,
        targets=targets,
        widths=[inputs.shape[1], *hidden, targets.shape[1]],
        weight_scale=float(10 ** rng.uniform(-3, 3)) if rng.random() < 0.5 else 1.0,
        bias=str(rng.choice(["zero", "normal"])),
        at_kinks=float(rng.choice([0.0, 0.5, 1.0, rng.random()])),
        words=words,
    )


def _any(rng: np.random.Generator, choices: object) -> str:
    records = choices.records()
    return records[rng.integers(len(records))].name


def _output(rng: np.random.Generator, loss: Loss) -> str:
    """Any; mostly one whose range fits the loss's domain, where that is an interval."""
    if loss.domain != REALS and rng.random() < 0.7:
        return str(rng.choice(["sigmoid", "softmax", "hard_sigmoid" if loss.uses_clip else "softplus"]))
    return _any(rng, OUTPUTS)


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


def _put_together(seed: int, drawn: Drawn) -> Configuration:
    dtype = drawn.precision.dtype
    weights = initial_weights(drawn.widths, drawn.weight_scale, drawn.bias, drawn.rng, dtype)
    with np.errstate(over="ignore"):  # beyond the largest number of the precision
        arrays = [drawn.inputs.astype(dtype), drawn.targets.astype(dtype), *weights]
    for edit in drawn.edits:
        edit(arrays)
    inputs, targets, *weights = arrays
    problem = Problem(
        inputs, targets, ACTIVATIONS[drawn.activation](), OUTPUTS[drawn.output](), LOSSES[drawn.loss](),
        CLIPS[drawn.clip](), drawn.eps, Reduction(drawn.reduction), drawn.l2,
    )  # fmt: skip
    rule = BackwardRule(relu_at_zero=drawn.at_kinks)
    text = (
        f"{drawn.precision} {drawn.words}, widths {drawn.widths}, N {len(inputs)}, {drawn.activation}/"
        f"{drawn.output}/{drawn.loss}, clip {drawn.clip} {float(problem.eps):.1e}, {drawn.reduction}, l2 "
        f"{drawn.l2:.1e}, weights {drawn.weight_scale:.1e}, bias {drawn.bias}, kinks {drawn.at_kinks:.3g}"
    )
    total = sum(w.size for w in weights)
    return Configuration(seed, problem, weights, rule, SAMPLED if total > 10 * SAMPLED else "all", text)


def _scaled_inputs(drawn: Drawn, factor: float) -> None:
    size = np.abs(drawn.inputs).max(initial=0) or 1.0
    drawn.inputs = drawn.inputs * (factor / size)


def _tiny_inputs(drawn: Drawn) -> None:
    """The penalty's step beside the loss's, which is huge."""
    _scaled_inputs(drawn, float(10 ** drawn.rng.uniform(-8, -5)))
    drawn.l2 = float(10 ** drawn.rng.uniform(-4, 0))


def _far_out(drawn: Drawn) -> None:
    """Pre-activations of 1e3 to 1e8, at which silu and gelu are straight."""
    _scaled_inputs(drawn, float(10 ** drawn.rng.uniform(3, 8)))
    drawn.activation = str(drawn.rng.choice(["silu", "gelu", "softplus", "elu", drawn.activation]))
    drawn.output = str(drawn.rng.choice(["silu", "gelu", "identity", drawn.output]))
    drawn.weight_scale = 1.0


def _curvature_jumps(drawn: Drawn) -> None:
    """ELU's second derivative jumps at zero; the finer the precision, the likelier a probe lies across."""
    drawn.precision = Precision(drawn.rng.choice([Precision.LONGDOUBLE, Precision.FLOAT64]))
    drawn.activation = "elu"
    drawn.weight_scale = float(10 ** drawn.rng.uniform(-8, 0))


def _huge(drawn: Drawn) -> None:
    """Values near the end of the precision."""
    drawn.precision = Precision(drawn.rng.choice([Precision.LONGDOUBLE, Precision.FLOAT64]))
    size = float(10 ** drawn.rng.uniform(100, 300))
    which = drawn.rng.integers(3)
    if which == 0:
        _scaled_inputs(drawn, size)
    elif which == 1:
        drawn.weight_scale = size
    else:
        drawn.targets = drawn.targets * size


def _infinite_entry(drawn: Drawn) -> None:
    """One entry that is not finite."""
    place, value = int(drawn.rng.integers(3)), drawn.rng.choice([np.inf, -np.inf, np.nan])
    draw = drawn.rng.random()

    def edit(arrays: list[Array]) -> None:
        array = arrays[place]
        array.reshape(-1)[int(draw * array.size)] = value

    drawn.edits.append(edit)
    drawn.words += f" ({['inputs', 'targets', 'W1'][place]} hold {value})"


def _empty(drawn: Drawn) -> None:
    drawn.inputs, drawn.targets = drawn.inputs[:0], drawn.targets[:0]


def _single(drawn: Drawn) -> None:
    """One sample, one unit a layer, one output where the loss can have it."""
    drawn.inputs, drawn.targets = drawn.inputs[:1], drawn.targets[:1]
    drawn.widths = [drawn.widths[0], *([1] * len(drawn.widths[1:-1])), drawn.widths[-1]]
    if not drawn.loss.startswith("categorical"):
        drawn.targets, drawn.widths[-1] = drawn.targets[:, :1], 1


def _saturated(drawn: Drawn) -> None:
    """Outputs so near the ends of their range that the precision rounds them there."""
    drawn.weight_scale = float(10 ** drawn.rng.uniform(1, 4))
    drawn.output = str(drawn.rng.choice(["sigmoid", "softmax", "tanh", "hard_sigmoid", "hard_tanh"]))


def _on_kinks(drawn: Drawn) -> None:
    """Small whole numbers, so that many pre-activations lie on kinks exactly, and some in several layers."""
    whole = np.random.default_rng(drawn.rng.integers(2**32))
    drawn.activation = str(drawn.rng.choice(["relu", "leaky_relu", "relu6", "hard_tanh", "hard_sigmoid"]))
    drawn.inputs = whole.integers(-1, 2, drawn.inputs.shape).astype(float)
    drawn.widths = [w if k in (0, len(drawn.widths) - 1) else min(w, 8) for k, w in enumerate(drawn.widths)]

    def edit(arrays: list[Array]) -> None:
        for w in arrays[2:]:
            w[...] = whole.integers(-1, 2, w.shape)

    drawn.edits.append(edit)


def _large(drawn: Drawn) -> None:
    """Up to a million parameters."""
    drawn.precision = Precision(drawn.rng.choice([Precision.FLOAT32, Precision.FLOAT64]))
    hidden = [int(2 ** drawn.rng.uniform(7, 10)) for _ in range(int(drawn.rng.integers(1, 3)))]
    drawn.widths = [drawn.widths[0], *hidden, drawn.widths[-1]]


CLASSES: dict[str, Callable[[Drawn], None]] = {
    "tiny inputs": _tiny_inputs,
    "far out": _far_out,
    "curvature jumps": _curvature_jumps,
    "huge": _huge,
    "infinite entry": _infinite_entry,
    "empty": _empty,
    "single": _single,
    "saturated": _saturated,
    "on kinks": _on_kinks,
    "large": _large,
}
"""Classes of configurations in which judges have failed."""
