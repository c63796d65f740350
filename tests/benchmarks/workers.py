"""What a second worker gains on a sweep of 20 seconds or more, beside what a second core gains at all.

The second core's own gain is that of two copies of a plain NumPy loop over one, in the same run: on a shared
machine it is not two. Every sweep is a process of its own, its report left out.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor

from multirun import WITHOUT_REPORT
from rounds import alternate, heading, ratios, shown

LOOP = """
import numpy as np
x = np.random.default_rng(0).standard_normal(1 << 14)
for _ in range(150_000):
    np.tanh(x)
"""
SWEEP = [
    "data=digits", "network.hidden=[48]", "check=full", "training=none", "name=measured",
    "activation=relu,tanh,elu,gelu", "output=sigmoid,softmax",
    "loss=binary_cross_entropy,categorical_cross_entropy",
    "delta=exact,y_minus_t", "seed=range(0,120)",
]  # fmt: skip


def sweep(jobs: int) -> None:
    """The whole process of a sweep, on one worker or on two."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-c", WITHOUT_REPORT, "sweep", "-m", *SWEEP, f"engine.jobs={jobs}"]
        subprocess.run(command, cwd=folder, check=True, capture_output=True)


def loops(copies: int) -> None:
    """Plain loops, a process each, side by side."""
    with ThreadPoolExecutor(copies) as pool:
        command = [sys.executable, "-c", LOOP]
        running = [pool.submit(subprocess.run, command, check=True) for _ in range(copies)]
        for done in running:
            done.result()


def main(rounds: int) -> None:
    heading("A second worker")
    works = {
        "sweep, 1 worker": lambda: sweep(1),
        "sweep, 2 workers": lambda: sweep(2),
        "one loop": lambda: loops(1),
        "two loops": lambda: loops(2),
    }
    times = alternate(works, min(rounds, 3))
    ours = ratios(times, "sweep, 1 worker", "sweep, 2 workers")
    bare = [2 * r for r in ratios(times, "one loop", "two loops")]
    for name, each in times.items():
        print(f"{name:20} {shown(each)} s")
    print(f"a second worker gains   × {shown(ours)}")
    print(f"a second core gains     × {shown(bare)}")
    print(f"share of that           {shown([a / b for a, b in zip(ours, bare, strict=True)])}   at least 0.9")
