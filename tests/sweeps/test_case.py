"""Canonical form: what cannot matter is null, what can matter makes another cell."""

import pickle

import numpy as np
import pytest
from pydantic import ValidationError

from backproof.errors import ConfigurationError
from backproof.sweeps import case as case_module
from backproof.sweeps.canonical import case_of
from backproof.sweeps.fingerprint import COMPUTING, fingerprint
from backproof.sweeps.overrides import ordered

IRRELEVANT = [
    (("activation=tanh", "output=sigmoid"), "relu_at_zero", ("0", "0.5", "1")),
    (("activation=tanh", "output=sigmoid"), "kink", ("multiply", "assign")),
    (("activation=tanh", "output=relu", "delta=y_minus_t"), "relu_at_zero", ("0", "1")),
    (("activation=relu", "output=sigmoid", "network.hidden=[]"), "relu_at_zero", ("0", "1")),
    (("output=sigmoid", "network.hidden=[]"), "activation", ("relu", "tanh", "elu")),
    (("loss=squared_error",), "clip", ("none", "floor", "clamp", "shift", "log_floor")),
    (("loss=squared_error",), "clip.eps", ("1e-3", "1e-5")),
    (("loss=squared_error",), "clip.backward", ("consistent", "ignored")),
    (("loss=binary_cross_entropy_from_logits", "output=identity"), "clip", ("none", "floor")),
    (("clip=none",), "clip.eps", ("1e-3", "1e-5")),
    (("clip=none",), "clip.backward", ("consistent", "ignored")),
    (("clip=log_floor",), "clip.eps", ("1e-3", "1e-5")),
    (("delta=y_minus_t",), "clip.backward", ("consistent", "ignored")),
]


@pytest.mark.parametrize(("base", "key", "values"), IRRELEVANT)
def test_an_axis_that_cannot_matter_is_null(grid, base, key, values):
    found = grid(*base, f"{key}={','.join(values)}")
    assert len(found.cells) == 1
    assert found.requested == len(values)
    assert found.cells[0].case.flat().get(key) is None


@pytest.mark.parametrize(
    ("group", "on", "key"),
    [
        ("training", "sgd", "training.steps"),
        ("training", "sgd", "training.learning_rate"),
        ("check", "full", "check.samples"),
    ],
)
def test_settings_of_what_is_switched_off_do_not_multiply_cells(grid, group, on, key):
    found = grid(f"{group}=none,{on}", f"{key}=3,4")
    assert [cell.case.flat().get(key) for cell in found.cells] == [None, 3, 4]
    assert found.requested == 4


RELEVANT = [
    ((), "data", ("digits", "gaussian", "xor", "moons")),
    (("data=gaussian",), "data.distance", ("1", "2")),
    ((), "network.hidden", ("[3]", "[3,3]", "[]")),
    ((), "network.init_scale", ("1", "2")),
    ((), "network.bias", ("zero", "normal")),
    ((), "activation", ("relu", "leaky_relu", "tanh")),
    (("activation=leaky_relu",), "activation.slope", ("0.1", "0.2")),
    ((), "output", ("relu", "sigmoid", "softmax")),
    ((), "loss", ("squared_error", "binary_cross_entropy", "categorical_cross_entropy")),
    ((), "loss.reduction", ("sum", "mean", "sample_mean")),
    ((), "loss.l2", ("0", "0.1")),
    ((), "check.scheme", ("five_point", "central", "forward", "backward", "richardson", "complex")),
    ((), "check.step", ("null", "1e-3", "1e-5")),
    (("network.hidden=[8]",), "fault", ("none", "sign", "missing_derivative", "stale_cache")),
    ((), "clip", ("none", "floor", "clamp", "shift", "log_floor")),
    ((), "clip.eps", ("1e-3", "1e-5")),
    ((), "clip.backward", ("consistent", "ignored")),
    ((), "delta", ("exact", "y_minus_t")),
    ((), "relu_at_zero", ("0", "0.5", "1")),
    ((), "kink", ("multiply", "assign")),
    (("activation=tanh", "output=relu"), "relu_at_zero", ("0", "1")),
    ((), "fault", ("none", "sign", "doubled")),
    ((), "precision", ("float8_e5m2", "bfloat16", "float16", "float32", "float64", "longdouble")),
    ((), "precision", ("mantissa7", "mantissa8", "bfloat16")),
    ((), "network.bias_add", ("fused", "unfused")),
    ((), "seed", ("0", "1", "2")),
    ((), "check", ("full", "sampled", "none")),
    ((), "check.samples", ("3", "4")),
    ((), "training", ("none", "sgd", "momentum", "adam")),
    ((), "training.steps", ("3", "4")),
    ((), "training.learning_rate", ("0.1", "0.2")),
    ((), "training.schedule", ("null", "'learning_rate / (1 + step)'", "'1 / (1 + step)'")),
    (("training=momentum",), "training.momentum", ("0.1", "0.2")),
    (("precision=float16",), "training.loss_scale", ("1", "1024", "1000")),
    (("precision=float64",), "training.loss_scale", ("1", "1000")),
    (("precision=bfloat16",), "training.master_weights", ("false", "true")),
    ((), "training.check_every", ("null", "20", "50")),
]


@pytest.mark.parametrize(("base", "key", "values"), RELEVANT)
def test_an_axis_that_can_matter_makes_other_cells(grid, base, key, values):
    ids = {c.case.id for c in grid(*base, f"{key}={','.join(values)}").cells}
    assert len(ids) == len(values)


@pytest.mark.parametrize(
    ("one_way", "another"),
    [
        (("activation=relu", "output=same"), ("activation=relu", "output=relu")),
        (("activation=leaky_relu", "output=same"), ("activation=leaky_relu", "output=leaky_relu")),
        (("network.init_scale=2",), ("network.init_scale=2.0",)),
        (("clip.eps=0.001",), ("clip.eps=1e-3",)),
        (("seed=0", "loss=binary_cross_entropy"), ()),
        (("name=a", "engine=serial"), ("name=b", "engine.jobs=3")),
    ],
)
def test_two_ways_of_saying_the_same_have_one_id(one, one_way, another):
    assert one(*one_way).case.id == one(*another).case.id


def test_a_slope_given_to_the_activation_reaches_the_output_that_is_the_same(one):
    case = one("activation=leaky_relu", "activation.slope=0.3").case
    assert case.flat().get("output") == "leaky_relu"
    assert case.flat().get("output.slope") == 0.3


def test_ids_change_with_the_computing_code(one, monkeypatch):
    before = one().case.id
    monkeypatch.setattr(case_module, "fingerprint", lambda: "another")
    assert one().case.id != before


def test_the_fingerprint_covers_the_code_that_computes():
    from pathlib import Path

    import backproof

    root = Path(backproof.__file__).parent
    for name in COMPUTING:
        assert (root / name).exists(), name
    assert fingerprint() == fingerprint()
    assert len(fingerprint()) == 16


def test_the_id_of_a_users_file_follows_its_content_not_its_place_in_time(one, tmp_path):
    path = tmp_path / "my.csv"
    path.write_text("a,y\n1,0\n2,1\n3,0\n4,1\n")
    overrides = ("data=file", f"data.path={path}")
    before = one(*overrides).case.id
    path.touch()
    assert one(*overrides).case.id == before
    path.write_text("a,y\n1,0\n2,1\n3,0\n5,1\n")
    assert one(*overrides).case.id != before


def test_a_case_is_hashable_and_survives_pickling(one):
    case = one("network.hidden=[3,2]", "seed=4").case
    copy = pickle.loads(pickle.dumps(case))
    assert copy == case
    assert hash(copy) == hash(case)
    assert copy.id == case.id
    with pytest.raises(ValidationError, match="frozen"):
        case.seed = 5


def test_keys_of_shared_work(one):
    exact, canonical = one("delta=exact").case, one("delta=y_minus_t").case
    assert exact.numerical_key == canonical.numerical_key
    assert exact.numerical_key != one("seed=1").case.numerical_key
    assert exact.part_key == one("seed=1").case.part_key == one("clip.eps=1e-3").case.part_key
    assert exact.part_key != canonical.part_key
    assert exact.part_key != one("clip=clamp").case.part_key
    assert exact.family_key == canonical.family_key == one("seed=1").case.family_key
    assert exact.family_key == one("clip=clamp").case.family_key
    assert exact.family_key != one("activation=tanh").case.family_key


@pytest.mark.parametrize(
    ("y", "kind", "overrides", "says"),
    [
        (
            [0.5, 2, 0, 1],
            "values",
            ("loss=binary_cross_entropy", "output=sigmoid"),
            r"loss=binary_cross_entropy: .* in \[0, 1\]; data=",
        ),
        (
            [0.5, -1, 0, 1],
            "values",
            ("loss=binary_cross_entropy_from_logits", "output=identity"),
            "loss=binary_cross_entropy_from_logits",
        ),
        (
            [1, 0.5, 0, 1],
            "values",
            ("loss=categorical_cross_entropy", "output=softmax"),
            "add up to 1 in every row",
        ),
        ([7, 8, 9, 7], "labels", ("loss=binary_cross_entropy",), "3 different labels in 4 rows"),
    ],
)
def test_targets_that_do_not_fit_the_loss(one, tmp_path, y, kind, overrides, says):
    np.savez(tmp_path / "my.npz", X=np.arange(4.0)[:, None], y=np.array(y, float))
    with pytest.raises(ConfigurationError, match=says):
        one("data=file", f"data.path={tmp_path}/my.npz", f"data.kind={kind}", *overrides)


def test_targets_that_fit(one, tmp_path):
    np.savez(tmp_path / "my.npz", X=np.arange(4.0)[:, None], y=np.array([0.5, 2, -1, 1]))
    assert one("data=file", f"data.path={tmp_path}/my.npz", "data.kind=values", "loss=squared_error")


@pytest.mark.parametrize(
    "idle",
    [
        ("fault=divided_by_samples", "check.samples=1", "training=none"),
        ("fault=not_divided", "loss.reduction=sum"),
        ("fault=derivative_of_value", "activation=relu"),
        ("fault=no_penalty", "loss.l2=0"),
        ("fault=softmax_elementwise", "output=sigmoid"),
        ("fault=in_float32", "precision=float32"),
        ("fault=clip_ignored", "loss=squared_error"),
        ("fault=missing_derivative", "network.hidden=[]"),
        ("fault=clip_ignored", "delta=y_minus_t"),
    ],
)
def test_a_fault_that_changes_nothing_is_no_fault(one, idle):
    base = [o for o in idle if not o.startswith("fault")]
    assert one(*idle).case == one(*base).case


def test_one_sample_in_the_check_is_not_one_in_training(one):
    assert one("fault=divided_by_samples", "check.samples=1").case.flat().get("fault") == "divided_by_samples"


def test_a_complex_step_has_no_use_for_a_step(one):
    wide = ("check.scheme=complex", "output=sigmoid")
    assert one(*wide, "check.step=1e-3").case == one(*wide).case


ROUND_TRIPS = [
    (),
    ("network.hidden=[]", "output=sigmoid"),
    ("loss=squared_error", "training=none"),
    ("clip=none", "check=none"),
    ("activation=leaky_relu", "activation.slope=0.3", "training=adam", "training.batch=full"),
    ("data=gaussian", "data.classes=4", "check=sampled", "check.step=1e-3", "precision=longdouble"),
    ("fault=sign", "check.scheme=complex", "activation=tanh", "output=sigmoid"),
]


@pytest.mark.parametrize("overrides", ROUND_TRIPS, ids=" ".join)
def test_a_flat_case_is_the_case_again(one, overrides):
    case = one(*overrides).case
    again = case_of(case.flat())
    assert again == case
    assert again.id == case.id
    assert hash(again) == hash(case)
    assert list(case.flat()) == ordered(case.flat())
    assert all(type(value) in (str, int, float, bool, tuple) for value in case.flat().values())


def test_equal_groups_of_many_cells_are_one_object(grid):
    first, *others = [cell.case for cell in grid("seed=range(0,5)", "clip.eps=1e-3,0.001").cells]
    for case in others:
        assert case.network is first.network
        assert case.clip is first.clip
        assert case.training is first.training
