"""From an analytic and a numeric gradient to a verdict, its causes and its evidence."""

from backproof.verdicts.judgement import Cause, Judgement, judge
from backproof.verdicts.verdict import AGREEING, RIGHT, Verdict
from backproof.verdicts.view import View, in_precision, look_at_outputs, view_of

__all__ = [
    "AGREEING", "RIGHT", "Cause", "Judgement", "Verdict", "View",
    "in_precision", "judge", "look_at_outputs", "view_of",
]  # fmt: skip
