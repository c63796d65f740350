"""A grid as the command line asks for it: its cells, its folder, its engine."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backproof import paths
from backproof.errors import ConfigurationError
from backproof.sweeps import experiment as experiments
from backproof.sweeps.case import is_public
from backproof.sweeps.columns import RESULTS
from backproof.sweeps.experiment import Experiment
from backproof.sweeps.grid import Cell, Grid, expand
from backproof.sweeps.store import Store


@dataclass(frozen=True)
class Request:
    """A grid as the command line asks for it.

    Attributes:
        loader: Hydra's, which composes configurations.
        arguments: overrides, those of Hydra itself left out.
        folders: configuration folders, searched for experiments.
    """

    loader: Any
    config_name: str
    arguments: list[str]
    name: str | None
    experiment: str | None
    engine: dict[str, Any]
    folders: list[str]
    flags: frozenset[str] = frozenset()


def experiment_of(request: Request) -> Experiment | None:
    """The experiment that the request names, if it names one."""
    if request.experiment is None:
        return None
    folders = paths.experiment_folders([Path(f) for f in request.folders])
    return experiments.load(experiments.find(str(request.experiment), folders))


def folder_of(request: Request) -> Path:
    """results/NAME for this request."""
    name = str(request.name or request.experiment or "sweep")
    folder = paths.results_folder(name)
    if folder is None:
        raise ConfigurationError(
            f"name: must be a folder name of letters, digits, '.', '_' and '-'; not '{name}'"
        )
    return folder


def grid_of(request: Request, experiment: Experiment | None) -> Grid:
    folders = [f for f in request.folders if Path(f) != paths.conf()]
    own = [f"--config-dir={f}" for f in folders[:1]]
    own += [f"hydra.searchpath=[{','.join(folders[1:])}]"] * bool(folders[1:])
    grid = expand(request.loader, request.config_name, request.arguments, experiment, own)
    if experiment:
        from backproof.reports.claims import claims_of  # pandas: only where needed
        from backproof.reports.specification import figure_specs

        settings = {k for c in grid.cells for k in c.case.flat() if is_public(k)}
        columns = [*settings, "cell", *RESULTS]
        claims_of(experiment.claims, columns)
        figure_specs(experiment.figures, columns)
    return grid


def missing(store: Store, grid: Grid, retry_failed: bool) -> list[Cell]:
    known = store.statuses(c.case.id for c in grid.cells)
    wanted = {"pending", "failed", "killed", "timeout"} if retry_failed else {"pending"}
    return [c for c in grid.cells if not c.excluded and known.get(c.case.id, "pending") in wanted]
