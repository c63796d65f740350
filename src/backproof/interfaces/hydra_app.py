"""A plain Hydra application, in a process of its own, for what is Hydra's: showing configurations, shell
completion, and sweepers and launchers that are not ours.

A job is one cell: it is computed into results/NAME and answers with its gradient error, for sweepers that
optimise.
"""

from __future__ import annotations

import io
import logging
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext, redirect_stderr

import hydra
from hydra.conf import ConfigSourceInfo
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from backproof import paths
from backproof.errors import ConfigurationError, ExitStatus
from backproof.interfaces.answers import ended, show_sweep
from backproof.interfaces.child import PARENT
from backproof.interfaces.progress import Terminal
from backproof.requests import Request
from backproof.session import DEFAULT_NAME, Session
from backproof.sweeps.composition import CONFIG_NAME, refuse_idle, register, translated
from backproof.sweeps.interruption import interruptible
from backproof.sweeps.launching import Launcher
from backproof.sweeps.parents import end_with_parent


@hydra.main(config_path=str(paths.conf()), config_name=CONFIG_NAME, version_base="1.3")
def job(config: DictConfig) -> float:
    """Compute the configured cell into results/NAME; its gradient error."""
    if config.experiment is not None:
        raise ConfigurationError(
            "experiment: its grid needs backproof's own sweeper, hydra/sweeper=backproof"
        )
    application = HydraConfig.get()
    session = _session(application.runtime.config_sources)
    config_name = application.job.config_name or CONFIG_NAME
    cell = session.cell(Request(tuple(application.overrides.task), config_name=config_name))
    return session.compute(cell, str(config.name or DEFAULT_NAME))


def sweep(config: DictConfig, overrides: Sequence[str], launcher: Launcher | None) -> ExitStatus:
    """Run overrides of a multirun as one grid; what our sweeper plugin does."""
    application = config.hydra
    refuse_idle(override.partition("=")[0].lstrip("+~") for override in application.overrides.hydra)
    session = _session(application.runtime.config_sources)
    request = Request(
        tuple(overrides),
        config_name=application.job.config_name,
        retry_failed=application.sweeper.retry_failed,
        fail_fast=application.sweeper.fail_fast,
    )
    return show_sweep(session.sweep(request, launcher))


def _session(sources: Sequence[ConfigSourceInfo]) -> Session:
    """A session that searches for configuration files where the application does."""
    users = [s for s in sources if s.provider not in ("hydra", "main", "schema")]
    return Session(searchpath=tuple(f"{s.schema}://{s.path}" for s in users), listener=Terminal())


@contextmanager
def _package_named() -> Iterator[None]:
    """Where `--package` names none, Hydra writes a line of its own and exits; ours reports it."""
    said = io.StringIO()
    try:
        with redirect_stderr(said):
            yield
    except SystemExit as left:
        raise ConfigurationError(f"--package: {said.getvalue()}") from left
    sys.stderr.write(said.getvalue())


def main() -> ExitStatus:
    """Run the application; what is wrong is printed in one line. It ends with the process that started it."""
    if PARENT in os.environ:
        end_with_parent(int(os.environ[PARENT]), from_main_thread=True)
    logging.raiseExceptions = False  # `--info | head` closes the pipe that Hydra logs into
    sys.argv[0] = "backproof"  # the program that completion in a shell is installed for
    register()

    def run() -> ExitStatus:
        shows_part = any(word.startswith("--package") for word in sys.argv)
        with translated(), _package_named() if shows_part else nullcontext():
            job()
        return ExitStatus.OK

    with interruptible():
        return ended(run)


if __name__ == "__main__":
    from backproof.interfaces import hydra_app  # so that launchers can pickle the job by its name

    raise SystemExit(hydra_app.main())
