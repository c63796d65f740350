"""Element-wise activations, one file each: `value` and `derivative`, and the choice that names them."""

from backproof.choices import Choices, discover
from backproof.network.activations.activation import Activation, Kink, KinkRule

__all__ = ["ACTIVATIONS", "Activation", "Kink", "KinkRule"]

ACTIVATIONS: Choices[Activation] = discover(__name__)
