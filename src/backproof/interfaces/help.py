"""`--help` of the commands that take a grid: every axis, its choices and values, off the files themselves."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from backproof import paths

HEADS = {
    "sweep": """\
usage: backproof sweep [experiment=NAME] [-m] [AXIS=VALUE,VALUE ...] [name=NAME]
                       [--retry-failed] [--fail-fast]

Runs every cell of a grid that results/NAME does not hold yet, then writes tables, figures and report.html.
Running it again goes on from where it was stopped: by Ctrl-C (twice: at once, without a report), by a
crash, or by --fail-fast at the first cell that fails. --retry-failed computes cells that failed once more.
An axis takes one value, or several: a,b  range(0,5)  choice(a,b)  glob(*).  All axes multiply.

  backproof sweep experiment=thread
  backproof sweep -m activation=relu,tanh loss=binary_cross_entropy seed='range(0,3)' name=mine
  backproof sweep -m data=file data.path=my.csv network.hidden=[20],[50,20]

""",
    "plan": """\
usage: backproof plan [the arguments of sweep]

Says how many cells there are, how many are done, duplicate or excluded, and how long the rest takes.

""",
    "check": """\
usage: backproof check [AXIS=VALUE ...] [--json] [--plot]

Checks and trains one case: the verdict, what causes a disagreement and where, the smallest changes that
cure it, and a table of the weight tensors. --json prints the same for programs; --plot draws the error
against the step and the error of every weight into results/check (or name=NAME), and lists every parameter
with its gradients, budget, verdict, largest safe step and kinks in parameters.csv.
Exit status 0 where the gradient agrees, 1 where it does not.

  backproof check activation=relu output=relu loss=binary_cross_entropy delta=y_minus_t

""",
}

TAIL = """\
Choices of your own: a folder my_conf/activation/mish.yaml, named with --config-dir my_conf.
Hydra's flags work too: --cfg job, --info, --config-dir DIR, --hydra-help.
"""


def help_of(command: str, config_dir: Path | None, axis: str = "") -> str:  # noqa: ARG001
    """What a command does, and every axis with its choices and values."""
    folders = [folder for folder in (config_dir, paths.conf()) if folder and folder.is_dir()]
    return HEADS[command] + axes_help(folders, paths.experiment_folders(folders))


def axes_help(folders: Sequence[Path], experiment_folders: Iterable[Path]) -> str:
    """The axes as text. A choice is described by the comment that its file begins with."""
    lines = ["Axes (choices, then values with their defaults):", ""]
    groups = sorted({p.name for folder in folders for p in folder.iterdir() if p.is_dir()})
    for group in groups:
        if group in ("experiment", "experiments", "hydra"):
            continue
        lines.append(f"  {group}=")
        values: dict[str, str] = {}
        for path in _choices(folders, group):
            text = path.read_text(encoding="utf-8").splitlines()
            about = text[0].lstrip("# ") if text and text[0].startswith("#") else ""
            lines.append(f"    {path.stem:23} {about}".rstrip())
            for line in text:
                key, colon, value = line.partition(":")
                if colon and key.isidentifier() and not key.startswith("_"):
                    values.setdefault(key, value.strip())
        lines += [f"    {f'{group}.{key}':24}{value}".rstrip() for key, value in values.items()]
    lines += [
        "  relu_at_zero=0.0          the derivative at a kink, as a weight from the left to the right slope"
    ]
    lines += ["  seed=0                    the replicate axis"]
    names = sorted({p.stem for folder in experiment_folders for p in folder.glob("*.yaml")})
    lines += ["", "Experiments: " + ", ".join(names), "", TAIL]
    return "\n".join(lines)


def _choices(folders: Sequence[Path], group: str) -> list[Path]:
    """The files of a group, those of the first folder hiding namesakes in the next."""
    found: dict[str, Path] = {}
    for folder in folders:
        for path in (folder / group).glob("*.yaml"):
            found.setdefault(path.stem, path)
    return [found[name] for name in sorted(found)]
