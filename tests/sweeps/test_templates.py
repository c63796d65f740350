"""Grids that are made from templates: the same cells, to the last letter, as one by one."""

import json

import pytest

from backproof.errors import ConfigurationError
from backproof.sweeps import points
from backproof.sweeps.listing import Listed
from backproof.sweeps.templates import PLAIN

SMALL = ("data=xor", "network.hidden=[3]", "training.steps=5")


def both(grid, monkeypatch, *overrides, experiment=None):
    """The cells of a grid, made from templates wherever there is a plain axis, and made one by one."""
    monkeypatch.setattr(points, "LEAST_POINTS", 0)
    quick = grid(*overrides, experiment=experiment)
    blocks = list(quick._points.blocks())
    assert any(isinstance(block, points.Quick) for block in blocks)
    return list(quick.listed()), [cell.listed() for cell in quick.cells], blocks


def plain(cell: Listed):
    return cell.id, cell.settings, cell.command, cell.excluded


EVERY_PLAIN_AXIS = (
    *SMALL, "activation=relu,tanh", "output=sigmoid,same", "loss=squared_error,binary_cross_entropy",
    "clip=floor,none", "delta=exact,y_minus_t", "training=sgd,none", "network.init_scale=1,0.5",
    "clip.eps=1e-7,2.220446049250313e-16", "relu_at_zero=0,0.5", "training.learning_rate=0.1,3",
    "seed=0,7",
)  # fmt: skip

GRIDS = {
    "every plain axis": EVERY_PLAIN_AXIS,
    "plain axes before others": (*SMALL, "seed=0,1,2", "network.hidden=[3],[4,2]", "network.init_scale=1,2"),
    "a reference": (*SMALL, "network.init_scale=${training.learning_rate}", "seed=range(0,4)"),
    "values that one template alone looks at": (
        *SMALL, "activation=relu,tanh", "network.init_scale=range(1,11)", "seed=range(0,10)"
    ),
    "a schedule": (*SMALL, "training.schedule='learning_rate / (1 + step)'", "training.learning_rate=1,2"),
    "no check": (*SMALL, "check=none,full", "seed=0,1"),
    "half precision": (*SMALL, "precision=float32,float64", "clip.eps=1e-7,1e-3", "seed=0,1"),
    "faults": (*SMALL, "fault=sign,none", "network.bias=zero", "seed=0,1"),
}  # fmt: skip


@pytest.mark.parametrize("name", [name for name in GRIDS if name != "a reference"])
def test_the_same_cells_as_one_by_one(grid, monkeypatch, name):
    quick, slow, _ = both(grid, monkeypatch, *GRIDS[name])
    assert list(map(plain, quick)) == list(map(plain, slow))


def test_all_axes_that_count_as_plain_are_compared():
    assert {o.partition("=")[0] for o in EVERY_PLAIN_AXIS} >= set(PLAIN)


def test_cells_share_a_gradient_as_their_cases_do(grid, monkeypatch):
    quick, _, _ = both(grid, monkeypatch, *EVERY_PLAIN_AXIS)
    cells = grid(*EVERY_PLAIN_AXIS).cells
    keys = {cell.case.id: cell.case.share_key for cell in cells}
    shares = {}
    for cell in quick:
        shares.setdefault(cell.share_key, set()).add(keys[cell.id])
    assert all(len(found) == 1 for found in shares.values()), "what shares a number shares a gradient"
    assert len(shares) == len(set(keys.values())), "and the other way round"


def test_a_reference_is_followed_at_every_point(grid, monkeypatch):
    monkeypatch.setattr(points, "LEAST_POINTS", 0)
    found = grid(*GRIDS["a reference"], "training.learning_rate=0.5,2")
    scales = {cell.flat()["network.init_scale"] for cell in found.listed()}
    assert scales == {0.5, 2.0}


@pytest.mark.parametrize("wrong", ["seed=0,1,-1", "network.init_scale=1,2,-3", "clip.eps=1e-7,1e-3,0.7"])
def test_every_value_is_validated(grid, wrong, monkeypatch):
    monkeypatch.setattr(points, "LEAST_POINTS", 0)
    with pytest.raises(ConfigurationError, match=wrong.partition("=")[0]):
        grid(*SMALL, wrong, "seed=range(0,3)") if not wrong.startswith("seed") else grid(*SMALL, wrong)


def test_targets_that_a_seed_makes_unfit_are_found(grid, tmp_path, monkeypatch):
    """Of data without classes the targets are looked at for every seed, so that the seed is not plain."""
    monkeypatch.setattr(points, "LEAST_POINTS", 0)
    path = tmp_path / "numbers.csv"
    path.write_text("x,target\n" + "\n".join(f"{i},{i / 10}" for i in range(20)))
    words = [
        "data=file",
        f"data.path={path}",
        "data.kind=values",
        "loss=squared_error",
        "output=identity",
        "seed=0,1",
    ]
    blocks = list(grid(*words)._points.blocks())
    assert not any(isinstance(block, points.Quick) for block in blocks)


def test_what_is_kept_of_a_large_grid_is_made_again(grid, monkeypatch):
    words = (*SMALL, "activation=relu,tanh", "relu_at_zero=0,1", "network.init_scale=1,2", "seed=range(0,9)")
    held = grid(*words)
    monkeypatch.setattr("backproof.sweeps.grid.HELD", 10)
    monkeypatch.setattr("backproof.sweeps.distinct.TOGETHER", 16)
    streamed = grid(*words)
    assert list(map(plain, streamed.listed())) == list(map(plain, held.listed()))
    assert (streamed.requested, streamed.duplicates, streamed.size) == (72, 18, 54)
    assert 0 < len(streamed.sample) < 54


def test_rules_of_exclusion_see_a_large_grid_as_a_small_one(grid, monkeypatch):
    """`training.batch` is text in some cells and a number in others, and so text in all of them."""
    from backproof.sweeps.experiment import experiment_of

    content = {"exclude": [{"where": "`training.batch` == 8", "because": "never"},
                           {"where": "seed > 5 and activation == 'relu'", "because": "late"}]}  # fmt: skip
    words = (*SMALL, "activation=relu,tanh", "training.batch=8,full", "seed=range(0,9)")
    held = grid(*words, experiment=experiment_of("mine", content))
    monkeypatch.setattr("backproof.sweeps.grid.HELD", 10)
    monkeypatch.setattr("backproof.sweeps.grid.TOGETHER", 4)
    streamed = grid(*words, experiment=experiment_of("mine", content))
    assert [c.excluded for c in streamed.listed()] == [c.excluded for c in held.listed()]
    assert streamed.excluded == held.excluded == {"late": 6}


def test_the_id_is_of_the_settings_that_are_stored(grid):
    for cell in grid(*SMALL, "seed=range(0,20)").listed():
        assert cell.case().id == cell.id
        assert json.loads(cell.settings)["seed"] == cell.flat()["seed"]
