"""From a case to the objects that compute: its data, problem, backward rule and initial weights."""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cache
from hashlib import blake2b

import numpy as np

from backproof import paths
from backproof.data import DataError, Dataset
from backproof.errors import ConfigurationError
from backproof.network.activations import KinkRule
from backproof.network.activations.identity import identity
from backproof.network.arithmetic import Arithmetic
from backproof.network.arrays import Array
from backproof.network.clips import Clip, ClipBackward
from backproof.network.clips.none import none as no_clip
from backproof.network.faults.none import none as no_fault
from backproof.network.initial import initial_weights
from backproof.network.problem import Problem
from backproof.network.rules import BackwardRule
from backproof.sweeps import components
from backproof.sweeps.case import NetworkCase
from backproof.sweeps.modules import file_digest, remembered
from backproof.sweeps.settings import DataSettings
from backproof.training import Samples

SMALL = 1 << 14
"""Numbers in a data set of which several hundred draws are kept: 128 KiB."""


def generator(seed: int, purpose: str) -> np.random.Generator:
    """A stream of random numbers that depends on the case's seed and on what it is for, on nothing else."""
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(_stream(purpose),)))


@cache
def _stream(purpose: str) -> int:
    return int.from_bytes(blake2b(purpose.encode(), digest_size=4).digest(), "little")


def dataset(data: DataSettings, seed: int) -> Dataset:
    """The case's data, drawn and split by its seed; kept, read-only, while the next cells want the same.

    Raises:
        ConfigurationError: naming the file and the location, if the data cannot be used.
    """
    return (_one_of_many if sizes_of(data).numbers <= SMALL else _one_of_few)(data, seed)


@remembered(maxsize=512)
def _one_of_many(data: DataSettings, seed: int) -> Dataset:
    drawn = _drawn(data, seed)  # kept without what its arrays were cut from
    return read_only(Dataset(*(getattr(drawn, each.name).copy() for each in fields(drawn))))


@remembered(maxsize=16)
def _one_of_few(data: DataSettings, seed: int) -> Dataset:
    return read_only(_drawn(data, seed))


def _drawn(data: DataSettings, seed: int) -> Dataset:
    source = components.source(data)
    try:
        return source.draw(generator(seed, "data"))
    except DataError as error:
        raise ConfigurationError(str(error)) from error
    except (ValueError, TypeError) as error:
        raise ConfigurationError(f"data: {error}") from error
    except MemoryError as error:
        raise ConfigurationError(f"data={data.name}: does not fit into memory ({error})") from error


def read_only(data: Dataset) -> Dataset:
    """The same arrays, which nobody can change for the cells that come later."""
    views = [getattr(data, each.name).view() for each in fields(data)]
    for view in views:
        view.flags.writeable = False
    return Dataset(*views)


@dataclass(frozen=True)
class Sizes:
    """How large a data set is.

    Attributes:
        samples: of the training part.
        numbers: in all parts, inputs and targets.
    """

    samples: int
    features: int
    outputs: int
    numbers: int


@remembered(maxsize=64)
def sizes_of(data: DataSettings) -> Sizes:
    """The sizes of the data, which no seed changes."""
    found = _one_of_few(data, 0)
    numbers = sum(getattr(found, each.name).size for each in fields(found))
    return Sizes(len(found.inputs), found.inputs.shape[1], found.targets.shape[1], numbers)


def with_content(data: DataSettings) -> DataSettings:
    """The same with a digest of the user's file in it, so that a cell's id changes when the file does."""
    path = dict(data.parameters).get("path")
    file = paths.at_home(path) if isinstance(path, str) else None
    if file is None or not paths.is_file(file):
        return data
    return data.changed(content=file_digest(str(file), file.stat().st_mtime_ns))


def problem_of(case: NetworkCase, inputs: Array, targets: Array) -> Problem:
    """The case's problem over the given samples."""
    return Problem(
        inputs,
        targets,
        components.activation(case.activation)
        if case.activation
        else identity(),  # no hidden layer, no activation
        components.output(case.output),
        components.loss(case.loss),
        clip_of(case),
        (case.clip and case.clip.eps) or 0.0,
        case.loss.reduction,
        case.loss.l2,
        arithmetic_of(case),
    )


def clip_of(case: NetworkCase) -> Clip:
    """The case's clip; none where the loss has no use for one."""
    return components.clip(case.clip) if case.clip else no_clip()


def arithmetic_of(case: NetworkCase) -> Arithmetic:
    """How the case's network rounds."""
    return Arithmetic(case.precision.rounds_to, case.network.bias_add)


def rule_of(case: NetworkCase, *, planted: bool = True) -> BackwardRule:
    """The case's backward rule, with its planted fault or without; a None is one that cannot matter."""
    return BackwardRule(
        components.delta(case.delta),
        case.relu_at_zero or 0.0,
        case.kink or KinkRule.MULTIPLY,
        (case.clip and case.clip.backward) or ClipBackward.CONSISTENT,
        components.fault(case.fault) if planted else no_fault(),
    )


def weights_of(case: NetworkCase) -> list[Array]:
    """The case's initial weights."""
    data, network = dataset(case.data, case.seed), case.network
    widths = (data.inputs.shape[1], *network.hidden, data.targets.shape[1])
    drawn_by, dtype = generator(case.seed, "weights"), case.precision.dtype
    weights = initial_weights(widths, network.init_scale, network.bias, drawn_by, dtype)
    return [arithmetic_of(case).rounded(w) for w in weights]


def samples_of(case: NetworkCase) -> Samples:
    """The case's data in its precision."""
    data, dtype = dataset(case.data, case.seed), case.precision.dtype
    arrays, rounded = {f.name: getattr(data, f.name) for f in fields(data)}, arithmetic_of(case).rounded
    return Samples(**{name: rounded(a.astype(dtype, copy=False)) for name, a in arrays.items()})
