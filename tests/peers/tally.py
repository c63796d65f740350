"""What is counted of many right gradients that were put to `backproof.check`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

import backproof
from backproof.verdicts.verdict import AGREEING, Verdict

ACCUSED = frozenset({
    Verdict.INCORRECT_GRADIENT, Verdict.CLIP_ACTIVE, Verdict.NOT_FINITE, Verdict.OUTSIDE_DOMAIN,
    Verdict.NOT_DETERMINISTIC, Verdict.KINK_CROSSED,
})  # fmt: skip
"""Verdicts that are false of a right gradient of a function that is finite, deterministic and smooth."""


@dataclass
class Verdicts:
    """The verdicts on right gradients, and a line of each that does not agree."""

    verdicts: Counter[str] = field(default_factory=Counter)
    accused: list[str] = field(default_factory=list)
    unresolved: list[str] = field(default_factory=list)
    undetermined: list[str] = field(default_factory=list)

    @property
    def count(self) -> int:
        """How many were checked."""
        return self.verdicts.total()

    def ended(self, name: str, error: Exception) -> None:
        """Count a check that ended in an error; that of a right gradient ends in none."""
        self.verdicts["error"] += 1
        self.accused.append(f"{name}: {type(error).__name__}: {error}")

    def judged(self, name: str, found: backproof.Check) -> None:
        """Count a verdict."""
        self.verdicts[found.verdict] += 1
        line = f"{name}: {said(found)}"
        if found.verdict in ACCUSED:
            self.accused.append(line)
        elif found.verdict is Verdict.UNRESOLVED:
            self.unresolved.append(line)
        elif found.verdict not in AGREEING:
            self.undetermined.append(line)

    def of_verdicts(self, *, full: bool) -> Iterator[str]:
        """The verdicts in words; with every line, or with those of the accused alone."""
        for name in ("accused", "unresolved", "undetermined"):
            found = getattr(self, name)
            yield f"  {'called wrong' if name == 'accused' else name}: {len(found)}"
            if full or name == "accused":
                yield from (f"    {line}" for line in found)
        yield f"  verdicts: { {str(v): n for v, n in self.verdicts.most_common()} }"


def said(found: backproof.Check) -> str:
    j = found.judgement
    causes = "; ".join(map(str, j.causes[:2]))
    resolution = "" if j.resolution is None else f", resolution {j.resolution:.1e}, excess {j.excess:.3g}"
    return f"{found.verdict}{resolution}, worst {j.worst_parameter}: {causes}"
