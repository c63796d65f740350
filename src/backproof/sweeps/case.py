"""The case: settings in canonical form, and the id that comes of it.

Canonical means that a setting which cannot affect the case is null. Two cells that are equal in
this form are one cell: it is computed once and shown wherever it belongs.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from functools import cache, cached_property, lru_cache
from hashlib import blake2b
from pathlib import Path
from typing import cast

import numpy as np

import backproof
from backproof.errors import ConfigurationError
from backproof.estimates.stencils import COMPLEX_TYPES, refuses_complex
from backproof.network.activations.identity import identity
from backproof.network.arrays import Precision
from backproof.network.clips.none import none as no_clip
from backproof.network.faults import Setting
from backproof.network.faults.none import none as no_fault
from backproof.network.losses import Loss, Reduction
from backproof.network.problem import Problem
from backproof.sweeps import components
from backproof.sweeps.settings import OFF, SAME, TARGET, Settings, Value
from backproof.sweeps.subject import canonical_function, is_function

RULE = ("delta", "relu_at_zero", "kink", "clip.backward", "fault")
"""The backward rule's settings; a group's name stands for its values too."""

BATCHABLE = (
    "seed",
    "clip.eps",
    "relu_at_zero",
    "training.learning_rate",
    "network.init_scale",
    "network.bias",
)
"""Settings that may differ between the networks of one array program."""

HOW = ("check", "training")
"""Settings that belong to neither problem nor rule."""


@lru_cache(maxsize=1 << 14)
def _belongs(key: str, names: tuple[str, ...]) -> bool:
    return any(key == name or key.startswith(name + ".") for name in names)


@dataclass(frozen=True)
class Case:
    """Problem + backward rule + how it is checked + how it is trained; hashable and picklable."""

    settings: tuple[tuple[str, Value], ...]

    @cached_property
    def values(self) -> Settings:
        """The settings as a mapping."""
        return dict(self.settings)

    def __getitem__(self, key: str) -> Value:
        return self.values.get(key)

    def without(self, *names: str) -> tuple[tuple[str, Value], ...]:
        """The settings outside the named groups and values: what a shared computation is keyed by."""
        return tuple((k, v) for k, v in self.settings if not _belongs(k, names))

    @property
    def unfaulted(self) -> Case:
        """The same case with nothing planted."""
        kept = [(k, v) for k, v in self.settings if not _belongs(k, ("fault",))]
        return Case(tuple(sorted([*kept, ("fault", OFF), ("fault." + TARGET, no_fault.target)])))

    @cached_property
    def numeric_key(self) -> tuple[tuple[str, Value], ...]:
        """Cells equal in this share one numeric gradient."""
        return self.without(*RULE, "training")

    @cached_property
    def training_key(self) -> tuple[tuple[str, Value], ...]:
        """Cells equal in this train as one batch."""
        return self.without(*BATCHABLE, "check")

    @cached_property
    def family_key(self) -> tuple[tuple[str, Value], ...]:
        """Cells equal in this belong into one task: they share numeric gradients or batches."""
        return self.without(*BATCHABLE, *RULE, "check")

    @cached_property
    def id(self) -> str:
        """A hash of the canonical settings and of the code that computes them."""
        text = json.dumps([self.settings, fingerprint()], ensure_ascii=False)
        return blake2b(text.encode(), digest_size=8).hexdigest()


def grouped(cases: Iterable[Case], key: Callable[[Case], Hashable]) -> list[list[Case]]:
    """Cases that are equal in their key together; groups and cases in the order in which they came."""
    groups: dict[Hashable, list[Case]] = {}
    for case in cases:
        groups.setdefault(key(case), []).append(case)
    return list(groups.values())


COMPUTING = (
    "network",
    "targets",
    "estimates",
    "verdicts",
    "training",
    "data",
    "sweeps/components.py",
    "sweeps/cures.py",
    "sweeps/limits.py",
    "sweeps/custom.py",
    "sweeps/subject.py",
    "sweeps/work.py",
)
"""The code that a cell's numbers depend on."""


@lru_cache(maxsize=1)
def fingerprint() -> str:
    """A digest of the computing code's source."""
    root = Path(backproof.__file__).parent
    digest = blake2b(digest_size=8)
    for name in COMPUTING:
        for path in sorted((root / name).rglob("*.py")) if "." not in name else [root / name]:
            digest.update(path.relative_to(root).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


@lru_cache(maxsize=1 << 16, typed=True)
def _setting(key: str, value: Value) -> tuple[str, Value]:
    """One object for all cells that have it, which is most of what a grid of many cells is made of."""
    return key, value


def canonical(settings: Settings) -> Case:
    """Validated settings to a case; settings that cannot matter become null.

    Raises:
        ConfigurationError: if a component cannot be built, or the data do not fit the loss.
    """
    s = dict(settings)
    if is_function(s):
        return _case(canonical_function(s))
    if s["output"] == SAME:
        _copy_group(s, "activation", "output")
    s.update(components.as_declared(s))
    s.update(components.code_of(s))
    loss, clip = components.loss(s), components.clip(s)
    delta = components.delta(s)
    _forget_idle_fault(s)
    if not s["network.hidden"]:
        _forget(s, "activation")
    hidden_kinks = bool(s["network.hidden"]) and bool(components.activation(s).kinks)
    output_kinks = bool(components.output(s).kinks) and delta.uses_kinks
    if not hidden_kinks and not output_kinks:
        s["relu_at_zero"] = s["kink"] = None
    if not loss.uses_clip:
        _forget(s, "clip")
    else:
        if not clip.uses_eps:
            s["clip.eps"] = None
        if clip.name == "none" or not delta.uses_clip:
            s["clip.backward"] = None
    if s["check"] == "none":
        _forget(s, "check", but=("check",))
    if s["training"] == "none":
        _forget(s, "training", but=("training",))
    else:
        components.optimiser(s)
    if s["check"] != OFF and s["check.scheme"] == "complex":
        s["check.step"] = None
    _check_scheme(s)
    content = components.content_of(s)
    if content is not None:
        s["data.content"] = content
    _check_targets(s, loss)
    return _case(s)


def _case(s: Settings) -> Case:
    return Case(tuple(_setting(k, v) for k, v in sorted(s.items()) if v is not None))


def _forget_idle_fault(s: Settings) -> None:
    """A fault that changes nothing here (1/N with one sample) is no fault."""
    fault = components.fault(s)
    if fault is no_fault():
        return
    data = components.dataset(s)
    rows = len(data.inputs)
    samples = [min(cast(int, s["check.samples"]), rows)] if s["check"] != OFF else []
    if s["training"] != OFF:
        samples.append(rows if s["training.batch"] == "full" else min(cast(int, s["training.batch"]), rows))
    hidden = cast(tuple[int, ...], s["network.hidden"])
    setting = Setting(
        widths=(data.inputs.shape[1], *hidden, data.targets.shape[1]),
        samples=max(samples, default=1),
        activation=components.activation(s) if hidden else identity(),
        output=components.output(s),
        loss=components.loss(s).name,
        clip=components.clip(s).name if components.loss(s).uses_clip else "none",
        reduction=Reduction(str(s["loss.reduction"])),
        l2=cast(float, s["loss.l2"]),
        precision=Precision(str(s["precision"])),
        y_minus_t=components.delta(s).name == "y_minus_t",
    )
    if not fault.matters(setting):
        _forget(s, "fault")
        s["fault"], s["fault." + TARGET] = "none", no_fault.target


def _check_scheme(s: Settings) -> None:
    """A step that the precision cannot make, or a scheme that the functions cannot take."""
    if s["check"] == OFF:
        return
    dtype, step = components.dtype(s), s.get("check.step")
    spacing = float(np.finfo(dtype).eps)
    if step is not None and cast(float, step) < spacing:
        raise ConfigurationError(
            f"check.step: must be at least {spacing:.3g}, the spacing of {s['precision']} at 1; not {step}"
        )
    if s["check.scheme"] != "complex":
        return
    if dtype not in COMPLEX_TYPES:
        raise ConfigurationError(
            f"check.scheme: complex needs complex numbers, and {s['precision']} has none"
        )
    nothing = np.zeros((1, 1), dtype)
    activation = components.activation(s) if s["network.hidden"] else identity()
    eps = cast(float, s.get("clip.eps") or 0.0)
    clip = components.clip(s) if components.loss(s).uses_clip else no_clip()
    group = refuses_complex(
        Problem(nothing, nothing, activation, components.output(s), components.loss(s), clip, eps)
    )
    if group:
        raise ConfigurationError(
            f"check.scheme: complex does not apply, since {group}={s[group]} takes no complex numbers"
        )


def _copy_group(s: Settings, source: str, to: str) -> None:
    for key in [k for k in s if k.startswith(to + ".")]:
        del s[key]
    for key in [k for k in s if k == source or k.startswith(source + ".")]:
        s[to + key[len(source) :]] = s[key]


def _forget(s: Settings, group: str, but: tuple[str, ...] = ()) -> None:
    for key in [k for k in s if k == group or k.startswith(group + ".")]:
        if key not in but:
            s[key] = None


def _check_targets(s: Settings, loss: Loss) -> None:
    """Targets that the loss is not defined for are an error of configuration, found before any cell runs."""
    if components.source(s).classes:  # which every loss takes
        _check_parameters(tuple(sorted((k, v) for k, v in s.items() if k.startswith("data"))))
        return
    data = components.dataset(s)
    for targets in (data.targets, data.test_targets):
        if not loss.targets.contains(targets).all():
            raise ConfigurationError(
                f"loss={s['loss']}: needs targets in {loss.targets}; data={s['data']} has others"
            )
        if loss.one_hot and not (abs(targets.sum(axis=1) - 1) < 1e-9).all():
            raise ConfigurationError(
                f"loss={s['loss']}: needs targets that add up to 1 in every row; data={s['data']} has others"
            )


@cache
def _check_parameters(data: tuple[tuple[str, Value], ...]) -> None:
    components.dataset({**cast(Settings, dict(data)), "seed": 0})
