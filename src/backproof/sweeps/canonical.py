"""From a flat mapping of settings to a case: the one door, where a case is checked and made canonical.

Whole grids pass through here before the first cell runs.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

import numpy as np

from backproof.errors import ConfigurationError
from backproof.estimates.stencils import COMPLEX_TYPES, Scheme, refuses_complex
from backproof.network.activations.identity import identity
from backproof.network.deltas import Delta
from backproof.network.faults import Setting
from backproof.network.faults.none import none as no_fault
from backproof.network.losses import Loss
from backproof.network.number_formats import NetworkPrecision
from backproof.network.outputs import Softmax
from backproof.sweeps import components
from backproof.sweeps.case import Case, Code, NetworkCase
from backproof.sweeps.construction import dataset, problem_of, sizes_of, with_content
from backproof.sweeps.modules import remembered
from backproof.sweeps.overrides import OFF, VALUES, Value
from backproof.sweeps.reading import by_group, chosen, interned, kind_of, read, read_value
from backproof.sweeps.settings import MODELS, CheckSettings, ClipSettings, ComponentSettings, TrainingSettings
from backproof.sweeps.validation import validated
from backproof.training.schedules import canonical_schedule

T = TypeVar("T")

NO_FAULT = ComponentSettings(name=no_fault.name)

WIDE = (NetworkPrecision.FLOAT64, NetworkPrecision.LONGDOUBLE)
"""Precisions in which scaling a loss by a power of two makes no difference."""

SAME = "same"
"""The output that is the hidden activation."""


def case_of(settings: Mapping[str, Value]) -> Case:
    """The case of a flat mapping keyed as overrides; settings that cannot matter are None in it.

    Raises:
        ConfigurationError: naming the key, what it allows and what was given; or if a component cannot be
            built, or the data do not fit the loss.
    """
    given = by_group(settings)
    if kind_of(given) is not None:
        from backproof.sweeps.subject import outside_case  # a worker's networks do without

        return outside_case(given)
    if chosen(given, "output") == SAME:
        given["output"] = _needed("activation", given.get("activation"))
    off = [key for key in ("check", "training") if chosen(given, key) == OFF]
    values: dict[str, Any] = dict.fromkeys(off)
    values |= {k: read(k, model, given) for k, model in MODELS.items() if k in given and k not in off}
    values |= {key: read_value(key, given) for key in VALUES if key in given}
    return canonical(validated(NetworkCase, values))


def canonical(case: NetworkCase) -> NetworkCase:
    """The same case with None for everything that cannot affect it.

    Raises:
        ConfigurationError: if a component cannot be built, or the data or the scheme do not fit.
    """
    loss, delta, output = (
        components.loss(case.loss),
        components.delta(case.delta),
        components.output(case.output),
    )
    if delta.elementwise and isinstance(output, Softmax):
        raise ConfigurationError(
            f"delta={case.delta.name}: uses d, the output's derivative element by element; softmax has none"
        )
    activation = _needed("activation", case.activation) if case.network.hidden else None
    hidden = components.activation(activation) if activation else identity()
    clip = _canonical_clip(_needed("clip", case.clip), delta) if loss.uses_clip else None
    kinks = bool(hidden.kinks) or (bool(output.kinks) and delta.uses_kinks)
    training = case.training and _canonical_training(case.training, case.precision, case.check is not None)
    changes = {
        "data": with_content(case.data),
        "activation": activation,
        "clip": clip,
        "relu_at_zero": case.relu_at_zero if kinks else None,
        "kink": case.kink if kinks else None,
        "check": _canonical_check(case.check),
        "training": training,
        "code": _code_of(case),
    }
    found = _without_idle_fault(case.changed(**changes))
    _check_scheme(found)
    _check_targets(found, loss)
    return found


def _code_of(case: NetworkCase) -> Code:
    groups = (
        case.data, case.activation, case.output, case.loss, case.clip, case.delta, case.fault, case.training,
    )  # fmt: skip
    return components.code_of(tuple([group.target for group in groups if group and group.target]))


def _needed(key: str, value: T | None) -> T:
    if value is None:
        raise ConfigurationError(f"{key}: is missing, and this case needs it")
    return value


@remembered()
def _canonical_clip(settings: ClipSettings, delta: Delta) -> ClipSettings:
    clip = components.clip(settings)
    idle = clip.name == "none" or not delta.uses_clip
    eps, backward = settings.eps if clip.uses_eps else None, None if idle else settings.backward
    return interned(settings.changed(eps=eps, backward=backward))


@remembered()
def _canonical_check(check: CheckSettings | None) -> CheckSettings | None:
    if check is None or check.scheme is not Scheme.COMPLEX:
        return check
    return interned(check.changed(step=None))


@remembered()
def _canonical_training(
    training: TrainingSettings, precision: NetworkPrecision, checked: bool
) -> TrainingSettings:
    components.optimiser(training)
    try:
        schedule, rate = canonical_schedule(training.schedule, training.learning_rate, training.steps)
    except ValueError as error:
        raise ConfigurationError(f"training.schedule: {error}") from error
    scale, coarse = training.loss_scale, precision.unit_roundoff > NetworkPrecision.FLOAT32.unit_roundoff
    # A power of two changes exponents alone, and those of float64 and wider ones do not end where it matters.
    idle = precision in WIDE and scale is not None and np.frexp(scale)[0] == 0.5
    return interned(
        training.changed(
            schedule=schedule,
            learning_rate=rate,
            check_every=training.check_every if checked else None,
            loss_scale=None if idle else scale,
            master_weights=training.master_weights if coarse else None,
        )
    )


def _without_idle_fault(case: NetworkCase) -> NetworkCase:
    """A fault that changes nothing here (1/N with one sample) is no fault."""
    if case.fault == NO_FAULT or components.fault(case.fault).matters(_setting(case)):
        return case
    return case.changed(fault=NO_FAULT)


def _setting(case: NetworkCase) -> Setting:
    data = sizes_of(case.data)
    samples = [min(case.check.samples, data.samples)] if case.check else []
    if case.training:
        batch = case.training.batch
        samples.append(data.samples if batch == "full" else min(batch, data.samples))
    return Setting(
        widths=(data.features, *case.network.hidden, data.outputs),
        samples=max(samples, default=1),
        activation=components.activation(case.activation) if case.activation else identity(),
        output=components.output(case.output),
        loss=components.loss(case.loss).name,
        clip=components.clip(case.clip).name if case.clip else "none",
        reduction=case.loss.reduction,
        l2=case.loss.l2,
        precision=case.precision,
        y_minus_t=components.delta(case.delta).name == "y_minus_t",
    )


def _check_scheme(case: NetworkCase) -> None:
    """A step that the precision cannot make, or a scheme that the functions cannot take."""
    if case.check is None:
        return
    dtype, step = case.precision.dtype, case.check.step
    spacing = 2 * case.precision.unit_roundoff
    if step is not None and step < spacing:
        raise ConfigurationError(
            f"check.step: must be at least {spacing:.3g}, the spacing of {case.precision} at 1; not {step}"
        )
    if case.check.scheme is not Scheme.COMPLEX:
        return
    if dtype not in COMPLEX_TYPES or case.precision.rounds_to is not None:
        raise ConfigurationError(
            f"check.scheme: complex needs complex numbers, and {case.precision} has none"
        )
    nothing = np.zeros((1, 1), dtype)
    problem = problem_of(case, nothing, nothing)
    group = refuses_complex(problem)
    if group:
        name, kinked = getattr(case, group).name, group == "loss" and problem.loss.kinks(nothing, nothing)
        why = "has kinks" if kinked else "takes no complex numbers"
        raise ConfigurationError(f"check.scheme: complex does not apply, since {group}={name} {why}")


def _check_targets(case: NetworkCase, loss: Loss) -> None:
    """Targets that the loss is not defined for are an error of configuration, found before any cell runs."""
    if components.source(case.data).classes:  # which every loss takes
        sizes_of(case.data)  # refuses wrong parameters
        return
    data = dataset(case.data, case.seed)
    for targets in data.every_target:
        if not loss.targets.contains(targets).all():
            raise ConfigurationError(
                f"loss={case.loss.name}: needs targets in {loss.targets}; data={case.data.name} has others"
            )
        if loss.one_hot and not (abs(targets.sum(axis=1) - 1) < 1e-9).all():
            raise ConfigurationError(
                f"loss={case.loss.name}: needs targets that add up to 1 in every row;"
                f" data={case.data.name} has others"
            )
