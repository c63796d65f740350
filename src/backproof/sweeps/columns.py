"""The columns of the tables of a sweep: the one place where a column is described.

Types of tables, units, formats and scales of figures, what null means, what `compare` compares and what the
report's page shows are all read off these entries. To add a column, add an entry here and the line that
computes it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal


class Of(StrEnum):
    """What has to be there for a column to have a value, and null to mean something."""

    CELL = "cell"
    CHECK = "check"
    TRAINING = "training"
    RUN = "run"
    """Of the run that computed the cell: two runs of the same code may differ in it."""


Format = Literal["short", "decimals", "whole", "percent"]

DTYPES = {"text": "object", "whole": "Int64", "number": "float64", "truth": "boolean"}
"""The types of columns, and how pandas stores them."""


@dataclass(frozen=True)
class Column:
    """A column of a table.

    Attributes:
        about: what it holds, in a sentence, for help, tooltips and documentation.
        title: its name in running text and titles; `unit`: the label of an axis or a scale. A column
            without a unit cannot be drawn, unless it is `categories`.
        null: what null means in a cell whose check or training ran, where it means something; such a null
            counts as infinite in a median.
        scale: of colours; `error` is the one scale of every gradient error, `auto` is chosen by the data.
        format: of numbers: so few digits as a tile has room for, two decimals, or a whole number.
        compared: how two sweeps are compared in it: by log10(B / A), by B − A, or by how many cells have it.
        page: where the page's table shows it: before the settings, after them, or on demand.
        heading: above its value in the details of a cell; empty where it is listed with all others.
        figure: whether a sweep that names no figures gets one of it.
    """

    name: str
    kind: Literal["text", "whole", "number", "truth"]
    of: Of
    about: str
    title: str = ""
    unit: str = ""
    null: str = ""
    scale: Literal["auto", "error", "share"] = "auto"
    format: Format = "short"
    compared: Literal["", "ratio", "difference", "count"] = ""
    page: Literal["first", "last", "details"] = "details"
    heading: str = ""
    categories: bool = False
    figure: bool = False

    @property
    def dtype(self) -> str:
        """How pandas stores it."""
        return DTYPES[self.kind]

    @property
    def drawn(self) -> bool:
        """Whether a heatmap can show it."""
        return self.categories or bool(self.unit)


REACHED = Column(
    "steps_to_threshold", "whole", Of.TRAINING, "Steps until the training accuracy reached the threshold.",
    title="steps to the accuracy threshold", unit="steps to the accuracy threshold", null="never",
    format="whole", compared="difference", page="last", figure=True,
)  # fmt: skip
DIVERGED = Column(
    "diverged_at", "whole", Of.TRAINING, "The step at which the loss or a weight stopped being finite.",
    title="runs that diverged", unit="step at which training diverged", null="never", format="whole",
    compared="count", figure=True,
)  # fmt: skip

CELLS = (
    Column("status", "text", Of.CELL,
           "What became of the cell: ok, failed, killed, timeout, excluded or pending.",
           page="last"),
    Column("refined", "truth", Of.CELL,
           "Whether a refinement added the cell; claims and figures are about the grid's own cells."),
    Column("tuned", "truth", Of.CELL,
           "Whether its value of the tuned axis is the one that validation chose for its setting."),
    Column("tuned_at_edge", "truth", Of.CELL,
           "Whether the chosen value is at the end of the range that was tried."),
    Column("error", "text", Of.CELL, "Why the cell failed or was left out.", heading="Error"),
    Column("verdict", "text", Of.CHECK,
           "What the check concludes.", categories=True, page="first", figure=True),
    Column("causes", "text", Of.CHECK,
           "What explains a disagreement, the first cause first.", heading="Causes"),
    Column("cures", "text", Of.CHECK,
           "The smallest changes of the backward rule under which the case agrees.",
           heading="Cured by", page="last"),
    Column("gradient_error", "number", Of.CHECK,
           "‖a − n‖ / (‖a‖ + ‖n‖) of the analytic and the numerical gradient.",
           title="gradient error", unit="gradient error ‖a − n‖ / (‖a‖ + ‖n‖)", null="not finite",
           scale="error",
           compared="ratio", page="first", figure=True),
    Column("excess", "number", Of.CHECK,
           "The largest difference over its error bound; at most 1 where explained.",
           title="largest difference over its bound", unit="largest |a − n| / bound", null="not finite",
           page="last", figure=True),
    Column("resolution", "number", Of.CHECK,
           "The smallest relative error that the check would have seen, wherever it is.",
           title="resolution of the check", unit="smallest relative error that would have been seen",
           scale="error",
           null="not finite", page="last", figure=True),
    Column("worst_parameter", "text", Of.CHECK, "The parameter with the largest excess."),
    Column("loss_value", "number", Of.CHECK, "The loss at the checked weights.",
           title="loss", unit="loss at the checked weights"),
    Column("final_loss", "number", Of.TRAINING, "The training loss per sample after the last step.",
           title="final loss", unit="final training loss per sample", null="not finite", compared="ratio",
           page="last", figure=True),
    Column("accuracy", "number", Of.TRAINING,
           "The share of test samples classified correctly after training.",
           title="test accuracy", unit="test accuracy", scale="share",
           format="decimals", compared="difference",
           page="first", figure=True),
    Column("validation_accuracy", "number", Of.TRAINING,
           "The share of validation samples classified correctly after training.",
           title="validation accuracy", unit="validation accuracy", scale="share", format="decimals"),
    Column("validation_loss", "number", Of.TRAINING, "The validation loss per sample after the last step.",
           title="validation loss", unit="validation loss per sample", null="not finite"),
    REACHED,
    DIVERGED,
    Column("seconds", "number", Of.RUN, "The time that the cell took.",
           title="seconds per cell", unit="seconds per cell"),
    Column("attempts", "whole", Of.RUN,
           "How often the cell was computed; more than once where workers died."),
    Column("command", "text", Of.RUN, "Reproduces the cell."),
    Column("cause", "text", Of.CHECK, "The first cause.", categories=True, page="last",
           title="cause", null="nothing to explain"),
    Column("planted", "text", Of.CHECK, "The cause that a planted fault should be given."),
    Column("named", "truth", Of.CHECK,
           "Whether the planted cause, or a true name of a mutant, is among the causes."),
    Column("edit", "text", Of.CHECK,
           "The edit that makes a mutant: a line of arithmetic before and after it.", heading="Edited"),
    Column("identified", "text", Of.CHECK,
           "How the first cause fits a mutant: named (truly), located (rightly, with no name) or misnamed."),
    Column("no_cures", "text", Of.CHECK, "Changes that were tried and do not cure.", heading="Not cured by"),
    Column("rule_error", "number", Of.CHECK,
           "The gradient error in a higher precision: the backward rule's alone.",
           title="gradient error of the rule", unit="gradient error of the rule, without round-off"),
    Column("noise", "number", Of.CHECK, "The gradient error that the precision's round-off makes.",
           title="gradient error by round-off", unit="gradient error by round-off"),
    Column("fault_size", "number", Of.CHECK,
           "The largest change by the fault, over its tensor's largest entry.",
           title="size of the fault", unit="largest change by the fault, over its tensor's largest entry"),
    Column("parameters", "whole", Of.CHECK, "How many parameters were checked."),
    Column("disagreeing", "whole", Of.CHECK, "How many of them disagree."),
    Column("touched", "whole", Of.CHECK, "How many parameters sit on a kink exactly."),
    Column("crossed", "whole", Of.CHECK, "For how many parameters the difference straddles a kink."),
    Column("outside_domain", "number", Of.CHECK, "The share of outputs outside the loss's domain."),
    Column("saturated", "number", Of.CHECK, "The share of outputs that are exactly 0 or 1."),
    Column("clip_active", "number", Of.CHECK, "The share of outputs that the clip changes."),
    Column("dead_units", "number", Of.TRAINING,
           "The share of units whose activation is flat for every sample.",
           title="share of dead units", unit="share of dead units", scale="share", format="decimals"),
    Column("cosine", "number", Of.TRAINING,
           "The smallest cosine to the exact gradient during training.",
           title="smallest cosine to the exact gradient", unit="smallest cosine to the exact gradient",
           format="decimals"),
    Column("cosine_per_sample", "number", Of.TRAINING,
           "The smallest mean, over samples, of the cosine of a sample's own gradient to the exact one.",
           title="smallest cosine of single samples' gradients",
           unit="smallest mean cosine of single samples' gradients", format="decimals"),
    Column("saturated_outputs", "number", Of.TRAINING,
           "The share of outputs at an end of their range, as at 0 or 1, in the last batch.",
           title="share of saturated outputs", unit="share of saturated outputs", scale="share",
           format="decimals"),
    Column("kink_hits", "whole", Of.TRAINING,
           "How many hidden pre-activations were exactly on a kink, over all steps.",
           title="pre-activations on a kink", unit="pre-activations on a kink, over all steps",
           format="whole"),
    Column("expected_kink_hits", "number", Of.TRAINING,
           "How many are expected by the density of pre-activations and the spacing of numbers at zero.",
           title="expected pre-activations on zero", unit="expected pre-activations on zero, over all steps"),
    Column("first_kink_hit", "whole", Of.TRAINING, "The first step at which one was.",
           title="first step on a kink", unit="first step on a kink", null="never", format="whole"),
    Column("verdict_changes", "whole", Of.TRAINING,
           "How often the verdict of `training.check_every` changed.",
           title="changes of the verdict", unit="changes of the verdict", format="whole"),
    Column("last_verdict", "text", Of.TRAINING, "The last of these verdicts.", categories=True),
    Column("evaluations", "whole", Of.CHECK, "How often the user's function was evaluated."),
    Column("notes", "text", Of.CHECK, "Remarks on the user's function.", heading="Notes"),
    Column("traceback", "text", Of.RUN, "Where the cell failed."),
    Column("relative_1e_2", "truth", Of.CHECK,
           "Whether a threshold of 1e-2 on the relative error raises an alarm."),
    Column("relative_1e_4", "truth", Of.CHECK,
           "Whether a threshold of 1e-4 on the relative error raises an alarm."),
    Column("relative_1e_7", "truth", Of.CHECK,
           "Whether a threshold of 1e-7 on the relative error raises an alarm."),
    Column("allclose", "truth", Of.CHECK, "Whether the check of autodiff libraries raises an alarm."),
    Column("quadratic", "truth", Of.CHECK,
           "Whether the smoothness test through five points raises an alarm."),
)  # fmt: skip
"""The columns of `cells` after the cell's id and its settings. The loss at the checked weights is
`loss_value`: `loss` is a setting."""

TENSORS = (
    Column("tensor", "text", Of.CHECK, "The weight tensor, as W1 or b1."),
    Column("size", "whole", Of.CHECK, "How many entries it has."),
    Column("verdict", "text", Of.CHECK, "What the check concludes of its entries."),
    Column("disagreeing", "whole", Of.CHECK, "How many entries disagree."),
    Column("gradient_error", "number", Of.CHECK, "‖a − n‖ / (‖a‖ + ‖n‖) over its entries."),
    Column("excess", "number", Of.CHECK, "The largest difference over its error bound."),
    Column("resolution", "number", Of.CHECK, "The smallest relative error that would have been seen."),
    Column(
        "worst", "text", Of.CHECK, "The entry with the largest excess; the gradients are those of this entry."
    ),
    Column("analytic", "number", Of.CHECK, "The analytic derivative."),
    Column("numerical", "number", Of.CHECK, "The numerical derivative."),
    Column("bound", "number", Of.CHECK, "The error bound of their difference."),
    Column("touched", "whole", Of.CHECK, "How many entries sit on a kink exactly."),
    Column("crossed", "whole", Of.CHECK, "For how many entries the difference straddles a kink."),
)
"""The columns of `tensors` after the cell's id: one row per weight tensor of a checked cell."""

RESULTS = tuple(c.name for c in CELLS)
"""The names of the columns of `cells` that are no settings, in their order."""

BY_NAME = {c.name: c for c in CELLS}


def names_of(columns: Iterable[Column]) -> list[str]:
    """The names of columns."""
    return [c.name for c in columns]
