"""Pairs of activation and output, for what depends on one or the other, or on whether both are the same."""

from itertools import cycle

from backproof.network.activations import ACTIVATIONS
from backproof.network.outputs import OUTPUTS

PAIRINGS = sorted(
    {
        *((name, name) for name in ACTIVATIONS if name in OUTPUTS),
        *zip(cycle(ACTIVATIONS), [*OUTPUTS][::-1], strict=False),
    }
)
"""Each with itself, and each with another."""
