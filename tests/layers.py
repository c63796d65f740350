"""An estimate of a network as arrays shaped like its weights, for tests that look at single parameters."""

from types import SimpleNamespace

import numpy as np

from backproof.estimates.record import EntryStatus
from backproof.network.arrays import cut_like


def layers_of(estimate, weights):
    """One namespace per layer; entries that were not selected are NaN, and False in masks."""
    size = sum(w.size for w in weights)

    def shaped(values, missing):
        flat = np.full(size, missing, values.dtype)
        flat[estimate.index] = values
        return cut_like(flat, weights)

    selected = shaped(np.ones(len(estimate.index), bool), False)
    numbers = ("value", "bound", "truncation", "noise", "round_off", "kink", "step", "low", "high")
    arrays = {name: shaped(getattr(estimate, name), np.nan) for name in numbers}
    flags = {name.lower(): shaped(estimate.has(EntryStatus[name]), False) for name in ("TOUCHED", "CROSSED")}
    names = {**arrays, **flags, "selected": selected}
    return [
        SimpleNamespace(bounds=estimate.bounds[i], **{name: each[i] for name, each in names.items()})
        for i in range(len(weights))
    ]
