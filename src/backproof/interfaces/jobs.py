"""Cells as jobs of Hydra's own: what stock sweepers and launchers call, one cell at a time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from omegaconf import DictConfig, OmegaConf

status: int | None = None
"""The exit status that backproof's sweeper left; None if another sweeper ran."""

DEFAULT_NAME = "sweep"


def job(config: DictConfig) -> float:
    """Compute the configured cell into results/NAME; its gradient error, for sweepers that optimise."""
    from hydra.core.hydra_config import HydraConfig

    from backproof.errors import ConfigurationError
    from backproof.interfaces import commands
    from backproof.sweeps.grid import cell_of

    if config.experiment is not None:
        raise ConfigurationError(
            "experiment: its grid needs backproof's own sweeper, hydra/sweeper=backproof"
        )
    choices = {g: c for g, c in HydraConfig.get().runtime.choices.items() if c and not g.startswith("hydra/")}
    plain = cast(dict[str, Any], OmegaConf.to_container(config, resolve=True))
    return commands.compute_one(cell_of(plain, choices), str(config.name or DEFAULT_NAME))


def exit_status(arguments: Sequence[str]) -> int:
    """The exit status once Hydra is done; after a stock sweeper's run, the report is written here."""
    global status
    found, status = status, None
    if found is not None:
        return found
    showing = ("--cfg", "-c", "--info", "-i", "--hydra-help", "--shell-completion", "-sc", "--version")
    if any(word.partition("=")[0] in showing for word in arguments):
        return 0
    from backproof import paths
    from backproof.interfaces import commands

    names = [word.partition("=")[2] for word in arguments if word.startswith("name=")]
    folder = paths.results_folder(names[-1] if names else DEFAULT_NAME)
    return commands.report(folder) if folder and folder.is_dir() else 0
