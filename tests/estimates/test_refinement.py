"""Steps that suit one parameter, from derivatives that are made up."""

import pytest

from backproof.estimates.refinement import Refinement


@pytest.mark.parametrize("width", [0.0, 2.0**-27, 2.0**-34])
def test_a_kink_must_be_there_at_any_step(width):
    """Both sides of a narrow valley have one slope each, until steps are shorter than its floor is wide."""

    def measure(step):
        return (0.0, 1.0, -1.0) if step > width else (0.0, 0.0, 0.0)

    found = Refinement(
        measure, noise=2.0**-50, digits=2.0**-53, analytic=0.0, allowed=0.0, aim=1e-4, floor=1.0,
        first=2.0**-20, shortest=2.0**-40,
    ).entry()  # fmt: skip
    assert found.odd == (width == 0)
