"""Kernels in bfloat16 and float16 with right backward passes and planted faults, put to `check_vjp`.

    python tests/held_out/low_precision.py --seed 100 --count 3 [--kernels swiglu …] [--list]

Every kernel is written once, line by line as a kernel rounds. Its variants accumulate in blocks of several
lengths, in another order, in float32 or in the low precision itself, or keep intermediate values in float32;
all of these are right. A fault is an edit of one line of the source, found by its text: what an edit changes
is not fitted to the check. Whether an edited kernel is wrong, and in which gradients, is found in float64,
where the same source runs without rounding.

An outcome is *located* where the gradients that are wrong are reported as wrong and no others are, or an
entry that is not finite is named; *named* where a cause says more of it.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import ml_dtypes
import numpy as np

import backproof

Array = Any
DTYPES = {"bfloat16": ml_dtypes.bfloat16, "float16": np.float16}

MATTERS, DIFFERS = 0.01, 1e-6
"""An edit is a fault where it changes a gradient by this share of its norm, in float64; and what it changes
at all."""


@dataclass(frozen=True)
class Arithmetic:
    """How a kernel rounds and accumulates.

    Attributes:
        block: the length of the parts in which sums are taken.
        backwards: whether the last part comes first.
        kept: the format of the running sum; None for that of the terms.
        fused: the format of intermediate values; None for that of the inputs.
    """

    block: int = 8
    backwards: bool = False
    kept: Any = np.float32
    fused: Any = None

    def dot(self, a: Array, b: Array) -> Array:
        """A product of matrices (m, k) and (k, n), part by part."""
        kind = a.dtype if a.dtype == np.float64 else self.kept or a.dtype
        total = np.zeros((a.shape[0], b.shape[1]), kind)
        for cut in self.parts(a.shape[1]):
            exact = a[:, cut].astype(np.float64) @ b[cut].astype(np.float64)
            total = (total + exact.astype(kind)).astype(kind)
        return total.astype(a.dtype)

    def total(self, a: Array, axis: int) -> Array:
        """Sums over an axis that stays with length 1, part by part."""
        moved = np.moveaxis(a, axis, -1)
        kind = a.dtype if a.dtype == np.float64 else self.kept or a.dtype
        total = np.zeros(moved.shape[:-1], kind)
        for cut in self.parts(moved.shape[-1]):
            part = moved[..., cut].astype(kind)
            for k in range(part.shape[-1]):
                total = (total + part[..., k]).astype(kind)
        return np.expand_dims(total, axis).astype(a.dtype)

    def parts(self, length: int) -> Sequence[slice]:
        """The parts of a sum; the last one may be shorter."""
        cuts = [slice(k, min(k + self.block, length)) for k in range(0, length, self.block)]
        return cuts[::-1] if self.backwards else cuts

    def wider(self, a: Array) -> Array:
        """Intermediate values in the format in which they are kept."""
        return a if self.fused is None or a.dtype == np.float64 else a.astype(self.fused)


VARIANTS = {
    "blocks of 8": Arithmetic(),
    "blocks of 5 backwards": Arithmetic(5, backwards=True),
    "one block": Arithmetic(1 << 20),
    "low accumulation": Arithmetic(16, kept=None),
    "low accumulation backwards": Arithmetic(7, backwards=True, kept=None),
    "fused in float32": Arithmetic(8, fused=np.float32),
}

SWIGLU = """
def forward(x, w, v):
    a, b = ar.dot(x, w), ar.dot(x, v)
    s = one(a) / (one(a) + exp(-a))
    return a * s * b

def backward(g, x, w, v):
    a, b = ar.wider(ar.dot(x, w)), ar.wider(ar.dot(x, v))
    g_ = ar.wider(g)
    s = one(a) / (one(a) + exp(-a))
    silu = a * s
    slope = s + silu * (one(a) - s)
    db = low(g_ * silu, g)
    da = low(g_ * b * slope, g)
    dx = add(ar.dot(da, w.T), ar.dot(db, v.T))
    dw = ar.dot(x.T, da)
    dv = ar.dot(x.T, db)
    return dx, dw, dv
"""

GEGLU = """
def forward(x, w, v):
    a, b = ar.dot(x, w), ar.dot(x, v)
    t = tanh(num(a, 0.7978845608) * (a + num(a, 0.044715) * a * a * a))
    return num(a, 0.5) * a * (one(a) + t) * b

def backward(g, x, w, v):
    a, b = ar.wider(ar.dot(x, w)), ar.wider(ar.dot(x, v))
    g_ = ar.wider(g)
    t = tanh(num(a, 0.7978845608) * (a + num(a, 0.044715) * a * a * a))
    gelu = num(a, 0.5) * a * (one(a) + t)
    inner = num(a, 0.7978845608) * (one(a) + num(a, 0.134145) * a * a)
    slope = num(a, 0.5) * (one(a) + t) + num(a, 0.5) * a * (one(a) - t * t) * inner
    db = low(g_ * gelu, g)
    da = low(g_ * b * slope, g)
    dx = add(ar.dot(da, w.T), ar.dot(db, v.T))
    dw = ar.dot(x.T, da)
    dv = ar.dot(x.T, db)
    return dx, dw, dv
"""

ATTENTION = """
def forward(q, k, v):
    z = ar.dot(q, k.T) * num(q, q.shape[1] ** -0.5)
    e = exp(z - z.max(axis=1, keepdims=True))
    return ar.dot(e / ar.total(e, 1), v)

def backward(g, q, k, v):
    scale = num(q, q.shape[1] ** -0.5)
    z = ar.wider(ar.dot(q, k.T)) * ar.wider(scale)
    e = exp(z - z.max(axis=1, keepdims=True))
    p = e / ar.total(e, 1)
    dp = ar.wider(ar.dot(g, v.T))
    delta = ar.total(p * dp, 1)
    dz = p * (dp - delta)
    dz = low(dz * ar.wider(scale), g)
    dv = ar.dot(low(p, g).T, g)
    dq = ar.dot(dz, k)
    dk = ar.dot(dz.T, q)
    return dq, dk, dv
"""

LAYER_NORM = """
def forward(x, w, b):
    n = num(x, x.shape[1])
    c = x - ar.total(x, 1) / n
    r = one(x) / sqrt(ar.total(c * c, 1) / n + num(x, 1e-3))
    return c * r * w + b

def backward(g, x, w, b):
    x_, g_, w_ = ar.wider(x), ar.wider(g), ar.wider(w)
    n = num(x_, x.shape[1])
    c = x_ - ar.total(x_, 1) / n
    r = one(x_) / sqrt(ar.total(c * c, 1) / n + num(x_, 1e-3))
    h = c * r
    gw = g_ * w_
    m1 = ar.total(gw, 1) / n
    m2 = ar.total(gw * h, 1) / n
    dx = low((gw - m1 - h * m2) * r, g)
    dw = low(ar.total(g_ * h, 0)[0], g)
    db = low(ar.total(g_, 0)[0], g)
    return dx, dw, db
"""

CROSS_ENTROPY = """
def forward(x, w, b, t):
    z = ar.dot(x, w) + b
    z = z - z.max(axis=1, keepdims=True)
    e = exp(z)
    return log(ar.total(e, 1)) * ar.total(t, 1) - ar.total(t * z, 1)

def backward(g, x, w, b, t):
    z = ar.wider(ar.dot(x, w)) + ar.wider(b)
    z = z - z.max(axis=1, keepdims=True)
    e = exp(z)
    p = e / ar.total(e, 1)
    dz = p - ar.wider(t)
    dz = low(ar.wider(g) * dz, g)
    dx = ar.dot(dz, w.T)
    dw = ar.dot(x.T, dz)
    db = ar.total(dz, 0)[0]
    return dx, dw, db, None
"""

EDITS: dict[str, tuple[str, ...]] = {
    "swiglu": (
        "slope = s + silu * (one(a) - s) → slope = s",
        "slope = s + silu * (one(a) - s) → slope = s - silu * (one(a) - s)",
        "slope = s + silu * (one(a) - s) → slope = s + s * (one(a) - s)",
        "slope = s + silu * (one(a) - s) → slope = s + a * (one(a) - s)",
        "slope = s + silu * (one(a) - s) → slope = one(a) + silu * (one(a) - s)",
        "db = low(g_ * silu, g) → db = low(g_ * a, g)",
        "db = low(g_ * silu, g) → db = low(g_ * b, g)",
        "da = low(g_ * b * slope, g) → da = low(g_ * slope, g)",
        "da = low(g_ * b * slope, g) → da = low(g_ * a * slope, g)",
        "add(ar.dot(da, w.T), ar.dot(db, v.T)) → ar.dot(da, w.T)",
        "add(ar.dot(da, w.T), ar.dot(db, v.T)) → add(ar.dot(db, w.T), ar.dot(da, v.T))",
        "return dx, dw, dv → return dx, dv, dw",
        "dw = ar.dot(x.T, da) → dw = short.dot(x.T, da)",
        "dv = ar.dot(x.T, db) → dv = -ar.dot(x.T, db)",
        "dw = ar.dot(x.T, da) → dw = ar.dot(roll(x).T, da)",
        "s = one(a) / (one(a) + exp(-a))\\n    silu → s = one(a) / (one(a) + exp(a))\\n    silu",
    ),
    "geglu": (
        "inner = num(a, 0.7978845608) * (one(a) + num(a, 0.134145) * a * a) → inner = num(a, 0.7978845608)",
        "(one(a) + num(a, 0.134145) * a * a) → (one(a) + num(a, 0.044715) * a * a)",
        "(one(a) - t * t) → (one(a) - t)",
        "+ num(a, 0.5) * a * (one(a) - t * t) * inner → - num(a, 0.5) * a * (one(a) - t * t) * inner",
        "+ num(a, 0.5) * a * (one(a) - t * t) * inner → + num(a, 0.5) * (one(a) - t * t) * inner",
        "+ num(a, 0.5) * a * (one(a) - t * t) * inner → ",
        "slope = num(a, 0.5) * (one(a) + t) → slope = (one(a) + t)",
        "db = low(g_ * gelu, g) → db = low(g_ * a, g)",
        "da = low(g_ * b * slope, g) → da = low(g_ * slope, g)",
        "add(ar.dot(da, w.T), ar.dot(db, v.T)) → ar.dot(db, v.T)",
        "return dx, dw, dv → return dx, dv, dw",
        "dv = ar.dot(x.T, db) → dv = short.dot(x.T, db)",
        "dw = ar.dot(x.T, da) → dw = -ar.dot(x.T, da)",
        "dw = ar.dot(x.T, da) → dw = ar.dot(roll(x).T, da)",
    ),
    "attention": (
        "dz = p * (dp - delta) → dz = p * dp",
        "dz = p * (dp - delta) → dz = p * (dp + delta)",
        "dz = p * (dp - delta) → dz = dp - delta",
        "dz = p * (dp - delta) → dz = p * (one(p) - p) * dp",
        "delta = ar.total(p * dp, 1) → delta = ar.total(dp, 1)",
        "delta = ar.total(p * dp, 1) → delta = ar.total(p * dp, 0)",
        "delta = ar.total(p * dp, 1) → delta = short.total(p * dp, 1)",
        "dz = low(dz * ar.wider(scale), g) → dz = low(dz, g)",
        "dv = ar.dot(low(p, g).T, g) → dv = ar.dot(low(e, g).T, g)",
        "dv = ar.dot(low(p, g).T, g) → dv = short.dot(low(p, g).T, g)",
        "dq = ar.dot(dz, k) → dq = ar.dot(dz, roll(k))",
        "dk = ar.dot(dz.T, q) → dk = ar.dot(dz.T, q) * scale",
        "dk = ar.dot(dz.T, q) → dk = -ar.dot(dz.T, q)",
        "dk = ar.dot(dz.T, q) → dk = ar.dot(dz.T, roll(q))",
        "e = exp(z - z.max(axis=1, keepdims=True))\\n    p → e = exp(z * z)\\n    p",
    ),
    "layer norm": (
        "(gw - m1 - h * m2) → (gw - h * m2)",
        "(gw - m1 - h * m2) → (gw - m1)",
        "(gw - m1 - h * m2) → gw",
        "(gw - m1 - h * m2) → (gw - m1 + h * m2)",
        "(gw - m1 - h * m2) → (gw - m1 - c * m2)",
        "r = one(x_) / sqrt(ar.total(c * c, 1) / n → r = one(x_) / sqrt(ar.total(c * c, 1) / (n - one(n))",
        "gw = g_ * w_ → gw = g_",
        "m2 = ar.total(gw * h, 1) / n → m2 = ar.total(gw * c, 1) / n",
        "m1 = ar.total(gw, 1) / n → m1 = ar.total(gw, 1)",
        "m1 = ar.total(gw, 1) / n → m1 = ar.total(gw, 0) / n",
        "m2 = ar.total(gw * h, 1) / n → m2 = short.total(gw * h, 1) / n",
        "- h * m2) * r, g) → - h * m2), g)",
        "dw = low(ar.total(g_ * h, 0)[0], g) → dw = low(ar.total(g_ * x_, 0)[0], g)",
        "dw = low(ar.total(g_ * h, 0)[0], g) → dw = low(short.total(g_ * h, 0)[0], g)",
        "dw = low(ar.total(g_ * h, 0)[0], g) → dw = low(ar.total(gw * h, 0)[0], g)",
        "db = low(ar.total(g_, 0)[0], g) → db = low(ar.total(g_, 0)[0] / n, g)",
        "return dx, dw, db → return dx, db, dw",
    ),
    "cross entropy": (
        "dz = p - ar.wider(t) → dz = p",
        "dz = p - ar.wider(t) → dz = ar.wider(t) - p",
        "dz = p - ar.wider(t) → dz = e - ar.wider(t)",
        "dz = p - ar.wider(t) → dz = p - roll(ar.wider(t))",
        "dz = p - ar.wider(t) → dz = p * (one(p) - p) - ar.wider(t)",
        "dz = low(ar.wider(g) * dz, g) → dz = low(dz, g)",
        "dz = low(ar.wider(g) * dz, g) → dz = low(ar.wider(g) * dz / num(dz, len(x)), g)",
        "p = e / ar.total(e, 1) → p = e / short.total(e, 1)",
        "p = e / ar.total(e, 1) → p = e / ar.total(e, 0)",
        "dx = ar.dot(dz, w.T) → dx = short.dot(dz, w.T)",
        "dx = ar.dot(dz, w.T) → dx = ar.dot(dz, roll(w).T)",
        "dw = ar.dot(x.T, dz) → dw = -ar.dot(x.T, dz)",
        "dw = ar.dot(x.T, dz) → dw = short.dot(x.T, dz)",
        "db = ar.total(dz, 0)[0] → db = short.total(dz, 0)[0]",
        "db = ar.total(dz, 0)[0] → db = dz[0]",
    ),
}
"""Faults of each kernel: a text of its source, and what stands there instead."""

SOURCES = {
    "swiglu": SWIGLU,
    "geglu": GEGLU,
    "attention": ATTENTION,
    "layer norm": LAYER_NORM,
    "cross entropy": CROSS_ENTROPY,
}


class Short(Arithmetic):
    """Sums that leave out the last, incomplete part."""

    def parts(self, length: int) -> Sequence[slice]:
        """All whole parts of 8, or of 3 where there is none."""
        size = 8 if length > 8 else 3
        return [slice(k, k + size) for k in range(0, length - size + 1, size) if k + size < length]


def compiled(source: str, arithmetic: Arithmetic) -> tuple[Callable[..., Array], Callable[..., Any]]:
    """Forward and backward pass of a source, with an arithmetic."""

    def low(a: Array, like: Array) -> Array:
        return a.astype(like.dtype)

    names: dict[str, Any] = {
        "ar": arithmetic,
        "short": Short(arithmetic.block, arithmetic.backwards, arithmetic.kept, arithmetic.fused),
        "one": lambda a: a.dtype.type(1),
        "num": lambda a, value: np.asarray(value).astype(a.dtype),
        "exp": np.exp, "log": np.log, "sqrt": np.sqrt, "tanh": np.tanh,
        "low": low, "add": lambda a, b: (a + b).astype(a.dtype), "roll": lambda a: np.roll(a, 1, axis=0),
    }  # fmt: skip
    exec(compile(source, "kernel", "exec"), names)
    return names["forward"], names["backward"]


def edited(source: str, edit: str) -> str:
    """The source of a backward pass with one text replaced."""
    old, new = (part.replace("\\n", "\n") for part in edit.split(" → "))
    forward, backward = source.split("def backward")
    assert backward.count(old) == 1, edit
    return f"{forward}def backward{backward.replace(old, new)}"


def inputs_of(kernel: str, kind: Any, draw: np.random.Generator) -> tuple[Array, ...]:
    """Inputs whose lengths are no multiples of a block."""

    def array(*shape: int, size: float = 1.0) -> Array:
        return (size * draw.normal(size=shape)).astype(kind)

    n, d, m = (int(draw.integers(*ends)) for ends in ((9, 16), (17, 30), (10, 15)))
    match kernel:
        case "swiglu" | "geglu":
            return array(n, d), array(d, m, size=d**-0.5), array(d, m, size=d**-0.5)
        case "attention":
            return array(n, d), array(n + 3, d), array(n + 3, m)
        case "layer norm":
            return array(n, d) + np.asarray(draw.normal(), kind), array(d) + kind(1), array(d)
    labels = np.eye(m)[draw.integers(0, m, n)].astype(np.int64)
    return array(n, d), array(d, m, size=d**-0.5), array(m), labels


@dataclass(frozen=True)
class Outcome:
    """What a check said of one kernel.

    Attributes:
        wrong, changed: the gradients that are wrong by what matters, and at all, by position.
        blamed: those that are called wrong.
        said: verdict, numbers and causes, in words.
    """

    variant: str
    edit: str
    wrong: tuple[int, ...]
    changed: tuple[int, ...]
    blamed: tuple[int, ...]
    verdict: str
    causes: tuple[str, ...]
    said: str

    @classmethod
    def of(cls, variant: str, edit: str, wrong: Sequence[int], changed: Sequence[int], check: Any) -> Outcome:
        """That of a check, which holds more than is kept."""
        j = check.judgement
        blamed = tuple(k for k, t in enumerate(j.tensors) if t.disagreeing)
        said = f"resolution {j.resolution or 0:.2g}, excess {j.excess or 0:.3g}: {'; '.join(check.causes)}"
        return cls(
            variant, edit, tuple(wrong), tuple(changed), blamed, str(check.verdict), check.causes, said
        )  # fmt: skip

    @property
    def agrees(self) -> bool:
        """Whether it is called right."""
        return self.verdict == "agrees"

    @property
    def found(self) -> bool:
        """Whether it is called wrong."""
        return self.verdict in ("incorrect gradient", "not finite")

    @property
    def located(self) -> bool:
        """Whether all that are wrong are blamed, and none that is not."""
        exact = set(self.wrong) <= set(self.blamed) <= set(self.changed)
        return self.found and (self.verdict == "not finite" or exact)

    @property
    def as_it_should_be(self) -> bool:
        """Whether a right kernel agrees, or a wrong one is found and located."""
        return self.located if self.edit else self.agrees

    @property
    def named(self) -> bool:
        """Whether a cause has a name."""
        return self.found and any("not identified" not in cause for cause in self.causes)

    def __str__(self) -> str:
        where = f"wrong {self.wrong}, blamed {self.blamed}"
        return f"{self.verdict}: {self.variant}; {self.edit or 'right'}; {where}; {self.said}"


def changed_gradients(
    kernel: str, source: str, inputs: tuple[Array, ...], seed: int
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Which gradients an edit changes in float64 by what matters, and which at all."""
    doubles = tuple(a if a.dtype == np.int64 else a.astype(np.float64) for a in inputs)
    forward, right = compiled(SOURCES[kernel], Arithmetic())
    _, wrong = compiled(source, Arithmetic())
    g = np.random.default_rng(seed).uniform(-0.5, 1, forward(*doubles).shape)
    with np.errstate(all="ignore"):
        both = zip(right(g, *doubles), wrong(g, *doubles), strict=True)
        off = [np.linalg.norm(a - b) / np.linalg.norm(a) for a, b in both if a is not None]
    by = (tuple(k for k, share in enumerate(off) if not share <= least) for least in (MATTERS, DIFFERS))
    return next(by), next(by)


def checked(kernel: str, dtype: str, variant: str, edit: str, seed: int) -> Outcome | None:
    """One check; None of an edit that changes nothing that matters."""
    draw = np.random.default_rng((seed, list(SOURCES).index(kernel), list(DTYPES).index(dtype)))
    inputs = inputs_of(kernel, DTYPES[dtype], draw)
    source = edited(SOURCES[kernel], edit) if edit else SOURCES[kernel]
    wrong, changed = changed_gradients(kernel, source, inputs, seed)
    if edit and not wrong:
        return None
    forward, backward = compiled(source, VARIANTS[variant])
    with np.errstate(all="ignore"):
        check = backproof.check_vjp(forward, backward, *inputs, seed=seed)
    return Outcome.of(variant, edit, wrong, changed, check)


def outcomes(kernel: str, dtype: str, seed: int, *, faults: bool = True) -> Iterator[Outcome]:
    """All right variants of a kernel, then all its faults, each in one of the variants."""
    for variant in VARIANTS:
        found = checked(kernel, dtype, variant, "", seed)
        assert found is not None
        yield found
    for k, edit in enumerate(EDITS[kernel] if faults else ()):
        variant = list(VARIANTS)[(k + seed) % len(VARIANTS)]
        found = checked(kernel, dtype, variant, edit, seed)
        if found is not None:
            yield found


def main() -> int:
    """Print found, alarms and located by kernel and precision."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--count", type=int, default=1)
    parser.add_argument("--kernels", nargs="*", default=list(SOURCES))
    parser.add_argument("--dtypes", nargs="*", default=list(DTYPES))
    parser.add_argument("--right", action="store_true", help="right kernels alone")
    parser.add_argument("--list", action="store_true", help="print every outcome")
    given = parser.parse_args()
    every, start = list[Outcome](), time.perf_counter()
    assert all(edited(SOURCES[k], edit) for k in EDITS for edit in EDITS[k])
    for kernel in given.kernels:
        for dtype in given.dtypes:
            mine = [
                o
                for k in range(given.count)
                for o in outcomes(kernel, dtype, given.seed + k, faults=not given.right)
            ]
            every += mine
            print(f"{kernel:14} {dtype:9}{summary(mine)}", flush=True)
            for o in mine:
                if given.list or not o.as_it_should_be:
                    print(f"    {o}", flush=True)
    print(f"{'all':24}{summary(every)}, {time.perf_counter() - start:.0f} s")
    return int(any(o.found != bool(o.edit) for o in every))


def summary(found: Sequence[Outcome]) -> str:
    """Counts in words."""
    faults, right = [o for o in found if o.edit], [o for o in found if not o.edit]
    return (
        f"found {sum(o.found for o in faults)} of {len(faults)}, located {sum(o.located for o in faults)}, "
        f"named {sum(o.named for o in faults)}; alarms {sum(o.found for o in right)} of {len(right)}, "
        f"agree {sum(o.agrees for o in right)}"
    )


if __name__ == "__main__":
    sys.exit(main())
