"""Sweeps: from overrides to a grid, from a grid to a store full of rows."""
