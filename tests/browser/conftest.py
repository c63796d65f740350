"""Reports in a real browser: Debian's Chromium, driven by Playwright."""

import fcntl
import os
import shutil

import pytest

from backproof.interfaces.cli import main
from backproof.sweeps import modules

FLAGS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip

EVIL = "<img src=x onerror=document.title='broken'>"

BAD = f'''
import numpy as np

def start(seed):
    return np.linspace(-1, 1, 3) + seed

def f(w, how="fine", seed=0):
    if how != "fine":
        raise ValueError("{EVIL}")
    return (w**2).sum(), 2 * w
'''


def pytest_collection_modifyitems(items):
    """What looks at the thread's report waits for its sweep."""
    for item in items:
        if "thread" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.slow)


@pytest.fixture(scope="session")
def browser():
    """One browser for all; without Chromium skipped, unless BACKPROOF_BROWSER=required."""
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if found is None:
        if os.environ.get("BACKPROOF_BROWSER") == "required":
            pytest.fail("no Chromium on this machine")
        pytest.skip("no Chromium on this machine")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=found, args=list(FLAGS))
        yield chromium
        chromium.close()


@pytest.fixture
def opened(browser):
    """Open a report; what it logs, raises or requests is a failure."""
    contexts, wrong = [], []

    def open_at(folder, view="", ready=True, **options):
        context = browser.new_context(**{"viewport": {"width": 1200, "height": 900}, **options})
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: wrong.append(f"console: {message.text}"))
        page.on("pageerror", lambda error: wrong.append(f"error: {error}"))
        page.on("request", lambda r: None if r.url.startswith(("file:", "data:")) else wrong.append(r.url))
        page.goto((folder / "report.html").as_uri() + view)
        if ready:
            page.wait_for_selector("html[data-ready]")
        return page

    yield open_at
    for context in contexts:
        context.close()
    assert wrong == []


@pytest.fixture(scope="session")
def at(tmp_path_factory):
    return tmp_path_factory.mktemp("browser")


@pytest.fixture(scope="session")
def thread(tmp_path_factory):
    """One seed of the experiment of the puzzle, all of it trained for a moment; one for all workers."""
    own = tmp_path_factory.getbasetemp()
    shared = own.parent if "PYTEST_XDIST_WORKER" in os.environ else own
    with (shared / "thread.lock").open("w") as lock, pytest.MonkeyPatch.context() as patch:
        fcntl.flock(lock, fcntl.LOCK_EX)
        folder = shared / "results" / "thread"
        if not (folder / "report.html").exists():
            patch.chdir(shared)
            words = ["experiment=thread", "seed=0", "training=sgd", "training.steps=4", "check.cures=0"]
            assert main(["sweep", *words]) == 0
    return folder


@pytest.fixture(scope="session")
def failing(at):
    """Cells that fail with markup in what they say."""
    (at / "bad.py").write_text(BAD)
    modules.forget(["bad"])  # another test's
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(at)
        patch.syspath_prepend(str(at))
        words = ["subject=function", "++subject._target_=bad.f", "++subject.start=bad.start"]
        arguments = [*words, "++subject.how=fine,bad", "seed=0,1", "name=failing", "engine=serial"]
        assert main(["sweep", "-m", *arguments]) == 1
    return at / "results" / "failing"
