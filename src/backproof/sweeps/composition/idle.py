"""Settings of Hydra's that backproof's own sweeper would ignore."""

from __future__ import annotations

from collections.abc import Iterable

from backproof.errors import ConfigurationError

PLACES = "results go to results/NAME, and name=NAME chooses it"
QUIET = "it writes no log"
IDLE_OF_HYDRA = {
    "hydra.sweep": PLACES,
    "hydra.run": PLACES,
    "hydra.output_subdir": PLACES,
    "hydra.verbose": QUIET,
    "hydra.job_logging": QUIET,
    "hydra.hydra_logging": QUIET,
}
"""Settings of Hydra's that have no effect on our sweeper, and why."""

OF_HYDRA = ("hydra.mode", "hydra.searchpath", "hydra.sweeper", "hydra.launcher")
"""Those that have one."""


def refuse_idle(keys: Iterable[str]) -> None:
    """Refuse settings of Hydra's that backproof's own sweeper would ignore.

    Raises:
        ConfigurationError: naming the setting, and what to do instead.
    """
    for key in keys:
        start = ".".join(key.replace("/", ".").split(".")[:2])
        if start.startswith("hydra.") and start not in OF_HYDRA:
            why = IDLE_OF_HYDRA.get(start, "hydra/sweeper=basic, Hydra's own, heeds it")
            raise ConfigurationError(f"{key}: has no effect on backproof's own sweeper; {why}")
