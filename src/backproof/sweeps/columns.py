"""The columns of the `cells` table beside the settings."""

RESULTS = (
    "status", "error", "verdict", "causes", "cures", "gradient_error", "excess", "worst_parameter",
    "loss_value", "final_loss", "accuracy", "steps_to_threshold", "diverged_at", "seconds", "attempts",
    "command",
)  # fmt: skip
"""The columns of `cells` that follow the cell's id and its settings. The loss at the checked weights is
`loss_value`: `loss` is the axis."""

EXTRA = (
    "cause",
    "planted",
    "named",
    "no_cures",
    "rule_error",
    "noise",
    "fault_size",
    "parameters",
    "disagreeing",
    "touched",
    "crossed",
    "outside_domain",
    "saturated",
    "clip_active",
    "dead_units",
    "cosine",
    "evaluations",
    "notes",
    "traceback",
    "relative_1e_2",
    "relative_1e_4",
    "relative_1e_7",
    "allclose",
    "quadratic",
)
"""Further columns: the first cause's name, the cause that was planted and whether it is among those named,
what did not cure, errors apart from the precision's noise, the largest relative change by a planted fault,
counts of parameters, shares of outputs and units, smallest cosine to the gradient, of functions from outside
the evaluations and remarks, of cells that failed where they did, and with check.rivals which other tests
would raise an alarm."""

TEXTS = (
    "status",
    "error",
    "verdict",
    "cause",
    "planted",
    "causes",
    "cures",
    "no_cures",
    "worst_parameter",
    "notes",
    "traceback",
    "command",
)
WHOLE = (
    "steps_to_threshold",
    "diverged_at",
    "attempts",
    "parameters",
    "disagreeing",
    "touched",
    "crossed",
    "evaluations",
)
TRUTHS = ("named", "relative_1e_2", "relative_1e_4", "relative_1e_7", "allclose", "quadratic")

TENSORS = {
    "tensor": "object",
    "size": "Int64",
    "verdict": "object",
    "disagreeing": "Int64",
    "gradient_error": "float64",
    "excess": "float64",
    "worst": "object",
    "analytic": "float64",
    "numeric": "float64",
    "budget": "float64",
    "touched": "Int64",
    "crossed": "Int64",
}
"""The columns of `tensors` after the cell's id, with their types; the worst parameter has both gradients."""
