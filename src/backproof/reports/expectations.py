"""What is expected of a mean paired difference, whether it is shown, and the power to show it.

A replicate, which is a network of its own, gives one difference. The tests are Student's for one sample of
them: one-sided, two-sided, or two one-sided ones for equivalence (Schuirmann, 1987). A stated effect, the
smallest that would matter, says what would refute the expectation and what the power is about; the power is
that at the stated effect with the deviation that was observed, never at the effect that was observed
(Hoenig and Heisey, 2001).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray
from scipy.special import chdtri, nctdtr, ndtr, stdtr, stdtrit

LEVEL, POWER = 0.05, 0.8
"""Of a false alarm, and of finding what is there."""

MOST_REPLICATES = 100_000
"""More than these are never asked for."""

RESAMPLES = 9999


class Expected(StrEnum):
    """What is expected of the mean difference."""

    GREATER = "greater"
    LESS = "less"
    DIFFERENT = "different"
    EQUIVALENT = "equivalent"


class Finding(StrEnum):
    """What the differences say of it."""

    SHOWN = "shown"
    EXCLUDED = "excluded"
    NEITHER = "neither shown nor excluded"


@dataclass(frozen=True)
class Expectation:
    """An expectation, with the smallest effect that would matter, > 0: the margin of an equivalence."""

    expected: Expected
    effect: float


@dataclass(frozen=True)
class Tested:
    """An expectation, tested.

    Attributes:
        n: independent differences; mean, deviation: theirs.
        low, high: the 95 % interval of the mean by the bias-corrected and accelerated bootstrap over
            replicates (Efron, 1987); NaN where there is none.
        p: that what is expected would be found by chance; `corrected` for the tests of its family.
        level: of the family's tests if each were corrected by their number (Bonferroni), at which the power
            is stated; Holm's correction has no less.
        power: of finding it at the stated effect, or none where an equivalence is expected.
        needed: the least number of replicates with a power of 0.8; None where it is not known, or above all
            reason.
    """

    expectation: Expectation
    n: int
    mean: float
    deviation: float
    low: float
    high: float
    p: float
    corrected: float = np.nan
    level: float = LEVEL
    power: float = np.nan
    needed: int | None = None

    @property
    def finding(self) -> Finding:
        """What the differences say; an effect that is certain and too small to matter is excluded."""
        if excluded(self.expectation, self.n, self.mean, self.deviation):
            return Finding.EXCLUDED
        return Finding.SHOWN if self.corrected <= LEVEL else Finding.NEITHER

    @property
    def underpowered(self) -> bool:
        """Whether nothing was found where much could have been overlooked."""
        return self.finding is Finding.NEITHER and not self.power >= POWER


def judged(expectation: Expectation, differences: NDArray[np.float64]) -> Tested:
    """Test an expectation by independent differences (n,), for itself; `Tested.corrected` is left open."""
    n = len(differences)
    equal = bool((differences == differences[0]).all())
    mean = float(differences[0] if equal else differences.mean())
    deviation = np.nan if n < 2 else 0.0 if equal else float(differences.std(ddof=1))
    low, high = mean_interval(differences)
    return Tested(expectation, n, mean, deviation, low, high, p_of(expectation, n, mean, deviation))


def mean_interval(differences: NDArray[np.float64]) -> tuple[float, float]:
    """The BCa interval of a mean, of so many resamples with a fixed seed; NaN of one difference alone."""
    if len(differences) < 2:
        return np.nan, np.nan
    if (differences == differences[0]).all():
        return float(differences[0]), float(differences[0])
    from scipy.stats import bootstrap  # takes half a second to import

    found = bootstrap(
        (differences,), np.mean, n_resamples=RESAMPLES, method="BCa", random_state=np.random.default_rng(0)
    ).confidence_interval
    return float(found.low), float(found.high)


def p_of(expectation: Expectation, n: int, mean: float, deviation: float) -> float:
    """How likely such differences are where what is expected is not so; NaN of one difference.

    Equal differences have no deviation that could be trusted, least of all few of them: they are judged by
    their number alone, as by the sign test.
    """
    if n < 2:
        return np.nan
    effect, df, least = expectation.effect, n - 1, 0.5**n if deviation == 0 else 0.0
    match expectation.expected:
        case Expected.GREATER:
            found = stdtr(df, -_t(mean, n, deviation))
        case Expected.LESS:
            found = stdtr(df, _t(mean, n, deviation))
        case Expected.DIFFERENT:
            found, least = 2 * stdtr(df, -abs(_t(mean, n, deviation))), 2 * least
        case Expected.EQUIVALENT:
            below, above = _t(mean - effect, n, deviation), _t(mean + effect, n, deviation)
            found = max(stdtr(df, below), stdtr(df, -above))
    return float(max(found, least))


def excluded(expectation: Expectation, n: int, mean: float, deviation: float) -> bool:
    """Whether an effect that would matter is excluded at 5 %; or for an equivalence, shown."""
    effect = expectation.effect
    less = Expectation(Expected.LESS, effect)
    match expectation.expected:
        case Expected.GREATER:
            p = p_of(less, n, mean - effect, deviation)
        case Expected.LESS:
            p = p_of(less, n, -mean - effect, deviation)
        case Expected.DIFFERENT:
            p = p_of(Expectation(Expected.EQUIVALENT, effect), n, mean, deviation)
        case Expected.EQUIVALENT:
            p = 2 * min(p_of(less, n, side, deviation) for side in (effect - mean, effect + mean))
    return p <= LEVEL


def _t(mean: float, n: int, deviation: float) -> float:
    if deviation == 0:
        return float(np.copysign(np.inf, mean)) if mean else 0.0
    return float(mean * np.sqrt(n) / deviation)


def power_of(expectation: Expectation, n: int, deviation: float, level: float = LEVEL) -> float:
    """The probability that the test finds what is expected, of n normal differences of a deviation.

    Of one mean it is the noncentral t's (Johnson, Kotz and Balakrishnan, 1995, chapter 31). For equivalence
    the difference is 0, and the power is that of both tests at once, integrated over the deviation that they
    would see, whose square is a scaled chi-square (Phillips, 1990).
    """
    if n < 2 or np.isnan(deviation):
        return np.nan
    if deviation == 0:
        sides = 2 if expectation.expected == Expected.DIFFERENT else 1
        return float(sides * 0.5**n <= level)
    df, shift = n - 1, expectation.effect * np.sqrt(n) / deviation
    if expectation.expected == Expected.EQUIVALENT:
        return _power_of_equivalence(df, shift, stdtrit(df, 1 - level))
    if expectation.expected == Expected.DIFFERENT:
        t = stdtrit(df, 1 - level / 2)
        return float(1 - _noncentral(df, shift, t) + _noncentral(df, shift, -t))
    return float(1 - _noncentral(df, shift, stdtrit(df, 1 - level)))


def _noncentral(df: int, shift: float, t: float) -> float:
    """P(T ≤ t) of the noncentral t; that of the normal distribution where SciPy's has left its range."""
    found = float(nctdtr(df, shift, t))
    return found if np.isfinite(found) and shift < 30 else float(ndtr(t - shift))


def _power_of_equivalence(df: int, shift: float, t: float) -> float:
    """The mean over seen deviations, at the middles of 2,000 equally likely ranges of them."""
    likely = (np.arange(2000) + 0.5) / 2000
    seen = np.sqrt(chdtri(df, likely) / df)
    return float(np.clip(2 * ndtr(shift - t * seen) - 1, 0, None).mean())


def replicates_needed(expectation: Expectation, deviation: float, level: float = LEVEL) -> int | None:
    """The least number of replicates with a power of 0.8; None above all reason, or of no deviation."""
    if np.isnan(deviation):
        return None

    def enough(n: int) -> bool:
        return power_of(expectation, n, deviation, level) >= POWER

    high = 2
    while not enough(high):
        if high >= MOST_REPLICATES:
            return None
        high *= 2
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high
