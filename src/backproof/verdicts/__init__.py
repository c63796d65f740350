"""From an analytic gradient and an estimate to a verdict, its causes and its evidence."""

from backproof.verdicts.judgement import Judgement, judge
from backproof.verdicts.verdict import AGREEING, RIGHT, Verdict

__all__ = ["AGREEING", "RIGHT", "Judgement", "Verdict", "judge"]
