"""Every benchmark, or those named: backproof and its peers by turns, medians, ratios, their spread.

    pip install -e '.[bench]'
    python tests/benchmarks [--rounds N] [checks] [functions] [peers_of_functions]
        [evaluations] [multirun] [training] [workers]

Ratios are formed round by round; behind the median stand the smallest and the largest. What a
session of a machine is worth is not comparable with another's: only ratios of one run are.
"""

from __future__ import annotations

import argparse
import importlib

SUITES = ("checks", "functions", "peers_of_functions", "evaluations", "training", "multirun", "workers")


def main() -> None:
    parser = argparse.ArgumentParser(
        "python tests/benchmarks", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("suites", nargs="*", metavar="suite", help=f"of {', '.join(SUITES)}; all by default")
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    unknown = set(given.suites) - set(SUITES)
    if unknown:
        parser.error(f"no suite {', '.join(sorted(unknown))}; there are {', '.join(SUITES)}")
    for name in given.suites or SUITES:
        importlib.import_module(name).main(given.rounds)


if __name__ == "__main__":
    main()
