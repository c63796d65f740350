"""What the adapters of PyTorch and JAX share: finding the library, and which one W is made with."""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType

from backproof.errors import FunctionError
from backproof.targets.container import leaves_of

LIBRARIES = {"torch": "PyTorch", "jax": "JAX"}
"""Optional libraries by their name, which is also that of the extra that installs them."""


def library(name: str) -> ModuleType:
    """Import PyTorch or JAX.

    Raises:
        FunctionError: naming the extra to install.
    """
    found = sys.modules.get(name)
    if found is not None:
        return found
    try:
        return import_module(name)
    except ImportError as error:
        raise FunctionError(
            f"{LIBRARIES[name]} is needed and not there: pip install 'backproof[{name}]'"
        ) from error


def made_with(f: object, w: object) -> str | None:
    """The library whose arrays or modules these are: "torch", "jax" or None."""
    torch, jax = sys.modules.get("torch"), sys.modules.get("jax")
    parts = leaves_of(w)
    if torch and (isinstance(f, torch.nn.Module) or any(isinstance(p, torch.Tensor) for p in parts)):
        return "torch"
    if jax and any(isinstance(p, jax.Array) for p in parts):
        return "jax"
    return None
