"""`--help` of the commands that take a grid: every axis, its choices and values, from code and files."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import yaml

from backproof import paths
from backproof.choices import descriptions_of
from backproof.errors import ConfigurationError, nearest
from backproof.network.number_formats import MANTISSAS
from backproof.sweeps.case import NetworkCase
from backproof.sweeps.composition import CONFIG_NAME, Composer, translated
from backproof.sweeps.engines import ENGINES, options_of, summary_of
from backproof.sweeps.groups import CHOICES
from backproof.sweeps.overrides import AXES, GROUPS, OFF, is_public, shown
from backproof.sweeps.settings import MODELS
from backproof.sweeps.validation import allowed

HEADS = {
    "sweep": """\
usage: backproof sweep [experiment=NAME] [-m] [AXIS=VALUE,VALUE ...] [name=NAME]
                       [--retry-failed] [--fail-fast] [--open]

Runs every cell of a grid that results/NAME does not hold yet, then writes tables, figures and report.html.
Running it again goes on from where it was stopped: by Ctrl-C (twice: at once, without a report), by a
crash, or by --fail-fast at the first cell that fails. --retry-failed computes cells that failed once more.
--open shows the report in the browser at the end.
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
Hydra's flags work too: --cfg job, --info, --config-dir DIR, --config-name NAME, --hydra-help.
"""

EXPERIMENT = "experiment"
ENGINE = "engine"

WIDTH, NAMES = 100, 14
"""Of a line, and of the names of axes."""


@dataclass(frozen=True)
class ChoiceHelp:
    """One line about a choice, its values, and what these mean where that is stated."""

    summary: str
    values: Mapping[str, object]
    meanings: Mapping[str, str]


@dataclass(frozen=True)
class Where:
    """Which configuration the help is about: folders of the user's, and the primary configuration."""

    config_dir: Path | None = None
    config_name: str = CONFIG_NAME

    @property
    def folders(self) -> list[Path]:
        """The folders that the user names."""
        return [self.config_dir] if self.config_dir is not None and paths.is_folder(self.config_dir) else []

    def composed(self) -> Composer:
        """The default configuration.

        Raises:
            ConfigurationError: if there is none, or it cannot be composed.
        """
        with translated():
            return Composer(self.config_name, searchpath=[f"file://{f.resolve()}" for f in self.folders])


def help_of(command: str, where: Where = Where(), topic: str = "") -> str:
    """What a command does, and every axis with its choices; or one axis, group or value in full.

    Raises:
        ConfigurationError: if there is no such axis.
    """
    composer = where.composed()
    axes = axes_of(composer, where.folders)
    experiments = _experiments(composer, where.folders)
    if topic:
        return "\n".join(_about(topic, axes, composer, experiments)) + "\n"
    lines = ["Axes; * marks the default, and `--help AXIS` tells what each choice and value is:", ""]
    for group in (*GROUPS, ENGINE):
        lines += _in_short(group, list(axes[group]), composer)
    lines += [
        _entry(f"{key}=", f"*{composer.base.get(key)}  {meaning}") for key, meaning in single_axes().items()
    ]
    lines.append("")
    named = [f"Experiments: {', '.join(experiments)}"]
    return HEADS[command] + "\n".join([*lines, *named, TAIL])


# --- what there is ---------------------------------------------------------------------------------


def single_axes() -> dict[str, str]:
    """The axes that are one value each, and what they mean."""
    fields = NetworkCase.model_fields
    return {key: str(fields[key].description) for key in AXES if key not in GROUPS}


def axes_of(composer: Composer, folders: Sequence[Path]) -> dict[str, dict[str, ChoiceHelp]]:
    """The choices of every group: those that are code, and those of files, which take precedence."""
    theirs = sorted({path.parent.name for f in folders for path in f.glob("*/*.yaml")})
    groups = [group for group in (*GROUPS, ENGINE, *theirs) if group not in (EXPERIMENT, "experiments")]
    axes: dict[str, dict[str, ChoiceHelp]] = {group: {} for group in groups}
    for group, choices in CHOICES.items():
        for name, node in choices.nodes():
            own = choices.choices[name].descriptions if name in choices.choices else {}
            meanings = {**_meanings_of_settings(group), **own}
            axes[group][name] = ChoiceHelp(choices.summaries[name], node, meanings)
    for name in ENGINES:
        options = {key: value for key, value in options_of(name).items() if key != "name"}
        axes[ENGINE][name] = ChoiceHelp(summary_of(name), options, descriptions_of(ENGINES[name]))
    axes["precision"][MANTISSAS] = ChoiceHelp(
        "so many bits of mantissa, with the exponents of double precision", {}, {}
    )
    for folder in (paths.conf(), *folders):
        for path in folder.glob("*/*.yaml"):
            if path.parent.name in axes:
                axes[path.parent.name][path.stem] = _of_file(path)
    for group, found in axes.items():
        _with_defaults(group, found, composer)
    return {group: dict(sorted(found.items())) for group, found in axes.items()}


def _with_defaults(group: str, choices: dict[str, ChoiceHelp], composer: Composer) -> None:
    """Give the default choice the values that it has in the default configuration."""
    default, values = composer.default_choices.get(group, ""), composer.base.get(group)
    if default in choices and isinstance(values, Mapping):
        kept = {key: value for key, value in values.items() if group != ENGINE or key != "name"}
        choices[default] = replace(choices[default], values=kept)


def _meanings_of_settings(group: str) -> dict[str, str]:
    settings = MODELS[group].settings() if group in MODELS else {}
    return {key: field.description or "" for key, field in settings.items()}


def _of_file(path: Path) -> ChoiceHelp:
    """The comment that a file begins with, its keys, and the comments behind them."""
    text = path.read_text(encoding="utf-8", errors="replace")
    first = text.partition("\n")[0]
    try:
        content = yaml.safe_load(text)
    except yaml.YAMLError:
        content = None
    summary = first.lstrip("# ") if first.startswith("#") and "@package" not in first else ""
    values = {key: v for key, v in content.items() if key != "defaults"} if isinstance(content, dict) else {}
    meanings = {**dict(_COMMENTED.findall(text)), **_meanings_of_settings(path.parent.name)}
    return ChoiceHelp(summary, values, meanings)


_COMMENTED = re.compile(r"^(\w+):.*?  # (.+)$", re.MULTILINE)
"""A key of a file, with the comment behind its value."""


def _experiments(composer: Composer, folders: Sequence[Path]) -> dict[str, str]:
    """Experiments by name, each with its question; those of Hydra's kind are a group of files."""
    found = dict.fromkeys(composer.options(EXPERIMENT), "a group of files, Hydra's kind")
    for folder in reversed(paths.experiment_folders(list(folders))):
        for path in folder.glob("*.yaml"):
            question = _of_file(path).values.get("question", "")
            found[path.stem] = " ".join(str(question).split())
    return dict(sorted(found.items()))


# --- in words --------------------------------------------------------------------------------------


def _in_short(group: str, names: Sequence[str], composer: Composer) -> list[str]:
    """An axis, its choices, and the values of the default one."""
    default = composer.default_choices.get(group)
    lines = [_entry(f"{group}=", "  ".join(f"*{name}" if name == default else name for name in names))]
    values = composer.base.get(group)
    if isinstance(values, Mapping):
        shown_ = [f"{k}={_shown(v)}" for k, v in values.items() if not k.startswith("_") and k != "name"]
        lines += [_entry("", "with " + "  ".join(f"{group}.{each}" for each in shown_))] if shown_ else []
    return lines


def _entry(name: str, text: str) -> str:
    start = f"  {name:{NAMES}}"
    return textwrap.fill(
        text, WIDTH, initial_indent=start, subsequent_indent=" " * len(start),
        break_long_words=False, break_on_hyphens=False,
    )  # fmt: skip


def _about(
    topic: str,
    axes: Mapping[str, Mapping[str, ChoiceHelp]],
    composer: Composer,
    experiments: Mapping[str, str],
) -> list[str]:
    """A group with its choices, a value with the choices that have it, or the experiments."""
    group, _, key = topic.partition(".")
    if topic in axes:
        return _in_full(topic, axes[topic], composer.default_choices.get(topic))
    if topic in single_axes():
        return [f"{topic}=", f"  {composer.base.get(topic)} (default): {single_axes()[topic]}"]
    if topic == EXPERIMENT:
        return [f"{EXPERIMENT}=", *(f"  {name:25} {text}".rstrip() for name, text in experiments.items())]
    having = {n: c for n, c in axes.get(group, {}).items() if key in c.values or key in _in_model(group, n)}
    if key and having:
        return _of_value(topic, having, composer.default_choices.get(group))
    values = {f"{g}.{k}" for g, choices in axes.items() for c in choices.values() for k in c.values}
    known = [*axes, *single_axes(), EXPERIMENT]
    hint = nearest(topic, [*known, *sorted(v for v in values if is_public(v))])
    raise ConfigurationError(f"--help: must be one of {', '.join(known)}; not {topic!r}{hint}")


def _in_model(group: str, name: str) -> Sequence[str]:
    """The settings that every choice of a group has, those that switch it off excepted."""
    return list(MODELS[group].settings()) if group in MODELS and name != OFF else []


def _in_full(group: str, choices: Mapping[str, ChoiceHelp], default: str | None) -> list[str]:
    lines = [f"{group}="]
    for name, choice in choices.items():
        lines.append(f"  {_marked(name, default):25} {choice.summary}".rstrip())
        lines += _values(group, choice.values, choice.meanings)
    return lines


def _of_value(key: str, choices: Mapping[str, ChoiceHelp], default: str | None) -> list[str]:
    """A value: what it means, what it may be, and which choices have it with which default."""
    group, _, inner = key.partition(".")
    field = MODELS[group].settings().get(inner) if group in MODELS else None
    meaning = next((c.meanings[inner] for c in choices.values() if c.meanings.get(inner)), "")
    lines = [f"{key}= {meaning}".rstrip()]
    if field is not None:
        lines.append(f"  allowed: {allowed(field)}")
    for name, choice in choices.items():
        value = f"{_shown(choice.values[inner])}" if inner in choice.values else ""
        lines.append(f"  {_marked(name, default):25} {value}".rstrip())
    return lines


def _marked(name: str, default: str | None) -> str:
    return f"{name} (default)" if name == default else name


def _values(group: str, values: Mapping[str, object], meanings: Mapping[str, str]) -> list[str]:
    lines = []
    for key, value in values.items():
        if not key.startswith("_"):
            meaning = f": {meanings[key]}" if meanings.get(key) else ""
            lines.append(f"    {f'{group}.{key}':23} {_shown(value)}{meaning}")
    return lines


def _shown(value: object) -> str:
    """A value as an override has it; of a number that YAML reads as text, 1e-3, the number."""
    if isinstance(value, str) and _NUMBER.fullmatch(value):
        return value
    return shown(value) if value is None or isinstance(value, bool | int | float | str) else str(value)


_NUMBER = re.compile(r"[-+]?[0-9.]+e[-+]?[0-9]+")
