"""One batch of networks with different clips, deltas and faults: each has the bits that it has alone."""

from collections import ChainMap
from dataclasses import fields

import numpy as np
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from backproof.network.clips import CLIPS
from backproof.network.faults import FAULTS
from backproof.network.problem import Problem
from backproof.network.rules import BackwardRule
from backproof.sweeps.canonical import case_of
from backproof.sweeps.outcome import Outcome
from backproof.sweeps.training_runs import runs_of, train_alike
from backproof.training import Run
from backproof.training.updating import Updating

SMALL = ("data=gaussian", "check=none", "training=momentum", "training.steps=5", "training.every=2")
CELL = {
    "subject": "network", "network": "puzzle", "network.bias": "zero", "check": "none",
    "training": "momentum", "training.steps": 5, "training.every": 2,
}  # fmt: skip

PAIRS = {
    "binary_cross_entropy": ("sigmoid", "relu", "leaky_relu", "softplus"),
    "categorical_cross_entropy": ("softmax", "sigmoid"),
    "squared_error": ("relu", "softmax"),
}

ALIKE = {
    "data": ("gaussian", "xor"),  # biases of zero put a row of it on ReLU's kink
    "activation": ("relu", "tanh", "leaky_relu"),
    "precision": ("float64", "float64", "float32", "float16", "bfloat16"),
    "network.hidden": ((3,), (4, 3), (3, 3), ()),
    "network.bias_add": ("fused", "fused", "unfused"),
    "training.batch": ("full", 5, 1),
    "training.loss_scale": (None, None, 512.0),
    "training.master_weights": (None, True),
    "loss.l2": (0.0, 0.0, 0.1),
    "loss.reduction": ("sum", "sample_mean", "mean"),
}

MINE = (
    {"clip": "mine", "clip.value": "log(maximum(q, 2 * eps))"},
    {"delta": "mine", "delta.value": "2 * (y - t)"},
)

OWN = (
    [*({"clip": name} for name in sorted(CLIPS)), MINE[0]],
    [{"clip.eps": eps} for eps in (1e-300, 1e-12, 0.01, 0.3)],
    [{"clip.backward": how} for how in ("consistent", "ignored")],
    [*({"delta": name} for name in ("exact", "exact", "y_minus_t")), MINE[1]],
    [{"fault": name} for name in sorted(FAULTS)]
    + [{"fault": "mutant", "fault.mutation": k} for k in range(20)],
    [{"kink": how} for how in ("multiply", "assign")],
    [{"relu_at_zero": number} for number in (0.0, 0.5, 1.0)],
    [{"training.learning_rate": rate} for rate in (0.01, 1.0)],
    [{"seed": seed} for seed in (0, 0, 3)],
)
"""What networks of one batch may differ in."""


def same(a, b):
    """Two runs, to the last bit."""
    for name in (f.name for f in fields(Run) if f.name != "curves"):
        left, right = getattr(a, name), getattr(b, name)
        assert left == right or (left != left and right != right), name
    assert a.curves.keys() == b.curves.keys()
    for name, (steps, values) in a.curves.items():
        assert np.array_equal(steps, b.curves[name][0])
        assert np.array_equal(values, b.curves[name][1], equal_nan=True), name


@settings(max_examples=60, deadline=None, derandomize=True, database=None)
@given(
    pair=st.sampled_from([(loss, output) for loss, outputs in PAIRS.items() for output in outputs]),
    alike=st.fixed_dictionaries({key: st.sampled_from(values) for key, values in ALIKE.items()}),
    own=st.lists(st.tuples(*map(st.sampled_from, OWN)), min_size=2, max_size=9),
)
def test_a_network_has_the_bits_that_it_has_alone(pair, alike, own):
    given = {key: value for key, value in alike.items() if value is not None}
    common = {**CELL, "loss": pair[0], "output": pair[1], **given}
    cases = list(dict.fromkeys(case_of(dict(ChainMap(*each, common))) for each in own))
    assume(len({case.part_key for case in cases}) > 1)
    assert len({case.family_key for case in cases}) == 1
    for case, run in zip(cases, runs_of(cases), strict=True):
        same(run, runs_of([case])[0])


def test_results_are_in_the_order_of_the_cells_whatever_the_order_of_the_parts(grid):
    cells = grid(*SMALL, "output=sigmoid", "seed=0,1", "fault=none,sign", "clip=floor,clamp").cells
    cases = [cell.case for cell in cells]
    assert len({case.part_key for case in cases}) == 4
    outcomes = [Outcome(case.id) for case in cases]
    train_alike(cases, outcomes)
    for case, outcome in zip(cases, outcomes, strict=True):
        assert outcome.values["final_loss"] == runs_of([case])[0].final_loss
    assert len({outcome.values["final_loss"] for outcome in outcomes}) == 4, "none of them is clipped"


def test_one_forward_pass_and_one_update_for_all_parts(grid, monkeypatch):
    calls = []

    def counted(owner, name):
        whole = getattr(owner, name)

        def call(self, *args):
            calls.append(name)
            return whole(self, *args)

        monkeypatch.setattr(owner, name, call)

    cases = [
        c.case for c in grid(*SMALL, "training.every=99", "output=sigmoid", "fault=none,sign,doubled").cells
    ]
    counted(Problem, "forward")
    counted(Updating, "step")
    counted(BackwardRule, "backward")
    runs_of(cases)
    assert calls.count("step") == 5
    assert calls.count("forward") == 5 + 4 * len(cases), "before, and after over three sets of samples"
    assert calls.count("backward") == 5 * len(cases) + 2, "and the exact ones at the first and the last step"


def test_users_code_meets_one_clip_at_a_time(one):
    """It may hand a clip any array, also one without the axis of the batch."""
    own, other = (one(f"clip={clip}").case for clip in ("floor", "clamp"))
    assert own.family_key == other.family_key
    own, other = (case.model_copy(update={"code": (("mine.loss", "1"),)}) for case in (own, other))
    assert own.family_key != other.family_key
