"""Kill a sweep at random moments, in every way there is, and start it again until everything is there.

After every death no finished row may have vanished or changed, not even in the seconds that it took; no
file under its final name may be half written; at the end all tables have an undisturbed run's bits.
"""

from __future__ import annotations

import os
import random
import signal
import time
from argparse import Namespace
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from subprocess import TimeoutExpired
from tempfile import TemporaryDirectory
from typing import Any

import trial
from trial import Program

LONGEST = 5.0
"""Seconds until the next blow: from 0, so that some hit a program that is still starting, and enough for
some to hit one that writes its report."""

WAYS = {"worker": 5, "parent": 3, "all": 2, "power": 2, "interrupt": 2, "terminal": 2, "twice": 2}
"""How it is hit, and how often. `worker`, `parent`, `all`: SIGKILL, which `power` follows with what a power
cut leaves at the end of the journal. `interrupt`: SIGINT to the parent, `terminal` to all processes, as
Ctrl-C does; `twice`: another one soon after."""

LEFT = (130, -signal.SIGINT)
"""Exit statuses after an interrupt; the second where Python itself was still starting."""


@dataclass
class Tally:
    """What happened, and what must not happen."""

    blows: Counter[str] = field(default_factory=Counter)
    midway: int = 0
    runs: int = 0
    sweeps: int = 0
    cells: int = 0
    lost: int = 0
    recomputed: int = 0
    half_written: list[str] = field(default_factory=list)
    killed: list[str] = field(default_factory=list)
    surprises: list[str] = field(default_factory=list)
    orphans: int = 0

    @property
    def kills(self) -> int:
        """How many blows there were."""
        return self.blows.total()

    def wrong(self) -> dict[str, Any]:
        """What must not have happened, but did."""
        names = ("lost", "recomputed", "half_written", "killed", "surprises")
        return {name: getattr(self, name) for name in names if getattr(self, name)}

    def __str__(self) -> str:
        ways = ", ".join(f"{n} {way}" for way, n in self.blows.most_common())
        wrong = "; ".join(f"{name}: {what}" for name, what in self.wrong().items()) or "nothing"
        return (
            f"{self.kills} kills ({ways}), {self.midway} of them with some but not all rows there;"
            f" {self.runs} runs of {self.sweeps} sweeps, {self.cells} cells each;"
            f" rows lost {self.lost}, recomputed {self.recomputed}; processes left behind by dead parents {self.orphans}; wrong: {wrong}"
        )


def torture(folder: Path, kills: int, seeds: int, steps: int, seed: int = 0) -> Tally:
    """Sweeps of six cells a seed, hit `kills` times in all.

    Raises:
        AssertionError: if a final table differs from an undisturbed run's.
    """
    rng, tally = random.Random(seed), Tally()
    grid = ("sweep", *trial.MIXED, f"training.steps={steps}", f"seed=range(0,{seeds})")
    trial.home(folder)
    status, said = trial.run(folder, *grid, "name=undisturbed")
    assert status == 0, said
    expected = trial.tables(folder / "results" / "undisturbed")
    tally.cells = len(expected[0])
    while tally.kills < kills:
        name = f"number-{tally.sweeps}"
        _until_all_is_there(folder, (*grid, f"name={name}"), folder / "results" / name, kills, rng, tally)
        tally.sweeps += 1
        trial.assert_same(trial.tables(folder / "results" / name), expected)
    return tally


def _until_all_is_there(
    folder: Path, command: tuple[str, ...], results: Path, kills: int, rng: random.Random, tally: Tally
) -> None:
    known: dict[str, tuple[Any, ...]] = {}
    status, before = None, None
    while status != 0:
        program = Program.start(folder, *command)
        try:
            tally.runs += 1
            blow = _hit(program, results, kills, rng, tally)
            status = program.wait()
            known = _examined(results, known, tally)
            _listened(program, blow, status, tally)
        finally:
            if before:  # what a parent left behind stays until here, in the way of the next one
                tally.orphans += before.end()
            before = program
    before.end()
    tally.killed += [str(row[2]) for row in known.values() if row[1] != "ok"]
    if found := trial.leftovers(results):
        tally.surprises.append(f"left over at the end: {found}")


def _hit(program: Program, results: Path, kills: int, rng: random.Random, tally: Tally) -> str:
    """Strike until the parent is dead or done, or there were enough; the last way."""
    blow = ""
    while tally.kills < kills:
        try:
            program.process.wait(rng.uniform(0, LONGEST))
            return blow
        except TimeoutExpired:
            way = rng.choices(list(WAYS), list(WAYS.values()))[0]
        if not _strike(way, program, results, rng):
            continue
        blow = way
        tally.blows[blow] += 1
        tally.midway += 0 < len(trial.rows(results)) < tally.cells
        if blow != "worker":
            return blow
    return blow


def _strike(way: str, program: Program, results: Path, rng: random.Random) -> bool:
    """Whether there was something to hit."""
    process = program.process
    if way == "worker":
        there = program.workers()
        if there:
            trial.kill(rng.choice(there), signal.SIGKILL)
        return bool(there)
    if way in ("terminal", "all", "power"):
        os.killpg(process.pid, signal.SIGINT if way == "terminal" else signal.SIGKILL)
    else:
        process.send_signal(signal.SIGKILL if way == "parent" else signal.SIGINT)
    if way == "twice":
        time.sleep(rng.uniform(0, 1))
        process.send_signal(signal.SIGINT)
    if way == "power":
        process.wait()
        _torn_write(results, rng)
    return True


def _listened(program: Program, blow: str, status: int, tally: Tally) -> None:
    """What a program may end with after a blow, and that it says nothing that no user should see.

    Raises:
        AssertionError: if it ended otherwise, and so would for ever.
    """
    expected = {"": (0,), "worker": (0,), **dict.fromkeys(("parent", "all", "power"), (-signal.SIGKILL,))}
    assert status in expected.get(blow, (0, *LEFT)), f"after {blow}: status {status}, {program.said}"
    if "Traceback" in program.said and status != -signal.SIGINT:
        tally.surprises.append(f"after {blow}: {program.said}")


def _torn_write(results: Path, rng: random.Random) -> None:
    """The beginning of a page that was on its way to the journal when the power went."""
    journal = results / "sweep.sqlite-wal"
    if journal.exists() and journal.stat().st_size:
        with journal.open("ab") as file:
            file.write(rng.randbytes(rng.randrange(1, 5000)))


def _examined(results: Path, known: dict[str, tuple[Any, ...]], tally: Tally) -> dict[str, tuple[Any, ...]]:
    """The finished rows; what became of those known before is counted."""
    now = trial.rows(results)
    tally.lost += len(known.keys() - now.keys())
    tally.recomputed += sum(now[cell] != row for cell, row in known.items() if cell in now)
    tally.half_written += trial.half_written(results)
    return now


def main(given: Namespace) -> None:
    """The long version."""
    start = time.monotonic()
    with TemporaryDirectory() as folder:
        tally = torture(Path(folder), given.kills, seeds=60, steps=300, seed=given.seed)
    print(f"{tally}\nall tables have the bits of an undisturbed run ({time.monotonic() - start:.0f} s)")
    if tally.wrong():
        raise SystemExit(1)
