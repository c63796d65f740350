"""A gradient of the form Xᵀ r + λ θ, as those of generalised linear models are, and what was made of it.

Where the right gradient is that, with r = α φ(X θ) + β y for arrays X and y that the function is given, its
operands are known, and each of them can be changed as those of a network are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from backproof.estimates.record import Mask
from backproof.network.arrays import Array
from backproof.verdicts.fit import Candidate, Error
from backproof.verdicts.formulas import formulas
from backproof.verdicts.variants import Variant, operators, variants

Link = Callable[[Array, Array], Array]
"""z = X θ and y to one of the terms of r."""


def _logistic(z: Array) -> Array:
    return np.asarray(1 / (1 + np.exp(-z)))


LINKS: dict[str, Link] = {
    "z": lambda z, _y: z,
    "σ(z)": lambda z, _y: _logistic(z),
    "softmax(z)": lambda z, _y: np.exp(z) / np.exp(z).sum(axis=1, keepdims=True),
    "exp(z)": lambda z, _y: np.exp(z),
    "tanh(z)": lambda z, _y: np.tanh(z),
    "y max(0, 1 - y z)": lambda z, y: y * np.maximum(0, 1 - y * z),
    "y σ(-y z)": lambda z, y: y * _logistic(-y * z),
    "y [y z < 1]": lambda z, y: y * (y * z < 1),
    "y exp(-z)": lambda z, y: y * np.exp(-z),
    "exp(-z)": lambda z, _y: np.exp(-z),
    "y (1 - y z)": lambda z, y: y * (1 - y * z),
    "y max(0, -y z)": lambda z, y: y * np.maximum(0, -y * z),
    "y max(0, 1 + y z)": lambda z, y: y * np.maximum(0, 1 + y * z),
    "max(0, 1 - y z)": lambda z, y: np.maximum(0, 1 - y * z),
}
"""Functions φ that are looked for in r = α φ(z) + β y."""


CHANGES: dict[str, Callable[[Array], Array]] = {
    "squared": np.square,
    "one added": lambda p: p + 1,
    "one taken off": lambda p: p - 1,
    "one over it": lambda p: 1 / p,
    "p (1 - p)": lambda p: p * (1 - p),
    "log": np.log,
    "exp": np.exp,
}
"""What may be made of φ(z)."""

ROUNDING = 1e-12
"""Relative rounding error of Xᵀ r, beside the measured one."""

Change = tuple[str, str, Array]
"""A name, its detail, and Xᵀ r as it would be."""


@dataclass(frozen=True)
class LinearModel:
    """The right gradient of some entries as Xᵀ r + λ θ.

    Attributes:
        entries: of the tensor, that it is the gradient of; flat positions.
        x: (samples, rows); theta, z, y: (rows, outputs) and (samples, outputs).
        offset: what is added to X θ.
        name, link: φ; alternatives: what may stand in its place, by name.
        factors: what r may be multiplied by, or divided, at z.
        penalised: θ where the penalty counts, 0 elsewhere.
        words: what X and r are.
    """

    entries: Array
    x: Array
    theta: Array
    offset: Array
    y: Array
    name: str
    link: Link
    alpha: float
    beta: float
    l2: float
    penalised: Array
    words: str
    alternatives: Mapping[str, Link] = field(default_factory=lambda: LINKS)
    factors: Mapping[str, Link] = field(default_factory=dict)

    @property
    def z(self) -> Array:
        """X θ, with the offset."""
        return np.asarray(self.x @ self.theta + self.offset)

    def residual(self, z: Array, y: Array) -> Array:
        """r, (samples, outputs)."""
        return np.asarray(self.alpha * self.link(z, y) + self.beta * y)

    @property
    def of_offset(self) -> LinearModel:
        """The gradient of the offset, of which r is summed over the samples."""
        ones, nothing = np.ones((len(self.x), 1)), np.zeros((1, self.y.shape[1]))
        outputs = np.arange(self.y.shape[1])
        return replace(self, entries=outputs, x=ones, theta=nothing, penalised=nothing, offset=self.z, l2=0.0)

    def candidates(self, error: Error, only: Mask) -> Iterator[Candidate]:
        """The gradient with one operand changed, in `only` these of the tensor's entries."""
        z, y, x, penalty = self.z, self.y, self.x, self.l2 * self.penalised
        r, chosen = self.residual(z, y), only[self.entries]
        size = (np.abs(x).T @ np.abs(r) + np.abs(penalty)).max()
        tolerance = np.full(error.right.shape, error.tolerance.max() + ROUNDING * size)
        for name, detail, gradient in self._changed(r, z, y):
            values = error.right.copy()
            values[self.entries[chosen]] = (gradient + penalty).ravel()[chosen]
            yield Candidate(name, f"{detail}; {self.words}", values, tolerance=tolerance)

    def _changed(self, r: Array, z: Array, y: Array) -> Iterator[Change]:
        """Name, detail and Xᵀ r with one of its operands changed."""
        x, theta = self.x, self.theta
        yield from self._of("r", variants(r, "samples", "outputs"), lambda v: v)
        yield from self._of("y", variants(y, "samples", "outputs"), lambda v: self.residual(z, v))
        yield from self._of("z", variants(z, "samples", "outputs"), lambda v: self.residual(v, y))
        of_theta, of_x = variants(theta, "entries", "outputs"), variants(x, "samples", "columns")
        yield from self._of("θ in z", of_theta, lambda v: self.residual(x @ v + self.offset, y))
        yield from self._of("X in z", of_x, lambda v: self.residual(v @ theta + self.offset, y))
        for v in variants(x, "samples", "columns"):
            yield "another design", f"X, {v.structure}{', ' if v.words else ''}{v.words}", v.values.T @ r
        for words, residual in self._residuals(r, z, y):
            yield "another residual", words, x.T @ residual

    def formulas(self, error: Error) -> Iterator[Candidate]:
        """Sums of few terms in the place of r."""
        z, y, penalty = self.z, self.y, (self.l2 * self.penalised).ravel()
        prediction = self.link(z, y)
        terms = {
            "1": np.ones_like(z), "z": z, "y": y, self.name: prediction, "y z": y * z, "y φ": y * prediction,
            "φ²": prediction**2, "φ z": prediction * z, "z²": z * z, "exp(-z)": np.exp(-z), "y²": y * y,
        }  # fmt: skip
        without = Error(error.found[self.entries] - penalty, error.right[self.entries] - penalty,
                        error.tolerance[self.entries], error.sure[self.entries])  # fmt: skip
        quantities = {words: (self.x.T @ v).ravel() for words, v in terms.items()}
        one = np.ones_like(without.right)
        for candidate in formulas(without, quantities, one, "another residual", "r"):
            values = error.right.copy()
            values[self.entries] = candidate.all_values + penalty
            yield replace(candidate, detail=f"{candidate.detail}; {self.words}", values=values)

    def _of(
        self, operand: str, found: Iterator[Variant], residual: Callable[[Array], Array]
    ) -> Iterator[Change]:
        for v in found:
            words = f"{operand}, {v.structure}{', ' if v.words else ''}{v.words}"
            yield "another residual", words, self.x.T @ residual(v.values)

    def _residuals(self, r: Array, z: Array, y: Array) -> Iterator[tuple[str, Array]]:
        """Other residuals, and what they are."""
        prediction = self.link(z, y)
        yield "r without y", self.alpha * prediction
        yield f"r without {self.name}", self.beta * y
        yield "z without its offset", self.residual(z - self.offset, y)
        for link, function in self.alternatives.items():
            yield f"{link} in place of {self.name}", self.alpha * function(z, y) + self.beta * y
        for change, of_prediction in CHANGES.items():
            changed = np.asarray(of_prediction(prediction))
            yield f"{self.name}, {change}", self.alpha * changed + self.beta * y
        factors = {"z": z, "y": y, self.name: prediction, "p (1 - p)": prediction * (1 - prediction)}
        factors |= {words: function(z, y) for words, function in self.factors.items()}
        for words, factor in factors.items():
            yield f"r times {words}", r * factor
            yield f"r divided by {words}", r / factor
        if self.offset.any():
            for v in operators(self.x @ self.theta, np.broadcast_to(self.offset, z.shape), ("X θ", "offset")):
                yield f"z = {v.words}", self.residual(v.values, y)
        for v in operators(prediction, y, (self.name, "y")):
            yield v.words, abs(self.alpha) * v.values
