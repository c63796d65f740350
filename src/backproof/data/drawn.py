"""Arrays of random numbers, for functions that take arrays of any shape."""

from __future__ import annotations

from enum import StrEnum

import numpy as np

from backproof.network.arrays import Array


class Distribution(StrEnum):
    """What numbers are drawn from; each has numbers of a size around 1."""

    NORMAL = "normal"
    UNIFORM = "uniform"
    """Between −1 and 1."""
    EXPONENTIAL = "exponential"
    """Positive, with the mean 1."""

    def drawn(self, shape: tuple[int, ...], generator: np.random.Generator) -> Array:
        """An array of a shape, in double precision."""
        match self:
            case Distribution.NORMAL:
                return np.asarray(generator.standard_normal(shape))
            case Distribution.UNIFORM:
                return np.asarray(generator.uniform(-1, 1, shape))
            case Distribution.EXPONENTIAL:
                return np.asarray(generator.standard_exponential(shape))
