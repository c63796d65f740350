"""How weights of few bits are updated: in their own arithmetic, or in a higher one.

The gradient of a loss that is multiplied by a scale is that many times larger throughout the backward pass,
so that less of it underflows; before the update it is divided again, in float32. Master weights are a copy in
float32 that is updated; the network computes with what its format makes of them, so that no update is too
small to be seen (Micikevicius et al. 2018, Mixed precision training).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import chain

import numpy as np

from backproof.network.arithmetic import Arithmetic
from backproof.network.arrays import Array, unit_roundoff
from backproof.training.optimisers import Optimiser, State


@dataclass(frozen=True)
class Mixed:
    """What is done in a higher precision than the network's.

    Attributes:
        loss_scale: what the loss is multiplied by, and its gradient divided by.
        master_weights: whether a copy of the weights in float32 is what is updated.
    """

    loss_scale: float = 1.0
    master_weights: bool = False

    @property
    def any(self) -> bool:
        """Whether it differs from an update in the network's own arithmetic."""
        return self.loss_scale != 1 or self.master_weights


IN_OWN_ARITHMETIC = Mixed()


@dataclass
class Updating:
    """The weights of a batch of networks while they are trained; they are changed in place.

    Attributes:
        weights: (cells, units, inputs + 1) each, numbers of the network's format.
        rates: learning rates, (steps, cells).
    """

    weights: list[Array]
    optimiser: Optimiser
    rates: Array
    arithmetic: Arithmetic
    mixed: Mixed = IN_OWN_ARITHMETIC
    state: State = field(default_factory=dict)

    def __post_init__(self) -> None:
        own = self.weights[0].dtype.type
        coarse = self.arithmetic.unit_roundoff(np.dtype(own)) > unit_roundoff(np.float32)
        self.kind = np.float32 if self.mixed.any and coarse else own
        self.masters = [w.astype(self.kind) for w in self.weights] if self.mixed.any else self.weights
        self.rates = self.rates.astype(self.kind)[:, :, None, None]

    def step(self, number: int, gradients: Sequence[Array], per_sample: float) -> None:
        """One step, by gradients of the sum that is multiplied by the loss scale.

        Args:
            per_sample: what turns a gradient of the sum into that of the mean loss over samples. The gradient
                is scaled rather than the rate: Adam's step has no scale of its own.
        """
        rounded = self.arithmetic.rounded
        if not self.mixed.any:
            factor = self.kind(per_sample)
            scaled = gradients if factor == 1 else [rounded(g * factor) for g in gradients]
            self.optimiser.update(self.weights, scaled, self.rates[number], self.state)
            if self.arithmetic.format is not None:
                self._round()
            return
        factor = self.kind(per_sample / self.mixed.loss_scale)
        scaled = [g.astype(self.kind) * factor for g in gradients]
        self.optimiser.update(self.masters, scaled, self.rates[number], self.state)
        for w, master in zip(self.weights, self.masters, strict=True):
            w[...] = rounded(master.astype(w.dtype))
            if not self.mixed.master_weights:
                master[...] = w

    def _round(self) -> None:
        """Weights are numbers of the network's format, and so is what an optimiser keeps."""
        kept = [each for each in self.state.values() if isinstance(each, list)]
        for array in chain(self.weights, *kept):
            array[...] = self.arithmetic.rounded(array)
