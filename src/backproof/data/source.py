"""The record of a data source, and the decorator that makes one of a function."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from backproof.choices import Choice
from backproof.data.dataset import Dataset


@dataclass(frozen=True)
class Source:
    """Where data come from.

    Attributes:
        draw: a generator of random numbers to the data set, drawn, shuffled and split.
        classes: whether the targets are one-hot by construction, so that every loss takes them.
    """

    name: str
    draw: Callable[[np.random.Generator], Dataset]
    classes: bool


def source(*, classes: bool) -> Callable[[Callable[..., Dataset]], Choice[..., Source]]:
    """Make a choice of a function that takes a generator, and settings that have defaults."""

    def decorate(draw: Callable[..., Dataset]) -> Choice[..., Source]:
        def make(**settings: Any) -> Source:
            return Source(draw.__name__, partial(draw, **settings), classes)

        return Choice(make, described_by=draw)

    return decorate
