"""Signals that ask to stop, and parents that end: a report or one line each time, and no process is left."""

import os
import signal
import subprocess
import sys
import time

import pytest
from dask_processes import dask_scheduler
from stress.killed import children, none_left, of_session

SLOW = """
import itertools, pathlib, time
import numpy as np

HERE = pathlib.Path(__file__).parent

def start(seed):
    return np.linspace(-1, 1, 3) + seed

def f(w, how="sleep", seed=0):
    (HERE / f"begun-{seed}").touch()
    if how == "sleep":
        time.sleep(0.2)
    else:
        sum(itertools.repeat(0))
    return float((w**2).sum()), 2 * w
"""

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")


@pytest.fixture
def sweep(here):
    """Starts a sweep of a slow function in a session of its own; what is left of it is ended afterwards."""
    (here / "slow.py").write_text(SLOW)
    started = []

    def start(*words, how="sleep", jobs=("engine.jobs=2",)):
        command = [
            sys.executable, "-m", "backproof", "sweep", "-m", "subject=function",
            "++subject._target_=slow.f", "++subject.start=slow.start", f"++subject.how={how}",
            "seed=range(0,500)", "name=slow", *jobs, *words,
        ]  # fmt: skip
        process = subprocess.Popen(
            command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()
        for number in of_session(process.pid):
            os.kill(number, signal.SIGKILL)


def until(condition, seconds=60):
    """Wait until something is so."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


@pytest.mark.parametrize(
    "number",
    [pytest.param(signal.SIGHUP, marks=pytest.mark.slow), signal.SIGTERM,
     pytest.param(signal.SIGINT, marks=pytest.mark.slow)],
    ids=lambda s: s.name,
)  # fmt: skip
def test_every_signal_that_asks_to_stop_ends_with_a_report(sweep, here, number):
    process = sweep()
    until(lambda: list(here.glob("begun-*")))
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert "interrupted: what is finished is kept" in err
    assert (here / "results" / "slow" / "report.html").is_file()
    assert none_left(process.pid)


@pytest.mark.parametrize("after", [0.15, 0.6])
def test_a_signal_during_start_up_ends_with_one_line(sweep, after):
    process = sweep()
    time.sleep(after)
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=60)
    if process.returncode == -signal.SIGTERM:  # Python itself had not started
        assert err == ""
    else:
        assert process.returncode == 130
        assert "Traceback" not in err and "interrupted" in err
    assert none_left(process.pid)


@pytest.mark.slow
def test_what_is_started_to_ignore_a_signal_ignores_it(here):
    (here / "slow.py").write_text(SLOW)
    process = subprocess.Popen(
        ["nohup", sys.executable, "-m", "backproof", "check", "subject=function", "++subject._target_=slow.f",
         "++subject.start=slow.start"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    time.sleep(0.5)
    process.send_signal(signal.SIGHUP)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    assert "agrees" in out


@pytest.mark.slow
@pytest.mark.parametrize(
    ("how", "words"),
    [("sleep", ()), ("compiled", ()), ("compiled", ("engine.isolate=cell",))],
    ids=["sleeping", "compiled", "own process"],
)
def test_workers_end_with_their_parent_however_it_ends(sweep, here, how, words):
    process = sweep(*words, how=how)
    until(lambda: len(list(here.glob("begun-*"))) >= 2)
    process.kill()
    process.wait()
    assert none_left(process.pid)


@pytest.mark.slow
def test_an_interrupted_sweep_leaves_within_its_grace(sweep, here):
    """A report that takes longer is left to `backproof report`."""
    (here / "sitecustomize.py").write_text(
        "import time\nimport backproof.session as s\ns._write_report = lambda *_: time.sleep(100)\n"
    )
    os.environ["PYTHONPATH"], before = str(here), os.environ.get("PYTHONPATH")
    try:
        process = sweep("engine.grace=1")
    finally:
        os.environ.pop("PYTHONPATH")
        if before is not None:
            os.environ["PYTHONPATH"] = before
    until(lambda: list(here.glob("begun-*")))
    begun = time.monotonic()
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "left after 1 s of grace; what is finished is kept" in err
    assert time.monotonic() - begun < 30
    assert none_left(process.pid)


@pytest.mark.slow
def test_a_folder_that_is_moved_away_ends_the_sweep_with_one_line(sweep, here):
    process = sweep()
    until((here / "results" / "slow").exists)
    until(lambda: list(here.glob("begun-*")))
    (here / "results" / "slow").rename(here / "elsewhere")
    _, err = process.communicate(timeout=120)
    assert process.returncode == 1
    assert "results/slow: moved or removed while the sweep ran" in err
    assert "Traceback" not in err


@pytest.mark.slow
def test_a_scheduler_that_is_killed_ends_the_sweep_with_one_line_and_a_report(sweep, here):
    with dask_scheduler(workers=1) as (address, scheduler):
        process = sweep("engine=dask", f"engine.address={address}", jobs=())
        until(lambda: len(list(here.glob("begun-*"))) >= 2)
        scheduler.kill()
        _, err = process.communicate(timeout=120)
    assert process.returncode == 1, err
    assert f"stopped: engine.address: the cluster at {address} failed" in err
    assert "Traceback" not in err
    assert (here / "results" / "slow" / "report.html").is_file()


@pytest.mark.slow
def test_an_interrupt_while_workers_start_prints_no_traceback_of_theirs(sweep, here):
    """A terminal interrupts them too, while they import what they need."""
    process = sweep()
    until(lambda: children(process.pid))
    for number in children(process.pid):
        os.kill(number, signal.SIGINT)
    until(lambda: list(here.glob("begun-*")))  # the workers work all the same
    process.send_signal(signal.SIGINT)
    _, words = process.communicate(timeout=60)
    assert "Traceback" not in words
    assert "interrupted: what is finished is kept" in words


def test_an_interrupt_while_the_program_ends_changes_nothing_of_its_status():
    done = _ended_by("os.kill, os.getpid(), signal.SIGINT")
    assert (done.returncode, done.stderr) == (3, "")


def test_what_the_program_registered_is_called_before_it_ends():
    done = _ended_by("print, 'called'")
    assert (done.returncode, done.stdout, done.stderr) == (3, "called\n", "")


def _ended_by(call):
    """A run of the program with status 3, while which a call at its end is registered."""
    words = f"""
import atexit, os, signal, sys
from backproof.__main__ import cli, main
cli.main = lambda: (atexit.register({call}), 3)[1]
sys.exit(main())
"""
    return subprocess.run([sys.executable, "-c", words], capture_output=True, text=True, timeout=60)


def test_a_defect_of_the_program_ends_it_with_a_status_that_says_so():
    words = "from backproof.__main__ import cli, main; cli.main = lambda: 1 / 0; main()"
    done = subprocess.run([sys.executable, "-c", words], capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert "ZeroDivisionError" in done.stderr
