"""What the last layer may be: every activation, and functions that couple its units, one file each."""

from backproof.choices import Choices, discover
from backproof.network.activations import ACTIVATIONS, Activation
from backproof.network.outputs.softmax import Softmax

__all__ = ["OUTPUTS", "Output", "Softmax"]

Output = Activation | Softmax

OUTPUTS: Choices[Output] = Choices({**ACTIVATIONS, **discover(__name__)})
