"""Causes: what explains a disagreement, or part of it, and how far each cause reaches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from backproof.estimates.record import Mask
from backproof.network.arrays import Array
from backproof.verdicts.comparison import Comparison
from backproof.verdicts.tensors import TensorJudgement


@dataclass(frozen=True)
class Cause:
    """What explains a disagreement, or part of it.

    Attributes:
        name: of a closed set, the same in every case: `output delta: sign`, `kink touched`.
        detail: what is specific to this case: a factor, a location.
        layers: counted from 1; empty where the cause belongs to no layer.
        parameters: the share of the checked parameters that it moves by more than their bounds.
        error: its share of the sum of absolute errors.
    """

    name: str
    detail: str = ""
    layers: tuple[int, ...] = ()
    parameters: float = 0.0
    error: float = 0.0

    def __str__(self) -> str:
        where = f" (layer {', '.join(map(str, self.layers))})" if self.layers else ""
        detail = f": {self.detail}" if self.detail else ""
        return f"{self.name}{where}{detail}"


@dataclass(frozen=True)
class Departure:
    """Something in a gradient that departs from the right one.

    Attributes:
        name: of a closed set: the operation of a network, or the structure of a tensor's error.
        detail: what is specific to the case: a factor, a sample, a tensor.
        layer: counted from 1; 0 where the target has no layers.
        moved: what it alone adds to the gradient, (entries).
        at_clip: whether it departs only where the clip flattens the loss.
    """

    name: str
    detail: str
    layer: int
    moved: Array
    at_clip: bool = False


@dataclass(frozen=True)
class Explanation:
    """What a search for causes found.

    Attributes:
        causes: the largest share of the error first.
        moved: of each departure its cause's name, and which entries it moves by more than their bounds.
        only_at_clip: whether every departure is where the clip flattens the loss.
        tensors: their judgements, where the search measured tensors itself.
    """

    causes: tuple[Cause, ...] = ()
    moved: tuple[tuple[str, Mask], ...] = ()
    only_at_clip: bool = False
    tensors: tuple[TensorJudgement, ...] = ()


def explained_by(departures: Sequence[Departure], comparison: Comparison) -> Explanation:
    """Departures as causes: of a network those of one name are one cause, wherever they are.

    In a function every departure has a cause of its own, since nothing relates one tensor to another.
    """
    reach = [float(np.abs(d.moved).sum()) for d in departures]
    total = sum(reach) or 1.0
    beyond = [np.asarray(np.abs(d.moved) > comparison.estimate.bound) for d in departures]
    found: dict[tuple[str, str], Cause] = {}
    for departure, error, mask in zip(departures, reach, beyond, strict=True):
        key = departure.name, "" if departure.layer else departure.detail
        known = found.get(key, Cause(departure.name, departure.detail))
        found[key] = replace(
            known,
            layers=tuple(dict.fromkeys((*known.layers, departure.layer))) if departure.layer else (),
            parameters=max(known.parameters, comparison.share(mask)),
            error=known.error + error / total,
        )
    return Explanation(
        tuple(sorted(found.values(), key=lambda c: -c.error)),
        tuple((d.name, mask) for d, mask in zip(departures, beyond, strict=True)),
        bool(departures) and all(d.at_clip for d in departures),
    )
