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
from backproof.sweeps.overrides import OFF, TARGET, Value
from backproof.sweeps.settings import (
    ClipSettings,
    ComponentSettings,
    DataSettings,
    LossSettings,
    TrainingSettings,
)
from backproof.training.optimisers import OPTIMISERS


@dataclass(frozen=True)
class ChoiceGroup:
    """A configuration group.

    Attributes:
        choices: those that are code.
        model: the settings that every one of these has besides its parameters.
        plain: choices without code, name → one line of help.
    """

    choices: Choices[object]
    model: type[ComponentSettings] = ComponentSettings
    plain: Mapping[str, str] = field(default_factory=dict)

    @property
    def summaries(self) -> dict[str, str]:
        """Every choice's name → one line of help."""
        return {**{name: choice.summary for name, choice in self.choices.items()}, **self.plain}

    def node(self, name: str) -> dict[str, Value]:
        """The configuration of a choice: its target, its parameters and the group's settings.

        A setting without a default of its own has the one that the choice's record declares.
        """
        if name in self.plain:
            return {}
        choice, fields = self.choices[name], self.model.settings()
        settings = {
            key: f.default if not f.is_required() else getattr(choice(), key) for key, f in fields.items()
        }
        return {TARGET: choice.target, **choice.parameters, **settings}

    def nodes(self) -> Iterator[tuple[str, dict[str, Value]]]:
        """The name and configuration of every choice."""
        return ((name, self.node(name)) for name in self.summaries)


CHOICES: dict[str, ChoiceGroup] = {
    "activation": ChoiceGroup(ACTIVATIONS),
    "output": ChoiceGroup(OUTPUTS, plain={"same": "as `activation`, the puzzle's choice"}),
    "loss": ChoiceGroup(LOSSES, LossSettings),
    "clip": ChoiceGroup(CLIPS, ClipSettings),
    "delta": ChoiceGroup(DELTAS),
    "fault": ChoiceGroup(FAULTS),
    "data": ChoiceGroup(SOURCES, DataSettings),
    "training": ChoiceGroup(OPTIMISERS, TrainingSettings, {OFF: "no training run"}),
}
