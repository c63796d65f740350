"""The configuration groups whose choices are code: what each offers, and the settings it has besides.

A choice is added where it is defined (`network/activations/mish.py`), not here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from backproof.choices import Choices
from backproof.data import SOURCES
from backproof.network.activations import ACTIVATIONS
from backproof.network.clips import CLIPS
from backproof.network.deltas import DELTAS
from backproof.network.faults import FAULTS
from backproof.network.losses import LOSSES
from backproof.network.outputs import OUTPUTS
from backproof.sweeps.settings import TARGET, Value
from backproof.training.optimisers import OPTIMISERS


@dataclass(frozen=True)
class Group:
    """A configuration group.

    Attributes:
        choices: those that are code.
        settings: what every one of these has besides its parameters, with defaults.
        per_choice: settings whose default is an attribute of the choice's record.
        plain: choices without code, name → one line of help.
    """

    choices: Choices[object]
    settings: Mapping[str, Value] = field(default_factory=dict)
    per_choice: tuple[str, ...] = ()
    plain: Mapping[str, str] = field(default_factory=dict)

    @property
    def summaries(self) -> dict[str, str]:
        """Every choice's name → one line of help."""
        return {**{name: choice.summary for name, choice in self.choices.items()}, **self.plain}

    def node(self, name: str) -> dict[str, Value]:
        """The configuration of a choice: its target, its parameters and the group's settings."""
        if name in self.plain:
            return {}
        choice = self.choices[name]
        of_record = {key: getattr(choice(), key) for key in self.per_choice}
        return {TARGET: choice.target, **choice.parameters, **of_record, **self.settings}

    def nodes(self) -> Iterator[tuple[str, dict[str, Value]]]:
        """The name and configuration of every choice."""
        return ((name, self.node(name)) for name in self.summaries)


GROUPS: dict[str, Group] = {
    "activation": Group(ACTIVATIONS),
    "output": Group(OUTPUTS, plain={"same": "as `activation`, the puzzle's choice"}),
    "loss": Group(LOSSES, {"reduction": "sum", "l2": 0.0}),
    "clip": Group(CLIPS, {"eps": 2.220446049250313e-16, "backward": "consistent"}),
    "delta": Group(DELTAS),
    "fault": Group(FAULTS),
    "data": Group(SOURCES),
    "training": Group(
        OPTIMISERS,
        {"steps": 100, "batch": 64, "threshold": 0.9, "every": 10},
        per_choice=("learning_rate",),
        plain={"none": "no training run"},
    ),
}
