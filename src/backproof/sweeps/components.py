"""From settings to the objects that compute: the only place that follows a `_target_`."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterable
from functools import cache, lru_cache, partial
from hashlib import blake2b
from importlib import invalidate_caches
from importlib.util import cache_from_source
from pathlib import Path
from pkgutil import resolve_name
from typing import Any, cast

import numpy as np

from backproof.data import DataError, Dataset, Source
from backproof.errors import ConfigurationError, nearest
from backproof.network.activations import Activation
from backproof.network.arrays import Precision
from backproof.network.clips import Clip
from backproof.network.deltas import Delta
from backproof.network.faults import Fault
from backproof.network.losses import Loss
from backproof.network.outputs import Output, Softmax
from backproof.sweeps.custom import VALUE, from_formula, from_python, is_value_of_z
from backproof.sweeps.modules import sources
from backproof.sweeps.settings import CODE, TARGET, Settings, Value, is_public
from backproof.training.optimisers import Optimiser

OWN_KEYS = {
    "loss": {"reduction", "l2"},
    "clip": {"eps", "backward"},
    "training": {"learning_rate", "steps", "batch", "threshold", "every"},
}
"""Keys of a group that are the sweep's own rather than parameters of its component."""

RECORDS: dict[str, tuple[type, ...]] = {
    "activation": (Activation,),
    "output": (Activation, Softmax),
    "loss": (Loss,),
    "clip": (Clip,),
    "delta": (Delta,),
    "fault": (Fault,),
    "training": (Optimiser,),
}
"""What the target of each group has to be or to return."""

Parameters = tuple[tuple[str, Value], ...]


def parameters(settings: Settings, group: str) -> Parameters:
    """The component's parameters within a group, sorted."""
    skip = len(group) + 1
    return tuple((key[skip:], settings[key]) for key in _parameter_keys(tuple(settings), group))


@lru_cache(maxsize=1 << 12)
def _parameter_keys(keys: tuple[str, ...], group: str) -> tuple[str, ...]:
    """Those of a case's keys that are parameters; the cells of a sweep have few different sets of keys."""
    own = OWN_KEYS.get(group, set()) | {TARGET}
    prefix = group + "."
    within = (k for k in keys if k.startswith(prefix) and is_public(k))
    return tuple(sorted(k for k in within if k[len(prefix) :] not in own))


def component(settings: Settings, group: str) -> Any:
    """The object that a group's choice stands for.

    Raises:
        ConfigurationError: if its target cannot be found or refuses its parameters.
    """
    target = settings.get(f"{group}.{TARGET}")
    if target is None and _is_formula(settings, group):
        return _of_formula(group, str(settings[group]), parameters(settings, group))
    if not isinstance(target, str):
        raise ConfigurationError(
            f"{group}={settings.get(group)}: its file needs a `{TARGET}:` that names code"
        )
    given = parameters(settings, group)
    built = _build(group, str(settings[group]), target, given, tuple(type(v) for _, v in given))
    if not isinstance(built, RECORDS[group]):
        wanted = " or ".join(kind.__name__ for kind in RECORDS[group])
        raise ConfigurationError(f"{group}.{TARGET}: {target} must give {wanted}; not {type(built).__name__}")
    return built


FUNCTIONS = ("activation", "output")
"""Groups whose choices may be an expression, a function of an array, or any object that has a `value`."""


def _is_formula(settings: Settings, group: str) -> bool:
    return group in FUNCTIONS and isinstance(settings.get(f"{group}.{VALUE}"), str)


@cache
def _of_formula(group: str, name: str, given: Parameters) -> Any:
    return from_formula(group, name, dict(given))


@cache
def _build(group: str, name: str, target: str, given: Parameters, _kinds: tuple[type, ...]) -> Any:
    found = find(group, target)
    if group in FUNCTIONS and is_value_of_z(found, dict(given)):
        _check_signature(group, found, given, skip=tuple(inspect.signature(found).parameters)[:1])
        return from_python(group, name, partial(found, **dict(given)) if given else found)
    if not callable(found):
        if given:
            raise ConfigurationError(f"{group}.{given[0][0]}: {target} takes no parameters")
        return found
    _check_signature(group, found, given, skip=())
    try:
        made = found(**dict(given))
        strange = group in FUNCTIONS and not isinstance(made, RECORDS[group]) and hasattr(made, "value")
        return from_python(group, name, made) if strange else made
    except ConfigurationError:
        raise
    except (ValueError, TypeError) as error:
        raise ConfigurationError(f"{group}: {error}") from error
    except Exception as error:  # somebody's own code
        raise ConfigurationError(f"{group}: {target} raises {type(error).__name__}: {error}") from error


@cache
def find(group: str, target: str, key: str | None = None) -> Any:
    """The object that a target names.

    Raises:
        ConfigurationError: naming the key and why it cannot be imported.
    """
    key = key or f"{group}.{TARGET}"
    try:
        found = resolve_name(target)
        _imported.setdefault(target, source_digest(target))
        return found
    except (ImportError, AttributeError, ValueError) as error:
        raise ConfigurationError(f"{key}: cannot import {target} ({error})") from error
    except Exception as error:  # importing runs somebody's own code
        raise ConfigurationError(
            f"{key}: cannot import {target} ({type(error).__name__}: {error})"
        ) from error


def targets_of(settings: Settings) -> dict[str, str]:
    """The code outside this package that a case names, by the private setting that holds its digest."""
    found = {}
    for key, target in settings.items():
        group, _, name = key.partition(".")
        if (
            (name == TARGET or key in CODE)
            and isinstance(target, str)
            and not target.startswith("backproof.")
        ):
            found[f"{group}._code_of_{name.strip('_')}"] = target
    return found


_imported: dict[str, str | None] = {}
"""Targets and the digests that their modules had when they were imported: what this process computes with."""


def code_of(settings: Settings) -> Settings:
    """A digest of each module outside this package that a target names, so that ids change when it does."""
    digests: Settings = {}
    for key, target in targets_of(settings).items():
        find(key.partition(".")[0], target)
        digests[key] = _imported[target]
    return digests


def source_digest(target: str) -> str | None:
    """A digest of the module that a target names, with what it imports beside it; None without a file."""
    path = _module_file(target)
    if path is None:
        return None
    files = sources(path)
    return blake2b(
        "".join(_digest(str(f), f.stat().st_mtime_ns) for f in files).encode(), digest_size=8
    ).hexdigest()


def _module_file(target: str) -> Path | None:
    parts = target.replace(":", ".").split(".")
    for end in range(len(parts), 0, -1):
        module = sys.modules.get(".".join(parts[:end]))
        if module is not None:
            path = getattr(module, "__file__", None)
            return Path(path) if path and Path(path).is_file() else None
    return None


def refresh() -> None:
    """Import somebody's own modules again if their files have changed since, as they do beside a notebook."""
    changed = [target for target, digest in _imported.items() if source_digest(target) != digest]
    if changed:
        forget(changed)


def forget(targets: Iterable[str]) -> None:
    """Forget the modules of targets, and what was made of them, so that they are imported as they are now."""
    for target in targets:
        path = _module_file(target)
        files = set(map(str, sources(path))) if path else set()
        for name, module in list(sys.modules.items()):
            if getattr(module, "__file__", None) in files:
                del sys.modules[name]
        for file in files:  # Python takes bytecode for new that is a second old and of a source as long
            Path(cache_from_source(file)).unlink(missing_ok=True)
    invalidate_caches()
    _imported.clear()
    for cached in (find, _build, _of_formula, _declared, _dataset):
        cached.cache_clear()


def as_declared(settings: Settings) -> Settings:
    """Parameters as declared: 1 is 1.0 where a component takes a float, so that both mean one case."""
    found: Settings = {}
    for group in dict.fromkeys(k.partition(".")[0] for k in settings if k.endswith("." + TARGET)):
        target = settings[f"{group}.{TARGET}"]
        if not isinstance(target, str) or not callable(function := find(group, target)):
            continue
        declared = _declared(group, target, function)
        for name, value in parameters(settings, group):
            if declared.get(name) == "float" and isinstance(value, int) and not isinstance(value, bool):
                found[f"{group}.{name}"] = float(value)
    for group in FUNCTIONS:
        if _is_formula(settings, group):
            for name, value in parameters(settings, group):
                if isinstance(value, int) and not isinstance(value, bool):
                    found[f"{group}.{name}"] = float(value)
    return found


@cache
def _declared(group: str, target: str, function: Any) -> dict[str, str]:
    try:
        return {k: str(p.annotation) for k, p in inspect.signature(function).parameters.items()}
    except (ValueError, TypeError) as error:
        raise ConfigurationError(
            f"{group}.{TARGET}: {target} is not a function of known parameters"
        ) from error


_KINDS: dict[str, tuple[str, Any]] = {
    "float": ("a number", lambda v: isinstance(v, int | float) and not isinstance(v, bool)),
    "int": ("a whole number", lambda v: isinstance(v, int) and not isinstance(v, bool) and abs(v) < 2**63),
    "bool": ("true or false", lambda v: isinstance(v, bool)),
    "str": ("text", lambda v: isinstance(v, str)),
    "str | None": ("text or null", lambda v: v is None or isinstance(v, str)),
}


def _check_signature(group: str, function: Any, given: Parameters, skip: tuple[str, ...]) -> None:
    accepted = {k: p for k, p in inspect.signature(function).parameters.items() if k not in skip}
    for name, value in given:
        if name not in accepted:
            raise ConfigurationError(f"{group}.{name}: unknown{nearest(name, accepted)}")
        says, fits = _KINDS.get(str(accepted[name].annotation), ("", None))
        if fits and not fits(value):
            raise ConfigurationError(f"{group}.{name}: must be {says}; not {value!r}")


def activation(settings: Settings) -> Activation:
    """The hidden layers' activation."""
    return cast(Activation, component(settings, "activation"))


def output(settings: Settings) -> Output:
    """The last layer's."""
    return cast(Output, component(settings, "output"))


def loss(settings: Settings) -> Loss:
    """The loss."""
    return cast(Loss, component(settings, "loss"))


def clip(settings: Settings) -> Clip:
    """The clip."""
    return cast(Clip, component(settings, "clip"))


def delta(settings: Settings) -> Delta:
    """The delta rule at the output."""
    return cast(Delta, component(settings, "delta"))


def fault(settings: Settings) -> Fault:
    """The planted fault."""
    return cast(Fault, component(settings, "fault"))


def optimiser(settings: Settings) -> Optimiser:
    """The optimiser of the training run."""
    return cast(Optimiser, component(settings, "training"))


def dtype(settings: Settings) -> type[np.floating[Any]]:
    """The precision."""
    return Precision(str(settings["precision"])).dtype


def generator(settings: Settings, purpose: str) -> np.random.Generator:
    """A stream of random numbers that depends on the case's seed and on what it is for, on nothing else."""
    key = int.from_bytes(blake2b(purpose.encode(), digest_size=4).digest(), "little")
    return np.random.default_rng(np.random.SeedSequence(cast(int, settings["seed"]), spawn_key=(key,)))


def dataset(settings: Settings) -> Dataset:
    """The case's data, drawn and split by its seed; kept while the next cells want the same.

    Raises:
        ConfigurationError: naming the file and the place, if the data cannot be used.
    """
    given = parameters(settings, "data")
    return _dataset(
        str(settings["data." + TARGET]), given, cast(int, settings["seed"]), _content(dict(given))
    )


@lru_cache(maxsize=16)
def _dataset(target: str, given: Parameters, seed: int, content: str | None) -> Dataset:
    del content  # in the key only: a changed file is read again
    given = tuple((k, v) for k, v in given if k != "content")
    try:
        return _source(target, given).draw(generator({"seed": seed}, "data"))
    except DataError as error:
        raise ConfigurationError(str(error)) from error
    except (ValueError, TypeError) as error:
        raise ConfigurationError(f"data: {error}") from error


def source(settings: Settings) -> Source:
    """Where the case's data come from."""
    given = parameters(settings, "data")
    return _source(str(settings["data." + TARGET]), tuple((k, v) for k, v in given if k != "content"))


def _source(target: str, given: Parameters) -> Source:
    found = find("data", target)
    _check_signature("data", found, given, skip=())
    made = found(**dict(given))
    if not isinstance(made, Source):
        raise ConfigurationError(f"data.{TARGET}: {target} must give Source; not {type(made).__name__}")
    return made


def _content(given: dict[str, Value]) -> str | None:
    path = given.get("path")
    if not isinstance(path, str) or not Path(path).expanduser().is_file():
        return None
    where = Path(path).expanduser()
    return _digest(str(where), where.stat().st_mtime_ns)


@lru_cache(maxsize=16)
def _digest(path: str, _changed: int) -> str:
    return blake2b(Path(path).read_bytes(), digest_size=8).hexdigest()


def content_of(settings: Settings) -> str | None:
    """A digest of the user's data file, so that a cell's id changes when the file does."""
    return _content(dict(parameters(settings, "data")))
