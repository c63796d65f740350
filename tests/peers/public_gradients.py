"""Right gradients of public libraries put to `backproof.check`: how many are called wrong?

Some were found to be wrong in their library; they are marked where they are made, and counted apart.

    python tests/peers/public_gradients.py --seed 1 --seeds 1 [--share 0.3] [--only sklearn] [--list]
    python tests/peers/public_gradients.py --changed units|scaled|offset|single

Needs what the `test` extra installs; with statsmodels (`pip install statsmodels`) there are more cases.
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
from cases import Case, Gradient, available, cases
from changes import CHANGES, changed
from tally import Verdicts
from threadpoolctl import threadpool_limits

import backproof


def checked(case: Case, df: Gradient | None = None) -> backproof.Check:
    """What backproof says of a case, or of another gradient in its place."""
    return backproof.check(case.f, case.point.copy(), df=df or case.df, rtol=case.rtol)


def finite(case: Case) -> bool:
    """Whether the library's function and gradient are finite at the point."""
    with np.errstate(all="ignore"):
        return bool(np.isfinite(case.f(case.point)) and np.isfinite(case.df(case.point)).all())


@contextmanager
def quietly() -> Iterator[None]:
    """One thread of BLAS, and no warnings: libraries warn of points that are odd, which these often are."""
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@dataclass
class Tally(Verdicts):
    """What was said of many right gradients."""

    wrong: Counter[str] = field(default_factory=Counter)
    left_out: int = 0
    evaluations: int = 0

    def add(self, case: Case) -> None:
        """Check one case."""
        if not finite(case):
            self.left_out += 1
            return
        try:
            found = checked(case)
        except Exception as error:  # of the function's or the checker's
            self.ended(case.name, error)
            return
        if case.wrong:
            self.wrong[f"{found.verdict}: {case.wrong}"] += 1
            return
        self.evaluations += found.target.evaluations
        self.judged(f"{case.name} ({len(case.point)} entries)", found)

    def lines(self, *, full: bool) -> Iterator[str]:
        """The tally in words."""
        yield f"right gradients checked: {self.count} (left out, not finite at the point: {self.left_out})"
        yield from self.of_verdicts(full=full)
        yield f"gradients that are wrong in their library: {self.wrong.total()}"
        yield from (f"  {count} {line}" for line, count in sorted(self.wrong.items()))


def sampled(found: Iterable[Case], share: float, seed: int) -> Iterator[Case]:
    """A random share of the cases."""
    rng = np.random.default_rng([seed, 7])
    return (case for case in found if rng.random() < share)


def tally_of(
    seeds: range,
    *,
    families: list[str] | None = None,
    share: float = 1.0,
    change: str = "",
    seconds: float = np.inf,
) -> Tally:
    """Check the cases of some seeds, or the same with a change."""
    tally, begun = Tally(), time.monotonic()
    with quietly():
        for seed in seeds:
            for case in sampled(cases(seed, families), share, seed):
                if time.monotonic() - begun > seconds:
                    return tally
                tally.add(changed(case, change, seed))
    return tally


def arguments(description: str | None) -> argparse.ArgumentParser:
    """The options that the commands in this folder share."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seed", type=int, default=0, help="the first")
    parser.add_argument("--seeds", type=int, default=1, help="how many")
    parser.add_argument("--share", type=float, default=1.0, help="of the cases, drawn at random")
    parser.add_argument("--only", default="", help="families whose names contain this")
    parser.add_argument("--changed", default="", choices=["", *CHANGES], help="what of every case")
    parser.add_argument("--list", action="store_true", help="also list what is unresolved or undetermined")
    return parser


def main() -> None:
    asked = arguments(__doc__).parse_args()
    families = [name for name in available() if asked.only in name]
    begun = time.monotonic()
    tally = tally_of(
        range(asked.seed, asked.seed + asked.seeds),
        families=families,
        share=asked.share,
        change=asked.changed,
    )
    print(f"seeds {asked.seed} to {asked.seed + asked.seeds - 1}, {', '.join(families)}")
    print(*tally.lines(full=asked.list), sep="\n")
    each = tally.evaluations / max(1, tally.count)
    print(f"{each:.0f} evaluations a case, {time.monotonic() - begun:.0f} s")


if __name__ == "__main__":
    main()
