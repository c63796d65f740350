"""Finite differences of a problem: numeric gradients, their budgets, and kinks by accounting."""

from backproof.estimates.incremental import Numeric, NumericLayer, numeric_gradient

__all__ = ["Numeric", "NumericLayer", "numeric_gradient"]
