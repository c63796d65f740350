"""No clip."""

from backproof.choices import choice
from backproof.network.clips.clip import Clip


@choice
def none() -> Clip:
    """log(p)"""
    return Clip("none", "log(p)", uses_eps=False)
