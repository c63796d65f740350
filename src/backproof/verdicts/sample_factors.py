"""A gradient that is a sum over samples, each with a factor: which samples are in it, and how often."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from backproof.network.arrays import Array
from backproof.verdicts.fit import Candidate, Error, shown
from backproof.verdicts.structures import MOST_LISTED

REFINEMENTS = 2
"""Normal equations lose half of the digits; each refinement wins them back."""

NEAR = 1e-7
"""A factor that is so near a whole number is one."""


def sample_factors(error: Error, delta: Array, inputs: Array, penalty: Array) -> Iterator[Candidate]:
    """Σ cᵢ δᵢ xᵢᵀ for the factors c, one per sample, that come nearest to what was found."""
    gram = ((delta @ delta.T) * (inputs @ inputs.T)).astype(float)
    factors = np.zeros(len(delta))
    for _ in range(1 + REFINEMENTS):
        lack = error.found - penalty - (delta * factors[:, None]).T @ inputs
        if not np.isfinite(lack).all():
            return
        moment = np.einsum("su,ui,si->s", delta, lack, inputs).astype(float)
        factors = factors + np.linalg.lstsq(gram, moment, rcond=1e-13)[0]
    whole = np.round(factors)
    factors = np.where(np.abs(factors - whole) < NEAR, whole, factors)
    off = np.flatnonzero(factors != 1)
    values = (delta * factors[:, None]).T @ inputs + penalty
    listed = ", ".join(map(str, off[:MOST_LISTED])) + (", …" if len(off) > MOST_LISTED else "")
    fitted = int(np.count_nonzero(factors != np.round(factors)))
    if len(off) == len(factors) - 1 and not factors[off].any():
        yield Candidate("of one sample", f"sample {int(np.flatnonzero(factors)[0])}", values)
    elif not factors[off].any():
        yield Candidate("samples left out", f"{len(off)} of {len(factors)}: {listed}", values)
    else:
        some = ", ".join(shown(float(f)) for f in factors[off[:MOST_LISTED]])
        yield Candidate(
            "factors of samples", f"{len(off)} of {len(factors)}: {listed}, × {some}", values, fitted
        )
