"""What a report costs: seconds, memory and bytes to make it, and seconds until a browser has it ready.

    python tests/benchmarks/report_cost.py

The thread's 2,034 cells with their twelve figures and curves, and 50,000 small cells without training.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

BACKPROOF = (sys.executable, "-m", "backproof")
SWEEPS = {
    "thread": ("experiment=thread",),
    "large": (
        "-m", "data=xor", "network.hidden=[3]", "training=none", "output=sigmoid,relu,softplus,identity,tanh",
        "loss=squared_error,binary_cross_entropy",
        "activation=sigmoid,tanh,relu,softplus,elu", "delta=exact,y_minus_t",
        "fault=none,sign,doubled", "clip.eps=1e-12,1e-7,1e-3",
        "check.cures=0", "seed=range(0,84)", "name=large",
    ),
}  # fmt: skip


def peak_of(command: tuple[str, ...], folder: Path) -> tuple[float, float]:
    """Seconds, and the largest process's memory in MB, by the process's own account."""
    started = time.perf_counter()
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{command} failed")
    return time.perf_counter() - started, usage.ru_maxrss / 1024


def opened(page: Path) -> str:
    """Seconds until the page is drawn and answers, in headless Chromium."""
    chromium = shutil.which("chromium")
    if chromium is None:
        return "no Chromium"
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        sheet = browser.new_page()
        started = time.perf_counter()
        sheet.goto(page.as_uri())
        sheet.wait_for_selector("html[data-ready]")
        seconds = time.perf_counter() - started
        browser.close()
    return f"{seconds:.2f} s"


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        for name, words in SWEEPS.items():
            peak_of((*BACKPROOF, "sweep", *words), folder)
            results = folder / "results" / name
            seconds, megabytes = peak_of((*BACKPROOF, "report", f"results/{name}"), folder)
            page = results / "report.html"
            count = re.search(r"([\d,]+) cells are done", page.read_text(encoding="utf-8"))
            print(
                f"{name}: {count[1] if count else '?'} cells; report in {seconds:.1f} s, {megabytes:.0f} MB; "
                f"{page.stat().st_size / 1e6:.1f} MB, open in {opened(page)}",
                flush=True,
            )
