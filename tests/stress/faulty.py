"""Ten cells that end in every bad way, among five hundred."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from pathlib import Path

from misbehaving import BAD

from backproof.sweeps.store import read_only

HOW = (
    "exit", "segfault", "killed", "memory", "loop", "compiled", "raises", "text", "shape", "interrupt",
)  # fmt: skip

EXPERIMENT = """
overrides:
  subject: function
  subject._target_: bad.f
  subject.start: bad.start
grid:
  - seed: range(0, {fine})
    ++subject.how: [fine]
  - seed: [0]
    ++subject.how: [{how}]
"""


def faulty(folder: Path, fine: int = 490) -> dict[str, object]:
    """Run them; how many of the good cells are there, and what became of the bad."""
    (folder / "bad.py").write_text(BAD)
    (folder / "experiments").mkdir()
    (folder / "experiments" / "faulty.yaml").write_text(EXPERIMENT.format(fine=fine, how=", ".join(HOW)))
    command = [sys.executable, "-m", "backproof", "sweep", "experiment=faulty", "engine.timeout=5"]
    ended = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=600)
    with read_only(folder / "results" / "faulty") as store:
        cells = store.cells(pending=True)
    bad = cells["subject.how"] != "fine"
    return {
        "status": ended.returncode,
        "good": int((cells.loc[~bad, "verdict"] == "agrees").sum()),
        "bad": dict(Counter(cells.loc[bad, "status"])),
        "without a reason": int(cells.loc[bad, "error"].isna().sum()),
        "traceback": "Traceback" in ended.stderr,
        "report": (folder / "results" / "faulty" / "report.html").is_file(),
    }
