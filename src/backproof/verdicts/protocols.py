"""What a judge asks of a target, and of the evidence that it brings."""

from __future__ import annotations

from typing import Protocol

from backproof.verdicts.causes import Cause, Explanation
from backproof.verdicts.comparison import Comparison
from backproof.verdicts.subgradients import Joint
from backproof.verdicts.verdict import Verdict


class Evidence(Protocol):
    """One comparison of a target's gradient with an estimate, and what can be found out about it."""

    @property
    def comparison(self) -> Comparison:
        """The two gradients."""

    @property
    def precision(self) -> str:
        """The precision of the evaluations."""

    def explain(self) -> Explanation:
        """What departs from the right gradient, where something is wrong."""

    def joint(self) -> Joint | None:
        """What the kinks that are touched say together; None where no two entries touch one."""

    def doubt(self) -> Cause:
        """Why some entries are not resolved, where there are such."""


class Target(Protocol):
    """A function and the derivative under test, as `judge` asks for it."""

    @property
    def size(self) -> int:
        """The number of parameters."""

    @property
    def precision(self) -> str:
        """That of the gradient under test."""

    @property
    def resolution(self) -> float:
        """The relative error that must not go unseen, beside `rtol`."""

    @property
    def rtol(self) -> float:
        """The relative error that the gradient is known to have by its nature."""

    @property
    def differences_chosen(self) -> bool:
        """Whether the case asks for certain differences, which then must agree with the gradient as well."""

    def difference_between_calls(self, *, gradient: bool) -> str:
        """What differs between two evaluations at one point; empty if nothing does.

        With `gradient`, that is evaluated twice as well as the loss.
        """

    def own(self) -> Evidence | None:
        """The case as it was asked for; None where nothing can be compared."""

    def reference(self, own: Evidence) -> Evidence | None:
        """The same where differences are at their best: in a higher precision, with the best steps."""

    def finer(self) -> Evidence | None:
        """The same by differences that rounding does not drown; for cases that nothing else can decide."""

    def not_finite(self) -> tuple[Verdict, list[Cause]]:
        """The verdict and causes where the loss or a gradient is not finite."""

    def clipped(self) -> bool:
        """Whether a clip flattens the loss somewhere."""

    def remarks(self) -> list[Cause]:
        """What else is odd, where the gradient does not agree."""


def asked_of(target: Target) -> float:
    """The relative bound up to which an entry counts as seen: `rtol` widens every bound by itself."""
    return target.resolution + target.rtol
