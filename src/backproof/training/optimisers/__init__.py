"""Optimisers, one file each: how a gradient becomes a step."""

from backproof.choices import Choices, discover
from backproof.training.optimisers.optimiser import Optimiser, State

__all__ = ["OPTIMISERS", "Optimiser", "State"]

OPTIMISERS: Choices[Optimiser] = discover(__name__)
