"""Tables of cells at random, with nulls, failures and unequal numbers of replicates."""

import numpy as np
import pandas as pd
import pyarrow as pa

from backproof.sweeps.columns import RESULTS, TENSORS, names_of
from backproof.verdicts.verdict import Verdict

AXES = ["data", "network.init_scale", "activation", "loss", "clip", "clip.eps", "delta", "seed"]
NUMBERS = ["gradient_error", "accuracy", "final_loss", "steps_to_threshold", "diverged_at", "excess"]
CATEGORIES = ["verdict", "cause"]


def random_table(seed, size=600):
    """Cells of a grid, some of it missing; numbers in four digits, as the page holds them."""
    rng = np.random.default_rng(seed)

    def pick(values, null=0.0):
        found = rng.choice(np.array(values, object), size)
        return np.where(rng.random(size) < null, None, found)

    def digits(values):
        return np.array([float(f"{v:.4g}") for v in values])

    def numbers(values, null):
        return np.where(rng.random(size) < null, np.nan, digits(values))

    columns = dict.fromkeys(("cell", *AXES, "check", "training", *RESULTS))
    table = pd.DataFrame({name: [None] * size for name in columns})
    clip = pick(["none", "floor", "shift"])
    table = table.assign(
        **{
            "cell": [f"{i:08x}" for i in range(size)],
            "data": pick(["digits", "xor", "moons"]),
            "network.init_scale": pick([1.0, 16.0, 1234.0, 0.5]).astype(float),
            "activation": pick(["relu", "tanh"]), "loss": pick(["squared_error", "b, c"]), "clip": clip,
            "clip.eps": np.where(clip == "none", np.nan, pick([1e-7, 2.2204460492e-16, 1e-3]).astype(float)),
            "delta": pick(["exact", "y_minus_t"], 0.1), "seed": pick(range(9)),
            "check": pick(["full", "none"]), "training": pick(["sgd", "none"]),
            "status": pick(["ok"] * 12 + ["failed", "excluded", "pending", "timeout"]),
            "verdict": pick([str(v) for v in Verdict][:5], 0.1), "cause": pick(["b", "a", "c"], 0.4),
            "gradient_error": numbers(10.0 ** rng.uniform(-17, 1, size), 0.1),
            "accuracy": numbers(rng.random(size), 0.2), "final_loss": numbers(rng.standard_cauchy(size), 0.2),
            "excess": numbers(10.0 ** rng.normal(size=size), 0.2), "command": "backproof check",
            "attempts": 1,
        }
    )  # fmt: skip
    for name in ("steps_to_threshold", "diverged_at"):
        table[name] = pd.array(np.where(rng.random(size) < 0.4, np.nan, rng.integers(1, 99, size)), "Int64")
    for name in ("seed", "attempts"):
        table[name] = table[name].astype("Int64")
    return table


def no_curves():
    return pa.table({"cell": pa.array([], pa.string()), "series": pa.array([], pa.string()),
                     "step": pa.array([], pa.int64()), "value": pa.array([], pa.float64())})  # fmt: skip


def no_tensors():
    return pd.DataFrame(columns=["cell", *names_of(TENSORS)])


def random_spec(rng):
    """A heatmap that somebody may ask for."""
    axes = list(rng.permutation(AXES[:-1] if rng.random() < 0.9 else AXES))
    rows = [axes.pop() for _ in range(rng.integers(0, 3))]
    columns = [axes.pop() for _ in range(rng.integers(0, 3))]
    facet = [axes.pop()] if rng.random() < 0.3 else []
    categorical = rng.random() < 0.3
    value = str(rng.choice(CATEGORIES if categorical else NUMBERS))
    ways = ["most frequent", "worst"] if categorical else ["median", "mean", "least", "greatest"]
    return {
        "value": value,
        "rows": rows,
        "columns": columns,
        "facet": facet,
        "aggregate": str(rng.choice(ways)),
    }


def random_condition(rng):
    """An expression over the table, of the language of claims."""
    atoms = (
        "activation == 'relu'", "`clip.eps` < 1e-5", "accuracy > 0.5", "data in ['xor', 'moons']",
        "isnull(delta)", "notnull(steps_to_threshold)", "not (loss == 'b, c')", "log10(gradient_error) > -8",
        "verdict != 'agrees'", "abs(final_loss) + 1 <= 2 * seed", "0.2 <= accuracy < 0.9", "seed % 2 == 0",
        "max(accuracy, 0.3) == accuracy", "clip not in ('none',)", "delta == 'exact'",
        "-final_loss ** 2 < -1",
        "`network.init_scale` // 3 == 5", "accuracy / 0 > 1", "cause == 'a'", "verdict == 3",
    )  # fmt: skip
    parts = rng.choice(atoms, rng.integers(1, 4))
    text = parts[0]
    for part in parts[1:]:
        text = f"({text} {rng.choice(['and', 'or'])} {part})"
    return f"not {text}" if rng.random() < 0.2 else str(text)
