"""Random points on several kinks with gradients that are subgradients there, and gradients that are not.

    python tests/held_out/subgradients.py --seed 1 --count 300

A point is drawn from a seed and nothing else. What is a subgradient is known by construction (kinked_blocks),
and a linear programme tells how far a gradient is from being one; backproof sees the function's values alone.
A subgradient must not be called incorrect, and what is off by a hundredth of a derivative must not pass.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from kinked_blocks import MAKERS, Block

import backproof
from backproof.verdicts import AGREEING, Verdict

SLIGHT = 1e-2
"""By how much, in derivatives of the function, a gradient is off that is next to a subgradient."""

CLEAR = 0.05
"""How far from the subdifferential coincidences of entries are."""


@dataclass(frozen=True)
class Point:
    """A function at a point on kinks: loss · block(mix · (unit ∘ w − at)) and a smooth part.

    Attributes:
        at: the point, (n + others).
        gradient: from one of the block, (n), to that of the whole function.
    """

    block: Block
    f: Callable
    at: np.ndarray
    gradient: Callable


def point(draw: np.random.Generator, maker: Callable) -> Point:
    """A random function around a block, exactly on its kinks."""
    block = maker(draw, int(draw.integers(2, 7)))
    n, others = block.n, int(draw.integers(0, 4))
    # Signed permutations, sums and differences keep the point exactly on the kinks; so do powers of two.
    mix = np.eye(n)
    if draw.random() < 0.4:
        mix = mix + np.triu(draw.integers(-1, 2, (n, n)) / 2, 1)
    unit = 2.0 ** draw.integers(-10, 11, n) if draw.random() < 0.6 else np.ones(n)
    at = draw.integers(-8, 9, n) / 4 if draw.random() < 0.7 else np.zeros(n)
    loss, offset = 10.0 ** draw.integers(-3, 4), float(draw.choice([0, 0, 1, 30]))
    size = n + others
    largest = float(np.abs(block.subdifferential.box()).max())
    slope, bend = draw.standard_normal((2, size)) * draw.choice([0, largest])
    rest = draw.standard_normal(others)
    scale = np.concatenate([unit, np.ones(others)])
    start = np.concatenate([at, rest])

    def f(w):
        x = w * scale
        away = x - start
        kinked = block.f(mix @ away[:n])
        return float(loss * (kinked + slope @ x + 0.5 * bend @ away**2 + np.sin(x[n:]).sum() + offset))

    def gradient(g):
        smooth = slope + np.concatenate([np.zeros(n), np.cos(rest)])
        return loss * scale * (smooth + np.concatenate([mix.T @ g, np.zeros(others)]))

    return Point(block, f, start / scale, gradient)


def coincidence(draw: np.random.Generator, block: Block) -> np.ndarray | None:
    """Entries each within its interval that are together no subgradient; None where there are none such."""
    low, high = block.subdifferential.box()
    for _ in range(100):
        share = draw.choice([0, 0.1, 0.5, 0.9, 1], block.n)
        if draw.random() < 0.5:  # the same in every entry, as from a careless rule
            share = np.full(block.n, share[0])
        g = low + share * (high - low)
        if block.subdifferential.gap(g) > CLEAR:
            return g
    return None


def nearly(draw: np.random.Generator, block: Block) -> np.ndarray | None:
    """Off by SLIGHT from the face of the subdifferential that is farthest in a random direction."""
    v = draw.standard_normal(block.n)
    v /= np.linalg.norm(v)
    on = block.subdifferential.farthest(v)
    low, high = block.subdifferential.box()
    g = on + SLIGHT * float(np.abs([low, high]).max()) * v
    return g if block.subdifferential.gap(g) > 0 else None  # where all derivatives are 0 nothing is off


KINDS = {"subgradient": lambda draw, b: b.subdifferential.member(draw), "coincidence": coincidence,
         "nearly": nearly}  # fmt: skip


def judged(seed: int, maker: int, kind: str) -> tuple[Point, backproof.Check, np.ndarray] | None:
    """The check of one gradient of one kind at the point of a seed."""
    draw = np.random.default_rng([seed, maker, sorted(KINDS).index(kind)])
    there = point(draw, MAKERS[maker])
    g = KINDS[kind](draw, there.block)
    if g is None:
        return None
    whole = there.gradient(g)
    return there, backproof.check(there.f, there.at, df=lambda _w: whole.copy()), g


def mistaken(kind: str, found: backproof.Check) -> bool:
    """Whether a verdict is false: a subgradient accused, or anything else passed."""
    if kind == "subgradient":
        return found.verdict is Verdict.INCORRECT_GRADIENT
    return found.verdict in AGREEING


def main() -> None:
    """Judge many, and print who was wrong."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--count", type=int, default=10, help="points of every function")
    parser.add_argument("--only", default="", help="functions whose name contains this")
    asked = parser.parse_args()
    begun, tally, evaluations = time.monotonic(), Counter(), []
    for maker in range(len(MAKERS)):
        if asked.only not in MAKERS[maker].__name__:
            continue
        for seed in range(asked.seed, asked.seed + asked.count):
            for kind in KINDS:
                case = judged(seed, maker, kind)
                if case is None:
                    continue
                there, found, _ = case
                tally[there.block.name, kind, str(found.verdict)] += 1
                evaluations.append(found.target.evaluations)
                if mistaken(kind, found):
                    what = f"{MAKERS[maker].__name__} seed {seed} {kind}"
                    print(f"{what}: {found.verdict}; {'; '.join(found.causes)}", flush=True)
    print(f"seeds {asked.seed} to {asked.seed + asked.count - 1}, {time.monotonic() - begun:.0f} s")
    for (name, kind, verdict), count in sorted(tally.items()):
        print(f"{name:24} {kind:12} {verdict:20} {count}")
    for kind in KINDS:
        print(kind, dict(Counter({v: sum(c for (_, k, w), c in tally.items() if (k, w) == (kind, v))
                                  for v in {w for _, k, w in tally if k == kind}})))  # fmt: skip
    print(f"evaluations: median {np.median(evaluations):.0f}, most {np.max(evaluations)}")


if __name__ == "__main__":
    main()
