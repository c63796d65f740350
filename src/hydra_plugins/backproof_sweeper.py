"""The glue that makes Hydra's multirun run on backproof's engine.

Hydra imports every plugin at start-up, of every Hydra program on this Python; so nothing heavy
is imported here until a sweep of ours begins.
"""

# No `from __future__ import annotations` here: Hydra executes plugins before they are in sys.modules,
# where dataclasses would look up annotations that are strings.
from dataclasses import dataclass
from typing import Any

from hydra.core.config_store import ConfigStore
from hydra.core.plugins import Plugins
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig


@dataclass
class BackproofSweeperConf:
    """Flags of `backproof sweep`."""

    _target_: str = "hydra_plugins.backproof_sweeper.BackproofSweeper"
    retry_failed: bool = False
    fail_fast: bool = False
    params: dict[str, Any] | None = None  # axes that a configuration file itself has


ConfigStore.instance().store(
    group="hydra/sweeper", name="backproof", node=BackproofSweeperConf, provider="backproof"
)


class BackproofSweeper(Sweeper):
    """Hands the overrides of a multirun to backproof, as one grid."""

    def __init__(self, retry_failed: bool, fail_fast: bool, params: dict[str, Any] | None = None) -> None:
        self.retry_failed, self.fail_fast, self.params = retry_failed, fail_fast, params

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Called by Hydra before `sweep`."""
        self.hydra_context, self.task_function, self.config = hydra_context, task_function, config

    def sweep(self, arguments: list[str]) -> Any:
        """Run the grid that the overrides span; ends the program with its exit status."""
        from backproof.interfaces.hydra_app import sweep

        launcher = None
        if not str(self.config.hydra.launcher._target_).endswith(".BasicLauncher"):
            launcher = Plugins.instance().instantiate_launcher(
                hydra_context=self.hydra_context, task_function=self.task_function, config=self.config
            )
        raise SystemExit(sweep(self.config, arguments, launcher))
