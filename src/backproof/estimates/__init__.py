"""Derivatives by finite differences: values, error bounds and kinks, in one record."""

from backproof.estimates.incremental import NetworkEstimate, numerical_gradient
from backproof.estimates.record import EntryStatus, Estimate

__all__ = ["EntryStatus", "Estimate", "NetworkEstimate", "numerical_gradient"]
