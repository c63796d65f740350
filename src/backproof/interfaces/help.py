"""`--help` of the commands that take a grid: every axis, its choices and values, from code and files."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import yaml

from backproof import paths
from backproof.choices import descriptions_of
from backproof.errors import not_one_of
from backproof.sweeps.engines import ENGINES, options_of, summary_of
from backproof.sweeps.groups import CHOICES
from backproof.sweeps.overrides import GROUPS, shown
from backproof.sweeps.settings import MODELS

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
Choices of your own: a file my_conf/activation/mish.yaml, found with --config-dir my_conf.
Hydra's flags work too: --cfg job, --info, --config-dir DIR, --hydra-help.
"""

VALUES = """\
  relu_at_zero=             0.0: the derivative at a kink, as a weight from the left to the right derivative
  seed=                     0: the replicate axis
"""

FEW = 6
"""So many choices of an axis are described each; of more, the overview has the names alone."""

WIDTH = 100


@dataclass(frozen=True)
class ChoiceHelp:
    """One line about a choice, its values with their defaults, and what these mean where that is stated."""

    summary: str
    values: Mapping[str, object]
    meanings: Mapping[str, str]


def help_of(command: str, config_dir: Path | None, axis: str = "") -> str:
    """What a command does, and every axis with its choices and values; or one axis in full.

    Raises:
        ConfigurationError: if there is no such axis.
    """
    folders = [folder for folder in (paths.conf(), config_dir) if folder is not None and folder.is_dir()]
    axes = _axes(folders)
    if axis and axis not in axes:
        raise not_one_of("--help", repr(axis), axes)
    defaults = _defaults()
    if axis:
        return "\n".join(_in_full(axis, axes[axis], defaults.get(axis))) + "\n"
    lines = ["Axes (`--help AXIS` describes each choice):", ""]
    for group, choices in axes.items():
        lines += _in_short(group, choices, defaults.get(group))
    names = sorted(
        {p.stem for folder in paths.experiment_folders(folders[1:]) for p in folder.glob("*.yaml")}
    )
    return HEADS[command] + "\n".join([*lines, VALUES, f"Experiments: {', '.join(names)}", "", TAIL])


def _axes(folders: Sequence[Path]) -> dict[str, dict[str, ChoiceHelp]]:
    """The choices of every axis: those that are code, and those of files, which take precedence."""
    axes: dict[str, dict[str, ChoiceHelp]] = {group: {} for group in (*GROUPS, "engine")}
    for group, choices in CHOICES.items():
        for name, node in choices.nodes():
            own = choices.choices[name].descriptions if name in choices.choices else {}
            meanings = {**_meanings_of_settings(group), **own}
            axes[group][name] = ChoiceHelp(choices.summaries[name], node, meanings)
    for name in ENGINES:
        options = {key: value for key, value in options_of(name).items() if key != "name"}
        axes["engine"][name] = ChoiceHelp(summary_of(name), options, descriptions_of(ENGINES[name]))
    for folder in folders:
        for path in folder.glob("*/*.yaml"):
            if path.parent.name in axes:
                axes[path.parent.name][path.stem] = _of_file(path)
    return {group: dict(sorted(choices.items())) for group, choices in axes.items()}


def _meanings_of_settings(group: str) -> dict[str, str]:
    settings = MODELS[group].settings() if group in MODELS else {}
    return {key: field.description or "" for key, field in settings.items()}


def _of_file(path: Path) -> ChoiceHelp:
    """The comment that a file begins with, and its keys."""
    text = path.read_text(encoding="utf-8", errors="replace")
    first = text.partition("\n")[0]
    try:
        content = yaml.safe_load(text)
    except yaml.YAMLError:
        content = None
    summary = first.lstrip("# ") if first.startswith("#") else ""
    values = content if isinstance(content, dict) else {}
    return ChoiceHelp(summary, values, _meanings_of_settings(path.parent.name))


def _defaults() -> dict[str, str]:
    """The default choices, as the primary configuration lists them."""
    content = yaml.safe_load((paths.conf() / "config.yaml").read_text(encoding="utf-8"))
    pairs = [entry for entry in content["defaults"] if isinstance(entry, dict)]
    return {group: choice for pair in pairs for group, choice in pair.items()}


def _in_short(group: str, choices: Mapping[str, ChoiceHelp], default: str | None) -> list[str]:
    names = [_marked(name, default) for name in choices]
    lines = [f"  {group}="]
    if len(choices) > FEW:
        lines += textwrap.wrap("  ".join(names), WIDTH, initial_indent="    ", subsequent_indent="    ")
    else:
        marked = zip(names, choices.values(), strict=True)
        lines += [f"    {name:23} {choice.summary}".rstrip() for name, choice in marked]
    values: dict[str, object] = {}
    for _, choice in sorted(choices.items(), key=lambda item: item[0] != default):  # the default's count
        values = {**choice.values, **values}
    return lines + _values(group, values)


def _in_full(group: str, choices: Mapping[str, ChoiceHelp], default: str | None) -> list[str]:
    lines = [f"{group}="]
    for name, choice in choices.items():
        lines.append(f"  {_marked(name, default):25} {choice.summary}".rstrip())
        lines += _values(group, choice.values, choice.meanings)
    return lines


def _marked(name: str, default: str | None) -> str:
    return f"{name} (default)" if name == default else name


def _values(
    group: str, values: Mapping[str, object], meanings: Mapping[str, str] = MappingProxyType({})
) -> list[str]:
    lines = []
    for key, value in values.items():
        if not key.startswith("_"):
            meaning = f": {meanings[key]}" if meanings.get(key) else ""
            lines.append(f"    {f'{group}.{key}':23} {_shown(value)}{meaning}")
    return lines


def _shown(value: object) -> str:
    return shown(value) if value is None or isinstance(value, bool | int | float | str) else str(value)
