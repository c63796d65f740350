"""The glue that makes Hydra's multirun run on backproof's engine.

Hydra imports every plugin at start-up, of every Hydra program on this Python; so nothing heavy
is imported here until a sweep of ours begins.
"""

# No `from __future__ import annotations` here: Hydra executes plugins before they are in sys.modules,
# where dataclasses would look up annotations that are strings.
from dataclasses import dataclass, field
from typing import Any

from hydra.core.config_store import ConfigStore
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf


@dataclass
class BackproofSweeperConf:
    """`command` is sweep, plan or check; `flags` are the program's own."""

    _target_: str = "hydra_plugins.backproof_sweeper.BackproofSweeper"
    command: str = "sweep"
    flags: list[str] = field(default_factory=list)


ConfigStore.instance().store(
    group="hydra/sweeper", name="backproof", node=BackproofSweeperConf, provider="backproof"
)


class BackproofSweeper(Sweeper):
    """Hands the overrides of a multirun to backproof, as one grid."""

    def __init__(self, command: str, flags: list[str]) -> None:
        self.command, self.flags = command, flags

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Called by Hydra before `sweep`."""
        self.hydra_context, self.task_function, self.config = hydra_context, task_function, config

    def sweep(self, arguments: list[str]) -> Any:
        """Run the grid that the overrides span; returns an exit status."""
        from backproof.interfaces import commands, jobs
        from backproof.interfaces.cli import without_marks
        from backproof.interfaces.request import Request

        launcher = None
        if not str(self.config.hydra.launcher._target_).endswith(".BasicLauncher"):
            from hydra.core.plugins import Plugins

            launcher = Plugins.instance().instantiate_launcher(
                hydra_context=self.hydra_context, task_function=self.task_function, config=self.config
            )
        loader = self.hydra_context.config_loader
        for source in self.config.hydra.runtime.config_sources:
            if source.provider.startswith("hydra.searchpath"):
                # Hydra searches there while it composes only; we go on composing.
                path = f"{source.schema}://{source.path}"
                loader.get_search_path().prepend(source.provider, path, "schema")
        loader.repository.initialize_sources(loader.get_search_path())  # type: ignore[attr-defined]
        request = Request(
            loader=loader,
            config_name=self.config.hydra.job.config_name,
            arguments=without_marks(arguments),
            name=self.config.name,
            experiment=self.config.experiment,
            engine=OmegaConf.to_container(self.config.engine, resolve=True),  # type: ignore[arg-type]
            folders=[s.path for s in self.config.hydra.runtime.config_sources if s.schema == "file"],
            flags=frozenset(self.flags),
        )
        if self.command not in commands.RUN:
            from backproof.errors import ConfigurationError

            known = ", ".join(commands.RUN)
            raise ConfigurationError(f"hydra.sweeper.command: must be one of {known}; not '{self.command}'")
        jobs.status = commands.RUN[self.command](request, launcher)
        return jobs.status
