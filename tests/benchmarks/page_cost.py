"""What a page of many cells costs its reader: milliseconds to open it, to turn a figure, and to filter.

    python tests/benchmarks/page_cost.py [--cells 50000]

A table at random, of a grid's shape, in headless Chromium; medians, and the largest of the repetitions. Each
time ends with the frame in which the answer stands.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from backproof.reports.write import write_report

sys.path.insert(0, str(Path(__file__).parents[1] / "browser"))
from random_cells import no_curves, no_tensors, random_table

REPETITIONS = 7
FIGURES = [
    {"title": "Verdicts", "value": "verdict", "rows": ["activation"], "columns": ["loss", "delta"]},
    {"title": "Errors", "value": "gradient_error", "rows": ["data"], "columns": ["loss", "clip"]},
    {"title": "Accuracy", "value": "accuracy", "rows": ["clip", "clip.eps"], "columns": ["activation"]},
]

FRAME = "await new Promise(done => requestAnimationFrame(() => setTimeout(done)));"
TURN = f"""async way => {{
    const figure = backproof.figures.get("2"), start = performance.now();
    await figure.turn(way);
    {FRAME}
    return performance.now() - start;
}}"""
FILTER = f"""async hash => {{
    const start = performance.now();
    const followed = new Promise(done => addEventListener("hashchange", done, {{ once: true }}));
    location.hash = hash;
    await followed;
    {FRAME}
    return performance.now() - start;
}}"""
WAYS = [
    {"rows": ["loss"], "columns": ["activation", "delta"]}, {"value": "accuracy"}, {"facet": ["clip"]},
    {"value": "final_loss", "aggregate": "mean"}, {"rows": ["data", "clip.eps"], "facet": []},
    {"value": "cause", "aggregate": "most frequent"}, {"columns": ["network.init_scale"]},
]  # fmt: skip
FILTERS = [
    "activation=relu", "activation=relu&loss=squared_error", "accuracy=0.2..0.8",
    "delta=exact&data=xor&data=moons", "gradient_error=1e-9..", "clip=floor&clip.eps=0.001",
    "verdict=agrees&seed=3",
]  # fmt: skip


def shown(name: str, times: Sequence[float], goal: float) -> None:
    print(f"{name:<24} {statistics.median(times):7.0f} ms   at most {max(times):5.0f}   goal {goal:.0f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--cells", type=int, default=50_000)
    cells = random_table(0, parser.parse_args().cells)
    chromium = shutil.which("chromium")
    if chromium is None:
        raise SystemExit("no Chromium")
    from playwright.sync_api import sync_playwright

    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        write_report(
            Path(folder), (cells, no_curves(), no_tensors()), {"name": "many", "figures": FIGURES}, {}
        )
        page = Path(folder) / "report.html"
        print(f"{len(cells):,} cells, {page.stat().st_size / 1e6:.1f} MB")
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        opening = []
        for _ in range(REPETITIONS):
            sheet = browser.new_page()
            started = time.perf_counter()
            sheet.goto(page.as_uri())
            sheet.wait_for_selector("html[data-ready]")
            opening.append(1000 * (time.perf_counter() - started))
            if len(opening) < REPETITIONS:
                sheet.close()
        sheet.wait_for_timeout(3000)  # what is not in sight is drawn while nobody waits
        sheet.locator("figure").nth(1).scroll_into_view_if_needed()
        shown("open", opening, 1500)
        shown("turn a figure", [sheet.evaluate(TURN, way) for way in WAYS], 100)
        shown("filter", [sheet.evaluate(FILTER, f) for f in FILTERS], 50)
        browser.close()


if __name__ == "__main__":
    main()
