"""A function of very many parameters before the judge: along directions, then bisection."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from backproof.estimates.differencer import CoordinateDifferencer
from backproof.estimates.directional import (
    DIRECTIONS,
    PER_TENSOR,
    Along,
    DirectionalDifferencer,
    faults_within,
)
from backproof.network.arrays import Array
from backproof.targets.layout import Index
from backproof.targets.layout import Tensor as Part
from backproof.verdicts.causes import Cause, Explanation
from backproof.verdicts.comparison import Comparison, gradient_error
from backproof.verdicts.fit import Known
from backproof.verdicts.gradient_candidates import Tensor
from backproof.verdicts.residuals import shared_by_all, structure_of
from backproof.verdicts.structures import NOT_IDENTIFIED
from backproof.verdicts.tensors import TensorJudgement
from backproof.verdicts.verdict import Verdict

MOST = 400
"""Evaluations that a check along directions may take."""

MOST_STRUCTURES = 1 << 22
"""Entries of a tensor up to which its rearrangements are tried."""


@dataclass(frozen=True)
class Finding:
    """What directions through one tensor find.

    Attributes:
        faults: single entries that are wrong.
        undivided: subsets that hold wrong entries and were not divided any further.
    """

    part: Part
    tensor: Tensor
    along: Along
    faults: Sequence[Along] = ()
    undivided: Sequence[Index] = ()


@dataclass(frozen=True)
class DirectionalEvidence:
    """A gradient compared with derivatives along directions through all parameters."""

    differencer: DirectionalDifferencer
    whole: Along
    comparison: Comparison

    def of(self, _function: object, analytic: Array, round_off: Array) -> DirectionalEvidence:
        """A gradient in lower precision along the same directions; `round_off` is what that may do to it."""
        differencer = self.differencer.against(analytic, self.differencer.round_off + round_off)
        whole = differencer.along(self.whole.subset, signs=self.whole.signs)
        return DirectionalEvidence(
            differencer, whole, Comparison(whole.analytic, whole.estimate, self.comparison.rtol)
        )

    @property
    def precision(self) -> str:
        """The precision of the parameters."""
        return str(self.differencer.function.dtype)

    def joint(self) -> None:
        """Along directions no entry is known to touch a kink."""

    def doubt(self) -> Cause:
        """Why kinks cannot be distinguished from an error here."""
        return Cause("kink touched", "along directions kinks add up; move every parameter to tell")

    def explain(self) -> Explanation:
        """The tensors at fault, the structure of their errors or the entries that are wrong."""
        parts = [part for part in self.differencer.function.layout.tensors if part.size]
        self.differencer.coordinate.tell_tensors_apart()
        measured = [(part, self.differencer.along(part.positions(), PER_TENSOR)) for part in parts]
        tensors = [self._tensor(part, along) for part, along in measured]
        total = sum(float(np.square(along.gap).mean()) for _, along in measured) or 1.0
        causes, summaries = [], []
        for (part, along), tensor in zip(measured, tensors, strict=True):
            finding = Finding(part, tensor, along)
            if along.wrong:
                known = structure_of(tensor, tensors) if part.size <= MOST_STRUCTURES else None
                if known is None:
                    room = MOST - self.differencer.function.evaluations
                    finding = Finding(part, tensor, along, *faults_within(self.differencer, along, room))
                    known = Known(NOT_IDENTIFIED, self._entries(finding))
                share = float(np.square(along.gap).mean()) / total
                causes.append(Cause(known.name, f"{part.name}: {known.detail}", (), 1.0, share))
            summaries.append(self._summary(finding))
        if not causes:  # the sum of what each tensor may hide
            causes = [Cause("not located", "wrong along all parameters, in no tensor alone")]
        found = Explanation(tuple(sorted(causes, key=lambda c: -c.error)), tensors=tuple(summaries))
        return shared_by_all(found, len(self.differencer.function.layout.tensors))

    def _tensor(self, part: Part, along: Along) -> Tensor:
        """A tensor's gradient, and its products with directions."""
        kind, function = self.differencer.kind, self.differencer.function

        def project(x: Array) -> Array:
            return np.array([signs @ (along.sizes * x) for signs in along.signs], kind)

        theta = function.start[part.block].astype(kind)
        value, bound = along.estimate.value, along.estimate.bound
        return Tensor(
            part.name, part.shape, self.differencer.analytic[part.block], theta, value, bound, project
        )

    def _summary(self, finding: Finding) -> TensorJudgement:
        """The judgement of one tensor: its worst single entry, or else its worst direction."""
        along, worst = finding.along, int(np.argmax(finding.along.excess))
        shown, at, moved = along, worst, 1.0
        where = f"{finding.part.name}, along a direction"
        single = max(finding.faults, key=lambda f: float(f.gap[0]), default=None)
        if single is not None:
            shown, at, moved = single, 0, float(single.signs[0][0] * single.sizes[0])
            where = self.differencer.function.layout.location(int(single.subset[0]))
        return TensorJudgement(
            name=finding.part.name, size=finding.part.size,
            gradient_error=gradient_error(along.analytic, along.estimate.value),
            excess=float(along.excess[worst]), disagreeing=len(finding.faults), worst=where,
            analytic=float(shown.analytic[at]) / moved, numerical=float(shown.estimate.value[at]) / moved,
            bound=float(shown.estimate.bound[at]) / abs(moved), low=np.nan, high=np.nan, touched=0, crossed=0,
            verdict=Verdict.INCORRECT_GRADIENT if along.wrong else Verdict.AGREES,
        )  # fmt: skip

    def _entries(self, finding: Finding) -> str:
        """The entries at fault in words, and the range of those that were not separated."""
        location, words = self.differencer.function.layout.location, []
        for fault in finding.faults:
            moved = fault.signs[0][0] * fault.sizes[0]
            analytic, value = fault.analytic[0] / moved, fault.estimate.value[0] / moved
            words.append(f"{location(int(fault.subset[0]))} is {analytic:.6g}, numerical {value:.6g}")
        if finding.undivided:
            first = min(int(r[0]) for r in finding.undivided)
            last = max(int(r[-1]) for r in finding.undivided)
            words.append(f"many between {location(first)} and {location(last)}")
        return "; ".join(words)


def directional_evidence(
    coordinate: CoordinateDifferencer, analytic: Array, round_off: Array, rtol: float
) -> DirectionalEvidence:
    """Measure a gradient along random directions through all parameters."""
    differencer = DirectionalDifferencer(coordinate, analytic, round_off)
    everything = np.arange(len(analytic))
    differencer.choose_step(everything)
    whole = differencer.along(everything, DIRECTIONS)
    return DirectionalEvidence(differencer, whole, Comparison(whole.analytic, whole.estimate, rtol))
