"""The directive `from-code`: a part of the reference, made from the table of the code that it is about."""

from collections.abc import Callable, Iterable

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective


def _row(*cells: object) -> str:
    return "| " + " | ".join(" ".join(str(cell).split()).replace("|", "\\|") for cell in cells) + " |"


def _table(head: Iterable[str], rows: Iterable[Iterable[object]]) -> list[str]:
    head = list(head)
    return [_row(*head), _row(*("---" for _ in head)), *(_row(*row) for row in rows), ""]


def _code(value: object) -> str:
    return f"`{value}`" if str(value) else ""


def axes() -> list[str]:
    """One section per group of choices, and one for the axes that are a value each."""
    from backproof.interfaces.help import ENGINE, Where, axes_of, single_axes
    from backproof.sweeps.overrides import GROUPS

    composer = Where().composed()
    found = axes_of(composer, [])
    lines = []
    for group in (*GROUPS, ENGINE):
        default = composer.default_choices.get(group)
        lines += [f"({group}-axis)=", f"## `{group}`", ""]
        lines += _table(
            ("choice", "what it is", "values and their defaults"),
            (
                (
                    f"`{name}`" + (" (default)" if name == default else ""),
                    choice.summary,
                    _values(group, choice),
                )
                for name, choice in found[group].items()
            ),
        )
    lines += ["## Axes of one value", ""]
    base = composer.base
    return lines + _table(
        ("axis", "default", "what it is"),
        ((_code(key), _code(base.get(key)), meaning) for key, meaning in single_axes().items()),
    )


def _values(group: str, choice) -> str:
    shown = []
    for key, value in choice.values.items():
        if not key.startswith("_"):
            meaning = f": {choice.meanings[key]}" if choice.meanings.get(key) else ""
            shown.append(f"`{group}.{key}={value}`{meaning}")
    return "; ".join(shown)


def columns() -> list[str]:
    """One row per column of `cells`."""
    from backproof.sweeps.columns import CELLS

    return _columns(CELLS)


def tensors() -> list[str]:
    """One row per column of `tensors`."""
    from backproof.sweeps.columns import TENSORS

    return _columns(TENSORS)


def _columns(table) -> list[str]:
    rows = (
        (_code(c.name), c.kind, c.about, c.null or ("" if c.of == "cell" else f"no {c.of}")) for c in table
    )
    return _table(("column", "type", "what it holds", "null means"), rows)


def verdicts() -> list[str]:
    """One row per verdict, in order of severity."""
    from backproof.verdicts.verdict import AGREEING, Verdict

    rows = (
        (
            v.symbol,
            f"`{v.value}`",
            "yes" if v in AGREEING else "no",
            "yes" if v.right else "no",
            v.sentence,
            v.remedy,
        )
        for v in Verdict
    )
    return _table(("", "verdict", "agrees", "rule is right", "what it means", "what to do"), rows)


def causes() -> list[str]:
    """Names of causes: those that stand alone, operations, and structures."""
    from backproof.verdicts import names_of_causes as names

    parts = {
        "Operations": names.OPERATIONS,
        "Structures": names.STRUCTURES,
        "Causes of no operation": names.SINGLE,
    }
    lines = []
    for title, table in parts.items():
        lines += [f"## {title}", "", *_table(("name", "meaning"), ((_code(k), v) for k, v in table.items()))]
    return lines


def exit_statuses() -> list[str]:
    """One row per exit status."""
    from backproof.errors import ExitStatus

    return _table(("status", "meaning"), ((_code(s.value), s.sentence) for s in ExitStatus))


def experiment_fields() -> list[str]:
    """The keys of an experiment's file, and those of its entries."""
    from backproof.choices import descriptions_of
    from backproof.sweeps import experiment as e

    parts = {
        "The file": e.ExperimentFile,
        "A claim": e.ClaimEntry,
        "A figure": e.FigureEntry,
        "A refinement": e.RefineEntry,
        "Tuning": e.TuneEntry,
        "An axis": e.AxisEntry,
    }
    lines = []
    for title, kind in parts.items():
        about, needed = descriptions_of(kind), getattr(kind, "__required_keys__", ())
        lines += [f"## {title}", ""]
        lines += _table(
            ("key", "needed", "what it states"),
            ((_code(key), "yes" if key in needed else "", about[key]) for key in kind.__annotations__),
        )
    return lines


def figure_kinds() -> list[str]:
    """One row per kind of figure."""
    from backproof.reports.figures import kinds

    by_kind: dict[int, list[str]] = {}
    found = kinds()
    for name, kind in found.items():
        by_kind.setdefault(id(kind), []).append(name)
    rows = (
        (
            ", ".join(map(_code, names)),
            ", ".join(kind.sides),
            ", ".join(map(_code, kind.aggregates)),
            kind.draw.__doc__ or "",
        )
        for names in by_kind.values()
        for kind in [found[names[0]]]
    )
    return _table(("`value`", "takes", "`aggregate`, the default first", "what it draws"), rows)


def functions() -> list[str]:
    """Functions of expressions, and aggregates of texts."""
    from backproof.reports.live import AGGREGATES
    from backproof.sweeps.evaluation import FUNCTIONS, NULLS

    return _table(
        ("where", "names"),
        (
            ("functions of numbers, row by row", ", ".join(map(_code, FUNCTIONS))),
            ("questions about null", ", ".join(map(_code, NULLS))),
            ("aggregates, in braces in texts", ", ".join(map(_code, AGGREGATES))),
        ),
    )


def commands() -> list[str]:
    """The help of every command, but for the axes."""
    from backproof.interfaces import cli
    from backproof.interfaces import help as axes_help

    texts = axes_help.HEADS | cli.HELP_OF
    lines = []
    for name in cli.COMMANDS:
        lines += [f"## `backproof {name}`", "", "```text", *texts[name].rstrip().splitlines(), "```", ""]
    return lines


PARTS: dict[str, Callable[[], list[str]]] = {
    "axes": axes, "columns": columns, "tensors": tensors, "verdicts": verdicts, "causes": causes,
    "exit statuses": exit_statuses, "experiment": experiment_fields, "figure kinds": figure_kinds,
    "functions": functions, "commands": commands,
}  # fmt: skip


class FromCode(SphinxDirective):
    """`{from-code} columns`: the part of that name, in Markdown."""

    required_arguments = 1
    final_argument_whitespace = True

    def run(self) -> list[nodes.Node]:
        name = self.arguments[0]
        if name not in PARTS:
            raise self.error(f"from-code: must be one of {', '.join(PARTS)}; not {name!r}")
        container = nodes.Element()
        self.state.nested_parse(
            StringList(PARTS[name](), f"from-code {name}"), 0, container, match_titles=True
        )
        return container.children


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_directive("from-code", FromCode)
    return {"parallel_read_safe": True}
