"""Takes the differences of a function of which nothing is known but its values."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np

from backproof.estimates.noise import noise_along, noise_farther_away
from backproof.estimates.sizes import sizes_of
from backproof.estimates.step_sequence import RATIO
from backproof.estimates.steps import best_step, wide
from backproof.network.arrays import Array, unit_roundoff
from backproof.targets.function import Function
from backproof.targets.layout import Index

EXPONENTS = np.arange(5, -7, -1)
"""The sequence from which a large tensor's step is chosen, as powers of RATIO times the best step."""

FARTHER = 4.0
"""How many points of the noise of a single parameter lie within its first step."""

SAMPLED = 3
"""Parameters of such a tensor on which it is chosen."""

ORDINARY = 64.0
"""The noise of a common function, in units of round-off of its value."""

LONGEST = 2.0**-3
"""The longest first step, relative to a parameter's size."""

MANY = 200
"""Parameters from which on a tensor's first step is chosen by a sample."""

Central = tuple[Array, Array]
"""f(θ + h) and f(θ − h) for single parameters."""

Task = tuple[Function, Index, Array]
Mapper = Callable[[Callable[..., Central], Iterable[Task]], Iterable[Central]]


def move(function: Function, indices: Index, steps: Array) -> Central:
    """f(θ + h) and f(θ − h) for single parameters; arrays (indices)."""
    kind = wide(function.dtype)
    up, down = np.empty(len(indices), kind), np.empty(len(indices), kind)
    function.reset()
    start = function.start
    h = steps.astype(start.dtype)
    ends = zip(indices.tolist(), start[indices] + h, start[indices] - h, strict=True)
    with np.errstate(all="ignore"):
        for k, (i, above, below) in enumerate(ends):
            up[k] = function.value_with(i, above)
            down[k] = function.value_with(i, below)
    return up, down


def spans(function: Function, indices: Index, steps: Array) -> tuple[Array, Array]:
    """The steps up and down that θ's precision really makes."""
    kind, theta = wide(function.dtype), function.start[indices]
    h = steps.astype(theta.dtype)
    return (theta + h).astype(kind) - theta.astype(kind), theta.astype(kind) - (theta - h).astype(kind)


class CoordinateDifferencer:
    """Takes the differences of one function at its starting point, one parameter at a time.

    Attributes:
        sizes: what a first step is relative to, (parameters).
        noise: the largest error of a value of f as each parameter moves, (parameters).
    """

    def __init__(
        self,
        function: Function,
        value: float | np.longdouble,
        analytic: Array,
        generator: np.random.Generator,
    ) -> None:
        self.function, self.kind = function, wide(function.dtype)
        self.value = self.kind(value)
        self.sizes = sizes_of(function, value, analytic)
        self.generator = generator
        self.noise = np.empty(function.layout.size, self.kind)
        signs = generator.choice([-1.0, 1.0], function.layout.size)
        for tensor in function.layout.tensors:
            if tensor.size:
                moves = np.zeros_like(self.sizes)
                moves[tensor.block] = (signs * self.sizes)[tensor.block]
                self.noise[tensor.block] = noise_along(function, moves)

    @property
    def digits(self) -> float:
        """The relative rounding error of a value of f."""
        return unit_roundoff(self.function.dtype)

    def arithmetic(self, noise: Array) -> Array:
        """The relative rounding error of the arithmetic in which f seems to be evaluated, by its noise.

        Between the parameters' own and float32's; noise that is larger yet has other sources.
        """
        with np.errstate(divide="ignore", invalid="ignore"):
            seen = np.nan_to_num(noise / (ORDINARY * abs(self.value)), nan=0.0)
        return np.clip(seen, self.digits, max(self.digits, unit_roundoff(np.dtype(np.float32))))

    def own_noise(self, index: int, step: float) -> float:
        """The largest error of a value of f as one parameter moves, nearby and as far as a step."""
        moves, far = np.zeros_like(self.sizes), np.zeros_like(self.sizes)
        moves[index], far[index] = self.sizes[index], step / FARTHER
        return max(noise_along(self.function, moves), noise_farther_away(self.function, far))

    def central(self, indices: Index, steps: Array, ends: Central) -> tuple[Array, Array, Array]:
        """Central derivative, and the derivatives to the right and to the left; arrays (indices)."""
        up, down = spans(self.function, indices, steps)
        above, below = ends
        return (above - below) / (up + down), (above - self.value) / up, (self.value - below) / down

    def at(self, indices: Index, steps: Array) -> tuple[Array, Array, Array]:
        """The same, evaluated for it."""
        return self.central(indices, steps, move(self.function, indices, steps))

    def rounding(self, steps: Array, noise: Array, right: Array, left: Array) -> Array:
        """The noise of derivatives; f's last digits are coarser where a step makes f larger."""
        grown = np.fmax(np.abs(right), np.abs(left))
        return noise / steps + 4 * self.digits * np.where(np.isfinite(grown), grown, 0)

    def first_steps(self) -> Array:
        """The first step of every parameter, by its size and the noise; (parameters)."""
        function, value = self.function, abs(float(self.value))
        usual, digits = best_step(function.dtype), self.digits
        relative = np.full(len(self.sizes), usual, self.kind)
        if value > 0:
            # Noise beyond the precision's own asks for steps that are longer by its cube root.
            relative *= np.clip(np.cbrt(self.noise / (ORDINARY * digits * value)), 1, LONGEST / usual)
        for tensor in function.layout.tensors:
            if tensor.size > MANY:
                relative[tensor.block] *= self._longer(tensor.block, relative)
        return np.asarray(relative * self.sizes)

    def _longer(self, block: slice, relative: Array) -> float:
        """By what factor the steps of a tensor should differ from those that its noise suggests."""
        where = np.arange(block.start, block.stop)
        chosen = np.sort(self.generator.choice(where, SAMPLED, replace=False))
        factors, steps = RATIO**EXPONENTS, (relative * self.sizes)[chosen]
        derivatives = np.array([self.at(chosen, factor * steps)[0] for factor in factors])
        change = np.abs(np.diff(derivatives, axis=0))  # of each step to the next
        error = change + self.noise[chosen] / np.multiply.outer(factors[1:], steps)
        error *= self.sizes[chosen]  # entries of different units are compared by what they do to the loss
        typical = np.median(error, axis=1)
        typical[~np.isfinite(typical)] = np.inf
        return float(factors[int(np.argmin(typical)) + 1])
