"""backproof from Python: check a gradient of one's own, in a notebook or a test suite.

result = backproof.check(f_df, W, X, Y)
result.assert_agrees()
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from backproof.errors import FunctionError
from backproof.interfaces.door import require_function, sampling_of
from backproof.targets.adapters import LIBRARIES, made_with
from backproof.targets.bounds import bound
from backproof.targets.container import ArrayTree, leaves_of
from backproof.targets.formats import is_foreign
from backproof.targets.function import Function
from backproof.targets.source import UserFunction, shown_as, with_keywords, without_auxiliary
from backproof.verdicts.check import Check
from backproof.verdicts.comparison import RESOLUTION
from backproof.verdicts.function import check_function

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

__all__ = ["Check", "FunctionError", "check", "plot", "sweep"]


def check(
    f: UserFunction,
    w: ArrayTree = None,
    *args: Any,
    df: UserFunction | None = None,
    reference: UserFunction | None = None,
    by: str | None = None,
    keywords: Mapping[str, Any] | None = None,
    has_aux: bool = False,
    seed: int = 0,
    parameters: int | None = None,
    directions: bool | None = None,
    resolution: float | None = None,
    rtol: float = 0.0,
    screened: bool = False,
    bounds: Any = None,
    tangent: Any = None,
    jobs: int = 1,
) -> Check:
    """Is this gradient right, and if not, why?

    Args:
        f: `f(W, *args) → (loss, gradient)`; or with `df` the loss alone; or a loss in PyTorch or JAX, or a
            module of PyTorch that returns its loss, whose gradient the library makes.
        w: where the gradient is checked: one array, or lists, tuples, dictionaries and dataclasses of arrays,
            nested in any way. A complex entry is two parameters, and its gradient ∂L/∂x + i ∂L/∂y; a Series
            or a DataFrame keeps its labels, a sparse matrix its pattern. What holds no floats, or has None
            for its gradient, is held fixed. Not needed for a module, whose parameters it is.
        args: passed on to f and df as they are.
        df: `df(W, *args) → gradient`, in W's container.
        reference: `reference(W, *args) → loss` in double precision, where the gradient is in a lower one; by
            default f itself where W is in bfloat16 or float8. See `check_vjp`.
        by: "torch" or "jax"; by default, whichever W is made of.
        keywords: passed on to f and df by name.
        has_aux: whether f returns (loss, more), or ((loss, more), gradient); what is more is not looked at.
        seed: of random directions, and of the parameters that are drawn.
        parameters: check so many, drawn at random; by default all.
        directions: check along random directions, in at most some 400 evaluations, instead of moving every
            parameter; by default from 10,000 parameters on.
        resolution: the relative error that must not go unseen; where it could, the verdict is `unresolved`.
            By default 0.001, and where the gradient is in low precision what `check_vjp` asks for.
        rtol: the relative error that the gradient is known to have by its nature, as from an inner solver or
            a numerical derivative inside it; as much is allowed beside the error bounds. At most
            `resolution`: what is allowed goes unseen, and how much does is never left unsaid.
        screened: check along a few random directions first, in some 20 evaluations, and every parameter only
            where these do not agree. A check that ends there says with what probability it misses an error,
            and does not know single entries. Not with `parameters` or `directions`.
        bounds: (low, high), numbers or arrays of W's shape, None for none, or SciPy's `Bounds`: f is asked
            for no point outside of them, and on a bound the derivative to the inside is checked.
        tangent: the directions in which W may move: "symmetric", "lower" or "upper" (triangular), "simplex",
            "sphere", or an array (parameters, directions). Only the gradient's products with them are
            checked.
        jobs: processes that share the evaluations.

    Raises:
        FunctionError: if f or df does what no loss or gradient does; it names the file and the line.

    Example:
        >>> import numpy as np
        >>> import backproof
        >>> w = np.array([0.5, 1.0, 2.0])
        >>> print(backproof.check(np.sum, w, df=np.ones_like).verdict)
        agrees
        >>> found = backproof.check(lambda w: np.sum(w**3), w, df=lambda w: w**2)
        >>> print(found.verdict, *found.causes, sep=", ")
        incorrect gradient, scale: W: the gradient is 1/3 times the right one
    """
    require_function("f", f, "W")
    if df is not None:
        require_function("df", df, "W that returns the gradient")
    by = by or (made_with(f, w) if df is None else None)
    if by == "torch":
        from backproof.targets.torch import parameters_of

        w = parameters_of(f, w)
    low = reference is not None or any(map(is_foreign, leaves_of(w)))
    if low and resolution is None:
        from backproof.targets.low_precision import resolution_of

        resolution = resolution_of(w)
    sampling = sampling_of(
        seed=seed, parameters=parameters, directions=directions, rtol=rtol, screened=screened, jobs=jobs,
        resolution=RESOLUTION if resolution is None else resolution,
    )  # fmt: skip
    if jobs != 1:
        from backproof.sweeps.engines.processes import starmap

        sampling = replace(sampling, blocks=partial(starmap, jobs=jobs))
    f, df, reference = (
        _as_called(each, keywords, has_aux=has_aux and each is f) for each in (f, df, reference)
    )
    if low:
        if bounds is not None or tangent is not None:
            raise FunctionError("bounds, tangent: not for gradients in low precision")
        return check_function(_low(f, w, args, df, by, reference, seed), sampling)
    function = _function(f, w, args, df, by)
    if by is None:
        function.hold_what_has_no_gradient()
    if bounds is not None:
        bound(function, bounds)
    if tangent is not None:
        from backproof.targets.tangent import along  # SciPy's sparse matrices take a while to load

        function = along(function, tangent)
    return check_function(function, sampling)


def _as_called(function: Any, keywords: Mapping[str, Any] | None, *, has_aux: bool) -> Any:
    """A function of W and the other arguments alone, that returns nothing beside the loss."""
    if function is None:
        return None
    called = with_keywords(function, keywords)
    return without_auxiliary(called) if has_aux else called


def _function(f: UserFunction, w: ArrayTree, args: Sequence[Any], df: Any, by: str | None) -> Function:
    """The function to check, by what it is written in."""
    match by:
        case None:
            return Function(w, args, f=f, df=df) if df is not None else Function(w, args, f_df=f)
        case "torch":
            from backproof.targets.torch import torch_function

            return torch_function(f, w, args)
        case "jax":
            from backproof.targets.jax import jax_function

            return jax_function(f, w, args)
    raise FunctionError(f"by: must be {' or '.join(LIBRARIES)}; not {by!r}")


def _low(
    f: UserFunction,
    w: ArrayTree,
    args: Sequence[Any],
    df: Any,
    by: str | None,
    reference: UserFunction | None,
    seed: int,
) -> Function:
    """The function to check in double precision, with its gradient in a lower one."""
    from backproof.targets.low_precision import low_precision_loss  # most gradients are in none

    if by == "torch":
        from backproof.targets.torch import loss_of

        f = loss_of(f)
    if df is not None or by is not None:
        return low_precision_loss(f, w, args, df=df, reference=reference, seed=seed)

    @shown_as(f)
    def loss(W: ArrayTree, *more: Any) -> Any:  # as it is called in messages and tables
        return f(W, *more)[0]

    @shown_as(f)
    def gradient(W: ArrayTree, *more: Any) -> Any:
        return f(W, *more)[1]

    return low_precision_loss(loss, w, args, df=gradient, reference=reference, seed=seed)


def plot(check: Check) -> Figure:
    """The error of every parameter of a check against its numerical gradient, with the error bounds.

    Args:
        check: of any target whose entries were compared, not of random directions.

    Returns:
        A figure of matplotlib.

    Example:
        >>> import numpy as np
        >>> import backproof
        >>> figure = backproof.plot(backproof.check(np.sum, np.ones(3), df=np.ones_like))
        >>> figure.savefig("check.png")
    """
    from backproof.reports.figures.drawing.check import plot_check

    return plot_check(check.parameters(), check.verdict)


def sweep(
    overrides: Sequence[str], *, name: str | None = None, config_dir: Path | str | None = None
) -> pd.DataFrame:
    """Run a sweep as `backproof sweep` does; returns its table, one row per cell.

    Args:
        overrides: in Hydra's syntax, as on the command line: `["activation=relu,tanh", "seed=range(0,3)"]`.
        name: the folder in results/; by default the one of `name=…`, the experiment's, or sweep.
        config_dir: a folder with configuration files of the user's.

    Raises:
        ConfigurationError: if an override is wrong; nothing has run then.
        KeyboardInterrupt: if the sweep was interrupted; what is finished is kept.

    Example:
        >>> import backproof
        >>> settings = ["activation=relu,tanh", "network=small", "data=gaussian", "output=sigmoid"]
        >>> table = backproof.sweep([*settings, "training=none"], name="mine")
        >>> print(table[["activation", "verdict"]].to_string(index=False))
        activation verdict
              relu  agrees
              tanh  agrees
    """
    import pandas as pd

    from backproof.interfaces.progress import Terminal
    from backproof.requests import Request
    from backproof.session import Session

    searchpath = (f"file://{Path(config_dir).resolve()}",) if config_dir is not None else ()
    session = Session(searchpath=searchpath, listener=Terminal())
    result = session.sweep(Request(tuple(overrides), name=name))
    if result.interrupted:
        raise KeyboardInterrupt
    return pd.read_parquet(result.folder / "cells.parquet")
