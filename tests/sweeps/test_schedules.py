"""Learning rates by an expression, as an axis: in the id, canonical, in a batch, and refused before a run."""

import numpy as np
import pytest

from backproof.errors import ConfigurationError
from backproof.sweeps.training_runs import runs_of

TRAINED = (
    "data=xor", "network.hidden=[3]", "check=none", "training=momentum", "training.steps=5",
    "training.learning_rate=0.1,0.3", "precision=float32",
)  # fmt: skip
SCHEDULES = """training.schedule=null,learning_rate,'learning_rate / (1 + step)','0.05','0.3 + 0 * step'"""


@pytest.fixture
def cells(grid):
    return grid(*TRAINED, SCHEDULES).cells


def test_what_a_schedule_leaves_no_difference_is_no_cell_of_its_own(cells):
    found = [(t.schedule, t.learning_rate) for t in (cell.case.training for cell in cells)]
    assert sorted(found, key=str) == sorted([
        (None, 0.1), (None, 0.3), ("learning_rate / (1 + step)", 0.1), ("learning_rate / (1 + step)", 0.3),
        ("0.05", None), ("0.3 + 0 * step", None),
    ], key=str)  # fmt: skip
    assert len({cell.case.id for cell in cells}) == 6


def test_the_command_of_a_cell_has_its_schedule(cells, one):
    for cell in cells:
        assert one(*cell.overrides).case == cell.case


def test_several_schedules_train_as_one_batch_and_each_as_alone(cells):
    cases = [cell.case for cell in cells]
    assert len({case.family_key for case in cases}) == 1
    together = runs_of(cases)
    for case, run in zip(cases, together, strict=True):
        (alone,) = runs_of([case])
        assert np.array_equal(run.curves["loss"][1], alone.curves["loss"][1])
        assert run.results == alone.results
    by = {(c.training.schedule, c.training.learning_rate): r for c, r in zip(cases, together, strict=True)}
    constant, same = by[None, 0.3], by["0.3 + 0 * step", None]
    assert constant.curves["loss"][1].tobytes() == same.curves["loss"][1].tobytes(), "to the last bit"
    assert constant.final_loss != by["learning_rate / (1 + step)", 0.3].final_loss


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (
            "'learning_rate - step'",
            "'learning_rate - step' is -0.9 at step 1; a learning rate is a number ≥ 0",
        ),
        ("'rate / 2'", "'rate' is unknown"),
        ("'9**9**9'", "'9 ** 9 ** 9' is not a finite number"),
        ("3", "must be null or text; not 3"),
    ],
)
def test_what_is_no_schedule_is_refused_when_composed(grid, text, says):
    with pytest.raises(ConfigurationError) as caught:
        grid("data=xor", "training=sgd", "training.learning_rate=0.1", f"training.schedule={text}")
    assert str(caught.value).startswith("training.schedule: ")
    assert says in str(caught.value)


def test_without_training_a_schedule_makes_no_difference(grid):
    words = ("data=xor", "training=none,sgd", "training.schedule=null,'learning_rate / (1 + step)'")
    assert len(grid(*words).cells) == 3
