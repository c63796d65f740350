"""How the delta at the output is found, one file each."""

from backproof.choices import Choices, discover
from backproof.network.deltas.delta import Delta

__all__ = ["DELTAS", "Delta"]

DELTAS: Choices[Delta] = discover(__name__)
