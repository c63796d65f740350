"""Points on kinks from seeds that nothing was tuned on: subgradients are not accused, nothing else passes."""

import pytest
from kinked_blocks import MAKERS
from subgradients import KINDS, judged, mistaken

pytestmark = pytest.mark.slow

SEEDS = (730_002,)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("maker", range(len(MAKERS)), ids=[maker.__name__ for maker in MAKERS])
def test_points_on_kinks(maker, seed):
    for kind in KINDS:
        case = judged(seed, maker, kind)
        if case is not None:
            there, found, g = case
            assert not mistaken(kind, found), (there.block.name, kind, g, found)
