"""What the adapters of PyTorch and JAX share: finding the library, and converting W's container."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from types import ModuleType
from typing import Any

from backproof.targets.container import ArrayTree, FunctionError

LIBRARIES = {"torch": "PyTorch", "jax": "JAX"}
"""Optional libraries by their name, which is also that of the extra that installs them."""


def library(name: str) -> ModuleType:
    """Import PyTorch or JAX.

    Raises:
        FunctionError: naming the extra to install.
    """
    try:
        return import_module(name)
    except ImportError as error:
        raise FunctionError(
            f"{LIBRARIES[name]} is needed and not there: pip install 'backproof[{name}]'"
        ) from error


def made_with(f: object, w: object) -> str | None:
    """The library whose arrays or modules these are: "torch", "jax" or None."""
    parts = list(w.values()) if isinstance(w, Mapping) else w if isinstance(w, list | tuple) else [w]
    torch, jax = sys.modules.get("torch"), sys.modules.get("jax")
    if torch and (isinstance(f, torch.nn.Module) or any(isinstance(p, torch.Tensor) for p in parts)):
        return "torch"
    if jax and any(isinstance(p, jax.Array) for p in parts):
        return "jax"
    return None


def converted(w: ArrayTree, convert: Callable[[Any], Any]) -> Any:
    """W's own container, with its arrays converted."""
    if isinstance(w, Mapping):
        return {key: convert(part) for key, part in w.items()}
    if isinstance(w, list | tuple):
        return type(w)([convert(part) for part in w])
    return convert(w)
