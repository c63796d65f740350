"""Losses, one file each: the terms of the sum and their derivative with respect to the output."""

from backproof.choices import Choices, discover
from backproof.network.losses.loss import Loss, Reduction

__all__ = ["LOSSES", "Loss", "Reduction"]

LOSSES: Choices[Loss] = discover(__name__)
