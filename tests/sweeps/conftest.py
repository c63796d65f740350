"""Grids from lists of overrides."""

from functools import cache

import pytest

from backproof.sweeps.composition import composed, composer
from backproof.sweeps.composition import request as composition


@pytest.fixture(scope="session")
def default():
    """The default configuration, composed once a session rather than a fifth of a second a test."""
    made = cache(composer.Composer)
    return lambda name, overrides=(), searchpath=(): made(name, tuple(overrides), tuple(searchpath))


@pytest.fixture
def grid(default, monkeypatch):
    """Overrides to the grid that they span."""
    monkeypatch.setattr(composition, "Composer", default)

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
