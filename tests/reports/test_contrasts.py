"""Contrasts: differences paired at equal other settings, clustered by seed."""

import itertools
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binomtest

from backproof.errors import ConfigurationError
from backproof.reports.contrasts import Difference, contrast_of, difference, holm, sign_test

GIVEN = {"value": "accuracy", "of": "delta == 'exact'", "against": "delta == 'y_minus_t'"}


def table(seeds=8, gain=0.1):
    """Two deltas × two widths × seeds; the exact one better by `gain`, and by a tenth of the width."""
    rows = [
        {
            "delta": delta, "network.hidden": width, "seed": seed, "status": "ok",
            "clip.backward": "consistent" if delta == "exact" else None,
            "accuracy": seed / 100 + width + (gain + width / 10_000 + seed / 1000) * (delta == "exact"),
        }
        for delta, width, seed in itertools.product(("exact", "y_minus_t"), (10, 20), range(seeds))
    ]  # fmt: skip
    return pd.DataFrame(rows).sample(frac=1, random_state=0)


def found(cells, **given):
    contrast = contrast_of("contrast", {**GIVEN, **given}, list(cells))
    return difference(contrast, cells)


def test_it_is_the_median_over_seeds_of_their_mean_difference():
    at = found(table())
    assert (at.pairs, at.replicates) == (16, 8)
    per_seed = 0.1 + 15 / 10_000 + np.arange(8) / 1000
    assert at.median == pytest.approx(np.median(per_seed))
    assert (at.least, at.greatest) == pytest.approx((per_seed[0], per_seed[-1]))
    assert (at.low, at.high) == pytest.approx((per_seed[0], per_seed[-1])), "of eight, all but none"
    assert at.p == pytest.approx(2 / 2**8)


def test_a_setting_that_follows_from_the_sides_does_not_part_pairs():
    """`clip.backward` is null beside y − t: no cell has its equal otherwise."""
    assert found(table()).pairs == 16


def test_a_setting_along_which_both_sides_vary_parts_them():
    cells = table()
    cells.loc[(cells["delta"] == "exact") & (cells["network.hidden"] == 20), "network.hidden"] = 30
    assert found(cells).pairs == 8, "width 20 has no partner"


def test_few_seeds_have_a_range_and_no_interval():
    at = found(table(seeds=3))
    assert np.isnan(at.low) and np.isnan(at.high) and at.least < at.median < at.greatest
    assert at.p == pytest.approx(0.25)


def test_without_a_pair_there_is_none():
    cells = table()
    assert found(cells[cells["delta"] == "exact"]) is None
    assert found(cells, against="delta == 'other'") is None


def test_the_sign_test_is_scipys():
    random = np.random.default_rng(1)
    for n in (1, 5, 12, 30):
        differences = random.normal(0.4, 1, n)
        theirs = binomtest(int((differences > 0).sum()), n).pvalue
        assert sign_test(differences) == pytest.approx(theirs)
    assert np.isnan(sign_test(np.zeros(4)))


def test_p_is_corrected_for_all_contrasts():
    """Holm's example: the smallest times the number of tests, and never less than those before."""
    one = Difference(1, 1, 0.0, 0.0, 0.0, np.nan, np.nan, 0.0)
    corrected = holm([replace(one, p=p) if p is not None else None for p in (0.04, 0.01, None, 0.03)])
    assert [each and each.p for each in corrected] == pytest.approx([0.06, 0.03, None, 0.06])


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"vlaue": "accuracy"}, "contrast.vlaue: unknown; did you mean 'value'?"),
        ({"of": "dleta == 'exact'"}, "contrast.of: unknown name dleta; did you mean 'delta'?"),
        ({"against": None}, "contrast.against: must be an expression"),
    ],
)
def test_what_is_wrong_is_named(given, said):
    with pytest.raises(ConfigurationError) as caught:
        found(table(), **given)
    assert said in str(caught.value).replace('"', "'")
