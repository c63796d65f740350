"""Derivatives by finite differences: values, error bounds and kinks, in one record."""
