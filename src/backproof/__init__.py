"""backproof: is this gradient right, and if not, why, and does it matter?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from backproof.interfaces.notebook import Results, load
    from backproof.interfaces.python import Check, FunctionError, check, plot, sweep

__all__ = ["Check", "FunctionError", "Results", "check", "load", "plot", "sweep"]


def __getattr__(name: str) -> Any:
    """What one uses from Python, imported when it is asked for: the command line starts without it."""
    if name in ("Results", "load"):
        from backproof.interfaces import notebook

        return getattr(notebook, name)
    if name in __all__:
        from backproof.interfaces import python as api

        return getattr(api, name)
    raise AttributeError(f"module 'backproof' has no attribute {name!r}")
