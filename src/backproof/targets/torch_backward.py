"""The backward pass that PyTorch makes of a function of tensors, with the trials that it is put through."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from backproof.targets.findings import Trial
from backproof.targets.source import UserFunction
from backproof.targets.torch import torch_vjp
from backproof.targets.torch_calls import Calls
from backproof.targets.torch_layout_trials import LayoutTrials
from backproof.targets.torch_passes import TorchPasses
from backproof.targets.torch_trials import (
    batched_cotangents,
    dependence,
    types_of_gradients,
    undefined_cotangents,
)
from backproof.targets.vector import Rows


@dataclass(frozen=True)
class Asked:
    """What is checked of a function of tensors.

    Attributes:
        backward, forward: which modes.
        layouts, undefined, types: trials of the backward pass.
        batched, batched_forward: trials of several cotangents, or tangents, at a time.
        masked: whether entries that a sparse input does not store have no derivative.
    """

    backward: bool = True
    forward: bool = False
    layouts: bool = True
    undefined: bool = True
    types: bool = False
    batched: bool = False
    batched_forward: bool = False
    masked: bool = False


def vjp_of_tensors(
    function: UserFunction, inputs: Sequence[Any], cotangents: Any, generator: np.random.Generator
) -> Rows:
    """The backward pass that PyTorch makes of a function, of all inputs and outputs, with its trials.

    Raises:
        FunctionError: if the function or a backward pass does what no such function does.
    """
    passes = TorchPasses(function, inputs)
    trials = trials_of(Calls(passes, 0), Asked())
    return torch_vjp(passes, trials, cotangents=cotangents, generator=generator)


def trials_of(calls: Calls, asked: Asked) -> list[Trial]:
    """The trials of a backward pass that are asked for."""
    layouts = LayoutTrials(calls)
    found: list[Trial] = [partial(dependence, calls)]
    if asked.layouts:
        found += [layouts.of_cotangents, layouts.of_inputs]
    if asked.undefined:
        found.append(partial(undefined_cotangents, calls))
    if asked.batched:
        found.append(partial(batched_cotangents, calls))
    if asked.types:
        found.append(partial(types_of_gradients, calls))
    return found
