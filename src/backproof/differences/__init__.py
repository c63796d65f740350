"""Finite differences of a problem: numeric gradients, their budgets, and kinks by accounting."""

from backproof.differences.gradient import Numeric, NumericLayer, numeric_gradient

__all__ = ["Numeric", "NumericLayer", "numeric_gradient"]
