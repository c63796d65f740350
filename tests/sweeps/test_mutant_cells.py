"""Cells with a mutant: one per number, none where its line is missing, and what the table says of each."""

import numpy as np
import pytest

from backproof.errors import ConfigurationError
from backproof.sweeps import checking
from backproof.sweeps.cures import cures_of
from backproof.sweeps.work import compute

SMALL = (
    "data=gaussian", "data.features=8", "network.hidden=[8]", "activation=tanh", "output=sigmoid",
    "loss=squared_error", "loss.l2=0.01", "loss.reduction=mean", "check.samples=8", "training=none",
)  # fmt: skip

HIDDEN, NAMED, IDLE = 2, 10, 1
"""Numbers of an edit of the hidden derivative, of a sign on the way down, and of one that changes nothing."""


def cells_of(grid, *overrides):
    return [cell.case for cell in grid(*SMALL, *overrides).cells]


def test_each_number_is_a_cell_of_its_own_and_of_mutants_only(grid):
    found = grid(*SMALL, "fault=none,sign,mutant", "fault.mutation=range(0,4)")
    assert (len(found.cells), found.requested) == (2 + 4, 3 * 4)
    drawn = [cell.case.flat().get("fault.mutation") for cell in found.cells]
    assert drawn == [None, None, 0, 1, 2, 3]
    assert len({cell.case.id for cell in found.cells}) == len(found.cells)
    assert [cell.case for cell in grid(*SMALL, "fault=none,sign").cells] == [c.case for c in found.cells[:2]]


def test_without_its_line_a_mutant_is_no_fault(one):
    flat = [o for o in SMALL if not o.startswith("network.hidden")]
    without = one(*flat, "network.hidden=[]").case
    assert one(*flat, "network.hidden=[]", "fault=mutant", f"fault.mutation={HIDDEN}").case == without
    assert one(*SMALL, "fault=mutant", f"fault.mutation={HIDDEN}").case.fault.name == "mutant"


@pytest.mark.parametrize(
    ("overrides", "says"),
    [
        (("fault=mutant", "fault.mutation=-1"), "mutation must be at least 0; not -1"),
        (("fault=mutant", "fault.mutation=0.5"), "fault.mutation: must be a whole number"),
        (("fault=sign", "fault.mutation=1"), "fault.mutation: not among the values of the chosen fault"),
    ],
)
def test_wrong_numbers_and_numbers_of_other_faults_are_refused(one, overrides, says):
    with pytest.raises(ConfigurationError, match=says):
        one(*SMALL, *overrides)


def test_the_table_has_the_edit_and_how_it_was_identified(grid):
    numbers = f"fault.mutation={HIDDEN},{NAMED},{IDLE}"
    located, named, idle, sign = (o.values for o in compute(cells_of(grid, "fault=mutant,sign", numbers)))
    assert located["planted"] == "mutant: hidden derivative"
    assert located["edit"] == "hidden derivative: 1 - a * a → 1 - a * a[..., ::-1]"
    assert (located["identified"], located["named"]) == ("located", False)
    assert located["cause"] == "hidden delta: not identified"
    assert named["edit"] == "arriving gradient: delta @ w → -delta @ w"
    assert (named["identified"], named["named"]) == ("named", True)
    assert named["fault_size"] == pytest.approx(2)
    assert idle["edit"] == "bias gradient: total(samples, delta) → total(samples, delta[..., ::-1, :])"
    assert (idle["identified"], idle["named"], idle["verdict"]) == (None, False, "agrees")
    assert sign["planted"] == "output delta: sign"
    assert sign["named"]
    assert not {"edit", "identified"} & set(sign)


def test_a_mutant_trains_in_a_batch_as_it_does_alone(grid):
    training = ("training=sgd", "training.steps=5", "training.learning_rate=0.1,1", "seed=0,1")
    cases = [
        cell.case
        for cell in grid(*SMALL[:-1], *training, "fault=mutant", f"fault.mutation={HIDDEN},{NAMED}").cells
    ]
    together = compute(cases)
    for case, outcome in zip(cases, together, strict=True):
        (alone,) = compute([case])
        for name in ("loss", "cosine"):
            np.testing.assert_array_equal(outcome.curves[name][1], alone.curves[name][1])
    assert len({o.values["final_loss"] for o in together}) == len(cases)


def test_a_mutant_is_cured_by_leaving_it_out(one):
    case = one(*SMALL, "fault=mutant", f"fault.mutation={NAMED}").case
    assert cures_of(case, checking.Neighbourhood().agrees, numbers=False).found == ("fault=none",)
