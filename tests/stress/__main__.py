"""A sweep under attack: processes killed at random moments, and a disk that fills.

    python tests/stress [kills] [disk] [commands] [experiments] [reproduction] [faulty] [engines]
        [--kills N] [--commands N] [--experiments N] [--cells N] [--seed S]

`kills` runs sweeps while KILL, TERM, HUP, INT or STOP hit the parent, a worker, all of them or a Dask
cluster's scheduler, also while figures are drawn; it counts rows that were lost or computed again, processes
left behind after 2 s and ends with neither a report nor a line, and compares the last tables with an
undisturbed run's. `disk` runs one in
2 MB, and goes on from there with more. `commands` tries command lines that are almost right, and
`experiments` such files. `faulty` runs five hundred cells of which ten end in every bad way, and `engines`
one sweep in one, two and four processes, in threads and on a Dask cluster. The tests run a short version of
most.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1]))

from command_lines import commands
from engines import engines
from experiment_files import experiment_files
from faulty import faulty
from killed import Kills
from reproduction import reproduction
from small_disk import full_disk

WHAT = ["kills", "disk", "commands", "experiments", "reproduction", "faulty", "engines"]

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("what", nargs="*", default=WHAT, choices=WHAT)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--commands", type=int, default=5000)
    parser.add_argument("--experiments", type=int, default=1000)
    parser.add_argument("--cells", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    for what in given.what:
        with tempfile.TemporaryDirectory() as folder:
            if what == "kills":
                print(Kills(Path(folder), given.seed).run(given.kills, dask=True))
            elif what == "commands":
                print(commands(Path(folder), given.commands, given.seed))
            elif what == "experiments":
                print(experiment_files(Path(folder), given.experiments, given.seed))
            elif what == "reproduction":
                print(reproduction(Path(folder), given.cells, given.seed))
            elif what == "faulty":
                print(faulty(Path(folder)))
            elif what == "engines":
                print(engines(Path(folder)))
            else:
                print(full_disk(Path(folder)))
