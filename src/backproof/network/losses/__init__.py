"""Losses, one file each: the terms of the sum and their derivative with respect to the output."""

from backproof.choices import Choices, discover
from backproof.network.losses.loss import REDUCTIONS, Loss, scale

__all__ = ["LOSSES", "REDUCTIONS", "Loss", "scale"]

LOSSES: Choices[Loss] = discover(__name__)
