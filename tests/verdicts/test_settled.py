"""Where nothing is left to ask the way to the verdict is short, and leads to the same."""

from dataclasses import fields

import numpy as np
import pytest
from oracles import FUNCTIONS, random_problem
from verdicts.test_tensors import compared

from backproof.estimates.record import EntryStatus
from backproof.estimates.stencils import Scheme
from backproof.network.faults import FAULTS
from backproof.network.rules import BackwardRule
from backproof.targets.network import in_precision
from backproof.verdicts.comparison import Comparison
from backproof.verdicts.judgement import Judgement, judge
from backproof.verdicts.network import NetworkTarget
from backproof.verdicts.verdict import Verdict
from backproof.verdicts.view import view_of

RULES = [
    BackwardRule(fault=FAULTS[name]()) for name in ("none", "none", "none", "derivative_squared", "sign")
]


def drawn(seed):
    """A rule at a point: of any functions, precision and step, some on kinks."""
    draw = np.random.default_rng(seed)
    choice = {part: str(draw.choice(list(names))) for part, names in FUNCTIONS.items()}
    precision = str(draw.choice(["float64", "float64", "float32", "longdouble"]))
    hidden = [(4,), (3, 4), ()][draw.integers(3)]
    problem, weights = random_problem(
        seed, hidden=hidden, precision=precision, samples=int(draw.integers(1, 5)), **choice
    )
    if draw.random() < 0.3:
        weights[0][0] = 0
    how = {"scheme": Scheme(draw.choice([Scheme.FIVE_POINT, Scheme.FIVE_POINT, Scheme.CENTRAL]))}
    view, reference = view_of(problem, weights, **how), None
    if precision == "float32":
        reference = view_of(*in_precision(problem, weights, np.float64))
    resolution = float(draw.choice([1e-3, 1e-3, 1e-9]))
    return NetworkTarget(RULES[draw.integers(len(RULES))], view, reference, None, resolution)


def said(judgement):
    """All of a judgement but for its comparisons."""
    kept = [f.name for f in fields(Judgement) if f.name not in ("comparison", "seen", "verdicts")]
    return repr([getattr(judgement, name) for name in kept]), judgement.verdicts.tolist()


@pytest.mark.parametrize("status", EntryStatus)
def test_what_kinks_jumps_and_open_entries_have_a_say_in_is_not_settled(status):
    decided = status not in (
        EntryStatus.TOUCHED, EntryStatus.CROSSED, EntryStatus.OPEN, EntryStatus.JUMPS
    )  # fmt: skip
    assert compared([1.0, 2], [1.05, 2], status=[EntryStatus.SMOOTH, status]).settled is decided
    assert not compared([1.0, 2], [1.15, 2], status=[EntryStatus.SMOOTH, status]).settled


def test_the_short_way_says_what_the_long_one_says(monkeypatch):
    short, settled = [], 0
    for seed in range(200):
        for explain in (True, False):
            found = judge(drawn(seed), explain=explain)
            short.append(said(found))
            settled += found.verdict is Verdict.AGREES and found.comparison is not None
    monkeypatch.setattr(Comparison, "settled", property(lambda _: False))
    long = [said(judge(drawn(seed), explain=explain)) for seed in range(200) for explain in (True, False)]
    assert short == long
    assert settled > 30
    assert len({each[0].partition(":")[0] for each in long}) > 4, "verdicts"
