"""The delta at the output with one operand, operator or function changed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial

import numpy as np

from backproof.network.activations import Activation
from backproof.network.arrays import Array
from backproof.verdicts.backward_pass import BackwardPass
from backproof.verdicts.fit import Candidate, Error
from backproof.verdicts.formulas import formulas
from backproof.verdicts.implied import Implied
from backproof.verdicts.structures import LOWER_PRECISION
from backproof.verdicts.variants import Variant, candidates_of, operators, others, variants

ANOTHER = "another function of y and t"


class OutputOperands:
    """What the delta at the output is made of: ∂L/∂y at y and t, and the output's derivative; unscaled."""

    def __init__(self, at: BackwardPass) -> None:
        self.at, self.problem = at, at.problem
        self.y, self.t, self.z = at.forward.outputs, at.problem.targets, at.forward.pre_activations[-1]
        self.g = self.of_loss(self.y, self.t)

    def of_loss(self, y: Array, t: Array) -> Array:
        """∂L/∂y."""
        p = self.problem
        return np.asarray(p.loss.derivative(np.ascontiguousarray(y), np.ascontiguousarray(t), p.clip, p.eps))

    def instead_of(self, operand: Array) -> Iterator[Variant]:
        """What may stand in the place of an operand of the delta's shape."""
        yield from variants(operand, "samples", "units")
        known = {"y": self.y, "t": self.t, "z": self.z, "∂L/∂y": self.g}
        yield from others(known, operand.shape)

    def changed(
        self, operand: str, found: Iterator[Variant], apply: Callable[[Array], Array]
    ) -> Iterator[Candidate]:
        """The delta with an operand changed, named after the operand."""
        scale = self.problem.scale
        for candidate in candidates_of(operand, operand, found, lambda x: apply(x) * scale):
            if candidate.name == LOWER_PRECISION:
                yield candidate
                continue
            structure = candidate.name.partition(": ")[2]
            words = f"{operand}, {structure}{', ' if candidate.detail else ''}{candidate.detail}"
            yield replace(candidate, name="another operand", detail=words)

    def of_whole(self, error: Error) -> Iterator[Candidate]:
        """The delta itself changed, or another array in its place."""
        scale = self.problem.scale
        axes = "samples", "units"
        for times in dict.fromkeys((1.0, scale)):
            unscaled = error.right / times
            whole = partial(np.multiply, times)
            yield from candidates_of("output delta", "it", variants(unscaled, *axes), whole)
        sure = error.sure & np.isfinite(error.found)
        yield from Implied("output delta", error.found, error.right, sure, lambda x: x, axes).candidates()
        known = {**self.at.known_arrays, "∂L/∂y": self.g}
        for variant in others(known, self.y.shape):
            for times in {1.0, scale}:
                yield Candidate("output delta: another array", variant.words, variant.values * times)

    def candidates(self, error: Error) -> Iterator[Candidate]:
        """All that follow, of an elementwise output or of softmax."""
        yield from self.of_whole(error)
        into = self._into_delta()
        yield from self.changed("t", self.instead_of(self.t), lambda t: into(self.of_loss(self.y, t)))
        yield from self.changed(
            "y in ∂L/∂y", self.instead_of(self.y), lambda y: into(self.of_loss(y, self.t))
        )
        yield from self.changed("∂L/∂y", self.instead_of(self.g), into)
        yield from (
            self._of_activation(error)
            if isinstance(self.problem.output, Activation)
            else self._of_softmax(error)
        )

    def _into_delta(self) -> Callable[[Array], Array]:
        output = self.problem.output
        if isinstance(output, Activation):
            derivative = output.derivative(self.z)
            return lambda g: g * derivative
        return lambda g: output.pullback(self.y, g)

    def _of_activation(self, error: Error) -> Iterator[Candidate]:
        output, scale, g = self.problem.output, self.problem.scale, self.g
        assert isinstance(output, Activation)
        d = output.derivative(self.z)
        yield from self.changed("f'(z)", self.instead_of(d), lambda x: g * x)
        yield from self.changed("f'(z)", operators(g, d, ("∂L/∂y", "f'(z)")), lambda x: x)
        for operand, x in (("z in f'", self.z), ("y in f'", self.y)):
            yield from self.changed(
                operand, self.instead_of(x), lambda x: g * output.derivative(np.ascontiguousarray(x))
            )
        yield from formulas(error, self._quantities(), d * scale, ANOTHER, "∂L/∂y")
        y, z, one = self.y, self.z, np.ones_like(self.y)
        of_y = {
            "1": one,
            "y": y,
            "y²": y * y,
            "z": z,
            "z²": z * z,
            "f'(z)": d,
            "y f'(z)": y * d,
            "y z": y * z,
        }
        yield from formulas(error, of_y, g * scale, "another function of z", "f'(z)")

    def _quantities(self) -> dict[str, Array]:
        """What a formula for ∂L/∂y may be made of."""
        y, t, one = self.y, self.t, np.ones_like(self.y)
        found = {"1": one, "y": y, "t": t, "y²": y * y, "y t": y * t, "z": self.z}
        if self.problem.loss.uses_clip:
            found |= {"t/y": t / y, "1/y": 1 / y, "t/(1 - y)": t / (1 - y), "1/(1 - y)": 1 / (1 - y)}
        return found

    def _of_softmax(self, error: Error) -> Iterator[Candidate]:
        y, g, scale = self.y, self.g, self.problem.scale
        s = (g * y).sum(axis=1, keepdims=True)
        yield from self.changed("y in front", self.instead_of(y), lambda x: x * (g - s))
        yield from self.changed("the first ∂L/∂y", self.instead_of(g), lambda x: y * (x - s))

        def with_sum(x: Array) -> Array:
            return np.asarray(y * (g - x.sum(axis=1, keepdims=True)))

        yield from self.changed("the sum's ∂L/∂y", self.instead_of(g), lambda x: with_sum(x * y))
        yield from self.changed("y in the sum", self.instead_of(y), lambda x: with_sum(g * x))
        yield from self.changed("the sum's product", operators(g, y, ("∂L/∂y", "y")), with_sum)
        yield from self.changed("the product", operators(y, g - s, ("y", "(∂L/∂y - Σ)")), lambda x: x)
        total, one = g.sum(axis=1, keepdims=True) * np.ones_like(y), np.ones_like(y)
        quantities = {
            "1": one, "y": y, "∂L/∂y": g, "y ∂L/∂y": y * g, "Σ": s * one, "y Σ": y * s, "∂L/∂y Σ": g * s,
            "(∂L/∂y)²": g * g, "y²": y * y, "t": self.t, "y² ∂L/∂y": y * y * g, "y Σ∂L/∂y": y * total,
        }  # fmt: skip
        yield from formulas(error, quantities, scale * one, ANOTHER, "softmax's pullback")
        pulled = {name: self._into_delta()(x) for name, x in self._quantities().items()}
        yield from formulas(error, pulled, scale * one, ANOTHER, "∂L/∂y")
