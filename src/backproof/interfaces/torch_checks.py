"""Derivatives that PyTorch makes in either mode, checked as `gradcheck` asks for it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np

from backproof.targets.findings import Trial
from backproof.targets.source import UserFunction
from backproof.targets.torch import torch_jvp, torch_vjp
from backproof.targets.torch_backward import Asked, trials_of
from backproof.targets.torch_calls import Calls
from backproof.targets.torch_passes import TorchPasses
from backproof.targets.torch_trials import batched_tangents
from backproof.verdicts.check import Check
from backproof.verdicts.function import check_function
from backproof.verdicts.measuring import Sampling


def checks_of(
    function: UserFunction, inputs: Sequence[Any], asked: Asked, sampling: Sampling
) -> Iterator[Check]:
    """One check for each mode, of the inputs and outputs that require a gradient.

    Raises:
        FunctionError: if the function does what no such function does; it names the file and line.
    """
    passes = TorchPasses(function, inputs, masked=asked.masked, differentiable=True)
    calls = Calls(passes, sampling.seed)
    forwards: list[Trial] = [partial(batched_tangents, calls)] if asked.batched_forward else []
    if asked.backward:
        tried = [*trials_of(calls, asked), *([] if asked.forward else forwards)]
        generator = np.random.default_rng(sampling.seed)
        yield check_function(torch_vjp(passes, tried, generator=generator), sampling)
    if asked.forward:
        generator = np.random.default_rng(sampling.seed)
        yield check_function(torch_jvp(passes, forwards, generator=generator), sampling)
