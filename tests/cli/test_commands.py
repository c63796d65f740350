"""The commands as a user meets them: what they run, write, print and return."""

import fcntl
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import forked
import pandas as pd
import pyarrow.parquet as pq
import pytest
import yaml

from backproof import paths
from backproof.interfaces.answers import ended
from backproof.sweeps import launching
from backproof.sweeps.engines import ENGINES, options_of
from backproof.sweeps.groups import CHOICES

TABLES = {
    "cells.csv", "cells.parquet", "curves.parquet", "tensors.parquet", "config.yaml", "provenance.json",
    "answer.txt", "report.html",
}  # fmt: skip

CONTRACT = (
    "cell", "data", "network.hidden", "network.init_scale", "network.bias", "activation", "output", "loss",
    "clip", "clip.eps", "clip.backward", "delta", "relu_at_zero", "kink", "fault", "precision", "seed",
    "status", "error", "verdict", "causes", "cures", "gradient_error", "excess", "worst_parameter",
    "final_loss", "accuracy", "steps_to_threshold", "diverged_at", "seconds", "attempts", "command",
)  # fmt: skip
"""Columns of `cells` that the design promises."""


def everything_in(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


# --- help and what Hydra shows


def every_choice():
    """Group, name and keys of every choice, of code and of files."""
    for group, choices in CHOICES.items():
        for name, node in choices.nodes():
            yield group, name, [key for key in node if not key.startswith("_")]
    for name in ENGINES:
        yield "engine", name, [key for key in options_of(name) if key != "name"]
    for path in paths.conf().glob("*/*.yaml"):
        keys = yaml.safe_load(path.read_text()) or {}
        yield path.parent.name, path.stem, [key for key in keys if not key.startswith("_")]


@pytest.mark.parametrize("group", ["activation", "fault", "engine", "subject"])
def test_help_describes_each_choice_of_one_axis(program, group):
    done = program("sweep", "--help", group)
    assert done.status == 0
    assert done.out.startswith(f"{group}=\n")
    described = dict(line.split(maxsplit=1) for line in done.out.splitlines()[1:])
    names = {name for each, name, _ in every_choice() if each == group}
    assert names <= set(described)
    assert sum("(default)" in line for line in described.values()) == 1


def test_help_of_no_axis(program):
    done = program("sweep", "--help", "activaton")
    assert (done.status, done.out) == (2, "")
    assert "did you mean 'activation'?" in done.err


@pytest.mark.parametrize("command", ["sweep", "plan", "check"])
def test_help_lists_every_axis_and_choice(program, here, command):
    done = program(command, "--help")
    assert done.status == 0
    assert done.err == ""
    assert done.out.count("\n") <= 60
    words = {word.lstrip("*") for word in done.out.split()}
    for group, name, _ in every_choice():
        assert f"{group}=" in words
        assert name in words
    assert {"clipping,", "relu_at_zero,"} <= words
    assert everything_in(here) == {}


def test_help_marks_defaults_and_shows_the_values_of_the_default_configuration(program, here):
    (here / "my").mkdir()
    (here / "my" / "mine.yaml").write_text(
        "defaults:\n  - config\n  - override activation: leaky_relu\n  - _self_\nloss:\n  l2: 0.125\n"
    )
    plain = program("sweep", "--help").out.split()
    marked = [word for word in plain if word.startswith("*") and word != "*"]
    assert {"*relu", "*same", "*digits", "*loky", "*puzzle", "*0"} <= set(marked)
    assert {"network.hidden=[100]", "loss.l2=0.0", "check.scheme=five_point"} <= set(plain)
    own = program("sweep", "--help", "--config-dir", "my", "--config-name", "mine").out.split()
    assert {"*leaky_relu", "activation.slope=0.01", "loss.l2=0.125"} <= set(own)
    assert not {"*relu", "loss.l2=0.0"} & set(own)


@pytest.mark.parametrize("group", sorted({group for group, _, _ in every_choice()}))
def test_help_of_an_axis_lists_every_value_of_its_choices(program, group):
    words = set(program("check", "--help", group).out.split())
    for each, name, keys in every_choice():
        if each == group:
            assert {name, *(f"{group}.{key}" for key in keys)} <= words


def test_help_of_one_value(program):
    done = program("check", "--help", "clip.eps")
    assert done.out.startswith("clip.eps= the clip's threshold")
    assert "  allowed: a number > 0 and < 0.5\n" in done.out
    assert "  floor (default)           2.220446049250313e-16\n" in done.out
    assert program("check", "--help", "seed").out.splitlines()[1].startswith("  0 (default): ")
    assert "  thread  " in program("check", "--help", "experiment").out


@pytest.mark.parametrize(
    ("topic", "hint"), [("clip.esp", "clip.eps"), ("trainin", "training"), ("data.nois", "data.noise")]
)
def test_help_of_a_wrong_name_gives_the_nearest(program, topic, hint):
    done = program("sweep", "--help", topic)
    assert (done.status, done.out, done.err.count("\n")) == (2, "", 1)
    assert done.err.endswith(f"not '{topic}'; did you mean '{hint}'?\n")


def test_help_lists_choices_and_experiments_of_the_users_own(program, here):
    (here / "my" / "activation").mkdir(parents=True)
    (here / "my" / "activation" / "mish.yaml").write_text("# z tanh(softplus(z))\n_target_: mine.MISH\n")
    (here / "experiments").mkdir()
    (here / "experiments" / "mine.yaml").write_text("question: Why?\n")
    done = program("sweep", "--help", "activation", "--config-dir", "my")
    assert "mish                      z tanh(softplus(z))" in done.out
    done = program("sweep", "--help", "--config-dir", "my")
    assert "mish" in done.out.split()
    assert "mine" in done.out.partition("Experiments: ")[2]


@pytest.mark.parametrize(
    ("axis", "line"),
    [
        (
            "data",
            "    data.noise              0.15: the standard deviation of the normal noise on the points",
        ),
        ("engine", "    engine.jobs             -1: how many; -1: as many as there are cores"),
        (
            "check",
            "    check.step              null: one step for all parameters; by default each has its own",
        ),
    ],
)
def test_help_of_an_axis_states_what_its_values_mean(program, axis, line):
    done = program("sweep", "--help", axis)
    assert done.status == 0
    assert line in done.out.splitlines()


@pytest.mark.parametrize("arguments", [("--help",), ("-h",), ("help",)])
def test_help_of_the_program(program, arguments):
    done = program(*arguments)
    assert done.status == 0
    assert all(f"\n  {command} " in done.out for command in ("sweep", "plan", "check", "report"))


def test_version(program):
    from importlib.metadata import version

    assert program("--version") == (0, version("backproof") + "\n", "")


def test_cfg_job_prints_the_configuration_and_runs_nothing(program, here):
    done = program("sweep", "--cfg", "job", "activation=tanh", "clip.eps=1e-3")
    assert done.status == 0
    shown = yaml.safe_load(done.out)
    assert shown["clip"]["eps"] == 1e-3
    assert shown["activation"]["_target_"].endswith(".tanh")
    assert everything_in(here) == {}


def test_info_runs_nothing(here):
    """In a process of its own: Hydra sets up its logging once a process."""
    done = forked.program("sweep", "--info", "defaults", cwd=here)
    assert done.returncode == 0 and "activation" in done.stdout
    assert everything_in(here) == {}


# --- sweep


def test_a_sweep_of_one_cell(tiny, here, table):
    done = tiny("sweep")
    assert done.status == 0
    assert "results/sweep: 1 cell; 0 already there, 1 to run" in done.err
    assert "results/sweep/report.html" in done.out
    (row,) = table().to_dict("records")
    assert (row["status"], row["verdict"], row["data"], row["attempts"]) == ("ok", "agrees", "xor", 1)
    assert {p.name for p in here.iterdir()} == {"results"}


@pytest.mark.usefixtures("drawn")
def test_what_a_sweep_writes(tiny, here):
    tiny("sweep", "-m", "activation=relu,tanh", "training=sgd", "training.steps=3", "name=mine")
    folder = here / "results" / "mine"
    assert {p.name for p in folder.iterdir() if p.is_file()} - {".lock"} == {*TABLES, "sweep.sqlite"}
    csv, parquet = pd.read_csv(folder / "cells.csv"), pd.read_parquet(folder / "cells.parquet")
    assert list(csv.columns) == list(parquet.columns)
    assert set(CONTRACT) <= set(csv.columns)
    assert csv["cell"].tolist() == parquet["cell"].tolist()
    curves = pq.read_table(folder / "curves.parquet").to_pandas()
    assert list(curves.columns) == ["cell", "series", "step", "value"]
    assert curves[curves["series"] == "loss"].groupby("cell")["step"].agg(list).tolist() == [[0, 1, 2]] * 2
    config = yaml.safe_load((folder / "config.yaml").read_text())
    assert "activation=relu,tanh" in config["overrides"]
    assert "<html" in (folder / "report.html").read_text()
    assert {p.name for p in here.iterdir()} == {"results"}, "no outputs/ and no multirun/"


def test_a_grid_with_and_without_the_flag(tiny, table):
    for flags in ((), ("-m",), ("--multirun",)):
        tiny("sweep", *flags, "activation=relu,tanh", "seed=range(0,2)", f"name=a{len(''.join(flags))}")
    first, *others = (table(f"a{n}") for n in (0, 2, 10))
    assert list(zip(first["activation"], first["seed"], strict=True)) == [
        ("relu", 0), ("relu", 1), ("tanh", 0), ("tanh", 1),
    ]  # fmt: skip
    for other in others:
        pd.testing.assert_frame_equal(other, first)


def test_again_runs_nothing(tiny, table):
    tiny("sweep", "seed=0,1")
    before = table()
    done = tiny("sweep", "seed=0,1")
    assert done.status == 0
    assert "2 cells; 2 already there, 0 to run" in done.err
    pd.testing.assert_frame_equal(table(), before)


def test_a_wider_grid_runs_only_the_new(tiny, table):
    tiny("sweep", "seed=0,1")
    before = table()
    done = tiny("sweep", "seed=0,1,2", "activation=relu,tanh")
    assert "6 cells; 2 already there, 4 to run" in done.err
    after = table()
    assert (after["attempts"] == 1).all()
    pd.testing.assert_frame_equal(after[after["cell"].isin(before["cell"])].reset_index(drop=True), before)


def test_duplicates_are_run_once_and_said(tiny, table):
    done = tiny("sweep", "activation=tanh", "output=sigmoid", "relu_at_zero=0,0.5,1")
    assert "1 cell, 2 duplicates; 0 already there, 1 to run" in done.err
    assert len(table()) == 1


def test_a_changed_data_file_is_another_cell(program, here, table):
    def sweep(text):
        (here / "my.csv").write_text(text)
        return program(
            "sweep", "data=file", "data.path=my.csv", "network.hidden=[2]", "training=none", "engine=serial"
        )

    assert "0 already there, 1 to run" in sweep("a,y\n1,0\n2,1\n3,0\n4,1\n").err
    first = table()["cell"][0]
    assert "0 already there, 1 to run" in sweep("a,y\n1,0\n2,1\n3,0\n5,1\n").err
    assert table()["cell"].tolist() != [first]
    assert "1 already there, 0 to run" in sweep("a,y\n1,0\n2,1\n3,0\n4,1\n").err


EXPERIMENT = """\
question: Does it agree?
overrides: {data: xor, network.hidden: "[3]", training: none}
grid:
  - activation: [relu, tanh]
    output: sigmoid
    relu_at_zero: [0.0, 0.5]
  - activation: tanh
    output: sigmoid
    seed: [0, 1]
exclude:
  - {where: relu_at_zero == 0.5, because: not today}
claims:
  - {id: a, statement: It does., where: activation == 'tanh', holds: verdict == 'agrees'}
figures:
  - {title: Verdicts, value: verdict, rows: [activation], columns: [seed]}
"""


@pytest.mark.usefixtures("drawn")
def test_an_experiment_from_the_working_directory(program, here, table):
    (here / "experiments").mkdir()
    (here / "experiments" / "mine.yaml").write_text(EXPERIMENT)
    plan = program("plan", "experiment=mine", "engine=serial")
    assert "6 points in the grid of results/mine" in plan.out
    assert "2 duplicates" in plan.out
    assert "1 excluded\n    1: not today" in plan.out
    assert "3 to run" in plan.out
    done = program("sweep", "experiment=mine", "engine=serial")
    assert done.status == 0
    assert "4 cells, 2 duplicates, 1 excluded; 0 already there, 3 to run" in done.err
    found = table("mine")
    assert found["status"].tolist() == ["ok", "excluded", "ok", "ok"]
    assert found["error"][1] == "not today"
    report = (here / "results" / "mine" / "report.html").read_text()
    assert "Does it agree?" in report
    assert "It does." in report


# --- plan


def test_plan_runs_nothing_and_writes_nothing(tiny, here):
    done = tiny("plan", "seed=0,1,2")
    assert done.status == 0
    assert "3 points in the grid of results/sweep" in done.out
    assert "0 done" in done.out
    assert "3 to run" in done.out
    assert "expected time" in done.out
    assert list(here.iterdir()) == []


def test_plan_knows_what_is_done(tiny, here):
    tiny("sweep", "seed=0,1")
    before = everything_in(here)
    done = tiny("plan", "seed=0,1,2")
    assert "2 done" in done.out
    assert "1 to run" in done.out
    assert everything_in(here) == before


# --- check


def test_check_of_a_right_gradient(tiny, here):
    done = tiny("check", "output=sigmoid")
    assert done.status == 0
    assert "agrees" in done.out
    assert all(f"\n{tensor} " in done.out for tensor in ("W1", "b1", "W2", "b2"))
    assert list(here.iterdir()) == []


def test_check_of_a_wrong_gradient(tiny):
    done = tiny("check", "output=tanh", "loss=squared_error", "delta=y_minus_t")
    assert done.status == 1
    assert "incorrect gradient" in done.out


def test_check_trains_and_prints_the_command_that_repeats_it(program):
    done = program("check", "data=xor", "network.hidden=[3]", "training.steps=2", "output=sigmoid")
    assert "after 2 steps" in done.out
    again = shlex.split(done.out.strip().splitlines()[-1])
    assert again[:2] == ["backproof", "check"]
    assert program(*again[1:]).out == done.out


# --- report


@pytest.mark.usefixtures("drawn")
def test_report_rebuilds_what_was_deleted(program, tiny, here):
    tiny("sweep", "seed=0,1")
    folder = here / "results" / "sweep"
    before = {name: (folder / name).read_bytes() for name in ("cells.csv", "cells.parquet", "curves.parquet")}
    for name in (*before, "report.html"):
        (folder / name).unlink()
    assert program("report", "results/sweep").status == 0
    assert {name: (folder / name).read_bytes() for name in before} == before
    assert "<html" in (folder / "report.html").read_text()


@pytest.mark.usefixtures("drawn")
def test_report_draws_its_figures_as_wide_as_a_column(program, tiny, here):
    tiny("sweep", "activation=relu,tanh")
    assert program("report", "--width", "85mm", "results/sweep").status == 0
    svg = next((here / "results" / "sweep" / "figures").glob("*.svg")).read_text()
    assert float(re.search(r'width="([\d.]+)pt"', svg)[1]) == pytest.approx(85 / 25.4 * 72, abs=1e-4)
    wrong = program("report", "--width=85mn", "results/sweep")
    assert wrong.status == 2 and "did you mean '85mm'?" in wrong.err
    assert "must be a number and a unit" in program("report", "results/sweep", "--width").err


# --- failures and interruptions

BOOM = """\
from dataclasses import replace
from pathlib import Path

import numpy as np

from backproof.network.activations.tanh import tanh


def value(z):
    if Path("armed").exists():
        raise RuntimeError("boom")
    return np.tanh(z)


ACTIVATION = replace(tanh(), name="boom", value=value)
"""


@pytest.fixture
def armed(here):
    """An activation of the user's, beside the program, that raises while a file is there."""
    (here / "users_boom.py").write_text(BOOM)
    (here / "my" / "activation").mkdir(parents=True)
    (here / "my" / "activation" / "boom.yaml").write_text("_target_: users_boom.ACTIVATION\n")
    (here / "armed").touch()
    yield here / "armed"
    sys.modules.pop("users_boom", None)


SOME_FAIL = ("--config-dir", "my", "activation=relu,boom", "output=sigmoid")


def test_a_cell_that_fails_has_a_row_and_the_status_says_so(tiny, program, table, armed):
    done = tiny("sweep", *SOME_FAIL)
    assert done.status == 1
    assert "1 of 2 cells failed; why is in results/sweep/cells.csv" in done.err
    assert "Traceback" not in done.err
    found = table().set_index("activation")
    assert found["status"].to_dict() == {"relu": "ok", "boom": "failed"}
    assert found["error"]["boom"].startswith("RuntimeError: boom (")
    assert program("report", "results/sweep").status == 1
    assert armed.exists()


def test_failed_cells_are_tried_again_only_when_asked(tiny, table, armed):
    tiny("sweep", *SOME_FAIL)
    armed.unlink()
    again = tiny("sweep", *SOME_FAIL)
    assert again.status == 1
    assert "2 already there, 0 to run" in again.err
    asked = tiny("sweep", "--retry-failed", *SOME_FAIL)
    assert asked.status == 0
    assert "1 already there, 1 to run" in asked.err
    found = table().set_index("activation")
    assert found["status"].tolist() == ["ok", "ok"]
    assert found["attempts"].to_dict() == {"relu": 1, "boom": 2}


def test_the_command_of_a_cell_with_a_choice_of_the_users(tiny, program, table, armed):
    armed.unlink()
    tiny("sweep", *SOME_FAIL)
    for command in table()["command"]:
        done = program(*shlex.split(command)[1:])
        assert done.status == 0
        assert "agrees" in done.out


KILL = """\
import os
from dataclasses import replace

from backproof.network.activations.tanh import tanh

ACTIVATION = replace(tanh(), name="kill", value=lambda z: os.kill(os.getpid(), 9))
"""


@pytest.mark.slow
def test_a_cell_that_kills_its_process_takes_no_other_along(here, table):
    (here / "users_kill.py").write_text(KILL)
    (here / "my" / "activation").mkdir(parents=True)
    (here / "my" / "activation" / "kill.yaml").write_text("_target_: users_kill.ACTIVATION\n")
    done = subprocess.run(
        [
            *(sys.executable, "-m", "backproof", "sweep", "--config-dir", "my", "data=xor", "output=sigmoid"),
            *("network.hidden=[3]", "training=none", "engine.jobs=2", "activation=relu,kill,tanh,elu,gelu"),
        ],
        capture_output=True, text=True, cwd=here, timeout=120,
    )  # fmt: skip
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr
    found = table().set_index("activation")
    assert found["status"].drop("kill").eq("ok").all()
    assert found["status"]["kill"] == "killed"
    assert "died" in found["error"]["kill"]


def test_an_interrupted_sweep_keeps_what_is_finished_and_goes_on(tiny, table, monkeypatch):
    real = launching.run

    def interrupted(*given):
        yield next(real(*given))
        raise KeyboardInterrupt

    grid = ("seed=range(0,30)",)
    monkeypatch.setattr(launching, "run", interrupted)
    monkeypatch.setattr("backproof.sweeps.tasks.TASK_SECONDS", 0.0)
    done = tiny("sweep", *grid)
    assert done.status == 130
    assert "interrupted" in done.err
    there = len(table())
    assert 0 < there < 30
    monkeypatch.setattr(launching, "run", real)
    done = tiny("sweep", *grid)
    assert done.status == 0
    assert f"{there} already there, {30 - there} to run" in done.err
    assert (table()["attempts"] == 1).all()


def test_two_sweeps_do_not_run_into_one_folder(tiny, here):
    tiny("sweep")
    with (here / "results" / "sweep" / ".lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = tiny("sweep", "seed=0,1")
    assert done.status == 2
    assert "results/sweep: another sweep is running there" in done.err
    assert done.err.count("\n") == 1
    assert tiny("sweep", "seed=0,1").status == 0


# --- Hydra's own sweepers and launchers


LAUNCHER = """
from pathlib import Path

from hydra._internal.core_plugins.basic_launcher import BasicLauncher


class OwnLauncher(BasicLauncher):
    def launch(self, job_overrides, initial_job_idx):
        Path("results/launched").write_text(str(len(job_overrides)))
        return super().launch(job_overrides, initial_job_idx)
"""
"""A launcher that is not the one which the engine takes the place of."""


def bits(table: pd.DataFrame) -> pd.DataFrame:
    return table.drop(columns=["command"]).sort_values("cell").reset_index(drop=True)


@pytest.mark.slow
def test_a_stock_sweeper_fills_the_same_store(tiny, here, table):
    grid = ("activation=relu,tanh", "seed=0,1", "training=sgd", "training.steps=3")
    tiny("sweep", "-m", *grid, "name=ours")
    done = tiny("sweep", "-m", *grid, "hydra/sweeper=basic", "name=stock")
    assert done.status == 0
    pd.testing.assert_frame_equal(bits(table("stock")), bits(table("ours")))
    assert (here / "results" / "stock" / "report.html").is_file()
    assert {p.name for p in here.iterdir()} == {"results"}, "no outputs/ and no multirun/"
    assert "4 already there, 0 to run" in tiny("sweep", *grid, "name=stock").err


@pytest.mark.slow
def test_another_launcher_fills_the_same_store(tiny, here, table, tmp_path, monkeypatch):
    (tmp_path / "plugins" / "hydra_plugins").mkdir(parents=True)
    (tmp_path / "plugins" / "hydra_plugins" / "own.py").write_text(LAUNCHER)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "plugins"))
    grid = ("activation=relu,tanh", "network.hidden=[],[4,2]")
    tiny("sweep", "-m", *grid, "name=ours")
    done = tiny("sweep", "-m", *grid, "hydra.launcher._target_=hydra_plugins.own.OwnLauncher", "name=theirs")
    assert done.status == 0, done.err
    assert (here / "results" / "launched").read_text() == "4"
    pd.testing.assert_frame_equal(bits(table("theirs")), bits(table("ours")))
    assert {p.name for p in here.iterdir()} == {"results"}


def test_the_stock_launcher_by_name(tiny, table):
    assert tiny("sweep", "hydra/launcher=basic", "seed=0,1").status == 0
    assert len(table()) == 2


def test_a_stock_sweeper_takes_no_experiment(tiny, here):
    done = tiny("sweep", "hydra/sweeper=basic", "experiment=thread")
    assert done.status == 2
    assert done.err.splitlines()[-1].startswith("backproof: experiment: ")
    assert "Traceback" not in done.err
    assert not list(here.rglob("*.sqlite"))


# --- as a program of its own


MODULE = (sys.executable, "-m", "backproof")
PROGRAM = (str(Path(sys.executable).parent / "backproof"),)


def started(start, here, *arguments):
    return subprocess.run([*start, *arguments], capture_output=True, text=True, cwd=here, timeout=120)


def test_the_program_in_a_process_of_its_own(here):
    good = started(
        MODULE, here, "sweep", "-m", "data=xor", "network.hidden=[3]", "training=none", "seed=range(0,26)",
        "engine.jobs=2", "check=none",
    )  # fmt: skip
    assert good.returncode == 0, good.stderr
    assert "26 to run" in good.stderr
    assert "Warning" not in good.stderr
    assert good.stdout == "report: results/sweep/report.html\n"
    assert {p.name for p in here.iterdir()} == {"results"}


@pytest.mark.parametrize("start", [MODULE, PROGRAM], ids=["module", "program"])
def test_however_the_program_is_started_it_runs_a_command(here, start):
    if not Path(start[0]).exists():
        pytest.skip(f"{start[0]} is not installed")
    bad = started(start, here, "sweep", "activation=rleu")
    assert (bad.returncode, bad.stdout, bad.stderr.count("\n")) == (2, "", 1)
    assert bad.stderr.startswith("backproof: activation: must be one of")


@pytest.mark.parametrize("buffered", [True, False])
@pytest.mark.parametrize(
    "words",
    [
        ["--help"], ["--version"], ["plan", "--help"], ["plan", "experiment=thread"], ["check"],
        ["check", "--json"], ["sweep", "--cfg", "job"],
    ],
    ids=" ".join,
)  # fmt: skip
def test_output_that_nobody_reads_or_that_has_no_room(here, words, buffered):
    """Neither has a traceback, nor a status that says something of a gradient."""
    surroundings = {**os.environ, "PYTHONUNBUFFERED": "" if buffered else "1"}

    def to(stream):
        return subprocess.run([*MODULE, *words], stdout=stream, stderr=subprocess.PIPE, text=True, cwd=here,
                              env=surroundings, timeout=120)  # fmt: skip

    reader, writer = os.pipe()
    os.close(reader)
    unread = to(writer)
    os.close(writer)
    assert (unread.returncode, unread.stderr) == (141, "")
    with Path("/dev/full").open("w") as full:
        failed = to(full)
    assert failed.stderr == "backproof: the output cannot be written (No space left on device)\n"
    assert failed.returncode in (1, 2)


@pytest.mark.parametrize(
    "error", [FileNotFoundError(2, "none", "nowhere"), OSError(12, "no memory")], ids=str
)
def test_other_errors_of_the_system_are_not_taken_for_the_outputs(error):
    def fails():
        raise error

    with pytest.raises(type(error), match=error.strerror):
        ended(fails)


def test_a_value_that_only_some_choices_have(program):
    """Of an axis of data sets, only one has samples; the others leave that setting out."""
    done = program(
        "sweep", "-m", "data=xor,gaussian", "data.samples=24,40", "network.hidden=[3]", "training=none",
        "engine=serial",
    )  # fmt: skip
    assert done.status == 0, done.err
    cells = pd.read_parquet("results/sweep/cells.parquet")
    assert sorted(zip(cells["data"], cells["data.samples"].fillna(0), strict=True)) == [
        ("gaussian", 24), ("gaussian", 40), ("xor", 0),
    ]  # fmt: skip
    refused = program("plan", "-m", "data=xor,gaussian", "data.sampels=24")
    assert (refused.status, refused.err.count("\n")) == (2, 1)
    assert "did you mean 'data.samples'?" in refused.err
