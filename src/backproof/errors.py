"""Errors whose message is one line for the user, and the hint that goes with a wrong name."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


class ConfigurationError(Exception):
    """Arguments or configuration are wrong; the message is one line and names the key."""


class ResultsError(Exception):
    """A sweep cannot go on; the message is one line and states why and what to do."""


def nearest(given: str, allowed: Iterable[str]) -> str:
    """A hint such as `; did you mean 'relu'?`, or nothing."""
    close = get_close_matches(given, list(allowed), n=1, cutoff=0.5)
    return f"; did you mean '{close[0]}'?" if close else ""
