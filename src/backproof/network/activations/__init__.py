"""Element-wise activations, one file each: `value` and `derivative`, and the choice that names them."""

from backproof.choices import Choices, discover
from backproof.network.activations.activation import Activation, Kink

__all__ = ["ACTIVATIONS", "Activation", "Kink"]

ACTIVATIONS: Choices[Activation] = discover(__name__)
