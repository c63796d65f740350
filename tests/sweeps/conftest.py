"""A configuration loader as Hydra makes it, and grids from lists of overrides."""

import pytest
from hydra import initialize_config_dir
from hydra.core.global_hydra import GlobalHydra

from backproof import paths
from backproof.sweeps.grid import expand


def loader_of(folder):
    with initialize_config_dir(str(folder), version_base="1.3"):
        return GlobalHydra.instance().config_loader()


@pytest.fixture(scope="session")
def loader():
    return loader_of(paths.conf())


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
