"""Torture: sweeps that are killed, starved and fed nonsense, and what must be there all the same.

    python tests/torture [kills] [commands] [disk] [faulty] [engines] [--kills 200] [--commands 5000]

All of them by default. Each prints its figures; the exit status is 1 where something is not as it must be.
"""

from __future__ import annotations

import argparse
import importlib

TRIALS = ("kills", "commands", "disk", "faulty", "engines")


def main() -> None:
    """Run the trials that are named."""
    parser = argparse.ArgumentParser(
        "python tests/torture", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("trials", nargs="*", metavar="trial", help=f"of {', '.join(TRIALS)}; all by default")
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--commands", type=int, default=5000)
    parser.add_argument("--seed", type=int, default=0, help="of what is drawn at random")
    given = parser.parse_args()
    unknown = set(given.trials) - set(TRIALS)
    if unknown:
        parser.error(f"no trial {', '.join(sorted(unknown))}; there are {', '.join(TRIALS)}")
    for name in given.trials or TRIALS:
        print(f"== {name}", flush=True)
        importlib.import_module(name).main(given)


if __name__ == "__main__":
    main()
