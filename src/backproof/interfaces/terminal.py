"""One case, laid out for the terminal, for programs, or as figures."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from threadpoolctl import threadpool_limits

from backproof.estimates import NumericLayer
from backproof.estimates.kinks import KinkEvent, kink_distances, kink_events, safe_steps
from backproof.network.arrays import Array
from backproof.network.outputs import Softmax
from backproof.sweeps import components
from backproof.sweeps.case import NetworkCase
from backproof.sweeps.checking import Checkable, checkable, cures_for, judgement_of
from backproof.sweeps.construction import rule_of
from backproof.sweeps.cures import Cures
from backproof.sweeps.grid import Cell
from backproof.sweeps.training_runs import runs_of
from backproof.training import Run
from backproof.verdicts import Judgement, Verdict
from backproof.verdicts.component import examine
from backproof.verdicts.evidence import evidence_of
from backproof.verdicts.verdict import AGREEING

MOST_EVENTS = 5
"""How many kinks are listed."""


@dataclass(frozen=True)
class Finding:
    """All that is known of a case once it has been checked.

    Attributes:
        safe: per layer, the largest step of each parameter that meets no kink, shaped like the weights.
        events: the kinks that the parameter with the most of them touches or crosses.
        named: which parameter that is.
    """

    case: NetworkCase
    at: Checkable
    judgement: Judgement | None
    cures: Cures
    run: Run | None
    safe: list[Array]
    named: str
    events: list[KinkEvent]

    @property
    def verdict(self) -> Verdict:
        """The verdict, also where nothing was checked."""
        return self.judgement.verdict if self.judgement else Verdict.NOT_CHECKED

    @property
    def safe_steps(self) -> dict[str, float]:
        """Per tensor, the largest step with which none of its parameters meets a kink."""
        steps: dict[str, float] = {}
        for depth, safe in enumerate(self.safe, 1):
            steps[f"W{depth}"] = float(safe[:, :-1].min(initial=np.inf))
            steps[f"b{depth}"] = float(safe[:, -1].min(initial=np.inf))
        return steps

    @property
    def agrees(self) -> bool:
        """Whether the exit status is that of a gradient that agrees."""
        return self.verdict in AGREEING | {Verdict.NOT_CHECKED}


def find(case: NetworkCase) -> Finding:
    """Check and train one case."""
    with threadpool_limits(1):
        at = checkable(case)
        judgement = judgement_of(case, at)
        cures = cures_for(case, at, judgement) if judgement else Cures()
        run = runs_of([case])[0] if case.training else None
        safe, named, events = _kinks(at)
    return Finding(case, at, judgement, cures, run, safe, named, events)


def _kinks(at: Checkable) -> tuple[list[Array], str, list[KinkEvent]]:
    own = at.own
    if not own.numeric.layers:
        return [], "", []
    distances = kink_distances(own.problem, own.weights)
    safe = [safe_steps(far, inputs) for far, inputs in zip(distances, own.forward.inputs, strict=True)]
    named = ""
    events: list[KinkEvent] = []
    for depth, layer in enumerate(own.numeric.layers, 1):
        hit = np.argwhere(layer.touched | layer.crossed)
        if len(hit) and not events:
            j, p = (int(i) for i in hit[-1])  # a bias, where there is one
            named = _name(depth, j, p, layer)
            events = kink_events(own.problem, own.weights, depth - 1, j, p, float(layer.step[j, p]))
    return safe, named, events


def _name(depth: int, j: int, p: int, layer: NumericLayer) -> str:
    """A parameter's name, as in W2[3,17] or b1[4]; the last column is the bias."""
    return f"b{depth}[{j}]" if p == layer.step.shape[1] - 1 else f"W{depth}[{j},{p}]"


def show(finding: Finding, cell: Cell, console: Console) -> None:
    """Print a finding: the verdict, why, what cures it, and the tensors one by one."""
    verdict, judgement = finding.verdict, finding.judgement
    console.print(f"[bold]{verdict.symbol} {verdict}[/bold]: {verdict.sentence}")
    if not finding.agrees:
        console.print(f"[dim]remedy:[/dim] {verdict.remedy}")
    if judgement:
        _show_causes(judgement, console)
        _show_cures(finding.cures, console)
        _show_tensors(finding, judgement, console)
    _show_evidence(finding, console)
    _show_components(finding.case, console)
    if finding.run:
        _show_run(finding.run, console)
    console.print(f"\n{escape(cell.command)}", style="dim")


def _show_components(case: NetworkCase, console: Console) -> None:
    """What an examination of the activations says that are not the package's own."""
    for key, component in (("activation", case.activation), ("output", case.output)):
        if component is None or not components.is_custom(key, component):
            continue
        if key == "output" and component == case.activation:
            continue
        activation = components.output(component)
        if isinstance(activation, Softmax):
            continue
        console.print(f"\n[bold]{key}={escape(component.name)}[/bold] alone")
        for found in examine(activation):
            console.print(f"  {'✓' if found.right else '!'} {found.what}: {escape(found.says)}")


def _show_causes(judgement: Judgement, console: Console) -> None:
    if not judgement.causes:
        return
    console.print()
    table = _table("", "cause<", "layer", "what<", "error", "parameters")
    for i, cause in enumerate(judgement.causes, 1):
        shares = [
            f"{x:.0%}" if cause.error or cause.parameters else "" for x in (cause.error, cause.parameters)
        ]
        layers = ", ".join(map(str, cause.layers))
        table.add_row(str(i), escape(cause.name), layers, escape(cause.detail), *shares)
    console.print(table)


def _show_cures(cures: Cures, console: Console) -> None:
    if cures.found:
        console.print("\n[bold]cured by[/bold]   " + escape(", or ".join(cures.found)))
    if cures.failed:
        console.print(("" if cures.found else "\n") + "not cured by " + escape(", ".join(cures.failed)))


def _table(*columns: str) -> Table:
    """An empty table; columns are flushed right, but for those marked with `<`."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    for heading in columns:
        table.add_column(heading.rstrip("<"), justify="left" if heading.endswith("<") else "right")
    return table


def _show_tensors(finding: Finding, judgement: Judgement, console: Console) -> None:
    if judgement.gradient_error is None:
        return
    console.print(f"\ngradient error {judgement.gradient_error:.3g}, excess {judgement.excess:.3g}")
    if judgement.noise is not None:
        own = "unknown" if judgement.rule_error is None else f"{judgement.rule_error:.2g}"
        dtype = finding.at.own.forward.outputs.dtype
        noise = f"noise of {dtype} {judgement.noise:.2g}, " if judgement.noise else ""
        console.print(f"of it: {noise}the rule itself {own} (in a reference with the best steps)")
    headings = ("tensor<", "verdict<", "size", "wrong", "error", "excess", "kinks", "safe step", "causes<")
    table = _table(*headings)
    number = {cause.name: str(i) for i, cause in enumerate(judgement.causes, 1)}
    for t in judgement.tensors:
        error = "not finite" if t.gradient_error is None else f"{t.gradient_error:.2g}"
        safe = finding.safe_steps.get(t.name, math.inf)
        told = "any" if math.isinf(safe) else f"{safe:.1e}"
        shares = ", ".join(f"{number[n]}: {share:.0%}" for n, share in t.causes.items() if n in number)
        kinks = str(t.touched + t.crossed)
        size, wrong = str(t.size), str(t.disagreeing)
        table.add_row(t.name, t.verdict, size, wrong, error, f"{t.excess:.2g}", kinks, told, shares)
    console.print(table)
    console.print()
    kinked = any(math.isfinite(t.low) for t in judgement.tensors)
    table = _table("worst<", "analytic", "numeric", "difference", "budget", *["one-sided slopes"] * kinked)
    for t in judgement.tensors:
        gap = f"{t.analytic - t.numeric:.1e}"
        sides = [f"{t.low:.6g} to {t.high:.6g}" if math.isfinite(t.low) else ""] * kinked
        table.add_row(
            escape(t.worst), f"{t.analytic:.6g}", f"{t.numeric:.6g}", gap, f"{t.budget:.1e}", *sides
        )
    console.print(table)


def _show_evidence(finding: Finding, console: Console) -> None:
    judgement, at = finding.judgement, finding.at
    console.print(f"\nloss {float(at.own.forward.loss):.6g}")
    if judgement:
        for count, what in ((judgement.touched, "touch"), (judgement.crossed, "cross")):
            if count:
                console.print(f"{count} of {judgement.parameters} parameters {what} a kink")
    for event in finding.events[:MOST_EVENTS]:
        console.print(f"  {escape(finding.named)}: {event}")
    if len(finding.events) > MOST_EVENTS:
        console.print(f"  and {len(finding.events) - MOST_EVENTS} more")
    for share, what in (
        (at.own.outputs.outside_domain, "lie outside the loss's domain"),
        (at.own.outputs.saturated, "are exactly 0 or 1"),
        (at.own.outputs.clip_active, "are flattened by the clip"),
    ):
        if share:
            console.print(f"{share:.1%} of the outputs {what}")
    clipped = _clipped(finding.at)
    for sample, k, y in clipped[:MOST_EVENTS]:
        console.print(f"  sample {sample}, output {k}: y = {y:.6g}")
    if len(clipped) > MOST_EVENTS:
        console.print(f"  and {len(clipped) - MOST_EVENTS} more")


def _clipped(at: Checkable) -> list[tuple[int, int, float]]:
    """Sample, output and value wherever the clip flattens the loss."""
    problem, y = at.own.problem, at.own.forward.outputs
    if not problem.loss.uses_clip:
        return []
    with np.errstate(all="ignore"):
        active = problem.clip.active(y, problem.eps)
    return [(int(i), int(k), float(y[i, k])) for i, k in np.argwhere(active)]


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


def as_json(finding: Finding, cell: Cell) -> str:
    """A finding for programs. Numbers that are not finite are null."""
    judgement, verdict = finding.judgement, finding.verdict
    told = {
        "verdict": verdict.value,
        "right": verdict.right,
        "sentence": verdict.sentence,
        "remedy": verdict.remedy,
        "case": {k: list(v) if isinstance(v, tuple) else v for k, v in cell.case.flat().items()},
        "command": cell.command,
        "loss": float(finding.at.own.forward.loss),
        "outputs": asdict(finding.at.own.outputs),
        "check": _plain(judgement) if judgement else None,
        "cures": {"found": finding.cures.found, "failed": finding.cures.failed},
        "safe_steps": finding.safe_steps,
        "kinks": [asdict(event) for event in finding.events],
        "clipped": [dict(zip(("sample", "output", "y"), at, strict=True)) for at in _clipped(finding.at)],
        "training": finding.run.results if finding.run else None,
    }
    return json.dumps(finite(told), indent=2, ensure_ascii=False)


def _plain(judgement: Judgement) -> dict[str, Any]:
    told = asdict(judgement)
    del told["verdict"]
    counted = {}
    for i, name in enumerate(Verdict):
        counted[name] = sum(int((each == i).sum()) for each in told["verdicts"])
    told["verdicts"] = {name: n for name, n in counted.items() if n}
    return told


def finite(value: Any) -> Any:
    """The same with null in the place of numbers that JSON does not have."""
    if isinstance(value, dict):
        return {k: finite(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [finite(v) for v in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def parameters_of(finding: Finding) -> list[dict[str, Any]]:
    """A record a parameter: both gradients, budget, steps, verdict, and every kink that it meets."""
    own, judgement = finding.at.own, finding.judgement
    if judgement is None or not judgement.verdicts:
        return []
    with threadpool_limits(1), np.errstate(all="ignore"):
        gradients = rule_of(finding.case).gradient(own.problem, own.forward, own.weights)
    names, records = tuple(Verdict), []
    for depth, layer in enumerate(own.numeric.layers, 1):
        for j, p in np.argwhere(layer.selected):
            met: list[KinkEvent] = []
            if layer.touched[j, p] or layer.crossed[j, p]:
                step = float(layer.step[j, p])
                met = kink_events(own.problem, own.weights, depth - 1, int(j), int(p), step)
            records.append({
                "parameter": _name(depth, j, p, layer),
                "value": float(own.weights[depth - 1][j, p]),
                "analytic": float(gradients[depth - 1][j, p]),
                "numeric": float(layer.gradient[j, p]),
                "budget": float(layer.budget[j, p]),
                "step": float(layer.step[j, p]),
                "safe_step": float(finding.safe[depth - 1][j, p]),
                "verdict": names[judgement.verdicts[depth - 1][j, p]].value,
                "low": float(layer.low[j, p]),
                "high": float(layer.high[j, p]),
                "kinks": "; ".join(map(str, met)),
            })  # fmt: skip
    return records


def curves_of(finding: Finding) -> dict[str, Any]:
    """The error against the step and of every parameter, as `evidence_of` has them."""
    with threadpool_limits(1):
        return evidence_of(rule_of(finding.case), finding.at.own)
