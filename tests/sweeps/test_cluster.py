"""A Dask cluster of a scheduler and two workers on this machine: the same bits, and workers that die."""

import os
import signal
import time

import pytest
from dask_processes import dask_cluster, free_port
from misbehaving import BAD

from backproof.errors import ConfigurationError, ResultsError
from backproof.sweeps import modules
from backproof.sweeps.composition import composed
from backproof.sweeps.engines import dask as cluster
from backproof.sweeps.engines.dask import Dask
from backproof.sweeps.engines.serial import Serial
from backproof.sweeps.execution import run
from backproof.sweeps.store import Store

pytestmark = pytest.mark.filterwarnings("default")  # of libraries beneath Dask

GRID = (
    "data=xor", "network.hidden=[5]", "output=sigmoid", "training=momentum", "training.steps=6",
    "training.every=2", "training.batch=8", "training.learning_rate=0.1,30", "fault=none,sign",
    "precision=float32,float64", "seed=range(0,8)",
)  # fmt: skip


@pytest.fixture(scope="module")
def address():
    """A scheduler and two workers of a thread each, which are there."""
    with dask_cluster() as where:
        with cluster.connected(where) as client:
            client.wait_for_workers(2, timeout=60)
        yield where


def table_of(cells, engine, folder, after_first=lambda: None):
    with Store(folder) as store:
        store.announce(cells)
        for i, _ in enumerate(run([c.case for c in cells], engine, store.add)):
            if i == 0:
                after_first()
        table = store.cells().drop(columns=["seconds", "attempts"])
        return table.to_csv(), store.curves().to_pandas().to_csv(), store.tensors().to_csv()


@pytest.fixture(scope="module")
def cells():
    return composed(GRID).grid().cells


@pytest.mark.slow
def test_the_same_bits_also_when_a_worker_dies(cells, address, tmp_path):
    here = table_of(cells, Serial(), tmp_path / "here")
    assert table_of(cells, Dask(address), tmp_path / "there") == here
    killed = []

    def kill():
        with cluster.connected(address) as client:
            one = next(iter(client.run(os.getpid).values()))
            os.kill(one, signal.SIGKILL)
            killed.append(one)

    assert table_of(cells, Dask(address), tmp_path / "killed", kill) == here
    assert killed


def test_workers_are_counted(address):
    for _ in range(100):  # one may be starting again
        if Dask(address).workers == 2:
            return
        time.sleep(0.1)
    pytest.fail("there are two workers")


@pytest.fixture
def own(tmp_path, monkeypatch, grid):
    """Cells of a function in the working directory, whose gradient is FACTOR w."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    modules.forget(["far"])  # another test's

    def make(factor, *how):
        (tmp_path / "far.py").write_text(BAD.replace("2 * w", f"{factor} * w"))
        found = grid(
            "subject=function", "++subject._target_=far.f", "++subject.start=far.start",
            f"++subject.how={','.join(how)}", "seed=0,1",
        )  # fmt: skip
        return [c.case for c in found.cells]

    return make


def outcomes(cases, address):
    found = [o for each in run(cases, Dask(address), lambda _: None) for o in each]
    by_id = {o.id: o for o in found}
    return {(c.flat()["subject.how"], c.flat()["seed"]): by_id[c.id] for c in cases}


@pytest.mark.slow
def test_a_cell_that_kills_its_workers_is_a_row(own, address):
    found = outcomes(own("2", "fine", "exit"), address)
    for seed in (0, 1):
        assert found["fine", seed].values["verdict"] == "agrees"
        assert found["exit", seed].status == "killed"
        assert "4 workers, one after another" in found["exit", seed].error


def test_workers_have_modules_as_they_are_now(own, address):
    assert outcomes(own("2", "fine"), address)["fine", 0].values["verdict"] == "agrees"
    assert outcomes(own("2.5", "fine"), address)["fine", 0].values["verdict"] == "incorrect gradient"


def test_other_code_on_a_worker_ends_the_sweep(cells, address, monkeypatch):
    monkeypatch.setattr("backproof.sweeps.workers.source_digest", lambda: "another")
    monkeypatch.setattr("backproof.sweeps.workers.code_digest", lambda: "another")
    with pytest.raises(ResultsError, match="has another version of backproof"):
        list(run([c.case for c in cells], Dask(address), lambda _: None))


def test_no_scheduler(monkeypatch):
    monkeypatch.setattr(cluster, "WAIT", 0.5)
    engine = Dask(f"tcp://127.0.0.1:{free_port()}")
    with pytest.raises(ConfigurationError, match="no Dask scheduler at tcp"):
        list(run([], engine, lambda _: None))


def test_a_scheduler_without_workers(monkeypatch):
    monkeypatch.setattr(cluster, "WAIT", 3)
    with dask_cluster(workers=0) as where, pytest.raises(ConfigurationError, match="has no worker"):
        list(run([], Dask(where), lambda _: None))
