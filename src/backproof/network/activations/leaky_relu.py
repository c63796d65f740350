"""ReLU with a slope below zero."""

from __future__ import annotations

from functools import partial

import numpy as np

from backproof.choices import choice
from backproof.network.activations.activation import Activation, Kink
from backproof.network.arrays import REALS, Array, Interval


@choice
def leaky_relu(slope: float = 0.01) -> Activation:
    """z if z > 0 else slope z

    Args:
        slope: of the line below zero.

    Raises:
        ValueError: unless `slope` is a finite number other than 1, which would be no kink.
    """
    if not np.isfinite(slope) or slope == 1:
        raise ValueError(f"slope must be a finite number other than 1; not {slope}")
    return Activation(
        "leaky_relu",
        f"z if z > 0 else {slope:g} z",
        partial(value, slope=slope),
        partial(derivative, slope=slope),
        (Kink(0, slope, 1),),
        REALS if slope > 0 else Interval(0, np.inf),
    )


def value(z: Array, slope: float) -> Array:
    """z where z > 0, else slope·z."""
    return np.asarray(np.where(z > 0, z, z.dtype.type(slope) * z))


def derivative(z: Array, slope: float) -> Array:
    """1 where z > 0, else the slope."""
    return np.asarray(np.where(z > 0, z.dtype.type(1), z.dtype.type(slope)))
