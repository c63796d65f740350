"""Somebody's own code that changes or breaks, settings taken away, and other corners of the command line."""

import os
import shlex
import signal
import subprocess
import sys
import time

import pytest

from backproof.sweeps import modules

ACTIVATION = """
from backproof.network.activations import Activation
OBJ = Activation("mine", "z²", lambda z: z * z, lambda z: {slope} * z)
"""


@pytest.fixture
def own(here, monkeypatch):
    """A choice in a folder of the user's, whose module can be written again."""
    folder = here / "my" / "activation"
    folder.mkdir(parents=True)
    (folder / "mine.yaml").write_text("_target_: mine.OBJ\n")

    def write(text):
        (here / "mine.py").write_text(text)
        monkeypatch.delitem(sys.modules, "mine", raising=False)
        modules.forget(["mine.OBJ"])  # as a new process has it

    return write


MINE = ("--config-dir", "my", "activation=mine", "output=identity", "loss=squared_error")


def test_a_changed_module_of_the_users_is_another_cell(own, tiny, table):
    own(ACTIVATION.format(slope=2))
    assert tiny("sweep", *MINE).status == 0
    assert list(table()["verdict"]) == ["agrees"]
    own(ACTIVATION.format(slope=2.001))
    done = tiny("sweep", *MINE)
    assert "0 already there, 1 to run" in done.err
    assert list(table()["verdict"]) == ["incorrect gradient"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("def OBJ(:", "cannot import mine.OBJ (SyntaxError"),
        ("1 / 0", "cannot import mine.OBJ (ZeroDivisionError"),
        ("def OBJ(): raise KeyError('gone')", "mine.OBJ raises KeyError"),
        ("OBJ = 3", "must give Activation; not int"),
        ("from os import getcwd as OBJ", "must give Activation; not str"),
    ],
)
def test_code_that_breaks_is_told_in_one_line(own, tiny, here, text, says):
    own(text)
    done = tiny("sweep", *MINE)
    assert (done.status, len(done.err.splitlines())) == (2, 1)
    assert says in done.err and not (here / "results").exists()


def test_the_command_of_a_users_choice_makes_its_cell_again(own, tiny, program, table):
    own(ACTIVATION.format(slope=2))
    tiny("sweep", "--config-dir", "my", "activation=mine", "loss=squared_error")
    (command,) = table()["command"]
    assert program(*shlex.split(command)[1:]).status == 0


def test_folders_of_the_searchpath_have_choices_too(own, tiny, here, table):
    own(ACTIVATION.format(slope=2))
    path = f"hydra.searchpath=[file://{here / 'my'}]"
    assert tiny("sweep", "-m", path, "activation=mine,relu", *MINE[3:]).status == 0
    assert list(table()["activation"]) == ["mine", "relu"]


@pytest.mark.parametrize(
    ("override", "says"),
    [
        ("~training", "training: is missing"),
        ("~seed", "seed: is missing"),
        ("seed=99999999999999999999", "seed: must be a whole number"),
        ("activation=null", "activation: must be one of"),
        ("=1", "names no key"),
        ("hydra.mode=RUN", "hydra.mode: is set by the command itself"),
        ("seed=range(0,1000000)", "at most so many make one axis"),
    ],
)
@pytest.mark.parametrize("command", ["sweep", "plan", "check"])
def test_what_used_to_slip_through(program, here, command, override, says):
    done = program(command, "data=xor", override)
    assert (done.status, len(done.err.splitlines())) == (2, 1)
    assert says in done.err and not (here / "results").exists()


def test_a_whole_number_is_the_same_parameter_as_its_float(tiny):
    elu = ("activation=elu", "output=sigmoid")
    tiny("sweep", *elu, "activation.alpha=1")
    assert "1 already there, 0 to run" in tiny("sweep", *elu, "activation.alpha=1.0").err


def test_an_axis_that_makes_no_difference_is_said(tiny):
    done = tiny("sweep", "-m", "clip.eps=1e-3,1e-4", "loss=squared_error")
    assert "note: clip.eps makes no difference" in done.err
    assert "note" not in tiny("sweep", "-m", "clip.eps=1e-3,1e-4").err


def test_an_experiment_may_hold_a_date_and_its_rules_must_be_true_or_false(tiny, here):
    (here / "experiments").mkdir()
    (here / "experiments" / "dated.yaml").write_text("question: 2024-01-01\ngrid: {activation: [relu]}\n")
    assert tiny("sweep", "experiment=dated").status == 0
    (here / "experiments" / "wrong.yaml").write_text("exclude: [{where: '5', because: x}]\n")
    done = tiny("sweep", "experiment=wrong")
    assert done.status == 2 and "not true or false" in done.err


@pytest.mark.slow
def test_a_terminated_sweep_keeps_what_it_has_and_writes_its_tables(here):
    grid = ["data=digits", "activation=relu,tanh", "seed=range(0,400)", "engine=serial"]
    command = [sys.executable, "-m", "backproof", "sweep", "-m", *grid, "name=long"]
    process = subprocess.Popen(
        command, stderr=subprocess.PIPE, text=True, env={**os.environ, "COLUMNS": "80"}
    )
    try:
        for line in process.stderr:
            if line.startswith("cells"):
                break
        time.sleep(0.2)
        process.send_signal(signal.SIGTERM)
        rest = process.communicate(timeout=60)[1]
    finally:
        process.kill()
    assert process.returncode == 130, rest
    assert "interrupted" in rest
    assert (here / "results" / "long" / "report.html").is_file()
    assert (here / "results" / "long" / "cells.csv").is_file()


@pytest.mark.slow
def test_a_terminated_sweep_by_a_launcher_of_hydras_ends_in_order(here):
    """The request to terminate is passed on to the process in which Hydra runs."""
    grid = ["data=xor", "network.hidden=[3]", "seed=range(0,400)", "hydra/launcher=basic", "engine=serial"]
    command = [sys.executable, "-m", "backproof", "sweep", "-m", *grid, "name=long"]
    process = subprocess.Popen(
        command, stderr=subprocess.PIPE, text=True, env={**os.environ, "COLUMNS": "80"}
    )
    try:
        for line in process.stderr:
            if "to run" in line:
                break
        time.sleep(0.2)
        process.send_signal(signal.SIGTERM)
        rest = process.communicate(timeout=60)[1]
    finally:
        process.kill()
    assert process.returncode == 130, rest
    assert "interrupted" in rest
    assert (here / "results" / "long" / "report.html").is_file()
