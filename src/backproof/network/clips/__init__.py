"""What may be put between a probability and its logarithm, one file each."""

from backproof.choices import Choices, discover
from backproof.network.clips.clip import Clip, ClipBackward, Eps

__all__ = ["CLIPS", "Clip", "ClipBackward", "Eps"]

CLIPS: Choices[Clip] = discover(__name__)
