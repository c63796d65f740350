"""What short pieces of work cost, commit by commit: in instructions, and in seconds beside another commit.

    python tests/benchmarks/history.py write            count their instructions; add them to the history
    python tests/benchmarks/history.py check            count them; fail at 30 % more than on record
    python tests/benchmarks/history.py show             every count on record, beside the one before
    python tests/benchmarks/history.py compare OLD NEW  seconds of two commits by turns: ratios, NEW / OLD

Instructions are counted by valgrind (`apt-get install valgrind`), on one thread: they are alike from run to
run, whatever else a machine does, so counts of different days can be compared. Seconds cannot: both commits
run by turns. The pieces are those of `short_works.py`, as it is now, for both commits.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path

from rounds import ratios, seconds, shown

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
HISTORY = HERE / "history.jsonl"

LOSS = 0.3
"""The share by which a piece may take more instructions than on record."""

LIBRARIES = ("numpy", "scipy", "pandas", "hydra-core", "pydantic")

ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "PYTHONHASHSEED": "0"}

MARK = "nice"
"""The function of the C library that divides the pieces; `os.nice(0)` calls it and changes nothing."""


def perform() -> None:
    """Each piece once, to warm up, and once between two marks."""
    from short_works import works

    for work in works().values():
        work()
        os.nice(0)
        work()
        os.nice(0)


def counted() -> dict[str, int]:
    """Instructions of each piece, in a process of its own under valgrind."""
    if shutil.which("valgrind") is None:
        raise SystemExit("valgrind is not installed; it counts the instructions (apt-get install valgrind)")
    from short_works import works

    with tempfile.TemporaryDirectory() as name:
        out = Path(name) / "counts"
        valgrind = ["valgrind", "-q", "--tool=callgrind", f"--dump-before={MARK}"]
        command = [*valgrind, f"--callgrind-out-file={out}", sys.executable, __file__, "perform"]
        done = subprocess.run(command, cwd=name, env={**os.environ, **ONE_THREAD}, capture_output=True)
        if done.returncode:
            raise SystemExit(done.stderr.decode()[-2000:])
        # Every second part, from the second on, lies between a piece's two marks.
        return {piece: total_of(Path(f"{out}.{2 * n}")) for n, piece in enumerate(works(), 1)}


def total_of(part: Path) -> int:
    """Instructions of one part of a profile."""
    totals = [line for line in part.read_text().splitlines() if line.startswith("totals:")]
    return int(totals[0].split()[1])


def record() -> dict[str, object]:
    """What is written of a commit."""
    return {
        "commit": git("rev-parse", "--short=9", "HEAD"),
        "date": git("show", "-s", "--format=%cs", "HEAD"),
        "changed": bool(git("status", "--porcelain", "--", "src")),
        "python": ".".join(map(str, sys.version_info[:2])),
        "libraries": {name: version(name) for name in LIBRARIES},
        "instructions": counted(),
    }


def git(*words: str) -> str:
    return subprocess.run(
        ["git", *words], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout.strip()


def on_record() -> list[dict[str, object]]:
    """The history, the oldest first."""
    return [json.loads(line) for line in HISTORY.read_text().splitlines()] if HISTORY.exists() else []


def instructions_of(entry: Mapping[str, object]) -> dict[str, int]:
    found = entry["instructions"]
    assert isinstance(found, dict)
    return found


def losses(before: Mapping[str, int], now: Mapping[str, int], at_most: float = LOSS) -> list[str]:
    """A line for each piece that takes more instructions than it may."""
    return [
        f"{piece}: {now[piece] / 1e6:.1f} million instructions, {now[piece] / before[piece] - 1:+.0%}"
        for piece in now
        if piece in before and now[piece] > (1 + at_most) * before[piece]
    ]


def write() -> None:
    entry = record()
    with HISTORY.open("a") as file:
        file.write(json.dumps(entry) + "\n")
    show()


def check() -> None:
    """Compare with the last entry of the history.

    Raises:
        SystemExit: with a line for each piece that takes more than 30 % more.
    """
    last, now = on_record()[-1], counted()
    before = instructions_of(last)
    for piece, count in now.items():
        change = f"{count / before[piece] - 1:+.1%}" if piece in before else "new"
        print(f"{piece:40} {count / 1e6:10.1f} million instructions  {change} since {last['commit']}")
    here = {name: version(name) for name in LIBRARIES}
    if here != last["libraries"]:
        print(f"with other libraries: {here}; on record: {last['libraries']}")
    lost = losses(before, now)
    if lost:
        raise SystemExit("more instructions than on record:\n" + "\n".join(lost))


def show() -> None:
    """Every count, in millions, and its change since the entry before."""
    before: dict[str, int] = {}
    for entry in on_record():
        print(f"{entry['commit']} {entry['date']}{' and changes' if entry['changed'] else ''}")
        for piece, count in instructions_of(entry).items():
            change = f"{count / before[piece] - 1:+.1%}" if piece in before else ""
            print(f"    {piece:40} {count / 1e6:10.1f}  {change}")
        before = instructions_of(entry)


def perform_timed() -> None:
    """Seconds of a piece each time that its name is read; for `compare`."""
    from short_works import works

    prepared = works()
    for work in prepared.values():
        work()
    print(json.dumps(list(prepared)), flush=True)
    for line in sys.stdin:
        print(seconds(prepared[line.strip()]), flush=True)


def compare(old: str, new: str, rounds: int) -> None:
    """Both commits' pieces by turns, each commit in a process of its own that stays."""
    with tempfile.TemporaryDirectory() as name:
        sides = {}
        for side, commit in (("old", old), ("new", new)):
            folder = Path(name) / side
            git("worktree", "add", "--detach", str(folder), commit)
            environment = {**os.environ, **ONE_THREAD, "PYTHONPATH": str(folder / "src")}
            sides[side] = subprocess.Popen(
                [sys.executable, __file__, "perform-timed"], cwd=name, env=environment, text=True,
                stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            )  # fmt: skip
        try:
            pieces, _ = (json.loads(process.stdout.readline()) for process in sides.values())
            for piece in pieces:
                times = {side: [] for side in sides}
                for _ in range(rounds):
                    for side, process in sides.items():
                        times[side].append(asked(process, piece))
                middle = 1000 * statistics.median(times["new"])
                print(f"{piece:40} {middle:9.2f} ms   × {shown(ratios(times, 'new', 'old'))}", flush=True)
        finally:
            for side, process in sides.items():
                process.communicate()
                git("worktree", "remove", "--force", str(Path(name) / side))


def asked(process: subprocess.Popen[str], piece: str) -> float:
    """The seconds that a side needs for a piece."""
    assert process.stdin and process.stdout
    print(piece, file=process.stdin, flush=True)
    return float(process.stdout.readline())


def main() -> None:
    parser = argparse.ArgumentParser(
        "python tests/benchmarks/history.py",
        description=__doc__,
        formatter_class=argparse.RawTextHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True)
    for name, function in {
        "write": write, "check": check, "show": show, "perform": perform, "perform-timed": perform_timed,
    }.items():  # fmt: skip
        commands.add_parser(name).set_defaults(run=function)
    between = commands.add_parser("compare")
    between.add_argument("old"), between.add_argument("new")
    between.add_argument("--rounds", type=int, default=20)
    given = parser.parse_args()
    if given.command == "compare":
        compare(given.old, given.new, given.rounds)
    else:
        given.run()


if __name__ == "__main__":
    main()
