"""From an analytic and a numeric gradient to a verdict."""

from backproof.verdicts.judge import Judgement, judge, look_at_outputs
from backproof.verdicts.verdict import VERDICTS, Verdict

__all__ = ["VERDICTS", "Judgement", "Verdict", "judge", "look_at_outputs"]
