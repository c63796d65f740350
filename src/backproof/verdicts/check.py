"""The result of a check, of a network or of any function: one object, one JSON schema, one rendering."""

from __future__ import annotations

import html
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from backproof.estimates.screen import MISS
from backproof.network.arrays import Array
from backproof.verdicts.judgement import Judgement
from backproof.verdicts.rendering import Line, digits_of, lines_of
from backproof.verdicts.structures import NOT_IDENTIFIED
from backproof.verdicts.verdict import AGREEING, NOT_NAMED_REMEDY, Verdict

if TYPE_CHECKING:
    import pandas as pd

    from backproof.verdicts.details import NetworkDetails
    from backproof.verdicts.function import FunctionTarget
    from backproof.verdicts.network import NetworkTarget

Plain = Any
"""What JSON holds."""


@dataclass(frozen=True)
class Cures:
    """Changes that were tried on a case that disagrees, as overrides.

    Attributes:
        found: with these it agrees.
        failed: with these it does not.
    """

    found: tuple[str, ...] = ()
    failed: tuple[str, ...] = ()


@dataclass(frozen=True, repr=False, eq=False)
class Check:
    """What a check found; it prints as its explanation.

    Attributes:
        target: what was checked: its loss, layout and counts of evaluations.
        judgement: everything that was concluded.
        training: the results of a short training run, by column.
        examined: remarks on the user's own activations.
        case, command: of a case on the command line.

    Example:
        >>> import numpy as np
        >>> import backproof
        >>> found = backproof.check(lambda w: np.sum(np.exp(w)), np.zeros(2), df=np.exp)
        >>> found.agrees, found.digits >= 6, found.causes
        (True, True, ())
        >>> found.assert_agrees(digits=6)
        >>> print(found.parameters()[["parameter", "analytic", "verdict"]].to_string(index=False))
        parameter  analytic verdict
             W[0]       1.0  agrees
             W[1]       1.0  agrees
    """

    target: NetworkTarget | FunctionTarget
    judgement: Judgement
    cures: Cures = field(default_factory=Cures)
    training: Mapping[str, Plain] | None = None
    examined: Sequence[str] = ()
    case: Mapping[str, Plain] | None = None
    command: str = ""

    @property
    def verdict(self) -> Verdict:
        """The verdict, with a sentence and a remedy."""
        return self.judgement.verdict

    @property
    def remedy(self) -> str:
        """What to do about it: that of the verdict, unless nothing could be named that is to be fixed."""
        first = next(iter(self.judgement.causes), None)
        unnamed = first is not None and first.name == NOT_IDENTIFIED
        return (
            NOT_NAMED_REMEDY
            if unnamed and self.verdict is Verdict.INCORRECT_GRADIENT
            else self.verdict.remedy
        )

    @property
    def agrees(self) -> bool:
        """Whether the gradient is that of the function; at a kink, whether it is a valid choice."""
        return self.verdict in AGREEING

    @property
    def causes(self) -> tuple[str, ...]:
        """What explains a disagreement, the largest share of the error first."""
        return tuple(map(str, self.judgement.causes))

    @property
    def details(self) -> NetworkDetails | None:
        """What else is known of a network."""
        return self.target.details

    @property
    def curves(self) -> dict[str, tuple[Array, Array]]:
        """The error of a network against the step, and that of every parameter, each as (x, y)."""
        return self.target.curves()

    @property
    def digits(self) -> int:
        """To how many digits the two gradients were compared, wherever that is fewest."""
        return digits_of(self.judgement.resolution)

    def assert_agrees(self, digits: int | None = None) -> None:
        """Raise an AssertionError that explains what is wrong, unless the gradient agrees.

        With `digits`, the check must also have seen any error in so many digits.
        """
        __tracebackhide__ = True
        if not self.agrees:
            raise AssertionError(repr(self))
        if digits is not None and self.digits < digits:
            raise AssertionError(f"compared to {self.digits} digits, fewer than {digits}\n\n{self!r}")

    def table(self) -> pd.DataFrame:
        """One row per tensor: verdict, errors, and its worst entry with both gradients."""
        import pandas as pd

        rows = [{**asdict(t), "verdict": t.verdict.value} for t in self.judgement.tensors]
        renamed = {"name": "tensor", "disagreeing": "wrong"}
        return pd.DataFrame(rows).rename(columns=renamed).drop(columns="causes", errors="ignore")

    def parameters(self) -> pd.DataFrame:
        """One row per entry that was compared: both gradients, parts of the bound, steps, kinks, verdict."""
        import pandas as pd

        comparison = self.judgement.comparison
        if comparison is None or self.target.directions:
            return pd.DataFrame()
        estimate, details = comparison.estimate, self.details
        by_severity = [v.value for v in Verdict]
        return pd.DataFrame({
            "parameter": [estimate.layout.location(int(i)) for i in estimate.index],
            "value": self.target.parameters[estimate.index],
            "analytic": comparison.analytic,
            "numerical": estimate.value,
            "bound": comparison.bound,
            "resolution": comparison.own_relative,
            "truncation": estimate.truncation,
            "noise": estimate.noise,
            "round_off": estimate.round_off,
            "kink": estimate.kink,
            "step": estimate.step,
            "safe_step": details.safe_steps[estimate.index] if details else np.nan,
            "verdict": [by_severity[i] for i in self.judgement.verdicts],
            "touched": estimate.touched,
            "crossed": estimate.crossed,
            "low": estimate.low,
            "high": estimate.high,
            "kinks": details.kinks_of_each() if details else "",
        })  # fmt: skip

    def as_json(self) -> str:
        """For programs: the same keys for every kind of target; numbers that are not finite are null."""
        return json.dumps(_finite(self._facts()), indent=2, ensure_ascii=False)

    def _facts(self) -> dict[str, Plain]:
        j, target, details = self.judgement, self.target, self.details
        return {
            "verdict": self.verdict.value,
            "right": self.verdict.right,
            "sentence": self.verdict.sentence,
            "remedy": self.remedy,
            "case": self.case,
            "command": self.command or None,
            "loss": float(target.loss),
            "causes": [asdict(cause) for cause in j.causes],
            "cures": asdict(self.cures),
            "gradient_error": j.gradient_error,
            "rule_error": j.rule_error,
            "noise": j.noise,
            "excess": j.excess,
            "resolution": j.resolution,
            "digits": self.digits,
            "least_seen": dict(zip(("parameter", "resolution"), j.least_seen, strict=True))
            if j.least_seen
            else None,
            "worst_parameter": j.worst_parameter,
            "parameters": j.parameters,
            "disagreeing": j.disagreeing,
            "touched": j.touched,
            "crossed": j.crossed,
            "verdicts": {v.value: n for v in Verdict if (n := int((j.verdicts == v.severity).sum()))},
            "tensors": [{**asdict(t), "verdict": t.verdict.value} for t in j.tensors],
            "directions": j.screen.directions if j.screen else target.directions,
            "miss": MISS if j.screen else target.probability_of_a_miss,
            "evaluations": target.evaluations,
            "notes": [*j.notes, *target.notes],
            "outputs": asdict(details.view.outputs) if details else None,
            "safe_steps": details.safe_steps_by_tensor if details else {},
            "kinks": [asdict(event) for event in details.kinks] if details else [],
            "clipped": [asdict(output) for output in details.clipped] if details else [],
            "examined": list(self.examined),
            "training": self.training,
        }

    def lines(self) -> list[Line]:
        """The result as text, line by line."""
        return lines_of(self)

    def __repr__(self) -> str:
        return "\n".join(line.text for line in self.lines())

    def _repr_html_(self) -> str:
        head, *rest = (html.escape(line.text) for line in self.lines())
        return f"<p><strong>{head}</strong></p><pre>{chr(10).join(rest)}</pre>"


def _finite(value: Plain) -> Plain:
    """The same with null in place of the numbers that JSON does not have."""
    if isinstance(value, Mapping):
        return {k: _finite(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(v) for v in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
