"""Derivatives of functions that return arrays, checked from Python."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from backproof.interfaces.door import require_function, sampling_of
from backproof.targets import derivatives
from backproof.targets.function import Function
from backproof.targets.source import UserFunction, with_keywords
from backproof.verdicts.check import Check
from backproof.verdicts.comparison import RESOLUTION
from backproof.verdicts.function import check_function
from backproof.verdicts.second import check_second


def check_vjp(
    forward: UserFunction,
    backward: UserFunction | None,
    *inputs: Any,
    reference: UserFunction | None = None,
    residuals: bool = False,
    cotangents: Sequence[Any] | None = None,
    keywords: Mapping[str, Any] | None = None,
    seed: int = 0,
    parameters: int | None = None,
    directions: bool | None = None,
    resolution: float | None = None,
    rtol: float = 0.0,
) -> Check:
    """Is this backward pass right?

    Inputs in float16, bfloat16 or float8 may be arrays of NumPy with the types of ml_dtypes, of PyTorch or of
    JAX. Then backward runs on such arrays, and is compared with the derivative of forward for the same
    numbers in double precision; what rounding may have made of it is measured (`backproof.targets.dithered`).

    Args:
        forward: `forward(*inputs) → outputs`, an array or any container of arrays.
        backward: `backward(cotangent, *inputs)` → a gradient for each input; None for one to leave out.
            Itself None where forward is written in PyTorch or JAX, which make it; a custom one inside, an
            `autograd.Function` or a `custom_vjp`, is part of what is checked.
        reference: the same function as forward, for inputs in double precision; needed where forward rounds
            to low precision whatever its inputs are.
        residuals: forward returns (outputs, residuals) and backward takes (residuals, cotangent), as the two
            functions of JAX's `custom_vjp` do.
        cotangents: what backward is given, each like the outputs; by default every output alone where the
            Jacobian has at most 2,500 entries, or else four that are drawn. In low precision one is drawn.
        keywords: passed on to forward, backward and reference by name.
        resolution: the relative error that must not go unseen; by default 0.001, in low precision 96 units of
            round-off and at most 0.9.

    The other arguments are those of `check`.

    Raises:
        FunctionError: if forward or backward does what no such function does; it names the file and line.

    Example:
        >>> import numpy as np
        >>> import backproof
        >>> x, w = np.arange(6.0).reshape(2, 3), np.ones((3, 2)) / 4
        >>> def forward(x, w):
        ...     return np.tanh(x @ w)
        >>> def backward(g, x, w):
        ...     dz = g * (1 - np.tanh(x @ w) ** 2)
        ...     return dz @ w.T, x.T @ dz
        >>> print(backproof.check_vjp(forward, backward, x, w).verdict)
        agrees
    """
    require_function("forward", forward, "the inputs")
    if backward is not None:
        require_function("backward", backward, "a cotangent and the inputs")
    if reference is not None:
        require_function("reference", reference, "the inputs")
    if resolution is None:
        resolution = derivatives.coarsest_resolution(inputs, reference) or RESOLUTION
    sampling = sampling_of(
        seed=seed, parameters=parameters, directions=directions, resolution=resolution, rtol=rtol
    )
    target = derivatives.backward_pass(
        with_keywords(forward, keywords),
        # with residuals it takes what forward has kept, and no keywords
        backward if backward is None or residuals else with_keywords(backward, keywords),
        inputs,
        reference=reference and with_keywords(reference, keywords),
        residuals=residuals,
        cotangents=cotangents,
        seed=seed,
    )
    return check_function(target, sampling)


def check_jvp(
    function: UserFunction,
    pushforward: UserFunction,
    *inputs: Any,
    primals: bool = False,
    tangents: Sequence[Any] | None = None,
    keywords: Mapping[str, Any] | None = None,
    seed: int = 0,
    resolution: float = RESOLUTION,
    rtol: float = 0.0,
) -> Check:
    """Is this forward-mode derivative right?

    Args:
        function: `function(*inputs) → outputs`, an array or any container of arrays.
        pushforward: `pushforward(tangent, *inputs)` → the tangent of the outputs; the tangent is like the
            input, or a tuple of several inputs' own.
        primals: pushforward takes (inputs, tangents) and returns (outputs, their tangent), as the rule of
            JAX's `custom_jvp` does.
        tangents: along what it is checked, each like the input or a tuple for several; by default every
            parameter alone where the Jacobian has at most 2,500 entries, or else four that are drawn.
        keywords: passed on to both by name.

    The other arguments are those of `check`.

    Raises:
        FunctionError: if one of them does what no such function does; it names the file and line.

    Example:
        >>> import numpy as np
        >>> import backproof
        >>> x = np.array([0.5, 1.0])
        >>> print(backproof.check_jvp(np.sin, lambda v, x: v * np.cos(x), x).verdict)
        agrees
    """
    require_function("function", function, "the inputs")
    require_function("pushforward", pushforward, "a tangent and the inputs")
    sampling = sampling_of(seed=seed, directions=False, resolution=resolution, rtol=rtol)
    named, pushed = with_keywords(function, keywords), with_keywords(pushforward, keywords)
    target = derivatives.forward_mode(
        named, pushed, inputs, primals=primals, tangents=tangents, seed=seed
    )  # fmt: skip
    return check_function(target, sampling)


def check_jacobian(
    f: UserFunction,
    jac: UserFunction,
    x: Any,
    *args: Any,
    keywords: Mapping[str, Any] | None = None,
    seed: int = 0,
    parameters: int | None = None,
    directions: bool | None = None,
    resolution: float = RESOLUTION,
    rtol: float = 0.0,
) -> Check:
    """Is this Jacobian right?

    Args:
        f: `f(x, *args) → outputs`, as the residuals of SciPy's `least_squares`.
        jac: `jac(x, *args)` → (outputs, parameters), dense or sparse. Of one with more than 2,500 entries
            the products with four cotangents that are drawn are compared: no single wrong entry is missed.
        keywords: passed on to both by name.

    The other arguments are those of `check`.

    Raises:
        FunctionError: if one of them does what no such function does; it names the file and line.

    Example:
        >>> import numpy as np
        >>> import backproof
        >>> x = np.array([0.5, 1.0])
        >>> found = backproof.check_jacobian(lambda x: x**2, lambda x: np.diag(2 * x), x)
        >>> print(found.verdict)
        agrees
    """
    require_function("f", f, "x")
    require_function("jac", jac, "x")
    sampling = sampling_of(
        seed=seed, parameters=parameters, directions=directions, resolution=resolution, rtol=rtol
    )
    named, matrix = with_keywords(f, keywords), with_keywords(jac, keywords)
    return check_function(derivatives.jacobian_matrix(named, matrix, (x, *args), seed=seed), sampling)


def check_hessian(
    f: UserFunction | None,
    df: UserFunction,
    hessian: UserFunction,
    w: Any,
    *args: Any,
    keywords: Mapping[str, Any] | None = None,
    seed: int = 0,
    resolution: float = RESOLUTION,
    rtol: float = 0.0,
) -> Check:
    """Is this Hessian that of the loss?

    The gradient is checked first; where it does not agree, that check is what is returned. Then the Hessian
    is compared with differences of the gradient, and an asymmetry is noted.

    Args:
        f: `f(W, *args) → loss`; None where the gradient is known to be right.
        df: `df(W, *args) → gradient`, in W's container.
        hessian: `hessian(W, *args)` → (parameters, parameters), dense or sparse, in the order of W flattened.
        keywords: passed on to all of them by name.

    The other arguments are those of `check`.

    Raises:
        FunctionError: if one of them does what no such function does; it names the file and line.

    Example:
        >>> import numpy as np
        >>> import backproof
        >>> from scipy.optimize import rosen, rosen_der, rosen_hess
        >>> print(backproof.check_hessian(rosen, rosen_der, rosen_hess, np.array([0.5, 1.0, 2.0])).verdict)
        agrees
    """
    require_function("hessian", hessian, "W")
    sampling = sampling_of(seed=seed, resolution=resolution, rtol=rtol)
    gradient, inputs = _gradient(df, keywords), (w, *args)
    second = partial(
        derivatives.hessian_matrix, gradient, with_keywords(hessian, keywords), inputs, seed=seed
    )  # fmt: skip
    return check_second(_loss(f, gradient, inputs, keywords), second, sampling)


def check_hvp(
    f: UserFunction | None,
    df: UserFunction,
    hvp: UserFunction,
    w: Any,
    *args: Any,
    vectors: Sequence[Any] | None = None,
    keywords: Mapping[str, Any] | None = None,
    seed: int = 0,
    resolution: float = RESOLUTION,
    rtol: float = 0.0,
) -> Check:
    """Are these products of vectors with the Hessian right?

    The gradient is checked first, as by `check_hessian`.

    Args:
        f: `f(W, *args) → loss`; None where the gradient is known to be right.
        df: `df(W, *args) → gradient`, in W's container.
        hvp: `hvp(v, W, *args)` → the Hessian times v, in W's container.
        vectors: those that are multiplied, each like W; by default every parameter alone where the Hessian
            has at most 2,500 entries, or else four that are drawn.
        keywords: passed on to all of them by name.

    The other arguments are those of `check`.

    Raises:
        FunctionError: if one of them does what no such function does; it names the file and line.

    Example:
        >>> import numpy as np
        >>> import backproof
        >>> from scipy.optimize import rosen, rosen_der, rosen_hess_prod
        >>> def product(v, w):
        ...     return rosen_hess_prod(w, v)
        >>> print(backproof.check_hvp(rosen, rosen_der, product, np.array([0.5, 1.0, 2.0])).verdict)
        agrees
    """
    require_function("hvp", hvp, "a vector and W")
    sampling = sampling_of(seed=seed, resolution=resolution, rtol=rtol)
    gradient, inputs, product = _gradient(df, keywords), (w, *args), with_keywords(hvp, keywords)
    second = partial(derivatives.hessian_products, gradient, product, inputs, vectors=vectors, seed=seed)
    return check_second(_loss(f, gradient, inputs, keywords), second, sampling)


def _gradient(df: UserFunction, keywords: Mapping[str, Any] | None) -> UserFunction:
    """The gradient as it is called.

    Raises:
        FunctionError: if it is no function.
    """
    require_function("df", df, "W that returns the gradient")
    return with_keywords(df, keywords)


def _loss(
    f: UserFunction | None,
    gradient: UserFunction,
    inputs: Sequence[Any],
    keywords: Mapping[str, Any] | None,
) -> Function | None:
    """The loss with its gradient, where there is one to check.

    Raises:
        FunctionError: if it is no function.
    """
    if f is None:
        return None
    require_function("f", f, "W")
    return derivatives.gradient_of_loss(with_keywords(f, keywords), gradient, inputs)
