"""The exponential linear unit (Clevert et al. 2016)."""

from __future__ import annotations

from functools import partial

import numpy as np

from backproof.choices import choice
from backproof.network.activations.activation import Activation, Kink
from backproof.network.arrays import Array, Interval


@choice
def elu(alpha: float = 1.0) -> Activation:
    """z if z > 0 else alpha (exp(z) - 1)

    Args:
        alpha: minus the limit at −∞; only 1 is smooth at zero.

    Raises:
        ValueError: unless `alpha` is a positive number.
    """
    if not np.isfinite(alpha) or alpha <= 0:
        raise ValueError(f"alpha must be a positive number; not {alpha}")
    return Activation(
        "elu",
        f"z if z > 0 else {alpha:g} (exp(z) - 1)",
        partial(value, alpha=alpha),
        partial(derivative, alpha=alpha),
        () if alpha == 1 else (Kink(0, alpha, 1),),
        Interval(-alpha, np.inf),
    )


def value(z: Array, alpha: float) -> Array:
    """z where z > 0, else alpha·(exp(z) − 1)."""
    return np.asarray(np.where(z > 0, z, z.dtype.type(alpha) * np.expm1(np.minimum(z, 0))))


def derivative(z: Array, alpha: float) -> Array:
    """1 where z > 0, else alpha·exp(z)."""
    return np.asarray(np.where(z > 0, z.dtype.type(1), z.dtype.type(alpha) * np.exp(np.minimum(z, 0))))
