"""Data that need no file: what each set holds, and that its seed alone decides what is drawn."""

from dataclasses import fields

import numpy as np
import pytest
from sklearn.datasets import load_digits

from backproof.data import SOURCES
from backproof.data.dataset import Dataset, one_hot, split
from backproof.data.digits import digits
from backproof.data.gaussian import gaussian
from backproof.data.moons import moons
from backproof.data.xor import xor

SHAPES = {digits: (1797, 359, 64, 10), gaussian: (512, 102, 20, 3), moons: (512, 102, 2, 2)}
"""Samples, how many of them are tested on, features, classes."""

EVERY = [source for source in SOURCES.values() if source().classes]


def drawn(source, seed=0, **parameters):
    return source(**parameters).draw(np.random.default_rng(seed))


def arrays(data: Dataset):
    return [getattr(data, f.name) for f in fields(data)]


@pytest.mark.parametrize("source", SHAPES, ids=lambda s: s.name)
def test_shapes_and_split(source):
    samples, tested, features, classes = SHAPES[source]
    data = drawn(source)
    assert data.inputs.shape == (samples - tested, features)
    assert data.targets.shape == (samples - tested, classes)
    assert data.test_inputs.shape == (tested, features)
    assert data.test_targets.shape == (tested, classes)


@pytest.mark.parametrize("source", EVERY, ids=lambda s: s.name)
def test_targets_are_one_hot_and_every_class_occurs(source):
    data = drawn(source)
    targets = np.concatenate([data.targets, data.test_targets])
    assert set(np.unique(targets)) == {0.0, 1.0}
    assert (targets.sum(axis=1) == 1).all()
    assert (targets.sum(axis=0) > 0).all()


@pytest.mark.parametrize("source", EVERY, ids=lambda s: s.name)
def test_seed_decides(source):
    one, same, other = drawn(source, 3), drawn(source, 3), drawn(source, 4)
    assert all(np.array_equal(a, b) for a, b in zip(arrays(one), arrays(same), strict=True))
    assert not np.array_equal(one.inputs, other.inputs)


@pytest.mark.parametrize("source", EVERY, ids=lambda s: s.name)
def test_everything_is_finite_float64(source):
    for array in arrays(drawn(source)):
        assert array.dtype == np.float64
        assert np.isfinite(array).all()


def test_digits_are_the_real_ones_each_exactly_once():
    data, real = drawn(digits), load_digits()
    found = np.concatenate([data.inputs, data.test_inputs]) * 16
    labels = np.concatenate([data.targets, data.test_targets]).argmax(axis=1)
    mine = sorted((*map(int, row), int(label)) for row, label in zip(found, labels, strict=True))
    theirs = sorted((*map(int, row), int(label)) for row, label in zip(real.data, real.target, strict=True))
    assert len(mine) == 1797
    assert mine == theirs


def test_digits_lie_in_the_unit_interval():
    data = drawn(digits)
    assert data.inputs.min() == 0
    assert data.inputs.max() == 1


def test_xor_is_exclusive_or_for_training_and_test_alike():
    data = drawn(xor, 5)
    table = {(tuple(x), int(t.argmax())) for x, t in zip(data.inputs, data.targets, strict=True)}
    assert table == {((0.0, 0.0), 0), ((0.0, 1.0), 1), ((1.0, 0.0), 1), ((1.0, 1.0), 0)}
    assert np.array_equal(data.inputs, data.test_inputs)
    assert np.array_equal(data.targets, data.test_targets)


def test_gaussian_clouds_lie_around_centres_at_the_distance():
    data = drawn(gaussian, samples=20000, features=4, classes=2, distance=7.0)
    for k in range(2):
        cloud = data.inputs[data.targets[:, k] == 1]
        assert np.linalg.norm(cloud.mean(axis=0)) == pytest.approx(7, abs=0.1)
        assert cloud.std(axis=0) == pytest.approx(np.ones(4), abs=0.05)


def test_moons_without_noise_lie_on_two_half_circles():
    data = drawn(moons, noise=0.0)
    upper = data.inputs[data.targets[:, 0] == 1]
    lower = data.inputs[data.targets[:, 1] == 1]
    assert np.hypot(*upper.T) == pytest.approx(np.ones(len(upper)))
    assert np.hypot(*(lower - [1, 0.5]).T) == pytest.approx(np.ones(len(lower)))


@pytest.mark.parametrize(
    ("source", "parameters", "says"),
    [
        (digits, {"test_share": 0.0}, "test_share must be between 0 and 1; not 0.0"),
        (digits, {"test_share": 1.0}, "test_share must be between 0 and 1; not 1.0"),
        (gaussian, {"samples": 3}, "samples must be at least 4; not 3"),
        (gaussian, {"features": 0}, "features must be at least 1; not 0"),
        (gaussian, {"classes": 1}, "classes must be at least 2; not 1"),
        (moons, {"samples": 0}, "samples must be at least 4; not 0"),
        (moons, {"noise": -0.1}, "noise must be at least 0; not -0.1"),
        (moons, {"noise": float("nan")}, "noise must be at least 0; not nan"),
    ],
)
def test_parameters_out_of_range_are_refused_by_name(source, parameters, says):
    with pytest.raises(ValueError, match=says):
        drawn(source, **parameters)


@pytest.mark.parametrize(("samples", "share", "tested"), [(10, 0.2, 2), (4, 0.01, 1), (4, 0.99, 3)])
def test_a_split_leaves_a_sample_on_either_side_and_loses_none(samples, share, tested):
    inputs = np.arange(samples, dtype=float)[:, None]
    data = split(inputs, inputs * 2, share, np.random.default_rng(0))
    assert len(data.test_inputs) == tested
    assert sorted(np.concatenate([data.inputs, data.test_inputs])[:, 0]) == list(range(samples))
    assert np.array_equal(data.targets, data.inputs * 2)
    assert np.array_equal(data.test_targets, data.test_inputs * 2)


def test_one_hot():
    assert one_hot(np.array([2, 0]), 3).tolist() == [[0, 0, 1], [1, 0, 0]]
