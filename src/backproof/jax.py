"""JAX's check_grads by backproof's road: replace the import, and nothing else.

from backproof.jax import check_grads
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from backproof.errors import FunctionError
from backproof.interfaces.tolerances import passes
from backproof.targets.jax_flat import derivatives_of, flat
from backproof.verdicts.function import check_function

__all__ = ["check_grads"]

MODES = ("fwd", "rev", "lin")


def check_grads(
    f: Callable[..., Any],
    args: Sequence[Any],
    order: int,
    modes: Sequence[str] = ("fwd", "rev"),
    atol: float | None = None,
    rtol: float | None = None,
    eps: float | None = None,  # noqa: ARG001  # JAX's signature
) -> None:
    """Are the derivatives of a function right, up to an order? With the signature of JAX's `check_grads`.

    Each derivative that JAX makes is compared with differences, entry by entry or, of more than 2,500, by
    products that are drawn; a `custom_vjp` or `custom_jvp` inside is part of what is checked. Second
    derivatives are those of the first along tangents, or for cotangents, which are drawn.

    Args:
        f: `(*args)` → any pytree of arrays.
        args: pytrees of arrays; those of floats are moved. Arrays of 32 bits are compared with differences in
            64, wherever f computes in them.
        order: up to which derivatives are checked, at least 1.
        modes: "fwd" for forward mode, "rev" for reverse mode, "lin" for linearization; of higher orders,
            every one over every one.
        atol, rtol: by default, nothing more is allowed than the error bound of each entry, which is derived.
            Numbers are allowed in full: |analytic − numerical| ≤ atol + rtol · |numerical|.
        eps: not used: a step is chosen for each entry.

    Raises:
        AssertionError: with the explanation of what is wrong.
        ValueError: if order or modes is none of these.

    Example:
        >>> import jax.numpy as jnp
        >>> from backproof.jax import check_grads
        >>> check_grads(jnp.sin, (jnp.linspace(0.1, 1, 3),), order=2)
    """
    if isinstance(order, bool) or not isinstance(order, int) or order < 1:
        raise ValueError(f"order: must be a whole number from 1 on; not {order!r}")
    chosen = (modes,) if isinstance(modes, str) else tuple(modes)
    if not chosen or not set(chosen) <= set(MODES):
        raise ValueError(f"modes: must be some of {', '.join(MODES)}; not {modes!r}")
    generator = np.random.default_rng(0)
    try:
        for name, target in derivatives_of(flat(f, args), order, chosen, generator):
            check = check_function(target(generator))
            if not passes(check, atol or 0.0, rtol or 0.0):
                raise AssertionError(f"{name}\n{check!r}")
    except FunctionError as error:
        raise AssertionError(str(error)) from error
