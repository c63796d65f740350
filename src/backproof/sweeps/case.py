"""The case: the typed description of one computation.

A case is a problem, a backward rule, how the two are checked and how the network is trained. It is made by
`canonical.case_of`, in canonical form: a setting that cannot affect the case is None. Two cells whose cases
are equal are one cell: it is computed once and shown wherever it belongs.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping
from functools import cached_property, lru_cache
from hashlib import blake2b
from json import dumps
from typing import Annotated, TypeVar

from pydantic import Field

from backproof.network.activations import KinkRule
from backproof.network.arrays import Precision
from backproof.network.number_formats import NetworkPrecision
from backproof.sweeps.fingerprint import FRAMEWORKS, fingerprint
from backproof.sweeps.overrides import AXES, OFF, Value
from backproof.sweeps.settings import (
    CheckSettings,
    ClipSettings,
    ComponentSettings,
    DataSettings,
    DerivativeSettings,
    Frozen,
    FunctionCheckSettings,
    FunctionSettings,
    Group,
    LossSettings,
    NetworkSettings,
    NonNegativeInt,
    TrainingSettings,
    plain,
)
from backproof.sweeps.validation import IDLE
from backproof.targets.formats import FloatName

Code = tuple[tuple[str, str | None], ...]
"""Dotted names of users' code, each with a digest of its module's sources."""


class Case(Frozen):
    """What every case has.

    Attributes:
        data: None where a function from outside has its own.
        code: the user's modules that the case depends on, each with a digest of its sources.
    """

    data: DataSettings | None = Field(default=None)
    seed: NonNegativeInt = Field(description="the replicate axis: data, weights and batches are drawn by it")
    code: Code = Field(default=(), description="digests of the user's modules")

    def flat(self) -> dict[str, Value]:
        """The case as a flat mapping keyed as overrides, in column order.

        A setting that cannot affect the case is not in it. `case_of(case.flat())` is the case again.
        """
        return dict(self._flat)

    @cached_property
    def _flat(self) -> Mapping[str, Value]:
        found: dict[str, Value] = {}
        fields = type(self).model_fields
        for key in (axis for axis in AXES if axis in fields):
            value = getattr(self, key)
            if isinstance(value, Group):
                found.update(_flat_group(key, value))
            elif value is not None:
                found[key] = plain(value)
            elif key in ("check", "training"):
                found[key] = OFF
        return found

    @cached_property
    def id(self) -> str:
        """A hash of the canonical case, of the user's modules and data, and of what decides bits: the
        computing code, without its comments, and the versions of the libraries that it computes with.
        """
        return id_of(dumps(self._flat, ensure_ascii=False), self.beside_settings)

    @property
    def beside_settings(self) -> str:
        """What is in the id beside the settings, as JSON."""
        return dumps([self.code, self.content, fingerprint(*self.frameworks)], ensure_ascii=False)[1:-1]

    @property
    def content(self) -> str | None:
        """A digest of the user's file that its data are in."""
        return self.data.content if self.data else None

    @property
    def frameworks(self) -> tuple[str, ...]:
        """Libraries beside the usual ones whose versions decide its bits."""
        return ()

    @property
    def numerical_key(self) -> Hashable:
        """Cells equal in this share one numerical gradient."""
        return self

    @property
    def share_key(self) -> Hashable:
        """Cells equal in this share a numerical gradient or, where none is checked, a part of a batch."""
        return self.numerical_key

    @property
    def family_key(self) -> Hashable:
        """Cells equal in this belong in one task: they share numerical gradients or batches."""
        return self


def id_of(settings: str, beside: str) -> str:
    """The id of a case, from its flat mapping as JSON and what is in the id beside that."""
    return blake2b(f"[{settings}, {beside}]".encode(), digest_size=8).hexdigest()


class NetworkCase(Case):
    """Problem, backward rule, check and training of the built-in network."""

    subject: Group = Field(description="what the case is about")
    data: DataSettings
    network: NetworkSettings
    activation: ComponentSettings | None = Field(
        default=None, description="of the hidden layers; None without any"
    )
    output: ComponentSettings
    loss: LossSettings
    clip: ClipSettings | None = Field(
        default=None, description="None where the loss has no logarithm of a probability"
    )
    precision: NetworkPrecision = Field(strict=False)
    delta: ComponentSettings
    relu_at_zero: Annotated[float | None, IDLE] = Field(
        default=0.0, description="the derivative at a kink, as a weight from the left to the right derivative"
    )
    kink: Annotated[KinkRule | None, IDLE] = Field(
        default=KinkRule.MULTIPLY, strict=False, description="what is done with it at a kink"
    )
    fault: ComponentSettings
    check: CheckSettings | None
    training: TrainingSettings | None

    @property
    def numerical_key(self) -> Hashable:
        """The problem and its check; no backward rule."""
        return (
            self.data, self.network, self.activation, self.output, self.loss,
            self.clip and self.clip.without("backward"), self.precision, self.check, self.seed, self.code,
        )  # fmt: skip

    @property
    def part_key(self) -> Hashable:
        """Cells of a batch that are equal in this have their clip and rule in common, but for numbers."""
        return self.clip and self.clip.without("eps"), self.delta, self.kink, self.fault

    @property
    def share_key(self) -> Hashable:
        """Of cells that are only trained, those that are one part of a batch."""
        if self.check is None and self.training:
            return self.family_key, self.part_key
        return self.numerical_key

    @property
    def family_key(self) -> Hashable:
        """Cells equal in this train as one batch: they differ in numbers, in the clip or in the rule.

        Users' code may ask a clip for anything, so it meets one at a time.
        """
        clip = self.clip.without("eps", "backward") if self.clip and self.code else None
        return (
            self.data, self.network.without("init_scale", "bias"), self.activation, self.output, self.loss,
            self.precision, self.training and self.training.without("learning_rate", "schedule"), self.code,
            clip,
        )  # fmt: skip


class FunctionCase(Case):
    """A function from outside and how its gradient is checked.

    `data` and `network` define the default starting point and are None where the user's code makes its own.
    """

    subject: FunctionSettings
    network: NetworkSettings | None = Field(default=None)
    precision: Precision | None = Field(default=None, strict=False)
    check: FunctionCheckSettings

    @property
    def frameworks(self) -> tuple[str, ...]:
        """That which makes the gradient."""
        return FRAMEWORKS.get(self.subject.by, ())

    @property
    def family_key(self) -> Hashable:
        """All seeds."""
        return self.subject, self.data, self.network, self.precision, self.code


class DerivativeCase(Case):
    """A derivative of a function of arrays, at arrays that are drawn, captured or made by the user's code.

    `precision` is None where the user's code decides it.
    """

    subject: DerivativeSettings
    precision: FloatName | None = Field(default=None, strict=False)
    check: FunctionCheckSettings

    @property
    def content(self) -> str | None:
        """Of the file that the inputs are in."""
        return self.subject.content

    @property
    def frameworks(self) -> tuple[str, ...]:
        """Those that the arrays may be made with."""
        arrays = self.subject.arrays
        made = (arrays,) if arrays else ("torch", "jax")
        return ("ml_dtypes", *(name for each in made for name in FRAMEWORKS.get(each, ())))

    @property
    def family_key(self) -> Hashable:
        """All seeds."""
        return self.subject, self.precision, self.code


@lru_cache(maxsize=1 << 14)
def _flat_group(key: str, group: Group) -> dict[str, Value]:
    return group.flat(key)


C = TypeVar("C")


def grouped(cases: Iterable[C], key: Callable[[C], Hashable]) -> list[list[C]]:
    """Cases that are equal in their key together; groups and cases in the order in which they came."""
    groups: dict[Hashable, list[C]] = {}
    for case in cases:
        groups.setdefault(key(case), []).append(case)
    return list(groups.values())
