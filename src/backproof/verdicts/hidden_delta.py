"""The delta of a hidden layer: whether it departs from the chain rule, and what it is instead."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from backproof.estimates.record import Mask
from backproof.network.activations import ACTIVATIONS
from backproof.network.arrays import Array, evenly_spaced
from backproof.verdicts.backward_pass import BackwardPass
from backproof.verdicts.fit import (
    Candidate,
    Error,
    Known,
    Term,
    amount,
    first_fit,
    function_product,
    in_part,
    matrix_product,
    product,
)
from backproof.verdicts.formulas import formulas
from backproof.verdicts.implied import Implied, another_matrix, factors_of_rows, solved
from backproof.verdicts.shape import shape_of
from backproof.verdicts.structures import (
    NOT_IDENTIFIED,
    Found,
    common_structures,
    constants,
    full_name,
    in_lower_precision,
)
from backproof.verdicts.variants import Variant, candidates_of, operators, others, times, variants

SOLVABLE = 1e-3
"""An operand is solved for where what it is multiplied by is not much smaller than this."""

MOST_PARTS = 1 << 19
"""Entries up to which the parts of a delta that come from each unit above are taken apart."""

STEPS = 12
"""Gauss-Newton steps for the argument of a derivative, at most."""

ARGUMENTS = 400
"""At most so many entries are used to find it; what is found is then held against all."""

DERIVATIVE_ERROR = 1e-11
"""Relative error allowed to a derivative that is a difference of values in extended precision."""


def hidden_delta(at: BackwardPass, layer: int, found_above: Found | None = None) -> Found | None:
    """How the delta of a hidden layer departs from what the chain rule makes of the one above; None if not.

    On a kink everything between the one-sided derivatives is right.

    Args:
        found_above: what was found of the delta above. One line of code computes those of all hidden
            layers, so that the same departure is looked for first.
    """
    delta, above, w = at.deltas[layer], at.deltas[layer + 1], at.weights[layer + 1][:, :-1]
    low, high = at.derivatives[layer]
    incoming, size = above @ w, np.abs(above) @ np.abs(w)
    steep = np.maximum(np.abs(low), np.abs(high))
    tolerance = (8 + 2 * np.sqrt(len(w))) * at.u * size * steep + np.finfo(delta.dtype).tiny
    tolerance = tolerance + (DERIVATIVE_ERROR + at.inferred) * np.maximum(steep, 1) * size
    tolerance = at.amplified * (tolerance + at.inferred * np.abs(delta).max(initial=0))
    ends = np.stack([incoming * low, incoming * high])
    right = np.clip(delta, ends.min(axis=0), ends.max(axis=0))  # NaN where delta is
    right = np.where(np.isfinite(right), right, incoming * (low + high) / 2)
    kinked = low != high
    error = Error(delta, right, tolerance, ~kinked)
    departs = error.departs
    if not departs.any():
        return None
    residual = np.where(departs, delta - right, 0)
    if not (departs & ~kinked).any():
        return Found("derivative: at a kink", f"{departs.sum()} entries, where z is on one", residual)
    known, among = in_lower_precision(error), None
    if known is None:
        operands = _operands(at, layer, incoming)
        known, among = _explained(operands, error, found_above)
        known = known or in_part(error, lambda part: _in_turn(operands, part, []))
    known = known or Known(NOT_IDENTIFIED, shape_of(residual, tolerance, ("sample", "unit")))
    return Found(_named(known), known.detail, residual, share=known.share, among=among)


def _named(known: Known) -> str:
    return full_name("hidden delta", known.name)


@dataclass(frozen=True)
class _Operands:
    """What the delta of a hidden layer is made of: (above @ w) · derivative.

    Attributes:
        known: other arrays of the layer and of the pass, by what they are.
    """

    at: BackwardPass
    layer: int
    above: Array
    w: Array
    derivative: Array
    z: Array
    a: Array
    incoming: Array
    known: dict[str, Array]


def _operands(at: BackwardPass, layer: int, incoming: Array) -> _Operands:
    low, high = at.derivatives[layer]
    derivative, z = (low + high) / 2, at.forward.pre_activations[layer]
    a = at.forward.inputs[layer + 1][:, :-1]
    known = {
        "z": z,
        "f(z)": a,
        "f'(z)": derivative,
        "the gradient that arrives": incoming,
        **at.known_above(layer),
    }
    above, w = at.deltas[layer + 1], at.weights[layer + 1][:, :-1]
    return _Operands(at, layer, above, w, derivative, z, a, incoming, known)


Candidates = Callable[[_Operands, Error], Iterator[Candidate | Term]]


def _of_constants(o: _Operands, error: Error) -> Iterator[Candidate]:
    yield from constants(error, error.right, *o.at.forward.outputs.shape)


def _of_whole(o: _Operands, error: Error) -> Iterator[Candidate]:
    changed = (
        *variants(error.right, "samples", "units"),
        *operators(o.incoming, o.derivative, ("the gradient that arrives", "f'(z)")),
        *others(o.known, error.right.shape),
    )
    yield from candidates_of("hidden delta", f"the delta of layer {o.layer + 1}", changed, lambda x: x)


def _of_derivative(o: _Operands, _: Error) -> Iterator[Candidate]:
    at, layer, z, activation = o.at, o.layer, o.z, o.at.problem.activation

    def instead(name: str, detail: str, derivative: Array) -> Candidate:
        return Candidate(f"derivative: {name}", detail, product(o.incoming, derivative))

    yield Candidate("derivative: missing", "without f'(z)", o.incoming)
    yield instead("squared", "f'(z)² in place of f'(z)", o.derivative**2)
    at_value = at.derivative_of(activation, "f(z)", layer, activation.value(z))
    yield instead("of the value", "f'(f(z)) in place of f'(z)", at_value)
    yield instead("of -z", "f'(−z) in place of f'(z)", at.derivative_of(activation, "-z", layer, -z))
    for other, (left, far) in enumerate(at.derivatives):
        if other != layer and left.shape == z.shape:
            yield instead("another layer's", f"of layer {other + 1}", (left + far) / 2)
    for other_activation in ACTIVATIONS.records():
        values = at.derivative_of(other_activation, "z", layer, z)
        yield instead("another activation's", other_activation.name, values)
    changed = (*variants(o.derivative, "samples", "units"), *others(o.known, z.shape))
    yield from candidates_of("derivative", "f'(z)", changed, partial(product, o.incoming))
    bias = at.weights[layer][:, -1]
    for x in (*variants(z, "samples", "units"), Variant("its bias taken off", "", z - bias)):
        detail = f"f' of z, {x.structure}{', ' if x.words else ''}{x.words}"
        there = function_product(activation.derivative, x.values, o.incoming)
        yield Candidate("derivative: of another argument", detail, there)


def _of_weights(o: _Operands, _: Error) -> Iterator[Candidate | Term]:
    at, layer, w = o.at, o.layer, o.w
    gradient = at.backward.gradients[layer + 1][:, :-1]
    change = matrix_product(o.above, gradient, o.derivative)
    yield Term("carried weights: updated", change, lambda share: f"W {share:+.3g} · its gradient")
    for other, weights in enumerate(at.weights):
        if other != layer + 1 and weights[:, :-1].shape == w.shape:
            values = matrix_product(o.above, weights[:, :-1], o.derivative)
            yield Candidate("carried weights: another layer's", f"of layer {other + 1}", values)
    with_bias = at.weights[layer + 1]
    changed = (
        *variants(w, "units", "inputs"),
        Variant("with the bias", "its column in place of the first", with_bias[:, 1:]),
    )
    yield from candidates_of(
        "carried weights", "W", changed, lambda x: matrix_product(o.above, x, o.derivative)
    )


def _of_arriving(o: _Operands, _: Error) -> Iterator[Candidate | Term]:
    # The columns of W are the units of what arrives, and its rows are those of the delta above.
    changed = (*variants(o.incoming, "samples", "units"), *others(o.known, o.incoming.shape))
    yield from candidates_of("arriving gradient", "it", changed, partial(product, o.derivative))
    for other in (Variant("", "1", np.ones_like(o.incoming)), *others(o.known, o.incoming.shape)):
        added = product(other.values, o.derivative)
        yield Term("arriving gradient: a term added", added, partial(times, other.words))
    changed = (*variants(o.above, "samples", "units"), *others(o.known, o.above.shape))
    for candidate in candidates_of(
        "arriving gradient", "it", changed, lambda x: matrix_product(x, o.w, o.derivative)
    ):
        yield replace(candidate, detail=f"the delta above it, {candidate.detail}".removesuffix(", "))


def _of_structures(_: _Operands, error: Error) -> Iterator[Candidate]:
    yield from common_structures(error)


def _of_implied(o: _Operands, error: Error) -> Iterator[Candidate]:
    """Structures of an operand that is solved for, all others being right."""
    found, axes = o.at.deltas[o.layer], ("samples", "units")
    known = error.sure & np.isfinite(found)
    steep, arrives = (
        known & (np.abs(o.derivative) > SOLVABLE),
        known & (np.abs(o.incoming) > SOLVABLE * np.abs(o.incoming).max()),
    )
    derivative = np.where(arrives, found / np.where(arrives, o.incoming, 1), o.derivative)
    arriving = np.where(steep, found / np.where(steep, o.derivative, 1), o.incoming)
    yield from Implied("hidden delta", found, error.right, known, lambda x: x, axes).candidates()
    yield from Implied(
        "derivative", derivative, o.derivative, arrives, lambda x: o.incoming * x, axes
    ).candidates()
    yield from Implied(
        "arriving gradient", arriving, o.incoming, steep, lambda x: x * o.derivative, axes
    ).candidates()
    yield from _of_argument(o, derivative, arrives)
    yield from _of_solved_weights(o, error, arriving, steep)


def _of_solved_weights(o: _Operands, error: Error, arriving: Array, steep: Mask) -> Iterator[Candidate]:
    """The weights that carry the delta down, solved for where there are more samples than units above."""

    def apply(w: Array) -> Array:
        return np.asarray((o.above @ w) * o.derivative)

    if o.w.size * len(o.above) <= MOST_PARTS:
        yield from factors_of_rows("carried weights", (o.above, o.w, o.derivative), error, "units above")
    known = solved(o.above, o.w, arriving, steep)
    if known is not None:
        weights, unknowns = known
        everywhere = np.ones(o.w.shape, bool)
        yield from Implied(
            "carried weights", weights, o.w, everywhere, apply, ("units", "inputs")
        ).candidates()
        yield from another_matrix("carried weights", weights, o.w, unknowns, apply)


def _of_argument(o: _Operands, implied: Array, known: Mask) -> Iterator[Candidate]:
    """f' at k z, or at z + c, for the k or c that comes nearest."""
    derivative, (entries,) = o.at.problem.activation.derivative, np.nonzero(known.ravel())
    few = entries[evenly_spaced(len(entries), ARGUMENTS)]
    z, wanted = o.z.reshape(1, -1)[:, few], implied.reshape(1, -1)[:, few]
    changes: dict[str, tuple[Callable[[Array, float], Array], tuple[float, ...]]] = {
        "z times": (np.multiply, (0.25, 0.5, 2.0, 4.0)),
        "z plus": (np.add, (-1.0, -0.25, 0.25, 1.0)),
    }
    for words, (change, starts) in changes.items():

        def gap(x: float, change: Callable[[Array, float], Array] = change) -> Array:
            return np.asarray(derivative(change(z, x)) - wanted)

        found = _nearest(gap, starts)
        if found is not None:
            values = o.incoming * derivative(change(o.z, found))
            yield Candidate("derivative: of another argument", f"f' of {words} {amount(found)}", values, 1)


def _nearest(gap: Callable[[float], Array], starts: tuple[float, ...]) -> float | None:
    """The number that makes a gap smallest, by Gauss-Newton steps from the best start; None without one."""
    x = min(starts, key=lambda start: float(np.abs(gap(start)).sum()))
    for _ in range(STEPS):
        here, h = gap(x), 1e-6 * max(1, abs(x))
        slope = (gap(x + h) - gap(x - h)) / (2 * h)
        size = float((slope * slope).sum())
        if not size or not np.isfinite(size):
            return None
        before, x = x, x - float((slope * here).sum()) / size
        if x == before:
            break
    return x if np.isfinite(x) else None


def _of_formulas(o: _Operands, error: Error) -> Iterator[Candidate]:
    yield from formulas(error, _quantities(o), o.incoming, "derivative: another function of z", "f'(z)")


def _quantities(o: _Operands) -> dict[str, Array]:
    """What a formula for f'(z) may be made of."""
    z, a, sigma = o.z, o.a, 1 / (1 + np.exp(-o.z))
    found = {
        "1": np.ones_like(z), "z": z, "z²": z * z, "f(z)": a, "f(z)²": a * a, "f'(z)": o.derivative,
        "z f'(z)": z * o.derivative, "z f(z)": z * a, "σ(z)": sigma, "σ(z)²": sigma * sigma,
        "z σ(z)": z * sigma, "z σ(z)²": z * sigma * sigma,
    }  # fmt: skip
    right = (z > 0).astype(z.dtype)
    found |= {"f'(z) [z > 0]": o.derivative * right, "f'(z) [z ≤ 0]": o.derivative * (1 - right)}
    found |= {"[z > 0]": right, "[z ≤ 0]": 1 - right}
    if o.at.problem.activation.kinks:
        found |= {
            "z [z > 0]": z * right,
            "exp(z) [z ≤ 0]": np.exp(np.minimum(z, 0)) * (1 - right),
        }
    return found


GROUPS = (
    _of_constants, _of_derivative, _of_whole, _of_arriving, _of_weights, _of_structures, _of_implied,
    _of_formulas,
)  # fmt: skip
"""Candidates in groups, the simplest first."""


def _in_turn(operands: _Operands, error: Error, begun: list[Candidates]) -> Iterator[Candidate | Term]:
    """All candidates; `begun` gets each group as its first one is asked for."""
    for group in GROUPS:
        begun.append(group)
        yield from group(operands, error)


def _explained(
    operands: _Operands, error: Error, above: Found | None
) -> tuple[Known | None, Candidates | None]:
    """What explains all of an error, and among which candidates that is."""
    if above is not None and above.among is not None:
        known = first_fit(error, above.among(operands, error))
        if known is not None and known._replace(name=_named(known)) == Known(above.name, above.detail):
            return known, above.among
    begun = list[Candidates]()
    known = first_fit(error, _in_turn(operands, error, begun))
    return known, begun[-1] if known is not None and known.share == 1 else None
