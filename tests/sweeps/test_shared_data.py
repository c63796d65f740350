"""Data that cells share: whoever changes them in place fails, and spoils no other cell."""

import pytest

from backproof.sweeps.construction import samples_of


@pytest.mark.parametrize("data", ["digits", "gaussian", "moons", "xor"])
def test_nobody_changes_the_data_of_later_cells(grid, data):
    [first] = grid(f"data={data}", "output=sigmoid").cells
    for array in vars(samples_of(first.case)).values():
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1
