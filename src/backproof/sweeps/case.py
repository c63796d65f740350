"""The case: the typed description of one computation.

A case is a problem, a backward rule, how the two are checked and how the network is trained. It is made by
`canonical.case_of`, in canonical form: a setting that cannot affect the case is None. Two cells whose cases
are equal are one cell: it is computed once and shown wherever it belongs.

The models are also the one list of settings: their defaults, what each allows and what it means.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from functools import cached_property, lru_cache
from hashlib import blake2b
from json import dumps
from typing import Annotated, ClassVar, Literal, Self, TypeVar

from annotated_types import Ge, Gt, Le, Lt
from pydantic import BaseModel, ConfigDict, Field
from pydantic.fields import FieldInfo

from backproof.estimates.stencils import Scheme
from backproof.network.activations import KinkRule
from backproof.network.arrays import Precision
from backproof.network.clips import ClipBackward
from backproof.network.initial import Bias
from backproof.network.losses import Reduction
from backproof.sweeps.fingerprint import fingerprint
from backproof.sweeps.validation import IDLE

Value = None | bool | int | float | str | tuple[int, ...]
"""What a setting may be."""

Parameters = tuple[tuple[str, Value], ...]
"""Parameters of a component by name, sorted."""

NonNegativeInt = Annotated[int, Ge(0), Lt(2**63)]
PositiveInt = Annotated[int, Ge(1), Lt(2**63)]
"""Whole numbers that fit 64 bits, as tables need."""

NonNegative = Annotated[float, Ge(0)]
ClipThreshold = Annotated[float, Gt(0), Lt(0.5)]
Positive = Annotated[float, Gt(0)]

OFF = "none"
"""The choice that switches a check or a training run off."""

TARGET = "_target_"
"""The key of a user's choice that names its code."""


class Frozen(BaseModel):
    """Immutable, hashable, and strict: true is no number, and numbers are finite."""

    model_config = ConfigDict(
        frozen=True, strict=True, extra="forbid", allow_inf_nan=False, populate_by_name=True
    )

    def changed(self, **values: object) -> Self:
        """The same with other values."""
        return type(self)(**{**dict(self), **values})


class Group(Frozen):
    """A choice and the settings inside it."""

    not_set: ClassVar[tuple[str, ...]] = ("name",)

    name: str = Field(description="the choice")

    @classmethod
    def settings(cls) -> dict[str, FieldInfo]:
        """What can be set inside the group; a component's parameters are not among them."""
        return {k: f for k, f in cls.model_fields.items() if k not in cls.not_set}

    def flat(self, key: str) -> dict[str, Value]:
        """The group as a flat mapping keyed as overrides; settings that are None are left out."""
        values = {name: getattr(self, name) for name in type(self).settings()}
        return {
            key: self.name,
            **{f"{key}.{k}": _plain(v) for k, v in sorted(values.items()) if v is not None},
        }


class ComponentSettings(Group):
    """A choice that stands for an object: one of the package's own, or what a user's `_target_` makes."""

    not_set: ClassVar[tuple[str, ...]] = ("name", "target", "parameters", "content")

    target: str | None = Field(
        default=None,
        alias="_target_",
        description="dotted name of what makes the object, in a user's file",
    )
    parameters: Parameters = Field(default=(), description="what it is made with")

    def flat(self, key: str) -> dict[str, Value]:
        """The same, with the component's parameters among the settings."""
        inner = {**super().flat(key), **{f"{key}.{k}": v for k, v in self.parameters if v is not None}}
        if self.target is not None:
            inner[f"{key}.{TARGET}"] = self.target
        return dict(sorted(inner.items()))


class DataSettings(ComponentSettings):
    """The data."""

    content: str | None = Field(default=None, description="a digest of the user's data file")


class NetworkSettings(Group):
    """The network's shape and initial weights."""

    hidden: tuple[PositiveInt, ...] = Field(default=(100,), description="units of each hidden layer")
    init_scale: NonNegative = Field(
        default=1.0, description="weights are normal with standard deviation init_scale / √(units in)"
    )
    bias: Bias = Field(default=Bias.NORMAL, strict=False, description="initial biases")


class LossSettings(ComponentSettings):
    """The loss, how its terms are reduced to one number, and the penalty."""

    reduction: Reduction = Field(
        default=Reduction.SUM,
        strict=False,
        description="sum and mean: over samples and outputs; sample_mean: over samples",
    )
    l2: NonNegative = Field(default=0.0, description="weight of the penalty ½ l2 Σ w², biases left out")


class ClipSettings(ComponentSettings):
    """How logarithms of probabilities are kept finite."""

    eps: Annotated[ClipThreshold | None, IDLE] = Field(
        default=2.220446049250313e-16, description="the clip's threshold; by default the eps of float64"
    )
    backward: Annotated[ClipBackward | None, IDLE] = Field(
        default=ClipBackward.CONSISTENT,
        strict=False,
        description="ignored: differentiated as if there were no clip",
    )


class CheckSettings(Group):
    """How a network's gradient is checked."""

    samples: PositiveInt = Field(
        default=16, description="rows of the training data that the loss is computed on"
    )
    parameters: Literal["all"] | PositiveInt = Field(
        default="all", description="how many parameters are checked; a number: a seeded sample"
    )
    scheme: Scheme = Field(
        default=Scheme.FIVE_POINT,
        strict=False,
        description="the difference formula; five_point with a given step is central",
    )
    step: Positive | None = Field(
        default=None, description="one step for all parameters; by default each has its own"
    )
    cures: NonNegativeInt = Field(
        default=12, description="neighbouring cases tried where the gradient disagrees; 0: none"
    )
    evidence: bool = Field(
        default=False, description="keep the error against the step, and of every parameter"
    )
    baselines: bool = Field(default=False, description="also apply fixed thresholds and a smoothness test")


class TrainingSettings(ComponentSettings):
    """A short training run with the gradient under test."""

    learning_rate: Positive = Field(
        description="for the mean loss over samples, whatever its reduction; by default the optimiser's"
    )
    steps: PositiveInt = Field(default=100, description="steps of the optimiser")
    batch: Literal["full"] | PositiveInt = Field(default=64, description="samples of a step")
    threshold: Annotated[float, Gt(0), Le(1)] = Field(
        default=0.9, description="training accuracy that steps_to_threshold waits for"
    )
    every: PositiveInt = Field(default=10, description="steps between two records of cosine and dead units")


class FunctionSettings(Group):
    """A function from outside: the user's code and the keywords that it is given."""

    by: str = Field(description="what kind of function it is")
    target: str = Field(alias="_target_", description="the dotted name of the loss")
    df: str | None = Field(
        default=None, description="the dotted name of its gradient, where target returns the loss"
    )
    start: str | None = Field(
        default=None, description="the dotted name of what makes W, or (W, *args) as a tuple"
    )
    keywords: Parameters = Field(
        default=(), description="passed on to those that have parameters of these names"
    )

    def flat(self, key: str) -> dict[str, Value]:
        """The same, with the keywords among the settings."""
        named = {
            "by": self.by,
            TARGET: self.target,
            "df": self.df,
            "start": self.start,
            **dict(self.keywords),
        }
        return {key: self.name, **{f"{key}.{k}": v for k, v in sorted(named.items()) if v is not None}}


class FunctionCheckSettings(Group):
    """How the gradient of a function from outside is checked."""

    samples: PositiveInt | None = Field(
        default=16, description="rows of the data that the default start passes on"
    )
    parameters: Literal["all"] | PositiveInt = Field(
        default="all", description="how many parameters are checked; a number: a seeded sample"
    )


Code = tuple[tuple[str, str | None], ...]
"""Dotted names of users' code, each with a digest of its module's sources."""


class Case(Frozen):
    """What every case has.

    Attributes:
        code: the user's modules that the case depends on, each with a digest of its sources.
    """

    seed: NonNegativeInt = Field(description="the replicate axis: data, weights and batches are drawn by it")
    code: Code = Field(default=(), description="digests of the user's modules")

    def flat(self) -> dict[str, Value]:
        """The case as a flat mapping keyed as overrides, in column order.

        A setting that cannot affect the case is not in it. `case_of(case.flat())` is the case again.
        """
        found: dict[str, Value] = {}
        for key in AXES:
            value = getattr(self, key, None)
            if isinstance(value, Group):
                found.update(_flat_group(key, value))
            elif value is not None:
                found[key] = _plain(value)
            elif key in ("check", "training") and key in type(self).model_fields:
                found[key] = OFF
        return found

    @cached_property
    def id(self) -> str:
        """A hash of the canonical case, of the computing code and of the user's modules and data."""
        data = getattr(self, "data", None)
        parts = [self.flat(), self.code, data.content if data else None, fingerprint()]
        return blake2b(dumps(parts, ensure_ascii=False).encode(), digest_size=8).hexdigest()

    @property
    def numerical_key(self) -> Hashable:
        """Cells equal in this share one numerical gradient."""
        return self

    @property
    def training_key(self) -> Hashable:
        """Cells equal in this train as one batch."""
        return self

    @property
    def family_key(self) -> Hashable:
        """Cells equal in this belong in one task: they share numerical gradients or batches."""
        return self


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
    precision: Precision = Field(strict=False)
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
        clip = self.clip and (self.clip.name, self.clip.target, self.clip.parameters, self.clip.eps)
        return (
            self.data, self.network, self.activation, self.output, self.loss, clip, self.precision,
            self.check, self.seed, self.code,
        )  # fmt: skip

    @property
    def training_key(self) -> Hashable:
        """Everything but the check and what may differ between the networks of one array program."""
        clip = self.clip and (self.clip.name, self.clip.target, self.clip.parameters, self.clip.backward)
        training = self.training and tuple(v for k, v in self.training if k != "learning_rate")
        return self._shapes, clip, self.delta, self.kink, self.fault, training

    @property
    def family_key(self) -> Hashable:
        """The training key without the backward rule."""
        clip = self.clip and (self.clip.name, self.clip.target, self.clip.parameters)
        training = self.training and tuple(v for k, v in self.training if k != "learning_rate")
        return self._shapes, clip, training

    @property
    def _shapes(self) -> Hashable:
        network = self.network.name, self.network.hidden
        return self.data, network, self.activation, self.output, self.loss, self.precision, self.code


class FunctionCase(Case):
    """A function from outside and how its gradient is checked.

    `data` and `network` define the default starting point and are None where the user's code makes its own.
    """

    subject: FunctionSettings
    data: DataSettings | None = Field(default=None)
    network: NetworkSettings | None = Field(default=None)
    precision: Precision | None = Field(default=None, strict=False)
    check: FunctionCheckSettings

    @property
    def family_key(self) -> Hashable:
        """All seeds."""
        return self.subject, self.data, self.network, self.precision, self.code


AXES = (
    "subject", "data", "network", "activation", "output", "loss", "clip", "precision",
    "delta", "relu_at_zero", "kink", "fault", "check", "training", "seed",
)  # fmt: skip
"""The keys at the top of a case, in the order of columns and commands; a group's own is the choice's name."""

VALUES = ("precision", "relu_at_zero", "kink", "seed")
"""Those that are a single value."""

GROUPS = tuple(key for key in AXES if key not in ("relu_at_zero", "seed"))
"""Those whose value is a choice by name."""

MODELS: dict[str, type[Group]] = {
    "subject": Group,
    "data": DataSettings,
    "network": NetworkSettings,
    "activation": ComponentSettings,
    "output": ComponentSettings,
    "loss": LossSettings,
    "clip": ClipSettings,
    "delta": ComponentSettings,
    "fault": ComponentSettings,
    "check": CheckSettings,
    "training": TrainingSettings,
}
"""The groups of a network's case that hold settings, and what each may hold."""


def ordered(keys: Iterable[str]) -> list[str]:
    """Keys in column order, a group before its settings."""
    return sorted(keys, key=_position)


@lru_cache(maxsize=1 << 12)
def _position(key: str) -> tuple[int, bool, str]:
    group = key.partition(".")[0]
    return (AXES.index(group) if group in AXES else len(AXES)), "." in key, key


def _plain(value: Value) -> Value:
    """An enum's member as text."""
    return str(value) if isinstance(value, str) else value


@lru_cache(maxsize=1 << 14)
def _flat_group(key: str, group: Group) -> dict[str, Value]:
    return group.flat(key)


def is_public(key: str) -> bool:
    """Whether a key is a column: not the name of code, unless the case is about a function from outside."""
    return key == f"subject.{TARGET}" or not key.endswith(f".{TARGET}")


C = TypeVar("C", bound=Case)


def grouped(cases: Iterable[C], key: Callable[[C], Hashable]) -> list[list[C]]:
    """Cases that are equal in their key together; groups and cases in the order in which they came."""
    groups: dict[Hashable, list[C]] = {}
    for case in cases:
        groups.setdefault(key(case), []).append(case)
    return list(groups.values())
