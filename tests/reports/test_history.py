"""A table of cells at several points: which cells are followed, what is averaged, which steps there are."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from backproof.reports.history import EVERY, Point, history


def points_of(*tables):
    """Points of tables, in order."""
    return [Point(f"c{i}", "", Path("x"), {}, table) for i, table in enumerate(tables)]


def of(found, measure, settings=EVERY):
    (series,) = [s for s in found.series if (s.measure.name, s.settings) == (measure, settings)]
    return series


@pytest.fixture
def cells(cells):
    return cells.assign(seconds=0.02)


WHERE = "activation=tanh loss=squared_error"


def slower(cells, factor):
    """The cells with the time of tanh with squared error changed."""
    chosen = (cells["activation"] == "tanh") & (cells["loss"] == "squared_error")
    return cells.assign(seconds=cells["seconds"].where(~chosen, cells["seconds"] * factor))


def test_a_combination_is_followed_by_its_median_over_seeds(cells):
    other = cells.copy()
    other["final_loss"] = np.where(cells["seed"] == 0, 9.0, np.where(cells["seed"] == 1, 2.0, 0.1))
    found = history(points_of(cells, cells, other.sample(frac=1, random_state=0), other))
    series = of(found, "final_loss", WHERE)
    assert series.shown == pytest.approx([0.5, 0.5, 2.0, 2.0])
    assert series.n.tolist() == [3] * 4
    (step,) = series.steps
    assert (step.before, step.at, step.change) == (1, 2, "0.5 → 2 (× 4)")


def test_all_combinations_together_are_the_geometric_mean(cells):
    found = history(points_of(cells, cells, slower(cells, 2), slower(cells, 2)))
    assert found.combinations == 6
    overall = of(found, "seconds")
    assert overall.shown[-1] == pytest.approx(0.02 * 2 ** (1 / 6))
    assert [s.at for s in overall.steps] == [2]
    assert [(s.series.settings, s.at) for s in found.steps] == [(EVERY, 2), (WHERE, 2)]
    assert found.steps[1].change == "0.02 → 0.04 (× 2)"


def test_a_combination_that_is_not_everywhere_is_followed_but_not_averaged(cells):
    less = cells[cells["clip.eps"] != 1e-3]
    found = history(points_of(cells, less, cells.assign(seconds=0.02), cells))
    part = of(found, "seconds", "activation=relu loss=binary_cross_entropy clip.eps=0.001")
    assert part.points.tolist() == [0, 2, 3]
    assert of(found, "seconds").n.tolist() == [len(less)] * 4
    assert found.common == len(less)


def test_verdicts_are_counted_in_the_cells_of_all_points(cells):
    changed = cells.assign(verdict=cells["verdict"].replace("agrees", "round-off"))
    found = history(points_of(cells, cells.drop(index=0), changed, changed))
    agrees = of(found, "verdict", "agrees")
    n = int((cells["verdict"] == "agrees").sum())
    assert agrees.values.tolist() == [n - 1, n - 1, 0, 0]
    assert [(c.at, c.old, c.new, c.cells) for c in found.changes] == [(2, "agrees", "round-off", n - 1)]


def test_what_a_point_holds_constant_does_not_part_it_from_the_others(cells):
    adam = cells.assign(training="adam")
    assert history(points_of(cells, cells, adam, adam)).common == len(cells)
    wide = pd.concat([cells, adam], ignore_index=True)
    assert history(points_of(wide, wide, adam, adam)).common == len(cells)


def test_null_that_tells_cells_apart_does(cells):
    """check.step=null,1e-5: null chooses a step, 1e-5 is one."""
    both = pd.concat([cells.assign(**{"check.step": s}) for s in (np.nan, 1e-5)], ignore_index=True)
    found = history(points_of(both, both))
    assert (found.common, found.repeated) == (2 * len(cells), 0)


def test_cells_with_the_same_settings_are_left_out_and_counted(cells):
    twice = pd.concat([cells, cells.iloc[[3]]], ignore_index=True)
    found = history(points_of(cells, twice))
    assert (found.common, found.repeated) == (len(cells) - 1, 2)


def test_cells_that_failed_have_no_value_and_a_changed_verdict(cells):
    failed = cells.assign(status="failed", verdict=None)
    found = history(points_of(cells, cells, failed))
    assert not [s for s in found.series if s.measure.name == "seconds" and 2 in s.points]
    assert {c.new for c in found.changes} == {"failed"}


def test_a_change_that_is_too_small_is_no_step(cells):
    assert not history(points_of(cells, cells, slower(cells, 1.04), slower(cells, 1.04))).steps
    assert history(points_of(cells, cells, slower(cells, 1.06), slower(cells, 1.06))).steps


def test_the_last_result_alone_is_named_and_no_step(cells):
    found = history(points_of(cells, cells, cells, slower(cells, 2)))
    assert not found.steps
    last = of(found, "seconds", WHERE).last
    assert (last.before, last.at, last.change) == (2, 3, "0.02 → 0.04 (× 2)")
    assert of(found, "accuracy").last is None
    assert of(history(points_of(cells, cells, slower(cells, 2), slower(cells, 2))), "seconds").last is None


def test_noise_is_counted_and_rarely_a_step(cells):
    rng = np.random.default_rng(0)
    noisy = [cells.assign(seconds=0.02 * np.exp(rng.normal(0, 0.3, len(cells)))) for _ in range(12)]
    found = history(points_of(*noisy))
    assert found.by_chance == pytest.approx(0.06 * 7)
    assert len({s.series.settings for s in found.steps}) <= 1


@pytest.mark.parametrize("empty", [0, 1])
def test_a_point_without_cells(cells, empty):
    tables = [cells, cells]
    tables[empty] = cells.iloc[:0]
    found = history(points_of(*tables))
    assert (found.common, found.steps) == (0, [])
