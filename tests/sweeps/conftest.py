"""A configuration loader as Hydra makes it, and grids from lists of overrides."""

from functools import cache

import pytest
from hydra import initialize_config_dir
from hydra.core.global_hydra import GlobalHydra

from backproof import paths
from backproof.sweeps.grid import Composer, expand


def _loader_of(folder):
    with initialize_config_dir(str(folder), version_base="1.3"):
        return GlobalHydra.instance().config_loader()


@pytest.fixture(scope="session")
def loader():
    return _loader_of(paths.conf())


@pytest.fixture
def loader_of():
    """A configuration folder to its loader."""
    return _loader_of


@pytest.fixture(scope="session")
def composed():
    """The default configuration, composed once a session rather than a fifth of a second a test."""
    return cache(lambda loader, name, extra: Composer(loader, name, extra))


@pytest.fixture
def grid(loader, composed, monkeypatch):
    """Overrides to the grid that they span."""
    monkeypatch.setattr("backproof.sweeps.grid.Composer", composed)

    def make(*overrides, experiment=None):
        return expand(loader, "config", list(overrides), experiment)

    return make


@pytest.fixture
def one(grid):
    """Overrides to the one cell that they mean."""

    def make(*overrides):
        (cell,) = grid(*overrides).cells
        return cell

    return make
