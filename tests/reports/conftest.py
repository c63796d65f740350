"""A small table of cells, made by hand, so that every figure and claim has a known answer."""

import itertools

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from backproof.sweeps.columns import RESULTS, TENSORS, names_of


def row(**given):
    blank = dict.fromkeys(RESULTS)
    return {
        **blank, "status": "ok", "check": "full", "training": "sgd", "seed": 0, "attempts": 1,
        "verdict": "agrees", "gradient_error": 1e-10, "excess": 0.5, "final_loss": 0.5, "accuracy": 0.9,
        "steps_to_threshold": 10, "command": "backproof check", **given,
    }  # fmt: skip


@pytest.fixture
def cells():
    """activation × loss × clip.eps × seed; squared error has no eps; tanh with cross entropy is wrong."""
    rows = []
    for activation, loss, seed in itertools.product(
        ("relu", "tanh"), ("squared_error", "binary_cross_entropy"), range(3)
    ):
        for eps in (1e-7, 1e-3) if loss == "binary_cross_entropy" else (None,):
            wrong = activation == "tanh" and loss == "binary_cross_entropy"
            rows.append(
                row(
                    cell=f"{len(rows):08x}",
                    activation=activation,
                    loss=loss,
                    **{"clip.eps": eps},
                    seed=seed,
                    verdict="incorrect gradient" if wrong else "agrees",
                    gradient_error=0.5 + seed / 10 if wrong else 10.0 ** (-10 - seed),
                    accuracy=0.8 + seed / 100,
                )
            )
    table = pd.DataFrame(rows)
    for name in ("steps_to_threshold", "diverged_at", "seed"):
        table[name] = table[name].astype("Int64")
    for name in ("clip.eps", "loss_value", "final_loss", "gradient_error", "excess"):
        table[name] = table[name].astype(float)
    settings = ["activation", "loss", "clip.eps", "check", "training", "seed"]
    return table[["cell", *settings, *RESULTS]]


@pytest.fixture
def curves(cells):
    parts = [
        pd.DataFrame({"cell": c, "series": s, "step": np.arange(30), "value": np.linspace(3, 1, 30)})
        for c in cells["cell"]
        for s in ("loss", "accuracy", "cosine")
    ]
    return pa.Table.from_pandas(pd.concat(parts), preserve_index=False)


@pytest.fixture
def tensors(cells):
    """Two tensors a cell."""
    two = [("W1", 12), ("b1", 3)]
    rows = [
        {"cell": c, "tensor": name, "size": size, "verdict": "agrees", "gradient_error": 1e-10}
        for c in cells["cell"]
        for name, size in two
    ]
    return pd.DataFrame(rows, columns=["cell", *names_of(TENSORS)])
