"""Where a wrong backward pass first departs from the right one, and what it did there instead.

A backward pass is a chain of operations: the delta at the output; for each layer the gradient of its
weights and biases from its delta; and the delta below, from the weights that carry it down and the
activation's derivative. Each operation is judged by its own inputs: what the rule made of *its* delta
above is compared with what the chain rule makes of the same delta, with derivatives that are differences
of the activation's values and, at the output, differences of the loss. So every operation that
departs is found, however many there are, and none is blamed for what reaches it from above.

What an operation did instead is found by trying structures on it: a constant factor, a factor that is
a known quantity, another array instead of the right one. None of that looks at which
fault was planted; what fits no structure is reported as `other`, with its location.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from backproof.estimates.stencils import COMPLEX_STEP, takes_complex
from backproof.network.activations import ACTIVATIONS, Activation
from backproof.network.arrays import Array, unit_roundoff
from backproof.network.clips import Clip
from backproof.network.clips.none import none as no_clip
from backproof.network.losses import LOSSES, Loss
from backproof.network.outputs import Softmax
from backproof.network.rules import Backward
from backproof.targets.layout import flattened
from backproof.verdicts.causes import Departure
from backproof.verdicts.view import View

FIT = 1e-10
"""Relative deviation up to which a structure explains an operation: differences of functions, here in
extended precision, are good to about 1e-12."""

DERIVATIVE_ERROR = 1e-11
"""Relative error allowed to a derivative that is a difference of values in extended precision."""

UNMATCHED = "y - t for another pair"
INFERRED_ERROR = 1e-9
"""What is added to every tolerance where deltas are inferred from gradients, which amplifies rounding."""

LOWER_PRECISION = "lower precision"

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Candidate:
    """A structure that an operation may have: its name, and the values that it would give.

    `factor` is what the right values, and with them their error, were multiplied by.
    """

    name: str
    detail: str
    values: Array
    factor: float = 1.0


def localise(backward: Backward, view: View) -> list[Departure]:
    """Every operation of a finite backward pass that departs from the chain rule, the topmost first.

    A backward pass without deltas will do: they are inferred from its gradients as far as these allow.
    """
    with np.errstate(all="ignore"):
        return list(_Pass(backward, view).departures())


class _Pass:
    """A backward pass beside the operations of the right one."""

    def __init__(self, backward: Backward, view: View) -> None:
        self.backward, self.view = backward, view
        self.problem, self.forward, self.weights = view.problem, view.forward, view.weights
        self.last = len(self.weights) - 1
        self.u = unit_roundoff(view.forward.outputs.dtype)
        z_hidden = view.forward.pre_activations[:-1]
        self.derivatives = [self._sides(layer, z) for layer, z in enumerate(z_hidden)]
        assert view.estimate is not None
        self.estimate, self.at_output = view.estimate, view.estimate.bounds[-1]
        self.deltas = backward.deltas or self._inferred()
        self.inferred = 0.0 if backward.deltas else INFERRED_ERROR

    def _sides(self, layer: int, z: Array) -> tuple[Array, Array]:
        sides = self.view.once(layer, lambda: np.stack(one_sided_derivatives(self.problem.activation, z)))
        return sides[0], sides[1]

    def departures(self) -> Iterator[Departure]:
        for layer in range(self.last, -1, -1):
            delta = self.deltas[layer]
            if layer == self.last:
                found, residual, at_clip = self._at_output(delta)
                operation = "output delta"
            else:
                found, residual = self._below(layer, delta)
                at_clip, operation = False, "derivative"
            if found:
                name, detail = found
                name = name if ":" in name or name == LOWER_PRECISION else f"{operation}: {name}"
                moved = self._entries(self._pushed(layer, residual))
                yield Departure(name, detail, layer + 1, moved, at_clip)
            for name, detail, wrong in self._of_weights(layer, delta):
                only = [np.zeros_like(g) for g in self.backward.gradients]
                only[layer] = wrong
                yield Departure(name, detail, layer + 1, self._entries(only))

    def _entries(self, moved: list[Array]) -> Array:
        """Arrays shaped like the weights, as the entries of the estimate."""
        return self.estimate.selected(flattened(moved))

    def _inferred(self) -> list[Array]:
        """The deltas that a gradient of unknown making must have come from.

        A layer's gradient is δᵀ·inputs, so its weights give δ where the samples' inputs are linearly
        independent. Where they are not, or no δ gives these weights, δ is taken to be what the chain rule
        makes of the δ above, and the weights' gradient itself is what departs.
        """
        deltas: list[Array] = []
        right = (self.at_output.derivative * self.problem.scale).astype(self.forward.outputs.dtype)
        for layer in range(self.last, -1, -1):
            w, inputs = self.weights[layer][:, :-1], self.forward.inputs[layer][:, :-1]
            gradient = self.backward.gradients[layer][:, :-1]
            found = _solved(inputs, gradient - self.problem.l2 * w)
            if found is None and self.problem.l2:  # the penalty may have been left out
                found = _solved(inputs, gradient)
            deltas.append(right if found is None else found)
            if layer:
                low, high = self.derivatives[layer - 1]
                right = (deltas[-1] @ w) * ((low + high) / 2)
        return deltas[::-1]

    def _pushed(self, layer: int, residual: Array) -> list[Array]:
        """What a wrong delta adds to the gradients at and below its layer, all else being right."""
        moved = [np.zeros_like(g) for g in self.backward.gradients]
        for at in range(layer, -1, -1):
            moved[at] = residual.T @ self.forward.inputs[at]
            if at:
                low, high = self.derivatives[at - 1]
                residual = (residual @ self.weights[at][:, :-1]) * ((low + high) / 2)
        return moved

    # --- the delta at the output ---

    def _at_output(self, delta: Array) -> tuple[tuple[str, str] | None, Array, bool]:
        bounds, scale = self.at_output, self.problem.scale
        right = (bounds.derivative * scale).astype(delta.dtype)
        error = (bounds.derivative_error + bounds.backward) * scale
        tolerance = error + 64 * self.u * np.abs(right) + np.finfo(delta.dtype).tiny
        tolerance = tolerance + self.inferred * np.abs(right).max(initial=0)
        departs = _departs(delta, right, tolerance)
        residual = np.where(departs, delta - right, 0)
        if not departs.any():
            return None, residual, False
        active = self._clip_active()
        if active.any() and not (departs & ~active).any():
            return ("clip ignored", "only where the clip flattens the loss"), residual, True
        z = self.forward.pre_activations[-1]
        kinked = self.problem.output.at_kink(z) if isinstance(self.problem.output, Activation) else None
        if kinked is not None and not (departs & ~kinked).any():
            return ("at a kink", "only where the output lies on one"), residual, False
        sure = np.isfinite(tolerance)
        found = _first_fit(delta, right, tolerance, sure, self._output_candidates(delta, right))
        found = found or _common(delta, right, tolerance, departs)
        return found or ("other", f"{departs.sum()} of {departs.size} entries"), residual, False

    def _clip_active(self) -> Mask:
        if not self.problem.loss.uses_clip:
            return np.zeros(self.forward.outputs.shape, bool)
        return np.asarray(self.problem.clip.active(self.forward.outputs, self.problem.eps))

    def _output_candidates(self, delta: Array, right: Array) -> Iterator[Candidate]:
        problem, forward, scale = self.problem, self.forward, self.problem.scale
        y, t, z = forward.outputs, problem.targets, forward.pre_activations[-1]

        def by_y(loss: Loss, clip: Clip) -> Array:
            """∂(terms)/∂y of another loss or clip, at the y that was rounded."""
            return self.view.once((loss, clip), lambda: computed(loss, clip))

        def computed(loss: Loss, clip: Clip) -> Array:
            eps = np.asarray(problem.eps)
            edges = [float(e) for e in clip.edges(eps)] if loss.uses_clip else []
            return scale * _by_columns(
                lambda x: loss.terms(x, t.astype(x.dtype), clip, eps.astype(x.dtype)),
                y,
                [*edges, *(1 - e for e in edges)],
                apart=loss.elementwise,
            )

        yield from _constants(delta, right, *y.shape)
        if problem.loss.uses_clip and problem.clip is not no_clip():
            instead = f"as if {no_clip().formula} in place of {problem.clip.formula}"
            yield Candidate("clip ignored", instead, self._through_output(by_y(problem.loss, no_clip())))
        derivative_of_loss = by_y(problem.loss, problem.clip)
        yield Candidate("derivative missing", "∂L/∂y without f'(z)", derivative_of_loss)
        difference = (y - t) * scale
        pair = f"{problem.output.name} with {problem.loss.name}"
        yield Candidate(UNMATCHED, pair, difference)
        for multiple in _constants(delta, difference, *y.shape):
            yield Candidate(UNMATCHED, f"{pair}, {multiple.detail}", multiple.values)
        if isinstance(problem.output, Softmax):
            yield Candidate("softmax unit by unit", "∂L/∂y · y (1 − y)", derivative_of_loss * y * (1 - y))
        else:
            last = self.last
            derivative = self._derivative(problem.output, "z", last, z)
            yield Candidate("derivative squared", "f'(z)² ∂L/∂y", derivative_of_loss * derivative**2)
            at_value = self._derivative(problem.output, "f(z)", last, y)
            yield Candidate("derivative of the value", "f'(y) ∂L/∂y", derivative_of_loss * at_value)
            for other in ACTIVATIONS.records():
                values = derivative_of_loss * self._derivative(other, "z", last, z)
                yield Candidate("another activation's derivative", other.name, values)
        for loss in LOSSES.records():
            yield Candidate("of another loss", loss.name, self._through_output(by_y(loss, problem.clip)))

    def _derivative(self, activation: Activation, of: str, layer: int, z: Array) -> Array:
        """An activation's derivative at a function of a layer's pre-activations, computed once per view."""
        return self.view.once((activation, of, layer), lambda: _middle(activation, z))

    def _through_output(self, derivative_of_loss: Array) -> Array:
        """From ∂L/∂y to ∂L/∂z, with the output's Jacobian by differences."""
        output, z = self.problem.output, self.forward.pre_activations[-1]
        if isinstance(output, Activation):
            return derivative_of_loss * self._derivative(output, "z", self.last, z)
        wide = derivative_of_loss.astype(np.longdouble)
        return _by_columns(lambda x: output.value(x) * wide, z)

    # --- the delta of a hidden layer ---

    def _below(self, layer: int, delta: Array) -> tuple[tuple[str, str] | None, Array]:
        above, w = self.deltas[layer + 1], self.weights[layer + 1][:, :-1]
        low, high = self.derivatives[layer]
        incoming = above @ w
        size = np.abs(above) @ np.abs(w)
        steep = np.maximum(np.abs(low), np.abs(high))
        tolerance = (8 + 2 * np.sqrt(len(w))) * self.u * size * steep + np.finfo(delta.dtype).tiny
        tolerance = tolerance + (DERIVATIVE_ERROR + self.inferred) * np.maximum(steep, 1) * size
        tolerance = tolerance + self.inferred * np.abs(delta).max(initial=0)
        ends = np.stack([incoming * low, incoming * high])
        right = np.clip(delta, ends.min(axis=0), ends.max(axis=0))  # NaN where delta is
        right = np.where(np.isfinite(right), right, incoming * (low + high) / 2)
        departs = _departs(delta, right, tolerance)
        residual = np.where(departs, delta - right, 0)
        if not departs.any():
            return None, residual
        z = self.forward.pre_activations[layer]
        kinked = low != high
        if not (departs & ~kinked).any():
            return ("at a kink", f"{departs.sum()} entries, where z is on one"), residual
        found = _first_fit(
            delta, right, tolerance, ~kinked, self._candidates_below(layer, delta, incoming, right)
        )
        found = found or _common(delta, right, tolerance, departs)
        if found:
            return found, residual
        told = ~kinked & (np.abs(incoming) > 1e-6 * size) & np.isfinite(delta)
        return _kind_of_factor(z[told], delta[told] / incoming[told], incoming[told], low[told]), residual

    def _candidates_below(
        self, layer: int, delta: Array, incoming: Array, right: Array
    ) -> Iterator[Candidate]:
        activation, z = self.problem.activation, self.forward.pre_activations[layer]
        above, w = self.deltas[layer + 1], self.weights[layer + 1][:, :-1]
        low, high = self.derivatives[layer]
        derivative = (low + high) / 2
        yield from _constants(delta, right, *self.forward.outputs.shape)
        yield Candidate("missing", "without f'(z)", incoming)
        yield Candidate("squared", "f'(z)² in place of f'(z)", incoming * derivative**2)
        at_value = self._derivative(activation, "f(z)", layer, activation.value(z))
        yield Candidate("of the value", "f'(f(z)) in place of f'(z)", incoming * at_value)
        yield Candidate(
            "of -z", "f'(−z) in place of f'(z)", incoming * self._derivative(activation, "-z", layer, -z)
        )
        for other, (left, far) in enumerate(self.derivatives):
            if other != layer and left.shape == derivative.shape:
                yield Candidate("another layer's", f"of layer {other + 1}", incoming * (left + far) / 2)
        for other_activation in ACTIVATIONS.records():
            values = incoming * self._derivative(other_activation, "z", layer, z)
            yield Candidate("another activation's", other_activation.name, values)
        gradient = self.backward.gradients[layer + 1][:, :-1]
        change = (above @ gradient) * derivative
        lack = delta - right
        share = (lack * change).sum() / (change * change).sum()
        yield Candidate("carried weights: updated", f"W {share:+.3g} · its gradient", right + share * change)
        if w.shape[0] == w.shape[1]:
            yield Candidate("carried weights: transposed", "", (above @ w.T) * derivative)
        for other, weights in enumerate(self.weights):
            if other != layer + 1 and weights[:, :-1].shape == w.shape:
                values = (above @ weights[:, :-1]) * derivative
                yield Candidate("carried weights: another layer's", f"of layer {other + 1}", values)

    # --- the gradient of weights and biases ---

    def _of_weights(self, layer: int, delta: Array) -> Iterable[tuple[str, str, Array]]:
        gradient, w, inputs = self.backward.gradients[layer], self.weights[layer], self.forward.inputs[layer]
        penalty = np.array(w * w.dtype.type(self.problem.l2))
        penalty[:, -1] = 0
        right = delta.T @ inputs + penalty
        size = np.abs(delta).T @ np.abs(inputs) + np.abs(penalty)
        tolerance = (8 + 2 * np.sqrt(len(delta))) * self.u * size + np.finfo(delta.dtype).tiny
        tolerance = tolerance + self.inferred * size.max(initial=0)
        departs = _departs(gradient, right, tolerance)
        residual = np.where(departs, gradient - right, 0)
        if not departs.any():
            return
        parts = {"weight": np.s_[:, :-1], "bias": np.s_[:, -1:]}
        wrong = {name: bool(departs[cut].any()) for name, cut in parts.items()}
        everywhere = np.ones(w.shape, bool)
        whole = _first_fit(gradient, right, tolerance, everywhere, self._whole(layer, right))
        if all(wrong.values()) and whole:
            yield _as_tensor(whole, "weight gradient"), whole[1], residual
            return
        for name, cut in parts.items():
            if not wrong[name]:
                continue
            only = np.zeros_like(residual)
            only[cut] = residual[cut]
            candidates = self._weights_only if name == "weight" else self._biases_only
            found = _first_fit(
                gradient[cut], right[cut], tolerance[cut], np.ones(right[cut].shape, bool),
                candidates(layer, right, penalty),
            )  # fmt: skip
            found = found or _common(gradient[cut], right[cut], tolerance[cut], departs[cut])
            if not found:
                alone = name == "weight" and not wrong["bias"]
                found = ("other inputs" if alone else "other", f"{departs[cut].sum()} of {departs[cut].size}")
            yield _as_tensor(found, f"{name} gradient"), found[1], only

    def _whole(self, layer: int, right: Array) -> Iterator[Candidate]:
        """Structures of a layer's weights and biases alike."""
        gradient, delta = self.backward.gradients[layer], self.deltas[layer]
        inputs = self.forward.inputs[layer]
        loss_part = delta.T @ inputs
        penalty = right - loss_part
        if self.problem.l2:
            for multiple in _constants(
                gradient - (right - loss_part), loss_part, *self.forward.outputs.shape
            ):
                yield Candidate(multiple.name, multiple.detail, multiple.values + penalty, multiple.factor)
        yield from _constants(gradient, right, *self.forward.outputs.shape)
        for other, theirs in enumerate(self.deltas):
            if other != layer and theirs.shape == delta.shape:
                values = theirs.T @ inputs + penalty
                yield Candidate("another layer's delta", f"of layer {other + 1}", values)
        for sample in range(len(delta)):
            values = np.outer(delta[sample], inputs[sample]) + penalty
            yield Candidate("of one sample", f"sample {sample}", values)

    def _weights_only(self, layer: int, right: Array, penalty: Array) -> Iterator[Candidate]:
        gradient, whole = self.backward.gradients[layer][:, :-1], self._whole(layer, right)
        delta, inputs = self.deltas[layer], self.forward.inputs[layer]
        right, penalty, w = right[:, :-1], penalty[:, :-1], self.weights[layer][:, :-1]
        yield Candidate("zero", "", np.zeros_like(right))
        yield from _constants(gradient, right, *self.forward.outputs.shape)
        loss_part = right - penalty
        if self.problem.l2:
            yield Candidate("penalty: missing", f"l2 = {self.problem.l2:g}", loss_part)
        yield from self._other_penalty(gradient, loss_part, w)
        if right.shape[0] == right.shape[1]:
            yield Candidate("transposed", "", right.T)
            yield Candidate("transposed", "", loss_part.T + penalty)
        yield from (Candidate(c.name, c.detail, c.values[:, :-1]) for c in whole)
        if layer:
            z = self.forward.pre_activations[layer - 1]
            yield Candidate("pre-activations as inputs", "z in place of f(z)", delta.T @ z + penalty)
        for other, theirs in enumerate(self.forward.inputs):
            if other != layer and theirs.shape == inputs.shape:
                values = delta.T @ theirs[:, :-1] + penalty
                yield Candidate("another layer's inputs", f"of layer {other + 1}", values)

    def _other_penalty(self, gradient: Array, without: Array, w: Array) -> Iterator[Candidate]:
        """A multiple of the weights added, as far as there are enough of them to tell."""
        if w.size > 2:
            share = float(((gradient - without) * w).sum() / (w * w).sum())
            instead = f"{share:.3g} in place of {self.problem.l2:g}"
            yield Candidate("penalty: another weight", instead, without + share * w)

    def _biases_only(self, layer: int, right: Array, _penalty: Array) -> Iterator[Candidate]:
        gradient, delta = self.backward.gradients[layer][:, -1:], self.deltas[layer]
        whole = self._whole(layer, right)
        right, bias = right[:, -1:], self.weights[layer][:, -1:]
        yield Candidate("zero", "", np.zeros_like(right))
        yield from _constants(gradient, right, *self.forward.outputs.shape)
        if self.problem.l2:
            too_much = right + self.problem.l2 * bias
            yield Candidate("penalty: on the biases", f"l2 = {self.problem.l2:g}", too_much)
        yield from self._other_penalty(gradient, right, bias)
        for sample in range(len(delta)):
            yield Candidate("of one sample", f"sample {sample}", delta[sample][:, None])
        if delta.shape[0] == delta.shape[1]:
            yield Candidate("summed over units", "in place of samples", delta.sum(axis=1, keepdims=True))
        yield from (Candidate(c.name, c.detail, c.values[:, -1:]) for c in whole)


def _solved(inputs: Array, gradient: Array) -> Array | None:
    """The δ for which δᵀ·inputs is this gradient; None where there is none, or more than one."""
    a, g = inputs.T.astype(float), gradient.T.astype(float)
    delta, _, rank, _ = np.linalg.lstsq(a, g, rcond=1e-10)
    if rank < len(inputs) or np.abs(a @ delta - g).max(initial=0) > 1e-8 * np.abs(g).max(initial=0):
        return None
    return np.asarray(delta.astype(inputs.dtype))


def _as_tensor(found: tuple[str, str], operation: str) -> str:
    return found[0] if ":" in found[0] or found[0] == LOWER_PRECISION else f"{operation}: {found[0]}"


def _departs(found: Array, right: Array, tolerance: Array) -> Mask:
    """Where two arrays differ by more than arithmetic explains; NaN differs from everything."""
    return np.asarray(~(np.abs(found - right) <= tolerance))


def _constants(found: Array, right: Array, samples: int, outputs: int) -> Iterator[Candidate]:
    """The multiple of the right array that comes nearest; recognised where it is a count."""
    factor = float((found * right).sum() / (right * right).sum())
    if not np.isfinite(factor) or abs(factor - 1) < 10 * FIT:
        return
    if abs(factor + 1) < FIT:
        yield Candidate("sign", "× −1", -right)
    elif abs(factor) < FIT:
        yield Candidate("zero", "", np.zeros_like(right))
    else:
        words = _in_words(factor, samples, outputs)
        yield Candidate("scale", f"× {words}", factor * right, max(1.0, abs(factor)))


def _in_words(factor: float, samples: int, outputs: int) -> str:
    """A factor, and what it is: a number of samples or outputs, or one over it."""
    counts = {samples: "the number of samples", outputs: "the number of outputs"}
    counts[samples * outputs] = "samples × outputs"
    for count, words in counts.items():
        if count > 2 and abs(factor / count - 1) < FIT:
            return f"{count}, {words}"
        if count > 2 and abs(factor * count - 1) < FIT:
            return f"1/{count}, one over {words}"
    return f"{factor:.6g}"


def _first_fit(
    found: Array, right: Array, tolerance: Array, sure: Mask, candidates: Iterable[Candidate]
) -> tuple[str, str] | None:
    """The first structure that explains all entries, and is not just the right one over again."""
    for candidate in candidates:
        limit = candidate.factor * tolerance + FIT * np.abs(candidate.values)
        same = ~_departs(found, candidate.values, limit)[sure]
        if same.all() and _departs(candidate.values, right, limit)[sure].any():
            return candidate.name, candidate.detail
    return None


def _common(found: Array, right: Array, tolerance: Array, departs: Mask) -> tuple[str, str] | None:
    """Structures of any array: rounded to a lower precision, cut off at a bound, or rows forgotten."""
    off: Array = (found[departs] - right[departs]) / np.abs(right[departs])
    for kind in (np.float32, np.float16):
        u = unit_roundoff(kind)
        near = np.abs(off) <= u + tolerance[departs] / np.abs(right[departs])
        if bool(near.all()) and (kind is np.float32 or np.array_equal(found, found.astype(kind))):
            return LOWER_PRECISION, np.dtype(kind).name
    bound = np.abs(found).max(initial=0)
    capped = departs & (np.abs(right) > bound) & (found == np.copysign(bound, right))
    if np.array_equal(capped, departs):
        return "cut off", f"at ±{bound:.6g}"
    rows = np.asarray(departs.any(axis=1))
    if (np.abs(found[rows]) <= tolerance[rows]).all() and not rows.all():
        named = ", ".join(str(i) for i in np.flatnonzero(rows)[:5])
        return "samples left out", f"{rows.sum()} of {rows.size}: {named}"
    return None


def _kind_of_factor(z: Array, ratio: Array, incoming: Array, derivative: Array) -> tuple[str, str]:
    """Whether what multiplies the incoming gradient depends on z alone, or on that gradient too."""
    if _is_function(z, ratio):
        return "another function of z", f"a factor from {ratio.min():.3g} to {ratio.max():.3g}"
    right = np.asarray(np.isclose(ratio, derivative, rtol=1e-6, atol=1e-9))
    for sign, words in ((1, "positive"), (-1, "negative")):
        if right[sign * incoming > 0].all() and not right[(sign * incoming < 0) & (derivative != 0)].any():
            return "depends on the gradient", f"right only where it is {words}"
    return "other", f"or the weights that carry it down; {len(z)} entries"


def _is_function(z: Array, values: Array) -> bool:
    """Whether values seem to be a function of z: along sorted z they run, rather than jump about."""
    if z.size < 30:
        return False
    run = values[np.argsort(z, kind="stable")]
    return bool(np.abs(np.diff(run)).sum() <= max(4.0, 0.05 * z.size) * np.ptp(run))


def one_sided_derivatives(activation: Activation, z: Array) -> tuple[Array, Array]:
    """An activation's derivatives to the left and to the right of z, by differences of its values.

    They differ only where z is on a kink. By complex steps where the function takes them, which are good
    to rounding even where it saturates; else in extended precision, with an error of about 1e-13.
    """
    if z.dtype == np.float64 and _takes_complex(activation):
        with np.errstate(all="ignore"):
            ends = [
                activation.value(z + way * COMPLEX_STEP).imag / (COMPLEX_STEP * way.imag) for way in (1j, -1j)
            ]
        return np.minimum(*ends), np.maximum(*ends)
    x = z.astype(np.longdouble)
    room = np.full(z.shape, np.inf)
    for kink in activation.kinks:
        room = np.minimum(room, np.abs(x - kink.at))
    on_kink = room == 0
    step = _step(np.where(on_kink, np.inf, room))
    with np.errstate(all="ignore"):
        near = activation.value(x + step) - activation.value(x - step)
        far = activation.value(x + 2 * step) - activation.value(x - 2 * step)
        middle = (8 * near - far) / (12 * step)
        if not on_kink.any():
            return middle.astype(z.dtype), middle.astype(z.dtype)
        sides = []
        for h in (-step, step):
            near, far = activation.value(x + h / 2), activation.value(x + h)
            one_sided = (4 * near - 3 * activation.value(x) - far) / h
            sides.append(np.where(on_kink, one_sided, middle).astype(z.dtype))
    return np.minimum(*sides), np.maximum(*sides)


@lru_cache(maxsize=64)
def _takes_complex(activation: Activation) -> bool:
    return takes_complex(activation.value, np.float64)


def _step(room: Array) -> Array:
    """Powers of two, so that x ± h is exact: 2^-10 of the room there is, within what 64 bits resolve."""
    return np.asarray(np.exp2(np.clip(np.floor(np.log2(room)), -52, 0) - 10))


def _middle(activation: Activation, z: Array) -> Array:
    low, high = one_sided_derivatives(activation, z)
    return np.asarray((low + high) / 2)


def _by_columns(
    terms: Callable[[Array], Array], x: Array, edges: Iterable[float] = (), *, apart: bool = False
) -> Array:
    """∂(sum of a row's terms)/∂x by five-point differences in extended precision.

    A column at a time, or all at once where each has a term `apart` from the others. No difference reaches
    over an edge, nor over 0 and 1, where logarithms of probabilities end.
    """
    wide = x.astype(np.longdouble)
    room = np.full(x.shape, np.inf, np.longdouble)
    for edge in (0.0, 1.0, *edges):
        distance = np.abs(wide - edge)
        room = np.where(distance > 0, np.minimum(room, distance), room)
    step = _step(room)
    if apart:
        near, far = terms(wide + step) - terms(wide - step), terms(wide + 2 * step) - terms(wide - 2 * step)
        return np.asarray(((8 * near - far) / (12 * step)).astype(x.dtype))
    derivative = np.zeros_like(wide)
    for k in range(x.shape[1]):
        h = np.zeros_like(wide)
        h[:, k] = step[:, k]
        near, far = terms(wide + h) - terms(wide - h), terms(wide + 2 * h) - terms(wide - 2 * h)
        derivative[:, k] = (8 * near - far).sum(axis=1) / (12 * step[:, k])
    return derivative.astype(x.dtype)
