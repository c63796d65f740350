"""What sweeps cost as they grow: planning, computing, and writing tables and report, in time and memory.

    python tests/benchmarks/scale.py plan [--points 100000 1000000 10000000]
    python tests/benchmarks/scale.py sweep [--cells 10000 100000] [--jobs 2]
    python tests/benchmarks/scale.py parent [--cells 20000]

`plan` goes through grids of so many points. `sweep` checks every parameter of a 2-2-2 network in so many
cells, writes tables and report, and prints of each part the seconds, the parent's processor time, and its
memory. `parent` computes the smallest cells once, packs them as workers do and enters them: the processor
time that a cell costs the sweep's own process on its way out and back, the engine's transport left out.
"""

from __future__ import annotations

import argparse
import json
import os
import pickle
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ACTIVATIONS = "relu,tanh,sigmoid,identity,elu,silu,gelu,softplus,relu6,hard_tanh"
SCALES = "0.1,0.2,0.3,0.4,0.5,0.6,0.7,0.8,0.9,1.0"
SMALLEST = (
    "data=xor", "network.hidden=[2]", "training=none", "check.cures=0", "output=sigmoid", "delta=exact",
    f"activation={ACTIVATIONS}", f"network.init_scale={SCALES}",
)  # fmt: skip


def grid(cells: int) -> tuple[str, ...]:
    """A grid of so many of the smallest cells that are checked."""
    return (*SMALLEST, f"seed=range(0,{cells // 100})")


class Meter:
    """Time, processor time and memory of this process, from one moment to the next."""

    def __init__(self) -> None:
        self.parts: dict[str, dict[str, float]] = {}
        self.workers = 0.0
        self._start()

    def _start(self) -> None:
        self.wall, self.processor = time.perf_counter(), time.process_time()

    def end(self, part: str) -> None:
        """A part has ended."""
        self.parts[part] = {
            "seconds": time.perf_counter() - self.wall,
            "processor": time.process_time() - self.processor,
            "memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        }
        self._start()


def planned(points: int) -> dict[str, object]:
    """A grid gone through."""
    from backproof.requests import Request
    from backproof.session import Session

    meter = Meter()
    found = Session().plan(Request(grid(points)))
    meter.end("plan")
    assert found.to_run == points
    return {"cells": points, **meter.parts}


def of_children() -> float:
    """Processor time of the processes that this one has started, ended ones included, in seconds."""
    ended, ticks = resource.getrusage(resource.RUSAGE_CHILDREN), 0
    for number in Path(f"/proc/self/task/{os.getpid()}/children").read_text().split():
        ticks += sum(map(int, Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[11:13]))
    return ended.ru_utime + ended.ru_stime + ticks / os.sysconf("SC_CLK_TCK")


def swept(cells: int, jobs: int) -> dict[str, object]:
    """A sweep, its parts measured apart."""
    from backproof import session
    from backproof.requests import Request

    meter, write = Meter(), session._write_report
    compute = session.Session._run

    def measured_report(store, folder):  # type: ignore[no-untyped-def]
        meter.end("compute")
        meter.workers = of_children()
        page = write(store, folder)
        meter.end("report")
        return page

    def measured_run(*given):  # type: ignore[no-untyped-def]
        meter.end("plan")
        compute(*given)

    session._write_report, session.Session._run = measured_report, measured_run  # type: ignore[method-assign]
    session.Session().sweep(Request((*grid(cells), f"engine.jobs={jobs}"), name="measured"))
    size = sum(path.stat().st_size for path in Path("results/measured").rglob("*") if path.is_file())
    return {"cells": cells, **meter.parts, "workers": meter.workers, "bytes": size}


def parents_share(cells: int) -> dict[str, object]:
    """What the sweep's own process does with cells, the engine's transport left out."""
    from backproof.sweeps.composition import composed
    from backproof.sweeps.shards import Packed
    from backproof.sweeps.store import Store
    from backproof.sweeps.tasks import tasks_from
    from backproof.sweeps.workers import compute_here

    found = composed(grid(cells)).grid()
    with Store(Path("results/parent")) as store:
        store.announce(found.listed())
        start = time.process_time()
        store.plan_work(retry_failed=False)
        tasks = list(tasks_from(store.todo()))
        sent = [pickle.dumps(task.cases) for task in tasks]
        out = time.process_time() - start
        start = time.process_time()
        answers = [pickle.dumps(compute_here(pickle.loads(each))) for each in sent]
        work = time.process_time() - start
        start = time.process_time()
        for each in answers:
            answer: Packed = pickle.loads(each)
            store.add(answer)
        back = time.process_time() - start
    return {"cells": cells, "tasks": len(tasks), "out": out, "work": work, "back": back}


def in_process(*words: object) -> dict[str, object]:
    """One measurement in a process and a folder of its own."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, str(Path(__file__).resolve()), "--task", *map(str, words)]
        done = subprocess.run(command, cwd=folder, stdout=subprocess.PIPE, text=True, check=True)
        return dict(json.loads(done.stdout.splitlines()[-1]))


def line(found: dict[str, object]) -> None:
    """One measurement in a line."""
    cells = int(str(found["cells"]))
    words = [f"{cells:>10,} cells"]
    for part, values in found.items():
        if isinstance(values, dict):
            each = 1e6 * values["processor"] / cells
            words.append(
                f"{part} {values['seconds']:.1f} s, {each:.0f} µs of the parent's processor a cell,"
                f" {values['memory']:.0f} MiB"
            )
    if "bytes" in found:
        size, work = float(str(found["bytes"])), float(str(found["workers"]))
        words.append(f"{size / cells:.0f} bytes a cell; workers {1e6 * work / cells:.0f} µs a cell")
    if "out" in found:
        out, work, back = (1e6 * float(str(found[key])) / cells for key in ("out", "work", "back"))
        words.append(
            f"in {found['tasks']} tasks; out {out:.1f} µs, back {back:.1f} µs a cell; its work {work:.0f} µs:"
            f" one such process keeps {work / (out + back):.0f} workers busy"
        )
    print("; ".join(words), flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("what", nargs="?", choices=["plan", "sweep", "parent"], default="sweep")
    parser.add_argument("--points", type=int, nargs="+", default=[100_000, 1_000_000, 10_000_000])
    parser.add_argument("--cells", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--task", nargs="+", help=argparse.SUPPRESS)
    given = parser.parse_args()
    TASKS = {"plan": planned, "sweep": swept, "parent": parents_share}
    if given.task:
        print(json.dumps(TASKS[given.task[0]](*map(int, given.task[1:]))))  # type: ignore[operator]
    elif given.what == "plan":
        for number in given.points:
            line(in_process("plan", number))
    else:
        for number in given.cells:
            line(in_process(given.what, number, *([given.jobs] if given.what == "sweep" else [])))
