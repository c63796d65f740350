"""backproof from Python: check a gradient of one's own, in a notebook or a test suite.

result = backproof.check(f_df, W, X, Y)
result.assert_agrees()
"""

from __future__ import annotations

import html
import json
import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from backproof.interfaces.terminal import finite
from backproof.targets.autodiff import jax_function, made_with, torch_function
from backproof.targets.function import Function, FunctionError
from backproof.verdicts.function import FunctionJudgement, judge_function
from backproof.verdicts.verdict import AGREEING, Verdict

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

__all__ = ["Check", "FunctionError", "check", "sweep"]


@dataclass(frozen=True, repr=False)
class Check:
    """What a check of a gradient found; it prints as its explanation.

    Attributes:
        judgement: everything that was found.
        function: what was checked, with its layout and its counts of evaluations.
    """

    judgement: FunctionJudgement
    function: Function

    @property
    def verdict(self) -> Verdict:
        """The verdict, with a name, a sentence and a remedy."""
        return self.judgement.verdict

    @property
    def agrees(self) -> bool:
        """Whether the gradient is that of the function; at a kink, whether it is a valid choice."""
        return self.verdict in AGREEING

    @property
    def causes(self) -> tuple[str, ...]:
        """What explains a disagreement, the largest share of the error first."""
        return tuple(map(str, self.judgement.causes))

    def assert_agrees(self) -> None:
        """Raise an AssertionError that explains what is wrong, unless the gradient agrees."""
        __tracebackhide__ = True
        if not self.agrees:
            raise AssertionError(repr(self))

    def table(self) -> pd.DataFrame:
        """A row a tensor: verdict, errors, and its worst parameter with both gradients."""
        import pandas as pd

        return pd.DataFrame(
            {
                "tensor": t.name,
                "size": t.size,
                "verdict": t.verdict.value,
                "wrong": t.disagreeing,
                "gradient_error": t.gradient_error,
                "excess": t.excess,
                "worst": t.worst,
                "analytic": t.analytic,
                "numeric": t.numeric,
                "budget": t.budget,
            }
            for t in self.judgement.tensors
        )

    def parameters(self) -> pd.DataFrame:
        """A row a parameter that was moved: both gradients, budget, step and kinks; none along directions."""
        import pandas as pd

        m = self.judgement.measured
        if m is None or self.judgement.analytic is None:
            return pd.DataFrame()
        return pd.DataFrame(
            {
                "parameter": [self.function.layout.place(int(i)) for i in m.index],
                "value": self.function.start[m.index],
                "analytic": self.judgement.analytic[m.index],
                "numeric": m.numeric,
                "budget": m.budget,
                "step": m.step,
                "touched": m.touched,
                "crossed": m.crossed,
                "low": m.low,
                "high": m.high,
            }
        )

    def as_json(self, **more: Any) -> str:
        """For programs; numbers that are not finite are null."""
        j = self.judgement
        told = {
            "verdict": self.verdict.value,
            "right": self.verdict.right,
            "sentence": self.verdict.sentence,
            "remedy": self.verdict.remedy,
            **more,
            "loss": j.loss,
            "causes": [asdict(cause) for cause in j.causes],
            "gradient_error": j.gradient_error,
            "excess": j.excess,
            "worst_parameter": j.worst_parameter,
            "parameters": j.parameters,
            "directions": j.directions,
            "miss": j.miss,
            "evaluations": j.evaluations,
            "tensors": [asdict(t) for t in j.tensors],
            "notes": j.notes,
        }
        return json.dumps(finite(told), indent=2, ensure_ascii=False)

    def plot(self) -> Figure:
        """The error of every parameter against its numeric gradient, with the budgets."""
        from backproof.reports.figures.drawing.check import plot_check

        return plot_check(self.parameters(), self.verdict)

    def __repr__(self) -> str:
        return "\n".join(self._lines())

    def _lines(self) -> list[str]:
        j = self.judgement
        lines = [f"{self.verdict.symbol} {self.verdict.value}: {self.verdict.sentence}"]
        lines += [f"  {cause}" for cause in self.causes]
        if j.gradient_error is not None:
            lines.append(f"  gradient error {j.gradient_error:.3g}, excess {j.excess:.3g}")
        for t in j.tensors:
            if t.verdict != "agrees":
                lines.append(
                    f"  {t.name}: {t.verdict}; worst {t.worst}, analytic {t.analytic:.9g},"
                    f" numeric {t.numeric:.9g} ± {t.budget:.1g}"
                )
        where = f"{j.parameters} parameters" if not j.directions else f"{j.directions} random directions"
        lines.append(f"  {where}, {j.evaluations} evaluations of the loss")
        if j.directions and self.agrees:
            lines.append(
                "  a single wrong entry beyond the budget is never missed; errors of four budgets together"
                f" (2-norm) with a probability of at most {j.miss:.1g}"
            )
        lines += [f"  note: {note}" for note in j.notes]
        return lines

    def _repr_html_(self) -> str:
        head, *rest = self._lines()
        body = "".join(f"<li>{html.escape(line.strip())}</li>" for line in rest)
        table = self.table().to_html(index=False, float_format=lambda x: "" if math.isnan(x) else f"{x:.4g}")
        return f"<p><strong>{html.escape(head)}</strong></p><ul>{body}</ul>{table}"


def check(
    f: Callable[..., Any],
    w: Any = None,
    *args: Any,
    df: Callable[..., Any] | None = None,
    by: str | None = None,
    seed: int = 0,
    parameters: int | None = None,
    directions: bool | None = None,
    jobs: int = 1,
) -> Check:
    """Is this gradient right, and if not, why?

    Args:
        f: `f(W, *args) → (loss, gradient)`; or with `df` the loss alone; or a loss in PyTorch or JAX, or a
            module of PyTorch that returns its loss, whose gradient the library makes.
        w: one array, a list, a tuple or a dictionary of arrays: where the gradient is checked. Not needed
            for a module, whose parameters it is.
        args: passed on to f and df as they are.
        df: `df(W, *args) → gradient`, in W's container.
        by: "torch" or "jax"; by default, what W is made of says it.
        seed: of random directions, and of the parameters that are drawn.
        parameters: check so many, drawn at random; by default all.
        directions: check along random directions, in at most some 400 evaluations, instead of moving every
            parameter; by default from 10,000 parameters on.
        jobs: processes that share the evaluations.

    Raises:
        FunctionError: if f or df does what no loss or gradient does; it names the file and the line.
    """
    by = by or (made_with(f, w) if df is None else None)
    if by not in (None, "torch", "jax"):
        raise FunctionError(f"by: must be torch or jax; not {by!r}")
    if by == "torch":
        function = torch_function(f, w, args)
    elif by == "jax":
        function = jax_function(f, w, args)
    else:
        function = Function(w, args, f=f, df=df) if df is not None else Function(w, args, f_df=f)
    blocks = None
    if jobs != 1:
        from backproof.sweeps.engines.processes import starmap

        blocks = partial(starmap, jobs=jobs)
    return Check(
        judge_function(function, seed=seed, parameters=parameters, directions=directions, blocks=blocks),
        function,
    )


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
    from backproof.session import Request, Session

    searchpath = (f"file://{Path(config_dir).resolve()}",) if config_dir is not None else ()
    session = Session(searchpath=searchpath, listener=Terminal())
    result = session.sweep(Request(tuple(overrides), name=name))
    if result.interrupted:
        raise KeyboardInterrupt
    return pd.read_parquet(result.folder / "cells.parquet")
