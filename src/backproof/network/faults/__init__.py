"""Planted faults: mistakes that people make in a backward pass, one decorated function each.

A fault replaces one operation of the backward rule and nothing else; the problem never sees it.
"""

from backproof.choices import Choices, discover
from backproof.network.faults.fault import Fault, Here, Operation, Setting

__all__ = ["FAULTS", "Fault", "Here", "Operation", "Setting"]

FAULTS: Choices[Fault] = discover(__name__)
