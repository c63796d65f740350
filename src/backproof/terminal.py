"""One case, laid out for the terminal."""

from __future__ import annotations

from rich.console import Console
from rich.markup import escape
from rich.table import Table
from threadpoolctl import threadpool_limits

from backproof.sweeps.grid import Cell
from backproof.sweeps.work import checkable, judgement_of, runs_of
from backproof.training import Run
from backproof.verdicts import Judgement
from backproof.verdicts.verdict import NOT_CHECKED


def show_case(cell: Cell, console: Console) -> bool:
    """Check and train one case and print what came out; True where its gradient is right."""
    with threadpool_limits(1):
        at = checkable(cell.case)
        judgement = judgement_of(cell.case, at)
        run = runs_of([cell.case])[0] if cell.case["training"] != "none" else None
    verdict = judgement.verdict if judgement else NOT_CHECKED
    console.print(f"[bold]{verdict.symbol} {verdict.name}[/bold]: {verdict.sentence}")
    if not verdict.right:
        console.print(f"remedy: {verdict.remedy}")
    console.print(f"loss {float(at.forward.loss):.6g}")
    if judgement:
        _show_judgement(judgement, console)
    for share, what in (
        (at.outputs.outside_domain, "lie outside the loss's domain"),
        (at.outputs.saturated, "are exactly 0 or 1"),
        (at.outputs.clip_active, "are flattened by the clip"),
    ):
        if share:
            console.print(f"{share:.1%} of the outputs {what}")
    if run:
        _show_run(run, console)
    console.print(f"\n{escape(cell.command)}", style="dim")
    return verdict.right or verdict is NOT_CHECKED


def _show_judgement(judgement: Judgement, console: Console) -> None:
    if judgement.causes:
        console.print("causes: " + "; ".join(judgement.causes))
    if judgement.gradient_error is None:
        return
    console.print(f"gradient error {judgement.gradient_error:.3g}, excess {judgement.excess:.3g}")
    table = Table(box=None, pad_edge=False)
    table.add_column("tensor")
    for heading in ("size", "wrong", "error", "excess", "worst", "analytic", "numeric", "budget"):
        table.add_column(heading, justify="right")
    for t in judgement.tensors:
        error = "not finite" if t.gradient_error is None else f"{t.gradient_error:.2g}"
        table.add_row(
            t.name, str(t.size), str(t.disagreeing), error, f"{t.excess:.2g}", escape(t.worst),
            f"{t.analytic:.5g}", f"{t.numeric:.5g}", f"{t.budget:.1e}",
        )  # fmt: skip
    console.print(table)
    for count, what in ((judgement.touched, "touch"), (judgement.crossed, "cross")):
        if count:
            console.print(f"{count} of {judgement.parameters} parameters {what} a kink")


def _show_run(run: Run, console: Console) -> None:
    steps = len(run.curves["loss"][0])
    words = [f"after {steps} steps: loss {run.final_loss:.4g} a sample, test accuracy {run.accuracy:.1%}"]
    words.append(
        "threshold never reached"
        if run.steps_to_threshold is None
        else f"threshold at step {run.steps_to_threshold}"
    )
    if run.diverged_at is not None:
        words.append(f"diverged at step {run.diverged_at}")
    if run.cosine is not None:
        words.append(f"cosine to the exact gradient at least {run.cosine:.4f}")
    console.print("; ".join(words))
