"""Right gradients of public libraries are not called wrong, on seeds that were not used for development."""

import numpy as np
import pytest
from cases import FAMILIES, Case
from changes import CHANGES
from public_gradients import Tally, tally_of

SEED = 1001

FAMILY = ["scipy_distributions"]
"""Whose functions are defined everywhere, and fast."""

SHORTFALL = {"sklearn_losses": 2}
"""Losses in single precision beside a penalty in double precision: their plateaus are not seen."""


@pytest.mark.parametrize("family", [name for name, library in FAMILIES.items() if library != "statsmodels"])
def test_no_right_gradient_is_called_wrong(family):
    found = tally_of(range(SEED, SEED + 1), families=[family], share=0.4)
    assert found.count > 8
    assert len(found.accused) <= SHORTFALL.get(family, 0), found.accused


def test_no_right_score_of_statsmodels_is_called_wrong():
    pytest.importorskip("statsmodels")
    found = tally_of(range(SEED, SEED + 1), families=["statsmodels_likelihoods"], share=0.3)
    assert found.count > 20
    assert found.accused == []


def test_gradients_that_are_wrong_in_their_library_are_called_wrong():
    found = tally_of(range(SEED, SEED + 2), families=["sklearn_models"], share=0.4)
    said = {line.split(":")[0] for line in found.wrong}
    assert said == {"incorrect gradient"}


def test_a_tally_names_a_gradient_that_is_called_wrong():
    tally = Tally()
    x = np.array([0.3, -2.0])
    tally.add(Case("sine", lambda x: float(np.sin(x).sum()), lambda x: 1.001 * np.cos(x), x))
    assert len(tally.accused) == tally.count == 1
    assert tally.accused[0].startswith("sine (2 entries): incorrect gradient")


@pytest.mark.parametrize("change", CHANGES)
def test_what_changes_no_gradient_leads_to_no_accusation(change):
    found = tally_of(range(SEED, SEED + 1), families=FAMILY, share=0.25, change=change, seconds=6)
    assert found.count > 4
    assert found.accused == []
