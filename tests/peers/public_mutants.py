"""Wrong gradients, made of right ones of public libraries by one random edit each: how many agree?

    python tests/peers/public_mutants.py --seed 1 --mutants 3 [--share 0.3] [--only sklearn] [--list]

An edit that does not change any entry by more than 1e-9 of its size is not counted. A wrong gradient that
agrees must be off by no more than the result says that it could see: by the resolution of the whole, relative
to the scale of an entry or to what it does to the function; by the resolution of each entry, of its size.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from cases import Array, Case, available, cases
from changes import changed
from edits import Edited, edited
from public_gradients import arguments, checked, finite, quietly, sampled

import backproof
from backproof.verdicts.verdict import AGREEING, Verdict

SAME = 1e-9
"""The relative change of an entry up to which an edit changes nothing."""

TRIES = 20
"""Edits that are tried for each mutant that is wanted; many change nothing, or are no gradients."""


MEASURES = ("resolutions of the whole", "resolutions of its own", "resolutions, by its effect")
"""What the error of an entry that agrees is counted in; see `hidden`."""


@dataclass
class Mutants:
    """What was said of many wrong gradients.

    Attributes:
        missed: by the measures, those that agree although some entry is off by more than 1.
        other: that are called right but for rounding or truncation.
        crashes: that end in an error of the checker's.
    """

    verdicts: Counter[str] = field(default_factory=Counter)
    agreeing: list[str] = field(default_factory=list)
    missed: dict[str, list[str]] = field(default_factory=lambda: {name: [] for name in MEASURES})
    other: list[str] = field(default_factory=list)
    crashes: list[str] = field(default_factory=list)

    def add(self, case: Case, edit: Edited) -> None:
        """Check one wrong gradient."""
        what, df = edit
        right, wrong = case.df(case.point), df(case.point)
        try:
            found = checked(case, df)
        except backproof.FunctionError:
            self.verdicts["error"] += 1
            return
        except Exception as error:  # whatever it is, a check must not end in it
            self.crashes.append(f"{case.name}: {what}: {type(error).__name__}: {error}")
            return
        self.verdicts[found.verdict] += 1
        line = f"{case.name}: {what}: {found.verdict}"
        if found.verdict in AGREEING:
            ratios = dict(zip(MEASURES, hidden(found, case.point, right, wrong), strict=True))
            words = ", ".join(f"{ratio:.2g} {name}" for name, ratio in ratios.items())
            self.agreeing.append(f"{line} to {found.judgement.resolution:.1e}, off by {words}")
            for name, ratio in ratios.items():
                if ratio > 1:
                    self.missed[name].append(self.agreeing[-1])
        elif found.verdict in (Verdict.ROUND_OFF, Verdict.TRUNCATION):
            self.other.append(line)

    @property
    def count(self) -> int:
        """How many were checked."""
        return self.verdicts.total()

    def lines(self, *, full: bool) -> Iterator[str]:
        """The tally in words."""
        yield f"wrong gradients checked: {self.count}"
        yield f"  that agree: {len(self.agreeing)}"
        if full:
            yield from (f"    {line}" for line in self.agreeing)
        for name, found in self.missed.items():
            yield f"  of these, off by more than 1 in {name}: {len(found)}"
            yield from (f"    {line}" for line in found)
        yield f"  called right but for rounding: {len(self.other)}"
        yield from (f"    {line}" for line in self.other)
        yield f"  that end in an error of the checker's: {len(self.crashes)}"
        yield from (f"    {line}" for line in self.crashes)
        yield f"  verdicts: { {str(v): n for v, n in self.verdicts.most_common()} }"


def hidden(found: backproof.Check, point: Array, right: Array, wrong: Array) -> tuple[float, float, float]:
    """The largest error of an entry that agrees.

    In resolutions of the whole, relative to the entry's scale, and in those of the entry, relative
    to its size: as the result states them. And in resolutions of the whole by what the error does to the
    function, |error · x|, relative to what the entry does itself or entries do typically; this depends on no
    scale that the result chooses, and on no unit.
    """
    seen, resolution = found.judgement.seen, found.judgement.resolution
    index = seen.estimate.index
    x, g = point.ravel()[index].astype(float), right.ravel()[index].astype(float)
    off = np.abs(wrong.ravel()[index].astype(float) - g)
    effect = np.abs(g * x)
    typical = np.sqrt(np.mean(effect**2))
    with np.errstate(all="ignore"):
        ratios = (
            off / (resolution * seen.scale),
            off / (seen.own_relative * seen.size),
            off * np.abs(x) / (resolution * np.maximum(effect, typical)),
        )
    whole, own, by_effect = (float(np.where(off > 0, ratio, 0).max(initial=0)) for ratio in ratios)
    return whole, own, by_effect


def changes(case: Case, edit: Edited) -> bool:
    """Whether an edit changes the gradient, and nothing else that the case is made of."""
    value, right = case.f(case.point), case.df(case.point)
    wrong = edit[1](case.point.copy())
    off = np.abs(wrong - right)
    rounding = np.finfo(float).eps * np.abs(right).max(initial=0)
    intact = _still(case, value) and np.array_equal(case.df(case.point), right)
    return bool(intact and (off > SAME * np.abs(right) + rounding).any())


def mutants_of(case: Case, count: int, rng: np.random.Generator) -> Iterator[Edited]:
    """So many wrong gradients of a case, or as many as are found."""
    if case.wrong or not finite(case):
        return
    value = case.f(case.point)
    for _ in range(TRIES * count):
        edit = edited(case, rng)
        if not _still(case, value):
            return  # the edited function wrote into the library's data
        if edit is not None and changes(case, edit):
            yield edit
            count -= 1
            if count == 0:
                return


def _still(case: Case, value: float) -> bool:
    """Whether the function still has a value at the point."""
    try:
        return case.f(case.point) == value
    except Exception:
        return False


def tally_of(
    seeds: range,
    *,
    families: list[str] | None = None,
    share: float = 1.0,
    mutants: int = 3,
    change: str = "",
    seconds: float = np.inf,
) -> Mutants:
    """Check so many mutants of each case of some seeds."""
    tally, begun = Mutants(), time.monotonic()
    with quietly():
        for seed in seeds:
            for number, plain in enumerate(sampled(cases(seed, families), share, seed)):
                case = changed(plain, change, seed)
                if time.monotonic() - begun > seconds:
                    return tally
                for edit in mutants_of(case, mutants, np.random.default_rng([seed, number])):
                    tally.add(case, edit)
    return tally


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--mutants", type=int, default=3, help="of each case")
    asked = parser.parse_args()
    families = [name for name in available() if asked.only in name]
    begun = time.monotonic()
    seeds = range(asked.seed, asked.seed + asked.seeds)
    tally = tally_of(seeds, families=families, share=asked.share, mutants=asked.mutants, change=asked.changed)
    print(f"seeds {asked.seed} to {seeds[-1]}, {', '.join(families)}")
    print(*tally.lines(full=asked.list), sep="\n")
    print(f"{time.monotonic() - begun:.0f} s")


if __name__ == "__main__":
    main()
