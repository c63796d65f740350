"""Verdicts: the closed set of what a check can conclude, each with a sentence and a remedy."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Verdict:
    """What the check concludes about a case.

    Attributes:
        symbol: one letter for figures, so that nothing is said by colour alone.
        right: whether the analytic gradient is one that arithmetic and mathematics allow.
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
WRONG_RULE = Verdict(
    "wrong rule",
    "✗",
    False,
    "The analytic gradient is not the gradient of the loss, and neither arithmetic nor a kink explains it.",
    "Use the exact delta or an output that matches the loss; look at the topmost layer that disagrees.",
)
KINK_CROSSED = Verdict(
    "kink crossed",
    "k",
    False,
    "Some differences straddle a kink that no usable step avoids; only there does the gradient disagree.",
    "Use a higher precision, whose steps are shorter, or leave out the samples that lie so near.",
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
UNDETERMINED = Verdict(
    "undetermined",
    "?",
    False,
    "The difference is within what round-off explains, but it is large: a wrong gradient could hide in it.",
    "Use a higher precision, or weights that do not saturate the outputs.",
)
NOT_CHECKED = Verdict(
    "not checked", "–", False, "The check was switched off (check=none).", "Use check=full."
)

VERDICTS: dict[str, Verdict] = {
    v.name: v
    for v in (
        AGREES, VALID_SUBGRADIENT, WRONG_RULE, KINK_CROSSED, OUTSIDE_DOMAIN, UNDETERMINED, NOT_FINITE,
        NOT_CHECKED,
    )
}  # fmt: skip
