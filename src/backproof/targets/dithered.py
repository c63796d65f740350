"""What rounding does to a backward pass in low precision, measured by runs beside its point.

Worst-case bounds n·u·Σ|terms| (Higham, Accuracy and Stability of Numerical Algorithms, 2nd ed., 2002, § 3.1)
are useless in bfloat16, where n·u passes 1 at n = 256, and they need the kernel's inner workings. Roundings
behave like independent random numbers of mean zero, which makes √n·u of n·u (Higham and Mary, SIAM J. Sci.
Comput. 41, 2019, A2815). What they add up to is seen by moving the inputs by their last digits, which draws
them anew: Monte Carlo arithmetic (Parker, 1997) without changing the kernel. So precision, data, length and
order of every reduction, and the format in which it is accumulated, enter as they are.

Inputs are moved up and down in pairs: the mean of a pair is free of what the move itself does, to first
order. The mean over all pairs is compared with the derivative. Its bound has three parts, entry by entry:

- chance: s/√m, s being the standard deviation of m pairs, times Student's quantile at `MISSED`;
- what the moves do not draw anew: `ALIKE` rounding errors of a single run, each s·√2, and `KEPT` units of
  round-off of the entry, for constants and saturated terms that are rounded to the same number each time;
- underflow: `KEPT` times the smallest number of the format.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from backproof.network.arrays import Array
from backproof.targets.formats import Format

PAIRS, FEWEST = 16, 8
"""Pairs of runs, and how many of them must be finite."""

MISSED = 1e-7
"""The probability that chance carries a right entry beyond its bound."""

ALIKE = 2.0
"""How far the mean of all runs is off at most, in rounding errors of one, where runs round alike: of sums in
low precision that are far larger than what is added, measured up to 1.5."""

KEPT = 4.0
"""Roundings of an entry that may be the same in every run."""

REACH, TOGETHER, COARSE = 2.0**-7, 2, 2.0**-8
"""How far all entries of an array are moved in common, relative to their size, and by how many of their last
digits at least; not at all above a unit round-off. What is saturated, or as large as a softmax's normaliser,
has coarser digits than a single entry; but what moves do to second order must not be seen."""


@dataclass(frozen=True)
class Formatted:
    """A part of a vector of numbers, and the format of the array that it is."""

    part: slice
    format: Format


def moves_of(x: Array, formats: Sequence[Formatted], unit: float, generator: np.random.Generator) -> Array:
    """By how much numbers move, each by whole last digits of a precision; (entries).

    Args:
        unit: the unit round-off of that precision; an array of a coarser format is moved in its own.
    """
    moves = np.zeros_like(x)
    for each in formats:
        values, u = x[each.part], max(unit, each.format.unit_roundoff)
        reach = max(TOGETHER, int(REACH / (2 * u)))
        common = generator.integers(-reach, reach + 1) if u <= COARSE else 0
        own = generator.integers(1, reach // TOGETHER + 1, values.shape)
        digits = common + own * generator.choice([-1, 1], values.shape)
        with np.errstate(divide="ignore"):
            spacing = 2 * u * np.exp2(np.floor(np.log2(np.abs(values))))
        moves[each.part] = digits * np.where(values != 0, spacing, 0)
    return moves


def moved(x: Array, moves: Array, formats: Sequence[Formatted]) -> Array:
    """Moved numbers as their formats have them; those that would leave the finite ones stay."""
    found = rounded_to(x + moves, formats)
    return np.where(np.isfinite(found), found, x)


def rounded_to(x: Array, formats: Sequence[Formatted]) -> Array:
    """Numbers as their formats have them; infinite where these have no number so large."""
    found = x.copy()
    for each in formats:
        found[each.part] = each.format.rounded(x[each.part])
    return found


def unit_of(formats: Sequence[Formatted]) -> float:
    """The coarsest unit round-off among some formats."""
    return max(each.format.unit_roundoff for each in formats)


@dataclass(frozen=True)
class Dithered:
    """A gradient by pairs of runs beside its point; (entries).

    Attributes:
        at_point: by one run at the point itself.
        mean: over all runs.
        error: what rounding may have made of the mean.
    """

    at_point: Array
    mean: Array
    error: Array


Run = Callable[[Array, Array], tuple[Array, Sequence[Formatted]]]
"""(inputs, cotangent) → the gradient and the formats in which it was returned; flat, in double precision."""


def dithered(
    run: Run,
    x: Array,
    cotangent: Array,
    inputs: Sequence[Formatted],
    outputs: Sequence[Formatted],
    generator: np.random.Generator,
) -> Dithered:
    """A gradient in low precision, by pairs of runs beside its point.

    Args:
        inputs, outputs: the formats of the inputs' arrays and of the cotangent's.
    """
    at_point, gradients = run(x, cotangent)
    unit = unit_of((*inputs, *outputs))
    pairs = np.empty((PAIRS, len(at_point)))
    for pair in pairs:
        of_x = moves_of(x, inputs, unit, generator)
        of_cotangent = moves_of(cotangent, outputs, unit, generator)
        up, down = (
            run(moved(x, way * of_x, inputs), moved(cotangent, way * of_cotangent, outputs))[0]
            for way in (1, -1)
        )
        pair[:] = (up + down) / 2
    pairs = pairs[np.isfinite(pairs).all(axis=1)]
    if not np.isfinite(at_point).all() or len(pairs) < FEWEST:
        return Dithered(at_point, at_point, np.full(len(at_point), np.inf))
    mean = pairs.mean(axis=0)
    error = _error(mean, pairs.std(axis=0, ddof=1), len(pairs), gradients, unit)
    return Dithered(at_point, mean, error)


def _error(mean: Array, spread: Array, count: int, gradients: Sequence[Formatted], unit: float) -> Array:
    """The bound of the mean of so many pairs, whose standard deviation is `spread`.

    Args:
        unit: the coarsest round-off of the inputs. A pass that computes in a finer precision shows that by
            its spread, and is held to what that precision or the gradient's own format rounds.
    """
    from scipy.special import stdtrit  # a fifth of a second to import, in every worker

    chance = stdtrit(count - 1, 1 - MISSED / 2) / np.sqrt(count)
    single = np.sqrt(2) * spread
    error = chance * spread + ALIKE * single
    for each in gradients:
        size, noise = (float(np.linalg.norm(values[each.part])) for values in (mean, single))
        seen = min(unit, noise / size) if size else unit
        error[each.part] += KEPT * max(seen, each.format.unit_roundoff) * np.abs(mean[each.part])
        error[each.part] += KEPT * each.format.smallest
    return np.asarray(error)
