"""Conditions, shared by several faults, under which a fault can change anything."""

from __future__ import annotations

from backproof.network.faults.fault import Condition, Setting


def several_samples(s: Setting) -> bool:
    """More than one sample."""
    return s.samples > 1


def some_hidden_layer(s: Setting) -> bool:
    """At least one hidden layer."""
    return len(s.widths) > 2


def some_penalty(s: Setting) -> bool:
    """The loss has a penalty."""
    return s.l2 > 0


def clipped_by(*names: str) -> Condition:
    """The loss uses one of these clips, and the delta differentiates it."""
    return lambda s: s.clip in names and not s.y_minus_t
