"""What a cell costs in sweeps of growing size, and what it leaves in memory and on disk.

    python tests/benchmarks/sweep_cost.py [--quick] [--rounds N]

`empty` cells do nothing (xor, three hidden units, no check, no training), so that the cost is the
harness's own: grid, engine, store. `checked` cells check every parameter of a 2-16-2 network. Each
figure is from a process of its own, which runs a few cells first, so that imports and starting
workers are left out; the report is left out too. Sizes are gone through in turn, several rounds, and
the median is printed. Every sweep pays for three Hydra compositions, about 0.3 s, whatever its size.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SIZES = (100, 1_000, 10_000, 50_000)
PLANNED = 10_000
ROUNDS = 3

PER_SEED = 14
"""Distinct cells a seed in the grid below: a derivative at zero matters to two of the five activations."""

KINDS = {
    "empty": ["data=xor", "network.hidden=[3]", "check=none", "training=none"],
    "checked": ["data=moons", "network.hidden=[16]", "check=full", "training=none"],
}


def grid(kind: str, cells: int) -> list[str]:
    """A grid of about that many cells, over groups and values as in real sweeps."""
    axes = ["activation=relu,leaky_relu,elu,silu,gelu", "relu_at_zero=0.0,1.0", "delta=exact,y_minus_t"]
    return [*KINDS[kind], "output=sigmoid", *axes, f"seed=range(0,{round(cells / PER_SEED)})"]


def measured(task: str, kind: str, cells: int, workers: int) -> dict[str, float]:
    """One task in a fresh process: its seconds, cells and peak memory."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, __file__, "--task", task, kind, str(cells), str(workers)]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
        return dict(json.loads(done.stdout.splitlines()[-1]))


def perform(task: str, kind: str, cells: int, workers: int) -> None:
    """Sweep or plan in this process, and print what was used."""
    from backproof.interfaces.cli import main
    from backproof.reports import results

    results.write_results = lambda *_: ()  # the report is measured elsewhere
    engine = ["engine=serial"] if workers == 1 else ["engine=loky", f"engine.jobs={workers}"]
    assert main(["sweep", *grid(kind, 2 * PER_SEED), *engine, "name=warm"]) == 0
    start = time.perf_counter()
    assert main([task, *grid(kind, cells), *engine, "name=measured"]) == 0
    seconds = time.perf_counter() - start
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    size = sum(p.stat().st_size for p in Path("results").glob("measured/*"))
    memory, child = (u.ru_maxrss / 1024 for u in usages)
    count = PER_SEED * round(cells / PER_SEED)
    found = {"seconds": seconds, "cells": count, "memory": memory, "child": child, "stored": size / 2**20}
    print(json.dumps(found))


def table(sizes: tuple[int, ...], planned: int, rounds: int) -> None:
    """All measurements, a line each."""
    print("task   cells are  workers   cells  seconds  ms a cell  spread  peak MiB  worker  store MiB")
    for kind, workers in (("empty", 1), ("checked", 1), ("checked", 2)):
        found: dict[int, list[dict[str, float]]] = {size: [] for size in sizes}
        for _ in range(rounds):
            for size in sizes:
                found[size].append(measured("sweep", kind, size, workers))
        for each in found.values():
            line("sweep", kind, workers, each)
    line("plan", "empty", 1, [measured("plan", "empty", planned, 1) for _ in range(rounds)])


def line(task: str, kind: str, workers: int, found: list[dict[str, float]]) -> None:
    """The median of several measurements, and how far they lie apart."""
    cost = [1000 * m["seconds"] / m["cells"] for m in found]
    middle = statistics.median(cost)
    last = found[-1]
    print(
        f"{task:6} {kind:10} {workers:7} {last['cells']:7}"
        f" {middle * last['cells'] / 1000:8.2f} {middle:10.3f}"
        f" {(max(cost) - min(cost)) / middle:7.0%} {last['memory']:9.0f} {last['child']:7.0f}"
        f" {last['stored']:10.1f}",
        flush=True,
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="small sizes, one round, in a minute")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--task", nargs=4, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.task:
        perform(given.task[0], given.task[1], int(given.task[2]), int(given.task[3]))
    elif given.quick:
        table(SIZES[:2], 1_000, 1)
    else:
        table(SIZES, PLANNED, given.rounds)
