"""One sweep, killed and started again until it is there; also on a Dask cluster, whose processes are too."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd
from dask_processes import dask_scheduler

from backproof.errors import ConfigurationError, ExitStatus
from backproof.sweeps.store import Store, read_only

MINE = """
import numpy as np

def start(seed):
    return np.linspace(-1, 1, 20) + seed

def f(w, power=2, seed=0):
    return (w**power).sum(), power * w ** (power - 1)
"""

NETWORKS = (
    "data=xor", "network.hidden=[6]", "training=momentum", "training.steps=40", "delta=exact,y_minus_t",
    "output=sigmoid,relu", "fault=none,sign", "precision=float32,float64", "seed=range(0,{seeds})",
    "name=kills",
)  # fmt: skip
FUNCTIONS = (
    "subject=function", "subject._target_=mine.f", "subject.start=mine.start", "subject.power=2,3,4",
    "seed=range(0,{seeds})", "name=kills",
)  # fmt: skip

ALIKE = ["seconds", "attempts"]
"""Columns that may differ between two runs."""


class Cluster:
    """A Dask cluster of two workers, started again once it has lost its scheduler."""

    def __init__(self) -> None:
        self.address, self.scheduler, self._stack = "", 0, ExitStack()

    def words(self) -> tuple[str, ...]:
        """The overrides of a sweep on it."""
        if not self.scheduler or b"dask_scheduler" not in cmdline(self.scheduler):
            self.close()
            self.address, process = self._stack.enter_context(dask_scheduler(2))
            self.scheduler = process.pid
        return "engine=dask", f"engine.address={self.address}"

    def workers(self) -> list[int]:
        """The processes that compute; each has another beside it, which starts it again."""
        numbers = [int(path.name) for path in Path("/proc").glob("[0-9]*")]
        nannies = [n for n in numbers if self.address.encode() in cmdline(n) and b"dask_worker" in cmdline(n)]
        return [number for nanny in nannies for number in of_session(nanny) if number != nanny]

    def close(self) -> None:
        """End it."""
        self._stack.close()
        self.scheduler = 0


@dataclass
class Kills:
    """A sweep's folder, and what was counted of its life."""

    folder: Path
    seed: int
    cluster: Cluster | None = None
    done: Counter[str] = field(default_factory=Counter)
    lost: int = 0
    again: int = 0
    left_behind: int = 0
    silent: int = 0
    tracebacks: list[str] = field(default_factory=list)

    def run(
        self, kills: int, seeds: int = 40, longest: float = 3.0, *, dask: bool = False
    ) -> dict[str, object]:
        """Kill until so many kills are done, clearing the store whenever the sweep is complete."""
        draw, rounds, cluster = random.Random(self.seed), 0, Cluster()
        kinds = [(NETWORKS, None), (FUNCTIONS, None), *([(NETWORKS, cluster)] if dask else [])]
        with closing(cluster):
            while self.done.total() < kills:
                rounds += 1
                for arguments, self.cluster in kinds:
                    folder = self.folder / f"round-{rounds}{'-dask' if self.cluster else ''}"
                    while self.done.total() < kills and not self._complete(
                        folder, arguments, seeds, draw, longest
                    ):
                        pass
                    self._finish(folder, arguments, seeds)
                    self._compare(folder, arguments, seeds)
                    print(self._counted(rounds), file=sys.stderr, flush=True)
        return {**dict(sorted(self.done.items())), **self._counted(rounds), "tracebacks": self.tracebacks}

    def _counted(self, rounds: int) -> dict[str, object]:
        return {"kills": self.done.total(), "rounds": rounds, "lost": self.lost,
                "computed again": self.again, "left behind": self.left_behind,
                "neither report nor line": self.silent, "with a traceback": len(self.tracebacks)}  # fmt: skip

    def _start(self, folder: Path, arguments: tuple[str, ...], seeds: int) -> subprocess.Popen[bytes]:
        folder.mkdir(exist_ok=True)
        (folder / "mine.py").write_text(MINE)
        words = [a.format(seeds=seeds) for a in arguments]
        words += self.cluster.words() if self.cluster else ["engine.jobs=2"]
        return subprocess.Popen(
            [sys.executable, "-m", "backproof", "sweep", "-m", *words],
            cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True,
        )  # fmt: skip

    def _complete(
        self, folder: Path, arguments: tuple[str, ...], seeds: int, draw: random.Random, longest: float
    ) -> bool:
        """Start it, disturb it at random moments, and look at what is left; whether it was complete."""
        before = self._finished(folder)
        process = self._start(folder, arguments, seeds)
        words = b""
        try:
            while process.poll() is None:
                time.sleep(draw.uniform(0.2, longest))
                if process.poll() is not None:
                    break
                if self._attack(process, draw):
                    _, words = process.communicate(timeout=120)
            words = words or process.communicate(timeout=120)[1]
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
        self._look(folder, before)
        self.left_behind += not none_left(process.pid)
        graceful = process.returncode in (0, 1, ExitStatus.INTERRUPTED)
        killed = process.returncode == -signal.SIGKILL or (process.returncode < 0 and not words)  # too early
        if b"Traceback" in words or not (graceful or killed):
            self.tracebacks.append(f"{process.returncode}: {words[-300:].decode(errors='replace')}")
            print(process.returncode, words.decode(errors="replace"), file=sys.stderr, flush=True)
        if graceful and before and not (folder / "results" / "kills" / "report.html").exists():
            self.silent += b"interrupted" not in words and b"left" not in words
        return process.returncode == 0

    def _attack(self, process: subprocess.Popen[bytes], draw: random.Random) -> bool:
        """Do something to it; whether that should end it."""
        who = draw.choice(["parent", "worker", "worker", "all", *(["scheduler"] if self.cluster else [])])
        how = draw.choice([signal.SIGKILL, signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGSTOP])
        if who == "worker":
            workers = self.cluster.workers() if self.cluster else children(process.pid)
            if workers:
                self._send(draw.choice(workers), how, draw)
                self.done[f"{how.name} to a {'Dask ' if self.cluster else ''}{who}"] += 1
            return False
        if who == "scheduler" and self.cluster:
            self.done[f"{how.name} to a Dask scheduler"] += 1
            self._send(self.cluster.scheduler, how, draw)
            return how is signal.SIGKILL
        self.done[f"{how.name} to {who}"] += 1
        if who == "all":
            for number in of_session(process.pid):
                self._send(number, how, draw)
        else:
            self._send(process.pid, how, draw)
            if how is signal.SIGINT and draw.random() < 0.5:  # twice
                time.sleep(draw.uniform(0, 0.3))
                self._send(process.pid, how, draw)
        return how is not signal.SIGSTOP

    def _send(self, number: int, how: signal.Signals, draw: random.Random) -> None:
        """A signal; what is stopped goes on after a while."""
        with suppress(ProcessLookupError):
            os.kill(number, how)
            if how is signal.SIGSTOP:
                time.sleep(draw.uniform(0, 0.5))
                os.kill(number, signal.SIGCONT)

    def _finished(self, folder: Path) -> dict[str, tuple[float, int]]:
        try:
            with read_only(folder / "results" / "kills") as store:
                rows = store.db.execute("SELECT id, seconds, attempts FROM cells JOIN results USING (cell)")
                return {cell: (seconds, attempts) for cell, seconds, attempts in rows}
        except ConfigurationError:  # killed before there was a store
            return {}

    def _look(self, folder: Path, before: dict[str, tuple[float, int]]) -> None:
        after = self._finished(folder)
        self.lost += sum(cell not in after for cell in before)
        self.again += sum(cell in after and after[cell] != row for cell, row in before.items())
        results = folder / "results" / "kills"
        for name in ("cells", "curves", "tensors"):
            if (results / f"{name}.parquet").exists():
                pd.read_parquet(results / f"{name}.parquet")
        if (results / "report.html").exists():
            assert (results / "report.html").read_text().rstrip().endswith("</html>")

    def _finish(self, folder: Path, arguments: tuple[str, ...], seeds: int) -> None:
        before = self._finished(folder)
        self._run(folder, arguments, seeds)
        self._look(folder, before)

    def _run(self, folder: Path, arguments: tuple[str, ...], seeds: int) -> None:
        """Undisturbed."""
        process = self._start(folder, arguments, seeds)
        _, words = process.communicate(timeout=600)
        assert process.returncode == 0, words.decode(errors="replace")

    def _compare(self, folder: Path, arguments: tuple[str, ...], seeds: int) -> None:
        calm = self.folder / f"calm-{arguments[0]}"
        if not calm.exists():
            self._run(calm, arguments, seeds)
        for one, other in zip(tables(folder), tables(calm), strict=True):
            pd.testing.assert_frame_equal(one, other, check_exact=True)


def tables(folder: Path) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Cells, curves and tensors of a sweep, without what may differ."""
    with Store(folder / "results" / "kills", readonly=True) as store:
        return store.cells().drop(columns=ALIKE), store.curves().to_pandas(), store.tensors()


def children(pid: int) -> list[int]:
    """Processes that a process has started, loky's workers among them."""
    found = Path(f"/proc/{pid}/task/{pid}/children")
    own = [int(p) for p in found.read_text().split()] if found.exists() else []
    return [p for p in own if b"loky" in cmdline(p) and b"tracker" not in cmdline(p)]


def of_session(leader: int) -> list[int]:
    """The processes of a session, but for what tracks their resources and those that have ended."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            state, _, _, session = (path / "stat").read_text().rpartition(")")[2].split()[:4]
        except (OSError, ValueError):
            continue
        if int(session) == leader and state != "Z" and b"tracker" not in cmdline(int(path.name)):
            found.append(int(path.name))
    return found


def none_left(leader: int, seconds: float = 2.0) -> bool:
    """Whether a session is empty before so many seconds have passed."""
    end = time.monotonic() + seconds
    while of_session(leader):
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True


def cmdline(pid: int) -> bytes:
    """A process's command line; empty where it has ended."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""
