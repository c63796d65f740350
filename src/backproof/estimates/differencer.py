"""Takes the differences of a function of which nothing is known but its values."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from backproof.estimates.noise import ROUNDING, SPACING, USUAL, Line, noise_along
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

SHORTEST_WAY = 0.5
"""The least share of its size by which a parameter is moved together with others."""

LONG = 2.0**-7
"""The step, relative to a parameter's size, over which f's plateaus are looked for that first steps miss."""

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
        scale: the size of f or of the terms that cancel in it.
    """

    def __init__(
        self,
        function: Function,
        value: float | np.longdouble,
        analytic: Array,
        generator: np.random.Generator,
        noise: Array | None = None,
    ) -> None:
        """
        Args:
            noise: where it is known already.
        """
        self.function, self.kind = function, wide(function.dtype)
        self.value = self.kind(value)
        self.sizes = sizes_of(function, value, analytic)
        self.scale = self._scale(analytic)
        self.generator = generator
        self._known = dict[tuple[int, float], float | np.longdouble]()
        self.noise = self._noise_of_tensors() if noise is None else noise

    @classmethod
    def moving_all(
        cls,
        function: Function,
        value: float | np.longdouble,
        analytic: Array,
        generator: np.random.Generator,
    ) -> CoordinateDifferencer:
        """The same with one noise, that of values as all parameters move together."""
        made = cls(function, value, analytic, generator, np.zeros(function.layout.size, wide(function.dtype)))
        made.noise[:] = made._noise_along(made._line(made._moves()), best_step(function.dtype))
        return made

    def tell_tensors_apart(self) -> None:
        """Measure the noise of each tensor on its own."""
        self.noise = self._noise_of_tensors()

    def _moves(self) -> Array:
        """A move of every parameter, by no more than its size.

        Of equal lengths, all steps might be whole numbers of plateaus.
        """
        count = self.function.layout.size
        ways = self.generator.choice([-1.0, 1.0], count)
        ways *= self.generator.uniform(SHORTEST_WAY, 1, count)
        return np.asarray(ways * self.sizes)

    def _noise_of_tensors(self) -> Array:
        """The noise as each tensor moves, (parameters)."""
        noise, moves = np.empty(self.function.layout.size, self.kind), self._moves()
        for tensor in self.function.layout.tensors:
            if tensor.size:
                mine = np.zeros_like(moves)
                mine[tensor.block] = moves[tensor.block]
                noise[tensor.block] = self._noise_along(self._line(mine), best_step(self.function.dtype))
        return noise

    @property
    def digits(self) -> float:
        """The relative rounding error of a value of f."""
        return unit_roundoff(self.function.dtype)

    def arithmetic(self, noise: Array) -> Array:
        """The relative rounding error of the arithmetic in which f seems to be evaluated, by its noise.

        Between the parameters' own and float32's; noise that is larger yet has other sources.
        """
        with np.errstate(divide="ignore", invalid="ignore"):
            seen = np.nan_to_num(noise / (USUAL * self.scale), nan=0.0)
        return np.clip(seen, self.digits, max(self.digits, unit_roundoff(np.dtype(np.float32))))

    def _scale(self, analytic: Array) -> float:
        """What f's rounding is relative to: |f|, or what its parameters do to it where its terms cancel."""
        effects = np.abs(analytic.astype(self.kind) * self.sizes)
        largest = float(effects[np.isfinite(effects)].max(initial=0))
        return max(abs(float(self.value)), largest, self.function.terms)

    def own_noise(self, index: int, step: float, negligible: float) -> float:
        """The largest error of a value of f as one parameter moves, nearby and as far as a step."""
        return self._noise_along(self._line_of(index), step, negligible)

    def speaks_for(self, index: int, analytic: float, value: float) -> bool:
        """Whether the difference over a long step is nearer to the analytic derivative than a value is."""
        central, _, _ = self.at(np.array([index]), LONG * self.sizes[index : index + 1])
        return bool(abs(analytic - central[0]) < abs(analytic - value) / 2)

    def noise_farther_away(self, index: int, step: float, least: float) -> float:
        """The noise as one parameter moves by longer steps than the first; 0 if it is at most `least`.

        Plateaus longer than the first step are seen only over longer ones.
        """
        line, longer = self._line_of(index), LONG * float(self.sizes[index])
        while longer >= step:
            noise = self._noise_along(line, longer)
            if noise > least:
                return noise
            longer /= RATIO
        return 0.0

    def shortest(self, index: int) -> float:
        """The shortest step of one parameter that its own precision allows."""
        theta = abs(float(self.function.start[index])) or float(self.sizes[index])
        return SPACING * self.digits * theta

    def _line_of(self, index: int) -> Line:
        """The line along one parameter."""
        start, kind = self.function.start[index], self.function.dtype.type

        def value(distance: float) -> float | np.longdouble:
            return self.value_with(index, start + kind(distance))

        return Line(value, float(self.sizes[index]), self.function.dtype)

    def _line(self, moves: Array) -> Line:
        """The line along a direction, in units of its length."""
        function = self.function

        def value(distance: float) -> float | np.longdouble:
            return function.value_near(function.start + (distance * moves).astype(function.dtype))

        return Line(value, 1.0, function.dtype)

    def _noise_along(self, line: Line, step: float, negligible: float = 0.0) -> float:
        """The noise of a line; that of f's rounding where no values along it can be had."""
        noise = noise_along(line, step / FARTHER, negligible)
        if noise is None:
            return ROUNDING * unit_roundoff(np.dtype(self.kind)) * abs(float(self.value))
        return max(noise, self.digits * self.function.terms)

    def value_with(self, index: int, value: Any) -> float | np.longdouble:
        """f with one parameter changed, evaluated once."""
        key = index, float(value)
        if key not in self._known:
            self.function.reset()
            self._known[key] = self.function.value_with(index, value)
        return self._known[key]

    def remember(self, index: int, step: Any, above: Any, below: Any) -> None:
        """Keep f at the ends of a step, which was evaluated in a block."""
        start, h = self.function.start[index], self.function.dtype.type(step)
        self._known[index, float(start + h)], self._known[index, float(start - h)] = above, below

    def central(self, indices: Index, steps: Array, ends: Central) -> tuple[Array, Array, Array]:
        """Central derivative, and the derivatives to the right and to the left; arrays (indices)."""
        up, down = spans(self.function, indices, steps)
        above, below = ends
        return (above - below) / (up + down), (above - self.value) / up, (self.value - below) / down

    def at(self, indices: Index, steps: Array) -> tuple[Array, Array, Array]:
        """The same, evaluated for it."""
        start, h = self.function.start[indices], steps.astype(self.function.dtype)
        with np.errstate(all="ignore"):
            above = [self.value_with(i, x) for i, x in zip(indices.tolist(), start + h, strict=True)]
            below = [self.value_with(i, x) for i, x in zip(indices.tolist(), start - h, strict=True)]
        return self.central(indices, steps, (np.array(above, self.kind), np.array(below, self.kind)))

    def rounding(self, steps: Array, noise: Array, right: Array, left: Array) -> Array:
        """The noise of derivatives; f's last digits are coarser where a step makes f larger."""
        grown = np.fmax(np.abs(right), np.abs(left))
        return noise / steps + 4 * self.digits * np.where(np.isfinite(grown), grown, 0)

    def first_steps(self) -> Array:
        """The first step of every parameter, by its size and the noise; (parameters)."""
        function = self.function
        usual, digits = best_step(function.dtype), self.digits
        relative = np.full(len(self.sizes), usual, self.kind)
        if self.scale > 0:
            # Noise beyond the precision's own asks for steps that are longer by its cube root.
            relative *= np.clip(np.cbrt(self.noise / (USUAL * digits * self.scale)), 1, LONGEST / usual)
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
