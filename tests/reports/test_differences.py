"""Heatmaps of two sweeps and their difference: pairs, clusters by seed, what is drawn, and the colours."""

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text
from scipy import stats

from backproof.errors import ConfigurationError
from backproof.reports.alignment import align
from backproof.reports.compare_figures import draw_compared, heatmaps_of
from backproof.reports.differences import differing, finding
from backproof.reports.figures.drawing.differences import diverging, symmetric
from backproof.reports.stored import stored_experiment
from backproof.sweeps.expressions import parse

AXES = ("activation", "loss", "clip.eps")
SPEC = {"rows": ("activation",), "columns": ("loss", "clip.eps")}
NAMES = ("before", "after")


@pytest.fixture
def changed(cells):
    """The cells with a loss that is ten times as large for tanh, about so for each seed, and other noise."""
    rng = np.random.default_rng(0)
    factor = np.where(cells["activation"] == "tanh", 10.0, 1.0) * 10 ** rng.normal(0, 0.1, len(cells))
    return cells.assign(final_loss=cells["final_loss"] * factor)


def found_of(a, b, value, **sides):
    sides = sides or SPEC
    return differing(align(a, b), value, [sides.get(side, ()) for side in ("rows", "columns", "facet")])


def at(found, **settings):
    """The statistics of the one tile with these settings."""
    (i,) = [
        i
        for i, key in enumerate(found.change.keys)
        if all(key[k.replace("_", ".") if k == "clip_eps" else k] == v for k, v in settings.items())
    ]
    return found.change.stats.iloc[i]


# --- numbers


def test_a_tile_has_the_interval_of_a_paired_t_test(cells, changed):
    tile = at(
        found_of(cells, changed, "final_loss"), activation="tanh", loss="binary_cross_entropy", clip_eps=1e-3
    )
    here = (cells["activation"] == "tanh") & (cells["clip.eps"] == 1e-3)
    a, b = (np.log10(t.loc[here, "final_loss"]) for t in (cells, changed))
    interval = stats.ttest_rel(b, a).confidence_interval(0.95)
    assert (tile["seeds"], tile["pairs"], tile["left_out"]) == (3, 3, 0)
    assert tile["value"] == pytest.approx((b - a).mean(), rel=1e-12)
    assert (tile["interval_low"], tile["interval_high"]) == pytest.approx((interval.low, interval.high))


def test_pairs_of_one_seed_are_one_observation(cells, changed):
    """Two eps in a tile are six pairs of three seeds: the interval is that of three means."""
    tile = at(found_of(cells, changed, "final_loss", rows=("activation",), columns=("loss",)),
              activation="relu", loss="binary_cross_entropy")  # fmt: skip
    here = (cells["activation"] == "relu") & (cells["loss"] == "binary_cross_entropy")
    difference = np.log10(changed["final_loss"] / cells["final_loss"])[here]
    means = difference.groupby(cells["seed"][here]).mean()
    clustered = stats.ttest_1samp(means, 0).confidence_interval()
    naive = stats.ttest_1samp(difference, 0).confidence_interval()
    assert (tile["seeds"], tile["pairs"]) == (3, 6)
    assert (tile["interval_low"], tile["interval_high"]) == pytest.approx((clustered.low, clustered.high))
    assert tile["interval_low"] != pytest.approx(naive.low, rel=1e-3)


def test_one_seed_has_no_interval(cells, changed):
    found = found_of(cells[cells["seed"] == 1], changed[changed["seed"] == 1], "final_loss")
    assert found.change.stats["interval_low"].isna().all()
    assert found.change.stats["value"].notna().all()
    assert not found.certain.any()
    assert "One seed has no interval." in finding(found)


def test_a_row_in_another_order_and_a_side_without_a_value(cells):
    """Pairs are by settings, not by position; a pair that is null on one side is left out and counted."""
    other = cells.assign(steps_to_threshold=cells["steps_to_threshold"] + 4)
    other.loc[0, "steps_to_threshold"] = pd.NA
    found = found_of(cells, other.sample(frac=1, random_state=1), "steps_to_threshold")
    first = at(found, activation="relu", loss="squared_error", clip_eps=None)
    assert (first["pairs"], first["left_out"], first["value"]) == (2, 1, 4)
    assert (found.change.stats["value"] == 4).all()
    assert "In 1 pairs one side has no value." in finding(found)


def test_runs_that_diverged_are_compared_by_their_share(cells):
    other = cells.copy()
    other.loc[[0, 1], "diverged_at"] = 7
    found = found_of(cells, other, "diverged_at")
    tile = at(found, activation="relu", loss="squared_error", clip_eps=None)
    assert tile["value"] == pytest.approx(2 / 3)
    assert (found.a.stats["value"].max(), found.b.stats["value"].max()) == (0, pytest.approx(2 / 3))


def test_equal_tables_have_nothing_to_draw_and_one_bit_is_something(cells):
    assert found_of(cells, cells, "final_loss").nothing
    other = cells.copy()
    other.loc[4, "final_loss"] = np.nextafter(other.loc[4, "final_loss"], 1)
    assert not found_of(cells, other, "final_loss").nothing


def test_both_sides_share_rows_columns_and_small_multiples(cells, changed):
    found = found_of(
        cells, changed, "final_loss", rows=("clip.eps",), columns=("loss",), facet=("activation",)
    )
    assert len(found.parts) == 2
    for a, b, change in found.parts:
        assert a.rows == b.rows == change.rows
        assert a.columns == b.columns == change.columns
        assert a.facet == b.facet == change.facet
    tanh = found.parts[1][2]
    assert dict(tanh.facet) == {"activation": "tanh"}
    assert tanh.stats["value"].to_numpy() == pytest.approx(1, abs=0.3)


def test_an_axis_in_which_the_sweeps_differ_as_a_whole_is_left_out(cells, changed):
    a, b = cells.assign(training="sgd"), changed.assign(training="adam")
    found = found_of(a, b, "final_loss", rows=("activation",), columns=("training",))
    assert found.a.column_axes == ()
    assert found_of(a, changed, "final_loss", rows=("activation",), columns=("training",)).a.column_axes == (
        "training",
    )


def test_a_condition_on_results_shows_a_pair_of_which_one_side_fits(cells):
    other = cells.copy()
    other.loc[[0, 1, 2], "accuracy"] = 0.1
    where = parse("where", "accuracy < 0.5", list(cells.columns))
    sides = ("activation",), (), ()
    found = differing(align(cells, other), "accuracy", sides, where)
    assert found.change.stats["pairs"].sum() == 3
    assert differing(align(cells, cells), "accuracy", sides, where) is None


# --- categories


def test_tiles_whose_verdict_changed(cells):
    other = cells.copy()
    other.loc[cells["clip.eps"] == 1e-3, "verdict"] = "not finite"
    other.loc[0, "verdict"] = "clip active"
    found = found_of(cells, other, "verdict")
    assert found.change.stats["changed"].sum() == 7
    words = finding(found)
    assert "Verdict changed in 2 of 6 tiles" in words
    assert "agrees → not finite in 1 (first relu, binary_cross_entropy, 0.001)" in words
    table = found.table()
    assert table["changed"].max() == table["pairs"].max() == 3
    assert list(table.columns) == ["activation", "loss", "clip.eps", "A", "B", "pairs", "changed"]


def test_a_cell_that_failed_has_changed(cells):
    other = cells.copy()
    other.loc[0, ["status", "verdict"]] = ["failed", None]
    assert found_of(cells, other, "verdict").change.stats["changed"].sum() == 1
    assert found_of(other, other, "verdict").nothing


# --- what is drawn


def texts_of(figure: Figure):
    """What stands in the tiles of the last panel, with its weight."""
    axes = [a for a in figure.axes if a.texts][-1]
    return {t.get_text(): t.get_fontweight() for t in axes.texts}


def test_certain_differences_are_bold_and_others_are_not(cells, changed):
    sure = changed.assign(final_loss=changed["final_loss"].where(cells["activation"] == "tanh", 0.5))
    sure.loc[0, "final_loss"] = 0.6
    drawn = draw_compared(align(cells, sure), (stored_experiment({}),) * 2, NAMES)
    (figure,) = [d for d in drawn.drawn if d.spec.value == "final_loss"]
    weights = texts_of(figure.figure)
    assert {weights[t] for t in weights if t.startswith("+1") or t.startswith("+0.9")} == {"bold"}
    assert weights["+0.03"] == "normal"
    said = {" ".join(t.get_text().split()) for t in figure.figure.texts}
    assert {"A: before", "B: after", "log10(B/A)"} <= said
    assert "gradient error" in " ".join(drawn.unchanged).lower()
    assert "accuracy" in " ".join(drawn.unchanged).lower()


def test_a_changed_verdict_is_two_symbols_and_a_part_a_count(cells):
    other = cells.copy()
    other.loc[cells["clip.eps"] == 1e-3, "verdict"] = "not finite"
    other.loc[0, "verdict"] = "clip active"
    drawn = draw_compared(align(cells, other), (stored_experiment({}),) * 2, NAMES)
    (figure,) = [d for d in drawn.drawn if d.spec.value == "verdict"]
    weights = texts_of(figure.figure)
    assert {"✓ → ∞", "✗ → ∞", "1/6"} <= set(weights)
    assert (weights["✓ → ∞"], weights["1/6"]) == ("bold", "normal")


def words_in(figure: Figure):
    """All text of a figure, its legends' too."""
    return " ".join(t.get_text().replace("\n", " ") for t in figure.findobj(Text))


NOTE = "k/n: so many pairs of cells changed, what the tile shows did not"


def test_what_needs_an_explanation_has_one(cells):
    whole = cells.assign(verdict=cells["verdict"].where(cells["clip.eps"] != 1e-3, "not finite"))
    part = whole.copy()
    part.loc[0, "verdict"] = "clip active"
    never = cells.assign(steps_to_threshold=cells["steps_to_threshold"] + 1)
    never.loc[cells["clip.eps"] == 1e-3, "steps_to_threshold"] = pd.NA
    figures = [
        {"value": value, "rows": ["activation"], "columns": ["loss", "clip.eps"]}
        for value in ("verdict", "steps_to_threshold")
    ]
    experiments = (stored_experiment({"figures": figures}),) * 2
    shown = {}
    for name, other in (("whole", whole), ("part", part), ("never", never)):
        (drawn,) = draw_compared(align(cells, other), experiments, NAMES).drawn
        shown[name] = words_in(drawn.figure)
    assert (NOTE in shown["part"], NOTE in shown["never"]) == (True, False)
    assert "one side has no value" in shown["never"]
    assert "one side has no value" not in shown["part"]


def test_the_figures_are_those_that_both_experiments_ask_for(cells, changed):
    mine = {"value": "final_loss", "rows": ["activation"], "title": "Mine"}
    other = {"value": "verdict", "rows": ["loss"], "title": "Other"}
    both = [stored_experiment({"figures": f}) for f in ([mine, other], [{"value": "curves"}, mine])]
    assert [f.title for f in heatmaps_of(both, cells)[0]] == ["Mine"]
    assert heatmaps_of(both, cells)[1] == ""
    specs, how = heatmaps_of([stored_experiment({"figures": [other]}), both[1]], cells)
    assert {f.value for f in specs} >= {"verdict", "final_loss", "accuracy"}
    assert "excess" not in {f.value for f in specs}
    assert "Axes chosen by" in how
    drawn = draw_compared(align(cells, changed), tuple(both), NAMES)
    assert [d.title for d in drawn.drawn] == ["Mine"]


def test_a_figure_that_cannot_be_drawn_costs_no_other(cells, changed, monkeypatch):
    from backproof.reports import compare_figures

    def refuse(alignment, value, *rest):
        if value == "accuracy":
            raise ConfigurationError("no such thing")
        return differing(alignment, value, *rest)

    monkeypatch.setattr(compare_figures, "differing", refuse)
    drawn = draw_compared(align(cells, changed), (stored_experiment({}),) * 2, NAMES).drawn
    assert {d.spec.value: d.problem for d in drawn} == {"final_loss": "", "accuracy": "no such thing"}


# --- colours

DICHROMACY = {
    "normal": np.eye(3),
    "protan": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216],
               [-0.003882, -0.048116, 1.051998]],
    "deutan": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413],
               [-0.011820, 0.042940, 0.968881]],
    "tritan": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602],
               [0.004733, 0.691367, 0.303900]],
}  # fmt: skip
"""Linear RGB as it is seen (Machado, Oliveira and Fernandes, 2009, severity 1)."""


def lab(colours, seen):
    """CIELAB of sRGB colours under a kind of vision."""
    linear = np.where(colours <= 0.04045, colours / 12.92, ((colours + 0.055) / 1.055) ** 2.4)
    linear = np.clip(linear @ np.asarray(seen).T, 0, 1)
    to_xyz = np.array(
        [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750],
         [0.0193339, 0.1191920, 0.9503041]]
    )  # fmt: skip
    xyz = linear @ to_xyz.T / np.array([0.95047, 1, 1.08883])
    f = np.where(xyz > 0.008856, np.cbrt(np.clip(xyz, 1e-9, None)), 7.787 * xyz + 16 / 116)
    return np.stack([116 * f[:, 1] - 16, 500 * (f[:, 0] - f[:, 1]), 200 * (f[:, 1] - f[:, 2])], axis=1)


def is_legible(colours):
    """Lightness falls on each side, both ends are as dark, and mirrored quarters are 20 ΔE apart or more."""
    rgb = colours(np.linspace(0, 1, 65))[:, :3]
    for seen in DICHROMACY.values():
        found = lab(rgb, seen)
        steps = np.diff(found[:, 0])
        apart = np.linalg.norm(found[:25] - found[:-26:-1], axis=1)  # to a quarter of the way
        if not ((steps[:32] > 0).all() and (steps[32:] < 0).all() and apart.min() > 20):
            return False
    ends = lab(rgb, np.eye(3))[[0, -1], 0]
    return abs(ends[0] - ends[1]) < 5


def test_the_diverging_colours_are_legible_to_everybody():
    assert is_legible(diverging())
    import seaborn  # noqa: F401, which has two of the others

    for other in ("Spectral", "icefire", "vlag", "PuOr"):
        assert not is_legible(mpl.colormaps[other]), f"{other} would have been refused"


def test_the_scale_is_centred_at_zero_and_robust():
    few = np.array([0.1, -0.2, 0.15, 0.18, 0.0, np.nan, -40.0])
    norm, beyond = symmetric(few)
    assert (norm.vmin, norm.vmax, beyond) == (-0.2, 0.2, True)
    assert norm(0.0) == 0.5
    assert symmetric(np.array([0.0, np.nan]))[0].vmax == 1
    assert not symmetric(np.array([0.1, -0.3]))[1]
