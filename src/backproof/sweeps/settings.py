"""The settings of a case by group: what each may be, its default and its meaning.

This is the one list of them: validation, help and the configuration's defaults are read off these models.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Annotated, ClassVar, Literal, Self

from annotated_types import Ge, Gt, Le, Lt
from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator
from pydantic.fields import FieldInfo

from backproof.data.drawn import Distribution
from backproof.estimates.stencils import Scheme
from backproof.network.arithmetic import BiasAdd
from backproof.network.clips import ClipBackward
from backproof.network.initial import Bias
from backproof.network.losses import Reduction
from backproof.sweeps.overrides import TARGET, Value
from backproof.sweeps.validation import IDLE
from backproof.targets.memory import MemoryLayout
from backproof.verdicts.comparison import RESOLUTION, allowed_beside

Parameters = tuple[tuple[str, Value], ...]
"""Parameters of a component by name, sorted."""

NonNegativeInt = Annotated[int, Ge(0), Lt(2**63)]
PositiveInt = Annotated[int, Ge(1), Lt(2**63)]
"""Whole numbers that fit 64 bits, as tables need."""

NonNegative = Annotated[float, Ge(0)]
ClipThreshold = Annotated[float, Gt(0), Lt(0.5)]
Positive = Annotated[float, Gt(0)]
Resolution = Annotated[float, Gt(0), Lt(1)]
Tolerance = Annotated[float, Ge(0), Lt(1)]


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

    def __eq__(self, other: object) -> bool:
        """Equal values of the same kinds: 1, 1.0 and true differ to a user's function, and not to Python."""
        return self is other or (super().__eq__(other) and repr(self) == repr(other))

    def __hash__(self) -> int:
        return hash((type(self), *self.__dict__.values()))

    @classmethod
    def settings(cls) -> dict[str, FieldInfo]:
        """What can be set inside the group; a component's parameters are not among them."""
        return {k: f for k, f in cls.model_fields.items() if k not in cls.not_set}

    def without(self, *names: str) -> Hashable:
        """The values of the other settings, to group cases by."""
        return tuple(value for name, value in self if name not in names)

    def flat(self, key: str) -> dict[str, Value]:
        """The group as a flat mapping keyed as overrides; settings that are None are left out."""
        return {
            key: self.name,
            **{f"{key}.{k}": plain(v) for k, v in sorted(self._values().items()) if v is not None},
        }

    def _values(self) -> dict[str, Value]:
        """The settings inside the group as overrides name them."""
        return {name: getattr(self, name) for name in type(self).settings()}


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
    bias_add: BiasAdd = Field(
        default=BiasAdd.FUSED,
        strict=False,
        description="fused: in the matrix product's sum; unfused: to the rounded product",
    )


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


RESOLUTION_FIELD = Field(
    default=RESOLUTION,
    description="the relative error that must not go unseen; else the verdict is unresolved",
)
RTOL_FIELD = Field(
    default=0.0, description="relative error that the gradient has by its nature, as by a solver's tolerance"
)


class Tolerances(Group):
    """What errors a check must see, and which it allows."""

    resolution: Resolution = RESOLUTION_FIELD
    rtol: Tolerance = RTOL_FIELD

    @field_validator("rtol")
    @classmethod
    def _within_resolution(cls, rtol: float, info: ValidationInfo) -> float:
        wrong = allowed_beside(info.data.get("resolution", RESOLUTION), rtol)
        if wrong:
            raise ValueError(wrong)
        return rtol


SCREENED_FIELD = Field(
    default=None,
    description="whether a verdict of agreement may rest on random directions; else all is checked",
)


class CheckSettings(Tolerances):
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
    screened: bool | None = SCREENED_FIELD

    @field_validator("screened")
    @classmethod
    def _of_every_parameter(cls, screened: bool | None, info: ValidationInfo) -> bool | None:
        """A screen moves all parameters at once, by steps of its own, and keeps nothing of single ones."""
        default = {
            "parameters": "all",
            "scheme": Scheme.FIVE_POINT,
            "step": None,
            "evidence": False,
            "baselines": False,
        }
        wrong = [k for k, v in default.items() if info.data.get(k, v) != v]
        if screened and wrong:
            raise ValueError(
                f"does not go with check.{wrong[0]}, which is about single parameters; must be false"
            )
        return screened or None


class TrainingSettings(ComponentSettings):
    """A short training run with the gradient under test."""

    learning_rate: Annotated[Positive | None, IDLE] = Field(
        description="for the mean loss over samples, whatever its reduction; by default the optimiser's"
    )
    schedule: str | None = Field(
        default=None,
        description="the rate of each step, an expression in step, steps and learning_rate; null: the rate",
    )
    steps: PositiveInt = Field(default=100, description="steps of the optimiser")
    batch: Literal["full"] | PositiveInt = Field(default=64, description="samples of a step")
    threshold: Annotated[float, Gt(0), Le(1)] = Field(
        default=0.9, description="training accuracy that steps_to_threshold waits for"
    )
    every: PositiveInt = Field(
        default=10, description="steps between two records of cosines, dead units, hits of kinks and norms"
    )
    check_every: PositiveInt | None = Field(
        default=None, description="steps between two checks while the network trains; null: none"
    )
    loss_scale: Annotated[float | None, Gt(0), Le(2.0**64), IDLE] = Field(
        default=1.0, description="the loss is multiplied by it, and its gradient divided in float32"
    )
    master_weights: Annotated[bool | None, IDLE] = Field(
        default=False, description="whether the optimiser updates a copy of the weights in float32"
    )


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

    def _values(self) -> dict[str, Value]:
        """The same, with the keywords among the settings."""
        return {
            "by": self.by,
            TARGET: self.target,
            "df": self.df,
            "start": self.start,
            **dict(self.keywords),
        }


Shape = tuple[NonNegativeInt, ...]
"""The lengths of an array's axes."""


class DerivativeSettings(Group):
    """A function of arrays, a derivative of it, and the arrays that it is checked at."""

    by: str = Field(description="which derivative")
    target: str = Field(alias="_target_", description="the dotted name of the function")
    functions: Parameters = Field(default=(), description="dotted names of the derivative's functions")
    flags: Parameters = Field(default=(), description="how these are called")
    start: str | None = Field(default=None, description="the dotted name of what makes the inputs")
    inputs: str | None = Field(default=None, description="the file that they are in")
    content: str | None = Field(default=None, description="a digest of that file")
    arrays: Literal["numpy", "torch", "jax"] | None = Field(
        default="numpy", description="what library the inputs are made with"
    )
    shape: Shape | tuple[Shape, ...] | None = Field(
        default=(4, 3), description="of every input that is drawn, or of each"
    )
    distribution: Distribution | None = Field(
        default=Distribution.NORMAL, strict=False, description="what they are drawn from"
    )
    input_scale: Positive | None = Field(default=1.0, description="what they are multiplied with")
    layout: MemoryLayout = Field(
        default=MemoryLayout.CONTIGUOUS, strict=False, description="how arrays lie in memory"
    )
    keywords: Parameters = Field(
        default=(), description="passed on to those that have parameters of these names"
    )

    def _values(self) -> dict[str, Value]:
        """The same, with functions, flags and keywords among the settings."""
        return {
            "by": self.by,
            TARGET: self.target,
            **{name: getattr(self, name) for name in OF_INPUTS},
            **dict((*self.functions, *self.flags, *self.keywords)),
        }


OF_INPUTS = ("start", "inputs", "arrays", "shape", "distribution", "input_scale", "layout")
"""Settings of a derivative that say at which arrays it is checked."""


class FunctionCheckSettings(Tolerances):
    """How the gradient of a function from outside is checked."""

    samples: PositiveInt | None = Field(
        default=16, description="rows of the data that the default start passes on"
    )
    parameters: Literal["all"] | PositiveInt = Field(
        default="all", description="how many parameters are checked; a number: a seeded sample"
    )
    screened: bool | None = SCREENED_FIELD

    @field_validator("screened")
    @classmethod
    def _of_every_parameter(cls, screened: bool | None, info: ValidationInfo) -> bool | None:
        """A screen moves all parameters at once."""
        if screened and info.data.get("parameters", "all") != "all":
            raise ValueError("does not go with check.parameters; must be false")
        return screened or None


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


def plain(value: Value) -> Value:
    """An enum's member as text."""
    return str(value) if isinstance(value, str) else value
