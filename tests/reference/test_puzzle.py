"""The puzzle's own program, written again in Octave, gives the losses and gradients that the package gives.

`puzzle.m` reads the CSVs in `puzzle/` and wrote the results beside them; `draw_puzzle.py` drew the inputs.
"""

import csv
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from backproof.network.activations import ACTIVATIONS
from backproof.network.clips import CLIPS
from backproof.network.deltas import DELTAS
from backproof.network.losses import LOSSES
from backproof.network.problem import Problem
from backproof.network.rules import BackwardRule

HERE = Path(__file__).parent
STORED = HERE / "puzzle"
TINY = 2.0**-52
TOLERANCE = 1e-12

every_activation = pytest.mark.parametrize("activation", ["sigmoid", "tanh", "relu"])
every_loss = pytest.mark.parametrize("loss", ["squared_error", "binary_cross_entropy"])
every_delta = pytest.mark.parametrize("delta", ["exact", "y_minus_t"])


def table(name, folder=STORED):
    return np.loadtxt(folder / f"{name}.csv", delimiter=",", ndmin=2)


def weights():
    return [table("w1"), table("w2")]


def problem_of(activation, loss):
    function = ACTIVATIONS[activation]()
    return Problem(table("x"), table("t"), function, function, LOSSES[loss](), CLIPS["floor"](), TINY)


def octaves_loss(activation, loss, folder=STORED):
    with (folder / "losses.csv").open() as lines:
        found = {(row["activation"], row["loss"]): float(row["value"]) for row in csv.DictReader(lines)}
    return found[activation, loss]


def octaves_gradient(activation, loss, delta, folder=STORED):
    name = f"{activation}-y_minus_t" if delta == "y_minus_t" else f"{activation}-{loss}-{delta}"
    return [table(f"{name}-{layer}", folder) for layer in (1, 2)]


def tensors(gradient):
    return {
        f"{letter}{layer}": part
        for layer, g in enumerate(gradient, 1)
        for letter, part in (("W", g[:, :-1]), ("b", g[:, -1]))
    }


def off(found, right):
    """The norm of the difference relative to the norm of what is right, the worst of the tensors."""
    found, right = tensors(found), tensors(right)
    for name, g in right.items():
        assert found[name].shape == g.shape
        assert np.isfinite(g).all()
        assert g.any()
    return max(np.linalg.norm(found[name] - g) / np.linalg.norm(g) for name, g in right.items())


@every_activation
@every_loss
def test_the_loss_is_octaves(activation, loss):
    found = problem_of(activation, loss).forward(weights()).loss
    assert found == pytest.approx(octaves_loss(activation, loss), rel=TOLERANCE)


@every_activation
@every_loss
@every_delta
def test_the_gradient_is_octaves(activation, loss, delta):
    problem, w = problem_of(activation, loss), weights()
    found = BackwardRule(DELTAS[delta]()).gradient(problem, problem.forward(w), w)
    assert off(found, octaves_gradient(activation, loss, delta)) < TOLERANCE


def test_the_inputs_are_those_that_are_hard_to_get_right():
    """Hidden units and outputs on the kink exactly, outputs below 0 and above 1, both logarithms clipped."""
    assert [table(name).shape for name in ("x", "t", "w1", "w2")] == [(8, 12), (8, 3), (100, 13), (3, 101)]
    forwards = {
        name: problem_of(name, "binary_cross_entropy").forward(weights())
        for name in ("sigmoid", "tanh", "relu")
    }
    assert not ((forwards["sigmoid"].outputs <= TINY) | (1 - forwards["sigmoid"].outputs <= TINY)).any()
    assert (forwards["tanh"].outputs < 0).any()
    hidden, output = forwards["relu"].pre_activations
    assert np.count_nonzero(hidden == 0) == 50
    assert output[0, 2] == 0
    assert (forwards["relu"].outputs > 1).any()


@every_activation
@every_delta
def test_a_gradient_or_loss_wrong_by_one_in_a_thousand_million_is_refused(activation, delta):
    right = octaves_gradient(activation, "binary_cross_entropy", delta)
    assert off(right, right) == 0
    for layer, cut in ((0, slice(None, -1)), (0, -1), (1, slice(None, -1)), (1, -1)):
        found = [g.copy() for g in right]
        found[layer][:, cut] *= 1 + 1e-9
        assert off(found, right) > TOLERANCE
    loss = octaves_loss(activation, "binary_cross_entropy")
    assert loss * (1 + 1e-9) != pytest.approx(loss, rel=TOLERANCE)


@pytest.mark.skipif(
    shutil.which("octave") is None, reason="octave is not on PATH; its stored results are used"
)
def test_octave_still_gives_the_stored_results(tmp_path):
    command = ["octave", "--no-gui", "--norc", "--quiet", "puzzle.m", STORED, tmp_path]
    done = subprocess.run(command, cwd=HERE, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    written = {path.name for path in tmp_path.iterdir()}
    assert written == {path.name for path in STORED.iterdir()} - {"x.csv", "t.csv", "w1.csv", "w2.csv"}
    for activation in ("sigmoid", "tanh", "relu"):
        for loss in ("squared_error", "binary_cross_entropy"):
            again = octaves_loss(activation, loss, tmp_path)
            assert again == pytest.approx(octaves_loss(activation, loss), rel=TOLERANCE)
            for delta in ("exact", "y_minus_t"):
                again = octaves_gradient(activation, loss, delta, tmp_path)
                assert off(again, octaves_gradient(activation, loss, delta)) < TOLERANCE
