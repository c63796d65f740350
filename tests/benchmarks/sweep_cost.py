"""What a cell costs beside its own arithmetic: grid, engine and store, over sweeps of growing size.

    python tests/benchmarks/sweep_cost.py [--quick]

Cells are tiny (xor, three hidden units, no check, no training), so that the cost is the harness's own.
Each figure is the best of a few processes of their own, without the report. Start-up, which is taken off
before the cost of a cell is worked out, is a sweep over the same axes with a single seed.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SIZES = (100, 1_000, 5_000, 20_000)
WORKERS = (1, 2)
PLANNED = 10_000

PER_SEED = 14
"""Distinct cells a seed in the grid below: a derivative at zero matters to two of the five activations."""

TINY = ["data=xor", "network.hidden=[3]", "check=none", "training=none"]


def grid(cells: int) -> list[str]:
    """A grid of that many cells, over groups and values as in real sweeps."""
    axes = ["activation=relu,leaky_relu,elu,silu,gelu", "relu_at_zero=0.0,1.0", "delta=exact,canonical"]
    return [*TINY, "output=sigmoid", *axes, f"seed=range(0,{round(cells / PER_SEED)})"]


def best(task: str, cells: int, workers: int) -> dict[str, float]:
    """The fastest of a few measurements; of one where it is long."""
    found = [measured(task, cells, workers) for _ in range(3 if cells <= 1_000 else 1)]
    return min(found, key=lambda m: m["wall"])


def measured(task: str, cells: int, workers: int) -> dict[str, float]:
    """One task in a fresh process: its seconds and peak memory."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, __file__, "--task", task, "--cells", str(cells), "--workers", str(workers)]
        start = time.perf_counter()
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
        return {**json.loads(done.stdout.splitlines()[-1]), "wall": time.perf_counter() - start}


def perform(task: str, cells: int, workers: int) -> None:
    """Sweep or plan in this process, and print what was used."""
    from backproof import commands
    from backproof.cli import main

    commands._write_results = lambda *_: None  # the report is measured elsewhere
    engine = [f"engine={'serial' if workers == 1 else 'loky'}", f"engine.jobs={workers}"]
    status = main([task, *grid(cells), *engine])
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    size = sum(p.stat().st_size for p in Path("results").rglob("*") if p.is_file())
    memory, child = (u.ru_maxrss / 1024 for u in usages)
    print(json.dumps({"status": status, "memory": memory, "child": child, "stored": size / 2**20}))


def table(sizes: tuple[int, ...], planned: int) -> None:
    """All measurements, a line each as they come."""
    print("task   workers    cells   seconds  ms a cell  peak MiB  of a worker  store MiB")
    for workers in WORKERS:
        start_up = best("sweep", PER_SEED, workers)["wall"]
        print(f"start  {workers:7} {PER_SEED:8} {start_up:9.2f}", flush=True)
        for cells in sizes:
            found = best("sweep", cells, workers)
            each = 1000 * (found["wall"] - start_up) / (cells - PER_SEED)
            print(
                f"sweep  {workers:7} {cells:8} {found['wall']:9.2f} {each:10.3f} {found['memory']:9.0f}"
                f" {found['child']:12.0f} {found['stored']:10.1f}",
                flush=True,
            )
    found = best("plan", planned, 1)
    print(f"plan   {1:7} {planned:8} {found['wall']:9.2f} {'':10} {found['memory']:9.0f}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a few sizes, in under a minute")
    parser.add_argument("--task", help=argparse.SUPPRESS)
    parser.add_argument("--cells", type=int, default=1, help=argparse.SUPPRESS)
    parser.add_argument("--workers", type=int, default=1, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.task:
        perform(given.task, given.cells, given.workers)
    elif given.quick:
        table(SIZES[:2], 1_000)
    else:
        table(SIZES, PLANNED)
