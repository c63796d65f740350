"""A function of arrays and one of its derivatives, in any library and precision, as a function to check.

What Python's `check_vjp` and the others and the subjects of a sweep share.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from backproof.errors import FunctionError
from backproof.targets.adapters import made_with
from backproof.targets.function import Function
from backproof.targets.jacobian import jacobian
from backproof.targets.jvp import jvp
from backproof.targets.low_precision import in_low_precision, low_precision_vjp, resolution_of
from backproof.targets.native import Native
from backproof.targets.source import UserFunction, shown_as
from backproof.targets.vector import Rows
from backproof.targets.vjp import vjp


def coarsest_resolution(inputs: Sequence[Any], reference: UserFunction | None) -> float:
    """The relative error that a check of a backward pass can be asked to see; 0 where any."""
    low = reference is not None or in_low_precision(tuple(inputs))
    return resolution_of(tuple(inputs)) if low else 0.0


def backward_pass(
    forward: UserFunction,
    backward: UserFunction | None,
    inputs: Sequence[Any],
    *,
    reference: UserFunction | None = None,
    residuals: bool = False,
    cotangents: Sequence[Any] | None = None,
    seed: int = 0,
) -> Function:
    """What `check_vjp` checks, with its arguments.

    Raises:
        FunctionError: if one of the functions does what no such function does, or backward is missing.
    """
    given = tuple(inputs)
    if backward is None and made_with(forward, given) is None:
        raise FunctionError("backward: needed where no input is a tensor of PyTorch or an array of JAX")
    if reference is not None or in_low_precision(given):
        return low_precision_vjp(
            forward, backward, given, reference=reference, residuals=residuals, cotangents=cotangents,
            seed=seed,
        )  # fmt: skip
    generator = np.random.default_rng(seed)
    if backward is None:
        return _made_by_library(forward, given, cotangents, generator)
    native = Native(forward, given)
    f, pulled = native.over_arrays(forward), native.over_arrays(backward)
    return vjp(
        f, pulled, native.inputs, residuals=residuals, cotangents=native.plain(cotangents),
        generator=generator,
    )  # fmt: skip


def _made_by_library(
    forward: UserFunction, inputs: tuple[Any, ...], cotangents: Any, generator: np.random.Generator
) -> Rows:
    """The VJP of a function in PyTorch or JAX, by what its inputs are made of."""
    if made_with(forward, inputs) == "torch":
        from backproof.targets.torch_backward import vjp_of_tensors

        return vjp_of_tensors(forward, inputs, cotangents, generator)
    from backproof.targets.jax import jax_passes

    named, pulled, arrays, together = jax_passes(forward, inputs)
    return vjp(named, pulled, arrays, cotangents=cotangents, together=together, generator=generator)


def forward_mode(
    function: UserFunction,
    pushforward: UserFunction,
    inputs: Sequence[Any],
    *,
    primals: bool = False,
    tangents: Sequence[Any] | None = None,
    seed: int = 0,
) -> Function:
    """What `check_jvp` checks, with its arguments.

    Raises:
        FunctionError: if one of the functions does what no such function does.
    """
    native, generator = Native(function, inputs), np.random.default_rng(seed)
    f, pushed = native.over_arrays(function), native.over_arrays(pushforward)
    return jvp(
        f, pushed, native.inputs, primals=primals, tangents=native.plain(tangents), generator=generator
    )


def jacobian_matrix(f: UserFunction, jac: UserFunction, inputs: Sequence[Any], *, seed: int = 0) -> Function:
    """What `check_jacobian` checks: the derivative by the first input, the others being passed on.

    Raises:
        FunctionError: if one of the functions does what no such function does.
    """
    native = Native(f, inputs)
    x, *args = native.inputs
    generator = np.random.default_rng(seed)
    return jacobian(native.over_arrays(f), native.over_arrays(jac), x, args, generator=generator)


def gradient_of_loss(f: UserFunction, df: UserFunction, inputs: Sequence[Any]) -> Function:
    """The loss of a Hessian with its gradient, which comes before it.

    Raises:
        FunctionError: if W holds no array of floats.
    """
    native = Native(f, inputs)
    w, *args = native.inputs
    return Function(w, args, f=native.over_arrays(f), df=native.over_arrays(df))


def hessian_matrix(
    df: UserFunction, hessian: UserFunction, inputs: Sequence[Any], *, seed: int = 0
) -> Function:
    """What `check_hessian` checks: the derivative of a gradient by the first input.

    Raises:
        FunctionError: if one of the functions does what no such function does.
    """
    native = Native(df, inputs)
    w, *args = native.inputs
    gradient, second = native.over_arrays(df), native.over_arrays(hessian)
    generator = np.random.default_rng(seed)
    return jacobian(
        gradient, second, w, args, generator=generator, name="W", output="g", symmetric=True
    )  # fmt: skip


def hessian_products(
    df: UserFunction,
    hvp: UserFunction,
    inputs: Sequence[Any],
    *,
    vectors: Sequence[Any] | None = None,
    seed: int = 0,
) -> Function:
    """What `check_hvp` checks, with its arguments.

    Raises:
        FunctionError: if one of the functions does what no such function does.
    """
    native = Native(df, inputs)
    w, *args = native.inputs
    gradient, product = native.over_arrays(df), native.over_arrays(hvp)

    @shown_as(df)
    def at(w: Any) -> Any:
        return gradient(w, *args)

    @shown_as(hvp)
    def times(v: Any, w: Any) -> Any:
        return product(v, w, *args)

    generator = np.random.default_rng(seed)
    return jvp(at, times, (w,), tangents=native.plain(vectors), generator=generator)
