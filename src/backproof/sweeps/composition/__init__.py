"""From overrides in Hydra's syntax to the products of axes that make a grid. Hydra is known only in here.

Stock multirun composes every job anew, twice, at tens of milliseconds each. Here each choice of each group is
read once; a combination of choices puts those parts together, and values are set on copies.
`tests/sweeps/test_grid.py` proves that this is what Hydra composes.
"""

from backproof.sweeps.composition.composer import CONFIG_NAME, Composer
from backproof.sweeps.composition.errors import translated
from backproof.sweeps.composition.idle import refuse_idle
from backproof.sweeps.composition.request import Composition, composed
from backproof.sweeps.composition.spaces import study_of
from backproof.sweeps.composition.store import register

__all__ = [
    "CONFIG_NAME",
    "Composer",
    "Composition",
    "composed",
    "refuse_idle",
    "register",
    "study_of",
    "translated",
]
