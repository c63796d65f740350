"""Random networks whose numbers are rounded to a format that NumPy has no arithmetic for.

python tests/held_out/rounded_networks.py --seed 1 --count 300
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace

import numpy as np
from configurations import Tally
from random_networks import Configuration, configuration
from threadpoolctl import threadpool_limits

from backproof.network.arithmetic import Arithmetic, BiasAdd
from backproof.network.number_formats import FORMATS, NumberFormat

NAMED = ("bfloat16", "float8_e4m3fn", "float8_e5m2")


def rounded_configuration(seed: int) -> Configuration:
    """The configuration of a seed, its arrays and operations rounded to a format that the seed draws too."""
    case, rng = configuration(seed, large=False), np.random.default_rng([22, seed])
    bits = int(rng.integers(2, 30))
    name = str(rng.choice(NAMED)) if rng.random() < 0.6 else f"mantissa{bits}"
    to, bias_add = FORMATS[name], BiasAdd(rng.choice(list(BiasAdd)))
    problem, weights = case.problem, [_in_format(w, to) for w in case.weights]
    problem = replace(
        problem,
        inputs=_in_format(problem.inputs, to),
        targets=_in_format(problem.targets, to),
        arithmetic=Arithmetic(to, bias_add),
    )
    return replace(case, problem=problem, weights=weights, text=f"{name} {bias_add}: {case.text}")


def _in_format(x: np.ndarray, to: NumberFormat) -> np.ndarray:
    with np.errstate(over="ignore"):
        return to.rounded(x.astype(to.carrier))


def rounded_tally(first: int, count: int, wrong: int) -> Tally:
    """Judge configurations of consecutive seeds."""
    found = Tally()
    with threadpool_limits(1):
        for seed in range(first, first + count):
            found.add(rounded_configuration(seed), wrong)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=0, help="the first configuration's")
    parser.add_argument("--count", type=int, default=100, help="how many configurations")
    parser.add_argument("--wrong", type=int, default=3, help="wrong rules for each")
    asked = parser.parse_args()
    begun = time.monotonic()
    found = rounded_tally(asked.seed, asked.count, asked.wrong)
    print(*found.summary(asked.count), sep="\n")
    print(f"{time.monotonic() - begun:.0f} s")


if __name__ == "__main__":
    main()
