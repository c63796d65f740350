"""Verdicts: the closed set of what a check can conclude, with symbol, colour, sentence and remedy."""

from __future__ import annotations

from enum import StrEnum


class Verdict(StrEnum):
    """What a check concludes. A member equals its name in tables: `Verdict.AGREES == "agrees"`.

    Members are in order of severity, which ranks the entries of a tensor.

    Attributes:
        symbol: one letter for figures, so that nothing depends on colour alone.
        colour: from Okabe and Ito's palette and shades between, distinguishable with every kind of colour
            vision.
        right: whether the backward rule is one that mathematics allows, whatever rounding made of it.
        sentence, remedy: what it means, and what to do about it.
    """

    symbol: str
    colour: str
    right: bool
    sentence: str
    remedy: str

    # The defaults are never used; with them a type checker accepts the look-up Verdict("agrees").
    def __new__(
        cls,
        name: str,
        symbol: str = "",
        colour: str = "",
        right: bool = False,
        sentence: str = "",
        remedy: str = "",
    ) -> Verdict:
        member = str.__new__(cls, name)
        member._value_ = name
        member.symbol, member.colour, member.right = symbol, colour, right
        member.sentence, member.remedy = sentence, remedy
        return member

    @property
    def severity(self) -> int:
        """The member's rank: 0 for agreement; where several verdicts meet, the largest one counts."""
        return SEVERITY[self]

    AGREES = (
        "agrees",
        "✓",
        "#17915D",
        True,
        "The analytic gradient is the gradient of the loss, within what truncation and round-off explain.",
        "Nothing to do.",
    )
    VALID_SUBGRADIENT = (
        "valid subgradient",
        "s",
        "#359AED",
        True,
        "Kinks are hit exactly; what the gradient has there is a subgradient, and it agrees elsewhere.",
        "Nothing is wrong; for a match use relu_at_zero=0.5, the average of both, or move the point.",
    )
    ROUND_OFF = (
        "round-off",
        "r",
        "#5DD6F7",
        True,
        "The rule is right, as a finer difference shows; the numbers differ because rounding drowns them.",
        "Use a higher precision or a larger step, or weights that do not saturate the outputs.",
    )
    TRUNCATION = (
        "truncation",
        "t",
        "#96C19F",
        True,
        "The rule is right, as shorter steps show; the numerical gradient is off, the step being too long.",
        "Use a smaller step (check.step), or let the error bounds choose it (check.step=null).",
    )
    KINK_CROSSED = (
        "kink crossed",
        "k",
        "#D9E711",
        False,
        "Some differences straddle a kink; only there does the gradient disagree.",
        "Use a smaller step or a higher precision, or leave out the samples that lie so near.",
    )
    CLIP_ACTIVE = (
        "clip active",
        "c",
        "#E59337",
        False,
        "Where the clip flattens the loss its derivative is zero and the analytic one is not; they agree "
        "elsewhere.",
        "Differentiate the clip as computed, use a smaller eps, or compute the loss from logits.",
    )
    INCORRECT_GRADIENT = (
        "incorrect gradient",
        "✗",
        "#CC4C0D",
        False,
        "The analytic gradient is not the gradient of the loss; neither arithmetic nor a kink explains it.",
        "Fix the first cause listed; those below it may follow from it.",
    )
    OUTSIDE_DOMAIN = (
        "outside domain",
        "d",
        "#AE7290",
        False,
        "Outputs outside the loss's domain reach a logarithm, and the loss is not a number.",
        "Use an output whose range fits the loss's domain, or a clip of the logarithm.",
    )
    UNRESOLVED = (
        "unresolved",
        "~",
        "#433D8F",
        False,
        "The difference is within its bound, but the bound is so wide that an incorrect gradient could hide "
        "in it.",
        "Use a higher precision, weights that do not saturate the outputs, or a point where the loss is not "
        "so large beside its changes; or ask for less (check.resolution, in Python resolution=).",
    )
    UNDETERMINED = (
        "undetermined",
        "?",
        "#0C67E0",
        False,
        "Kinks or jumps may explain the difference, and nothing shows whether they do.",
        "Use a point away from the kinks, or a higher precision.",
    )
    NOT_DETERMINISTIC = (
        "not deterministic",
        "≠",
        "#7B3F2F",
        False,
        "Two evaluations at the same point differ, so there is nothing to take a difference of.",
        "Fix the seed of whatever is random in the function, or take it out.",
    )
    NOT_FINITE = (
        "not finite",
        "∞",
        "#575259",
        False,
        "The loss or a gradient is infinite or not a number.",
        "Keep the operation named within its domain (clip a logarithm, or compute the loss from logits), or "
        "use another point.",
    )
    NOT_CHECKED = (
        "not checked",
        "–",
        "#DAEEEF",
        False,
        "The check was switched off (check=none).",
        "Use check=full.",
    )


SEVERITY = {verdict: rank for rank, verdict in enumerate(Verdict)}

RIGHT = frozenset(verdict for verdict in Verdict if verdict.right)
"""Verdicts on a rule that mathematics allows."""

NOT_NAMED_REMEDY = (
    "Check the functions that it is made of one by one (check_vjp tests a backward pass); the cause states "
    "where it is wrong."
)
"""That of an incorrect gradient whose first cause has no name."""

AGREEING = frozenset({Verdict.AGREES, Verdict.VALID_SUBGRADIENT})
"""Verdicts on a gradient whose numbers agree with the loss as well."""
