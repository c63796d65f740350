"""Large sweeps: what is held does not grow with them, and shards are read as they were packed."""

import dataclasses
import subprocess
import sys

import numpy as np
import pytest

from backproof.errors import ResultsError
from backproof.sweeps import construction, modules, shards, tasks
from backproof.sweeps.distinct import Distinct
from backproof.sweeps.listing import Listed
from backproof.sweeps.outcome import Outcome
from backproof.sweeps.rows import MalformedError
from backproof.sweeps.settings import DataSettings
from backproof.sweeps.shards import joined, lines_of, packed
from backproof.sweeps.store import Store
from backproof.sweeps.tasks import LONG_TASK_SECONDS, TASK_SECONDS, tasks_from

MEMORY = """
import resource
from backproof.requests import Request
from backproof.session import Session
words = ("data=xor", "network.hidden=[3]", "training=none", "activation=relu,tanh", "output=sigmoid")
for scales in (1, 50):
    axes = ("seed=range(0,3000)", f"network.init_scale=range(1,{scales + 1})")
    found = Session().plan(Request((*words, *axes)))
    print(found.to_run, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
"""
MOST_GROWTH = 40
"""MiB for 300,000 points: a digest of eight bytes for each, and what it takes to sort them. A point that is
held takes two kilobytes, 600 MiB."""


def test_a_plan_holds_a_digest_of_each_point(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", MEMORY], cwd=tmp_path, capture_output=True, text=True, timeout=180
    )
    assert done.returncode == 0, done.stderr
    (few, before), (many, after) = (map(int, line.split()) for line in done.stdout.splitlines())
    assert (few, many) == (6_000, 300_000)
    assert after - before < MOST_GROWTH


def test_digests_are_counted_across_windows(monkeypatch):
    monkeypatch.setattr("backproof.sweeps.distinct.TOGETHER", 8)
    numbers = np.random.default_rng(0).integers(0, 20, 100)
    found = Distinct()
    found.add(int(n).to_bytes(8, "big") for n in numbers[:37])
    found.add(int(n).to_bytes(8, "big") for n in numbers[37:])
    found.close()
    seen: set[int] = set()
    first = [not (n in seen or seen.add(n)) for n in numbers.tolist()]
    assert list(found.first()) == first
    assert found.number == len(seen) == sum(first)


def test_long_sweeps_have_longer_tasks_until_the_end(grid, monkeypatch):
    monkeypatch.setattr(tasks, "WINDOW", 1_000)
    cells = grid("data=xor", "training=none", "network.hidden=[3]", "seed=range(0,1500)").listed()
    found = list(tasks_from(cells))
    lengths = [task.seconds for task in found]
    assert TASK_SECONDS < max(lengths) <= LONG_TASK_SECONDS
    assert lengths[-1] <= TASK_SECONDS
    assert sum(len(task.cases) for task in found) == 1500


def test_cells_that_share_a_gradient_are_computed_together_wherever_they_stand(grid, tmp_path):
    found = grid("data=xor", "training=none", "delta=exact,y_minus_t", "seed=range(0,40)")
    with Store(tmp_path) as store:
        store.announce(found.listed())
        assert store.plan_work(retry_failed=False) == 80
        todo = list(store.todo())
    pairs = [{todo[i].flat()["seed"], todo[i + 1].flat()["seed"]} for i in range(0, 80, 2)]
    assert all(len(pair) == 1 for pair in pairs), "both deltas of a seed follow one another"
    assert [cell.flat()["seed"] for cell in todo[::2]] == list(range(40))


# --- shards


def outcomes(number):
    curves = {"loss": (np.arange(3), np.array([1.0, np.nan, np.inf])), "cosine": (np.arange(1), np.ones(1))}
    return [
        Outcome(f"{i:016x}", values={"verdict": "agrees", "touched": i}, curves=curves if i % 2 else {},
                tensors=[{"tensor": "W1", "size": i}], seconds=i / 7, attempts=1 + i)
        for i in range(number)
    ]  # fmt: skip


def test_a_shard_holds_what_was_packed(monkeypatch):
    monkeypatch.setattr(shards, "MOST_TEXT", 200)
    before = outcomes(7)
    found = joined([packed(before[:3]), packed(before[3:])])
    assert len(found.shards) > 2, "a shard is of a bounded size"
    assert (len(found), found.failed) == (7, 0)
    for one, other in zip(found, before, strict=True):
        a, b = ({k: v for k, v in dataclasses.asdict(o).items() if k != "curves"} for o in (one, other))
        assert a == b
        assert list(one.curves) == list(other.curves)
        for name, (steps, values) in one.curves.items():
            assert steps.tolist() == other.curves[name][0].tolist()
            assert values.tobytes() == other.curves[name][1].tobytes()


def test_attempts_before_are_counted_and_failures_too():
    failed = Outcome("a", status="failed", error="ValueError: \x1b[2J", traceback="at\n\udcff")
    (found,) = packed([failed]).with_attempts(2)
    assert (found.attempts, found.error, found.traceback) == (3, r"ValueError: \x1b[2J", "at\n\\udcff")
    assert packed([failed]).failed == 1


def test_a_shard_that_unpacks_to_more_than_text_does():
    (shard,) = packed([Outcome("a", values={"notes": "x" * 1_000_000})]).shards
    with pytest.raises(MalformedError, match="unpacks to more than"):
        lines_of(shard.content)


def test_settings_that_make_another_cell_elsewhere_are_refused(grid):
    (cell,) = grid("data=xor", "training=none").listed()
    assert Listed(cell.id, cell.settings).case().id == cell.id
    with pytest.raises(Exception, match="is another one here"):
        Listed("0" * 16, cell.settings).case()


VARIETY = (
    ("data=xor", "training=sgd", "activation=relu,tanh", "relu_at_zero=0,0.5", "network.hidden=[3],[2,2]"),
    ("data=gaussian", "training=none", "loss.l2=0,0.1", "precision=float32,float64", "delta=y_minus_t,exact"),
    ("data=moons", "check=none", "training=adam", "training.learning_rate=0.1,0.01"),
)


@pytest.mark.parametrize("overrides", VARIETY, ids=lambda given: given[0])
def test_cells_that_differ_in_their_seed_are_made_from_the_first_and_are_the_same(grid, overrides):
    found = grid(*overrides, "seed=range(3,9)")
    for cell, listed in zip(found.cells, found.listed(), strict=True):
        made = Listed(listed.id, listed.settings).case()
        assert made == cell.case
        assert hash(made) == hash(cell.case)
        assert (made.id, made.flat()) == (listed.id, cell.case.flat())


def test_a_listed_cell_whose_seed_is_another_one_is_refused(grid):
    first, second = grid("data=xor", "training=none", "seed=1,2").listed()
    assert Listed(first.id, first.settings).case().seed == 1
    with pytest.raises(ResultsError, match="is another one here"):
        Listed(first.id, second.settings).case()


def test_small_data_are_drawn_once_however_many_seeds_there_are(monkeypatch):
    drawn, real = [], construction._drawn

    def counted(data, seed):
        drawn.append(seed)
        return real(data, seed)

    monkeypatch.setattr(construction, "_drawn", counted)
    modules.forget([])
    data = DataSettings(name="xor")
    for seed in (*range(100), *range(100)):
        construction.dataset(data, seed)
    assert sorted(drawn) == [0, *range(100)]  # and once for its sizes
    for share in (0.2, 0.98):  # few to train on are no small data
        large = DataSettings(name="gaussian", parameters=(("samples", 5000), ("test_share", share)))
        drawn.clear()
        for seed in (*range(40), *range(40)):
            construction.dataset(large, seed)
        assert len(drawn) == 80
