"""Hydra's errors as one line in our words: the key, what is allowed, the nearest right name."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from traceback import walk_tb

import yaml
from hydra.errors import HydraException, MissingConfigException, OverrideParseException
from omegaconf.errors import OmegaConfBaseException

from backproof.errors import ConfigurationError, first_line, nearest, not_one_of

PLUGINS = {
    ("hydra/launcher", "joblib"): "hydra-joblib-launcher",
    ("hydra/launcher", "ray"): "hydra-ray-launcher",
    ("hydra/launcher", "ray_aws"): "hydra-ray-launcher",
    ("hydra/launcher", "rq"): "hydra-rq-launcher",
    ("hydra/launcher", "submitit_local"): "hydra-submitit-launcher",
    ("hydra/launcher", "submitit_slurm"): "hydra-submitit-launcher",
    ("hydra/sweeper", "ax"): "hydra-ax-sweeper",
    ("hydra/sweeper", "nevergrad"): "hydra-nevergrad-sweeper",
}
"""Launchers and sweepers of Hydra's that are packages of their own."""


@contextmanager
def translated(known: Callable[[], Iterable[str]] = tuple) -> Iterator[None]:
    """Raise Hydra's, OmegaConf's and YAML's errors as a ConfigurationError of one line.

    `known` gives the keys that there are, for the hint that goes with an unknown one.
    """
    try:
        yield
    except (HydraException, OmegaConfBaseException) as error:
        raise _translation(error, known) from error
    except ValueError as error:  # as for a group whose choice is null
        if not _is_raised_by_hydra(error):
            raise
        raise ConfigurationError(one_line(error)) from error
    except yaml.YAMLError as error:
        raise ConfigurationError(f"a configuration file is not readable as YAML: {error}") from error


def _translation(error: Exception, known: Callable[[], Iterable[str]]) -> ConfigurationError:
    if isinstance(error, MissingConfigException) and error.options:
        group, _, choice = str(error.missing_cfg_file).rpartition("/")
        plugin = PLUGINS.get((group, choice))
        if plugin is not None:
            return ConfigurationError(f"{group}={choice}: is not installed; pip install {plugin}")
        return not_one_of(group, repr(choice), error.options)
    missing = re.search(r"Could not override '([^']+)'", str(error))
    if missing:
        key, keys = missing[1], list(known())
        if key in keys:  # another choice of its group has it
            return ConfigurationError(f"{key}: not among the values of the chosen {key.partition('.')[0]}")
        return ConfigurationError(f"{key}: unknown{nearest(key, keys)}")
    key = str(getattr(error, "full_key", None) or "")
    return ConfigurationError(f"{key}: {one_line(error)}" if key else one_line(error))


def _is_raised_by_hydra(error: BaseException) -> bool:
    *_, (frame, _) = walk_tb(error.__traceback__)
    return str(frame.f_globals.get("__name__", "")).partition(".")[0] == "hydra"


def one_line(error: BaseException) -> str:
    """The first line of an error, and of what caused it."""
    if isinstance(error, OverrideParseException):
        key = error.override.partition("=")[0].lstrip("+~")
        first = error.message.strip().splitlines()[0].strip()
        return f"{key}: '{error.override}' is not an override in Hydra's syntax ({first})"
    causes = [error] if error.__cause__ is None else [error, error.__cause__]
    lines = [first_line(e) for e in causes if str(e).strip()]
    return ": ".join(dict.fromkeys(lines)) or type(error).__name__
