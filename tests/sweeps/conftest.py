"""Grids from lists of overrides."""

import pytest

from backproof.sweeps.composition import composed


@pytest.fixture
def grid():
    """Overrides to the grid that they span."""

    def make(*overrides, experiment=None):
        return composed(overrides).grid(experiment)

    return make


@pytest.fixture
def one(grid):
    """Overrides to the one cell that they mean."""

    def make(*overrides):
        (cell,) = grid(*overrides).cells
        return cell

    return make
