"""A configuration loader as Hydra makes it, and grids from lists of overrides."""

import pytest
from hydra import initialize_config_dir
from hydra.core.global_hydra import GlobalHydra

from backproof import paths
from backproof.sweeps.grid import expand


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


@pytest.fixture
def grid(loader):
    """Overrides to the grid that they span."""

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
