"""A multirun of a thousand cells that do nothing, beside Hydra with its joblib launcher; whole processes.

The peer is a Hydra program that returns at once, 1,000 seeds, two jobs. backproof's cells make a network of
three units on four samples and neither check nor train it; grid, engine, store and tables are included. The
report is told apart, since the peer has none.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from rounds import alternate, heading, line, ratios

CELLS = 1_000
PEER = """
import hydra
from omegaconf import DictConfig

@hydra.main(version_base=None, config_path=None)
def main(config: DictConfig) -> None:
    return None

main()
"""
WITHOUT_REPORT = """
from backproof.interfaces.cli import main
from backproof.reports import results
results.write_results = lambda *_: ()
raise SystemExit(main())
"""
LAUNCHER = [
    "hydra/launcher=joblib",
    "hydra.launcher.n_jobs=2",
    "hydra.sweep.dir=out",
    "hydra.job.chdir=False",
]
NOTHING = ["data=xor", "network.hidden=[3]", "check=none", "training=none", "name=empty", "engine.jobs=2"]


def main(rounds: int) -> None:
    heading(
        f"A multirun of {CELLS:,} cells that do nothing, whole process: how many times slower than backproof"
    )
    seeds = f"seed=range(0,{CELLS})"

    def process(*command: str) -> None:
        with tempfile.TemporaryDirectory() as folder:
            Path(folder, "peer.py").write_text(PEER)
            subprocess.run([sys.executable, *command], cwd=folder, check=True, capture_output=True)

    works = {
        "backproof": lambda: process("-c", WITHOUT_REPORT, "sweep", *NOTHING, "-m", seeds),
        "backproof, report included": lambda: process("-m", "backproof", "sweep", *NOTHING, "-m", seeds),
        "hydra-joblib-launcher, 2 jobs": lambda: process("peer.py", "-m", f"+{seeds}", *LAUNCHER),
    }
    times = alternate(works, min(rounds, 3))
    for name in works:
        asked = "at least 60" if "hydra" in name else ""
        line(f"{CELLS:,} cells", name, times[name], ratios(times, name, "backproof"), asked)
