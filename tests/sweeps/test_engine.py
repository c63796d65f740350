"""The engine: the same bits whatever the workers and the company, and failures that stay with their cell."""

import os
import signal
import time
from concurrent.futures.process import BrokenProcessPool
from functools import partial

import numpy as np
import pytest

from backproof.errors import ConfigurationError, ResultsError
from backproof.requests import Request
from backproof.session import Session
from backproof.sweeps import checking, training_runs
from backproof.sweeps.composition import composed
from backproof.sweeps.engines import ENGINES, engine_of, options_of, processes, summary_of
from backproof.sweeps.engines.loky import Loky
from backproof.sweeps.engines.processes import starmap
from backproof.sweeps.engines.serial import Serial
from backproof.sweeps.engines.threads import Threads
from backproof.sweeps.execution import run
from backproof.sweeps.store import Store
from backproof.sweeps.tasks import MOST_PER_TASK, TASK_SECONDS, tasks_of
from backproof.sweeps.work import compute
from backproof.sweeps.workers import load_computing
from backproof.verdicts import view

SERIAL = Serial()

GRID = (
    "data=xor,gaussian", "data.samples=40", "network.hidden=[5]", "output=sigmoid", "training=momentum",
    "training.steps=6", "training.every=2", "training.batch=8", "training.learning_rate=0.1,30",
    "clip.eps=1e-7,1e-2", "fault=none,sign", "relu_at_zero=0,0.5", "precision=float32,float64",
    "seed=0,1",
)  # fmt: skip


@pytest.fixture(scope="module")
def cells():
    return composed(GRID).grid().cells


def table_of(cells, engine, folder):
    """Cells and curves as an engine computes them, without what may differ between two runs."""
    with Store(folder) as store:
        store.announce(cells)
        done = [o.id for outcomes in run([c.case for c in cells], engine, store.add) for o in outcomes]
        assert sorted(done) == sorted(c.case.id for c in cells)
        table = store.cells().drop(columns=["seconds", "attempts"])
        return table, store.curves()


def assert_same(a, b):
    assert a[0].to_csv(index=False) == b[0].to_csv(index=False)
    for name in ("gradient_error", "excess", "loss_value", "final_loss", "cosine"):
        assert a[0][name].to_numpy().tobytes() == b[0][name].to_numpy().tobytes(), name
    for name in ("cell", "series", "step"):
        assert a[1][name].equals(b[1][name]), name
    assert a[1]["value"].to_numpy().tobytes() == b[1]["value"].to_numpy().tobytes()


@pytest.fixture(scope="module")
def serial(cells, tmp_path_factory):
    return table_of(cells, SERIAL, tmp_path_factory.mktemp("serial"))


def test_the_table_is_worth_comparing(cells, serial):
    assert len(cells) == 128
    table, curves = serial
    assert set(table["status"]) == {"ok"}
    assert {"agrees", "incorrect gradient"} <= set(table["verdict"])
    assert table["diverged_at"].notna().any()
    assert table["final_loss"].nunique() > 40
    assert len(curves) > 128 * 12


@pytest.mark.parametrize(
    "engine", [Loky(4), Loky(2), Loky(1), Threads(2), Threads(1)], ids=lambda e: f"{e.name}-{e.jobs}"
)
def test_every_engine_makes_the_same_bits(cells, serial, tmp_path, engine):
    assert_same(table_of(cells, engine, tmp_path), serial)


def test_the_order_of_the_cells_does_not_matter(cells, serial, tmp_path):
    backwards = table_of(cells[::-1], SERIAL, tmp_path)
    table = backwards[0].iloc[::-1].reset_index(drop=True)
    assert table.to_csv() == serial[0].to_csv()


@pytest.mark.parametrize("seconds", [0.0, 0.05, 60.0])
def test_the_company_of_a_cell_does_not_matter(cells, serial, monkeypatch, seconds):
    monkeypatch.setattr("backproof.sweeps.tasks.TASK_SECONDS", seconds)
    chosen = cells if seconds else cells[::8]
    by_id = {o.id: o for outcomes in run([c.case for c in chosen], SERIAL, lambda _: None) for o in outcomes}
    table = serial[0].set_index("cell")
    for cell in chosen:
        values = by_id[cell.case.id].values
        for name in ("gradient_error", "excess", "loss_value", "final_loss", "accuracy", "cosine"):
            expected = table.loc[cell.case.id, name]
            assert values[name] == expected or (values[name] is None and np.isnan(expected)), name


def test_one_cell_alone_is_as_in_the_grid(cells, serial):
    table = serial[0].set_index("cell")
    for cell in cells[::31]:
        (alone,) = compute([cell.case])
        assert alone.values["final_loss"] == table.loc[cell.case.id, "final_loss"]
        assert alone.values["gradient_error"] == table.loc[cell.case.id, "gradient_error"]


# --- tasks


def test_tasks_hold_every_cell_once_and_keep_shared_gradients_together(cells):
    tasks = tasks_of(c.case for c in cells)
    ids = [case.id for task in tasks for case in task.cases]
    assert sorted(ids) == sorted(c.case.id for c in cells)
    homes: dict[object, set[int]] = {}
    for i, task in enumerate(tasks):
        for case in task.cases:
            homes.setdefault(case.numerical_key, set()).add(i)
    assert all(len(home) == 1 for home in homes.values())


def test_tasks_are_sized_by_the_time_they_are_expected_to_take(grid):
    quick = grid("data=xor", "check=none", "training=none", "network.hidden=[3]", "seed=range(0,500)")
    slow = grid("data=digits", "training=sgd", "training.steps=2000", "seed=range(0,4)")
    (only,) = tasks_of(c.case for c in quick.cells)
    assert len(only.cases) == 500
    long = tasks_of(c.case for c in slow.cells)
    assert [len(task.cases) for task in long] == [1] * 4
    assert long[0].seconds > TASK_SECONDS > only.seconds


def test_the_longest_task_comes_first(grid):
    found = grid("data=xor", "training=sgd", "training.steps=100,10000,1000")
    seconds = [task.seconds for task in tasks_of(c.case for c in found.cells)]
    assert seconds == sorted(seconds, reverse=True)
    assert len(seconds) == 3


def test_many_cells_that_share_a_gradient_still_keep_every_worker_busy(grid):
    found = grid("data=xor", "training=sgd", "training.learning_rate=range(1,101)")
    assert len({c.case.numerical_key for c in found.cells}) == 1
    tasks = tasks_of(c.case for c in found.cells)
    assert 10 < max(len(task.cases) for task in tasks) <= MOST_PER_TASK
    assert len(tasks) > 1


def test_what_is_only_trained_is_cut_along_the_parts_of_a_batch(grid):
    found = grid(
        "data=xor", "check=none", "training=sgd", "fault=none,sign,doubled", "training.learning_rate=0.1,1",
        "seed=range(0,30)",
    )  # fmt: skip
    tasks = tasks_of(c.case for c in found.cells)
    parts = [len({case.part_key for case in task.cases}) for task in tasks]
    assert max(parts) < 3, "of three faults"
    assert max(len(task.cases) for task in tasks) > 10


def test_no_cells_no_tasks():
    assert tasks_of([]) == []
    assert list(run([], Loky(2), lambda _: None)) == []


def test_one_numerical_gradient_for_all_rules(grid, monkeypatch):
    calls = []

    def counting(points, **more):
        calls.extend(points)
        return real(points, **more)

    real = view.numerical_gradients
    monkeypatch.setattr(view, "numerical_gradients", counting)
    found = grid(
        "data=xor",
        "training=none",
        "delta=exact,y_minus_t",
        "relu_at_zero=0,0.5,1",
        "fault=none,sign",
        "check.cures=0",
    )
    outcomes = compute([c.case for c in found.cells])
    assert len(outcomes) == 12
    assert len(calls) == 1


@pytest.mark.parametrize("hidden", ["[]", "[3]"])
def test_small_problems_are_measured_at_once(grid, monkeypatch, hidden):
    calls, real = [], view.numerical_gradients

    def counting(points, **more):
        calls.append(len(points))
        return real(points, **more)

    monkeypatch.setattr(view, "numerical_gradients", counting)
    found = grid("data=xor", "training=none", f"network.hidden={hidden}", "check.cures=0", "seed=range(0,5)")
    assert all(o.status == "ok" for o in compute([c.case for c in found.cells]))
    assert max(calls) == 5


@pytest.mark.parametrize(("jobs", "workers"), [(1, 1), (3, 3)])
def test_workers(jobs, workers):
    assert Loky(jobs).workers == workers


def test_negative_jobs_count_from_the_cores(monkeypatch):
    monkeypatch.setattr("joblib.cpu_count", lambda: 8)
    assert [Loky(j).workers for j in (-1, -2, -8, -100)] == [8, 7, 1, 1]


# --- options


def test_engines_are_found_with_their_options():
    assert list(ENGINES) == ["dask", "loky", "serial", "threads"]
    assert options_of("loky") == {
        "name": "loky", "grace": 20.0, "jobs": -1, "timeout": None, "memory": None, "isolate": "task",
    }  # fmt: skip
    for name, engine in ENGINES.items():
        assert summary_of(name)
        assert engine.can_stop == ("timeout" in options_of(name)), "the option is there where it is obeyed"


def test_an_engine_from_its_options():
    assert engine_of({"name": "loky", "jobs": 3, "timeout": 2}) == Loky(3, 2)
    assert engine_of({"name": "serial"}) == Serial()
    for name in ("loky", "serial", "threads"):
        assert engine_of(options_of(name)).name == name


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({}, "engine: must be one of dask, loky, serial, threads; not None"),
        (
            {"name": "loki"},
            "engine: must be one of dask, loky, serial, threads; not 'loki'; did you mean 'loky'?",
        ),
        (
            {"name": ["loky"]},
            "engine: must be one of dask, loky, serial, threads; not ['loky']; did you mean 'loky'?",
        ),
        ({"name": "loky", "jobs": 0}, "engine.jobs: must be a whole number other than 0; not 0"),
        ({"name": "loky", "jobs": True}, "engine.jobs: must be a whole number other than 0; not True"),
        ({"name": "threads", "jobs": "two"}, "engine.jobs: must be a whole number other than 0; not 'two'"),
        ({"name": "loky", "timeout": 0}, "engine.timeout: must be null or seconds > 0; not 0"),
        ({"name": "serial", "timeout": float("inf")}, "engine.timeout: must be null or seconds > 0; not inf"),
        ({"name": "serial", "timeout": "1"}, "engine.timeout: must be null or seconds > 0; not '1'"),
        (
            {"name": "threads", "timeout": 5},
            "engine.timeout: not an option of engine=threads; engine=loky and engine=serial have it",
        ),
        (
            {"name": "serial", "jobs": 2},
            "engine.jobs: not an option of engine=serial; engine=loky and engine=threads have it",
        ),
        ({"name": "dask", "address": "a:1", "grace": 0}, "engine.grace: must be seconds > 0; not 0"),
        ({"name": "loky", "memory": "much"}, "engine.memory: must be null or a size, as 2GB; not 'much'"),
        (
            {"name": "loky", "isolate": "cells"},
            "engine.isolate: must be one of cell, task, none; not 'cells'; did you mean 'cell'?",
        ),
        ({"name": "loky", "job": 2}, "engine.job: not an option of engine=loky; did you mean 'jobs'?"),
        (
            {"name": "dask", "address": "here"},
            "engine.address: must be that of a Dask scheduler, as tcp://127.0.0.1:8786; not 'here'",
        ),
    ],
)
def test_wrong_options(options, says):
    with pytest.raises(ConfigurationError) as caught:
        engine_of(options)
    assert str(caught.value) == says


def test_other_work_in_processes():
    assert list(starmap(pow, [(2, 3), (3, 2), (10, 0)], jobs=2)) == [8, 9, 1]


def _touches(path):
    path.touch()


def _appears(path):
    """Whether a file is there before long: a call handed over earlier began earlier, but may end later."""
    for _ in range(600):
        if path.exists():
            return True
        time.sleep(0.1)
    return False


def _fails():
    raise RuntimeError


def test_processes_are_there_before_their_work_is(tmp_path, recwarn):
    """That a call fails there is no matter; and where fewer are asked for all stay, with no warning."""
    processes.stop()
    called = tmp_path / "called"
    processes.warm_up(2, [_fails, partial(time.sleep, 1), partial(_touches, called)])
    assert processes.size() == 2
    assert list(starmap(_appears, [(called,)], jobs=1)) == [True]
    assert processes.size() == 2
    processes.stop()
    assert not processes.size()
    assert not recwarn.list


def test_fewer_processes_wait_in_silence_for_work_that_is_left(recwarn):
    processes.stop()
    left = [processes.submitted(2, time.sleep, 1) for _ in range(2)]
    assert processes.submitted(1, pow, 2, 3).result(timeout=60) == 8
    assert all(each.done() for each in left)
    processes.stop()
    assert not recwarn.list


def test_workers_start_early_with_what_some_of_them_draw_with(monkeypatch):
    asked = []
    monkeypatch.setattr(processes, "warm_up", lambda number, calls: asked.append((number, list(calls))))
    Loky(jobs=3).start_early(_fails, 2)
    ((number, calls),) = asked
    assert (number, len(calls), calls.count(load_computing)) == (3, 3, 1)
    with pytest.raises(RuntimeError):
        calls[0]()
    Loky(jobs=3, isolate="cell").start_early(_fails, 2)
    assert len(asked) == 1


def test_a_large_grid_is_looked_at_while_workers_start(monkeypatch, tmp_path):
    begun, session = [], Session(tmp_path)
    monkeypatch.setattr(Loky, "start_early", lambda self, *_: begun.append(self))
    small = ["seed=0,1", "check=none", "training=none"]
    session.sweep(Request((*small, "name=small")))
    assert not begun
    with pytest.raises(ConfigurationError, match="data"):
        session.sweep(Request(("seed=range(0,300)", "data.samples=-1")))
    assert begun == [Loky()]
    session.plan(Request(("seed=range(0,300)",)))  # runs nothing
    assert len(begun) == 1


def _dies_at_first(mark):
    if not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return "done"


def _dies(_):
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.slow
def test_other_work_is_done_by_other_processes_where_one_was_killed(tmp_path):
    marks = [(tmp_path / str(i),) for i in range(3)]
    assert list(starmap(_dies_at_first, marks, jobs=2)) == ["done"] * 3
    with pytest.raises(ResultsError, match=r"a process died 3 times at _dies \("):
        list(starmap(_dies, [(1,)], jobs=2))


@pytest.mark.slow
def test_a_process_in_place_of_one_that_was_idle_too_long_may_die(monkeypatch):
    """Of a pool of one process, where no other's end would show it."""
    monkeypatch.setattr(processes, "IDLE_SECONDS", 1)
    assert processes.submitted(1, pow, 2, 3).result(timeout=30) == 8
    time.sleep(2.5)
    with pytest.raises(BrokenProcessPool):
        processes.submitted(1, _dies, 1).result(timeout=30)
    processes.stop()


# --- failures


@pytest.fixture
def bad_seed(monkeypatch):
    """A step of the work that fails for seed 1."""

    def spoil(name):
        real = getattr(checking, name)

        def failing(case, **more):
            if case.seed == 1:
                raise RuntimeError("seed 1 is\nunlucky")
            return real(case, **more)

        monkeypatch.setattr(checking, name, failing)

    return spoil


@pytest.mark.parametrize("step", ["samples_of", "rule_of", "weights_of"])
def test_a_cell_that_fails_has_a_row_and_the_others_go_on(grid, bad_seed, step):
    cases = [c.case for c in grid("data=xor", "training.steps=2", "seed=0,1,2").cells]
    expected = compute(cases)
    bad_seed(step)
    good, bad, other = compute(cases)
    assert bad.status == "failed"
    assert bad.error.startswith("RuntimeError: seed 1 is")
    assert "test_engine.py" in bad.error, "the place where it happened"
    assert (bad.values, bad.curves) == ({}, {})
    for outcome, before in ((good, expected[0]), (other, expected[2])):
        assert outcome.status == "ok"
        assert outcome.values == before.values


def test_a_cell_that_fails_while_it_trains(grid, monkeypatch):
    cases = [c.case for c in grid("data=xor", "training.steps=2", "seed=0,1,2").cells]
    real = training_runs.runs_of

    def failing(cells, watch):
        if any(c.seed == 1 for c in cells):
            raise MemoryError("too much")
        return real(cells, watch)

    monkeypatch.setattr(training_runs, "runs_of", failing)
    outcomes = compute(cases)
    assert [o.status for o in outcomes] == ["ok", "failed", "ok"]
    assert outcomes[1].error.startswith("MemoryError: too much")
    assert all("final_loss" in o.values for o in (outcomes[0], outcomes[2]))


def test_an_interruption_is_no_failure(grid, monkeypatch):
    def interrupted(_):
        raise KeyboardInterrupt

    monkeypatch.setattr(checking, "samples_of", interrupted)
    for seeds in ("0", "0,1"):
        with pytest.raises(KeyboardInterrupt):
            compute([c.case for c in grid("data=xor", f"seed={seeds}").cells])


def test_without_check_and_training_there_is_still_the_loss(one):
    (outcome,) = compute([one("data=xor", "check=none", "training=none").case])
    assert outcome.status == "ok"
    assert outcome.values["verdict"] == "not checked"
    assert np.isfinite(outcome.values["loss_value"])
    assert outcome.curves == {}
