"""The network under test: problems (weights to loss) and backward rules (forward pass to gradient)."""

from backproof.network.problem import Forward, Problem
from backproof.network.rules import BackwardRule

__all__ = ["BackwardRule", "Forward", "Problem"]
