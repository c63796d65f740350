"""Verdicts: the closed set of what a check can conclude, each with a sentence and a remedy."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Verdict:
    """What the check concludes about a case.

    Attributes:
        symbol: one letter for figures, so that nothing is said by colour alone.
        right: whether the backward rule is one that mathematics allows, whatever the numbers made of it.
    """

    name: str
    symbol: str
    right: bool
    sentence: str
    remedy: str


AGREES = Verdict(
    "agrees",
    "✓",
    True,
    "The analytic gradient is the gradient of the loss, within what truncation and round-off explain.",
    "Nothing to do.",
)
VALID_SUBGRADIENT = Verdict(
    "valid subgradient",
    "s",
    True,
    "A kink is hit exactly; there the analytic value lies between the one-sided slopes, elsewhere it agrees.",
    "Nothing is wrong; use the average of the slopes (relu_at_zero=0.5) or move the point for a match.",
)
ROUND_OFF = Verdict(
    "round-off",
    "r",
    True,
    "The rule is right, as a finer difference shows; the numbers differ because rounding drowns them.",
    "Use a higher precision or a larger step, or weights that do not saturate the outputs.",
)
TRUNCATION = Verdict(
    "truncation",
    "t",
    True,
    "The rule is right, as shorter steps show; the numeric gradient is off because the step is too long.",
    "Use a smaller step (check.step), or leave the choice to the budget (check.step=null).",
)
INCORRECT_GRADIENT = Verdict(
    "incorrect gradient",
    "✗",
    False,
    "The analytic gradient is not the gradient of the loss, and neither arithmetic nor a kink explains it.",
    "Mend the operation that is named first; everything below it follows from it.",
)
CLIP_ACTIVE = Verdict(
    "clip active",
    "c",
    False,
    "Where the clip flattens the loss its slope is zero and the analytic one is not; elsewhere they agree.",
    "Differentiate the clip as computed, use a smaller eps, or compute the loss from logits.",
)
KINKS_COMBINED = Verdict(
    "kinks combined",
    "m",
    False,
    "Several kinks are hit at once: each slope lies between its one-sided slopes, their product does not.",
    "No value at the kinks is right here in general; move the point, or use biases that are not zero.",
)
KINK_CROSSED = Verdict(
    "kink crossed",
    "k",
    False,
    "Some differences straddle a kink; only there does the gradient disagree.",
    "Use a smaller step or a higher precision, or leave out the samples that lie so near.",
)
OUTSIDE_DOMAIN = Verdict(
    "outside domain",
    "d",
    False,
    "Outputs outside the loss's domain reach a logarithm, and the loss is not a number.",
    "Use an output whose range fits the loss, or a clip.",
)
NOT_FINITE = Verdict(
    "not finite",
    "∞",
    False,
    "The loss or a gradient is infinite or not a number.",
    "Clip the logarithm, or compute the loss from logits.",
)
NOT_DETERMINISTIC = Verdict(
    "not deterministic",
    "≠",
    False,
    "Two evaluations at the same point differ, so there is nothing to take a difference of.",
    "Fix the seed of whatever is random in the function, or take it out.",
)
UNDETERMINED = Verdict(
    "undetermined",
    "?",
    False,
    "The difference is within what round-off explains, but it is large: a wrong gradient could hide in it.",
    "Use weights that do not saturate the outputs.",
)
NOT_CHECKED = Verdict(
    "not checked", "–", False, "The check was switched off (check=none).", "Use check=full."
)

VERDICTS: dict[str, Verdict] = {
    v.name: v
    for v in (
        AGREES, VALID_SUBGRADIENT, ROUND_OFF, TRUNCATION, KINKS_COMBINED, KINK_CROSSED, CLIP_ACTIVE,
        INCORRECT_GRADIENT, OUTSIDE_DOMAIN, UNDETERMINED, NOT_DETERMINISTIC, NOT_FINITE, NOT_CHECKED,
    )
}  # fmt: skip

AGREEING = (AGREES, VALID_SUBGRADIENT)
"""Verdicts of a gradient that agrees with the loss in the numbers as well."""
