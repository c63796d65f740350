"""Optimisers, one file each: how a gradient becomes a step."""

from backproof.choices import Choices, discover
from backproof.training.optimisers.optimiser import Optimiser

__all__ = ["OPTIMISERS", "Optimiser"]

OPTIMISERS: Choices[Optimiser] = discover(__name__)
