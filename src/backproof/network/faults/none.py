"""No fault."""

from backproof.choices import choice
from backproof.network.faults.fault import Fault


@choice
def none() -> Fault:
    """nothing planted"""
    return Fault("none", "nothing planted")
