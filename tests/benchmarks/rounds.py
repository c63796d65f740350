"""Timing by turns: every side of a comparison once a round, so that a slow minute slows all of them."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping

Times = dict[str, list[float]]


def seconds(work: Callable[[], object]) -> float:
    """Wall time of one call."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def alternate(works: Mapping[str, Callable[[], object]], rounds: int) -> Times:
    """Seconds of each work in each round; a first call, which compiles and fills caches, is not counted."""
    for work in works.values():
        work()
    times: Times = {name: [] for name in works}
    for _ in range(rounds):
        for name, work in works.items():
            times[name].append(seconds(work))
    return times


def ratios(times: Times, over: str, under: str) -> list[float]:
    """One side's time over the other's, round by round."""
    return [a / b for a, b in zip(times[over], times[under], strict=True)]


def shown(values: list[float], digits: int = 3) -> str:
    """A median with the smallest and the largest."""
    low, middle, high = min(values), statistics.median(values), max(values)
    return f"{middle:.{digits}g} ({low:.{digits}g} to {high:.{digits}g})"


def heading(title: str) -> None:
    print(f"\n{title}\n{'-' * len(title)}")


def line(what: str, against: str, times: list[float], ratio: list[float], wanted: str = "") -> None:
    """One comparison: the peer's milliseconds, the ratio, and what was asked for."""
    milliseconds = shown([1000 * t for t in times])
    print(f"{what:44} {against:34} {milliseconds:>30}  × {shown(ratio):24} {wanted}", flush=True)
