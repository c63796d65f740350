"""backproof: is this gradient right, and if not, why, and does it matter?"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from backproof.interfaces.derivatives import (
        check_hessian,
        check_hvp,
        check_jacobian,
        check_jvp,
        check_vjp,
    )
    from backproof.interfaces.notebook import Results, load
    from backproof.interfaces.python import Check, FunctionError, check, plot, sweep

__all__ = [
    "Check", "FunctionError", "Results", "check", "check_hessian", "check_hvp", "check_jacobian", "check_jvp",
    "check_vjp", "load", "plot", "sweep",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    """What one uses from Python, imported when it is asked for: the command line starts without it."""
    if name in ("Results", "load"):
        from backproof.interfaces import notebook

        return getattr(notebook, name)
    if name.startswith("check_"):
        from backproof.interfaces import derivatives

        return getattr(derivatives, name)
    if name in ("torch", "jax"):
        return import_module(f"backproof.{name}")
    if name in __all__:
        from backproof.interfaces import python as api

        return getattr(api, name)
    raise AttributeError(f"module 'backproof' has no attribute {name!r}")


def __dir__() -> list[str]:
    """What is public, whether it was imported already or not."""
    return sorted({*__all__, "jax", "torch"})
