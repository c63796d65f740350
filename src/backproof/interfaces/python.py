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

from backproof.interfaces.door import require_function, sampling_of
from backproof.targets.adapters import LIBRARIES, made_with
from backproof.targets.bounds import bound
from backproof.targets.container import ArrayTree
from backproof.targets.function import Function
from backproof.targets.leaves import FunctionError
from backproof.targets.source import UserFunction, with_keywords, without_auxiliary
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
    by: str | None = None,
    keywords: Mapping[str, Any] | None = None,
    has_aux: bool = False,
    seed: int = 0,
    parameters: int | None = None,
    directions: bool | None = None,
    resolution: float = RESOLUTION,
    rtol: float = 0.0,
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
        by: "torch" or "jax"; by default, whichever W is made of.
        keywords: passed on to f and df by name.
        has_aux: whether f returns (loss, more), or ((loss, more), gradient); what is more is not looked at.
        seed: of random directions, and of the parameters that are drawn.
        parameters: check so many, drawn at random; by default all.
        directions: check along random directions, in at most some 400 evaluations, instead of moving every
            parameter; by default from 10,000 parameters on.
        resolution: the relative error that must not go unseen; where it could, the verdict is `unresolved`.
        rtol: the relative error that the gradient is known to have by its nature, as from an inner solver or
            a numerical derivative inside it; as much is allowed beside the error bounds. At most
            `resolution`: what is allowed goes unseen, and how much does is never left unsaid.
        bounds: (low, high), numbers or arrays of W's shape, None for none, or SciPy's `Bounds`: f is asked
            for no point outside of them, and on a bound the derivative to the inside is checked.
        tangent: the directions in which W may move: "symmetric", "lower" or "upper" (triangular), "simplex",
            "sphere", or an array (parameters, directions). Only the gradient's products with them are
            checked.
        jobs: processes that share the evaluations.

    Raises:
        FunctionError: if f or df does what no loss or gradient does; it names the file and the line.
    """
    require_function("f", f, "W")
    if df is not None:
        require_function("df", df, "W that returns the gradient")
    sampling = sampling_of(
        seed=seed, parameters=parameters, directions=directions, resolution=resolution, rtol=rtol, jobs=jobs
    )
    if jobs != 1:
        from backproof.sweeps.engines.processes import starmap

        sampling = replace(sampling, blocks=partial(starmap, jobs=jobs))
    by = by or (made_with(f, w) if df is None else None)
    f, df = (_as_called(each, keywords, has_aux=has_aux and each is f) for each in (f, df))
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


def plot(check: Check) -> Figure:
    """The error of every parameter of a check against its numerical gradient, with the error bounds."""
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
