"""Cells that end their process, or never end: each is a row that says so, and costs no other cell."""

import shutil

import pytest
from misbehaving import BAD

from backproof.errors import ResultsError
from backproof.sweeps import modules
from backproof.sweeps.deaths import Death
from backproof.sweeps.engines.loky import Loky
from backproof.sweeps.execution import run
from backproof.sweeps.limits import STARTED
from backproof.sweeps.pool import Pool
from backproof.sweeps.tasks import Task


@pytest.fixture
def own(tmp_path, monkeypatch, grid):
    """Cells of a function that does what it is told, each with seeds 0 and 1."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "bad.py").write_text(f"{BAD}\n# {tmp_path}: a worker of an earlier test has another one\n")
    modules.forget(["bad"])  # another test's

    def cells(*how, seeds=2):
        found = grid(
            "subject=function", "++subject._target_=bad.f", "++subject.start=bad.start",
            f"++subject.how={','.join(how)}", f"seed=range(0,{seeds})",
        )  # fmt: skip
        return [c.case for c in found.cells]

    return cells


def outcomes(cases, engine):
    """What became of the cells, by what they do."""
    written = []
    found = [o for each in run(cases, engine, written.extend) for o in each]
    assert sorted(o.id for o in found) == sorted(c.id for c in cases) == sorted(o.id for o in written)
    by_id = {o.id: o for o in found}
    return {(c.flat()["subject.how"], c.flat()["seed"]): by_id[c.id] for c in cases}


EXPECTED = {
    "exit": ("killed", "EXIT(3)", ""),
    "segfault": ("killed", "Segmentation fault, at {file}:12", "in string_at"),
    "killed": ("killed", "SIGKILL", ""),
    "memory": ("failed", "{file}:16, f: raises MemoryError", "np.ones"),
    "generator": ("failed", "GeneratorExit", "raise GeneratorExit"),
    "interrupt": ("failed", "KeyboardInterrupt", "raise KeyboardInterrupt"),
}


@pytest.mark.parametrize(
    ("jobs", "seeds", "ways"),
    [(1, 1, ["segfault", "interrupt"]), pytest.param(2, 1, [*EXPECTED], marks=pytest.mark.slow)],
    ids=["some", "all"],
)
def test_what_ends_a_process_is_a_row_and_costs_no_other(own, tmp_path, jobs, seeds, ways):
    found = outcomes(own("fine", *ways, seeds=seeds), Loky(jobs))
    for seed in range(seeds):
        assert found["fine", seed].status == "ok"
        assert found["fine", seed].values["verdict"] == "agrees"
        for how in ways:
            status, error, traceback = EXPECTED[how]
            outcome = found[how, seed]
            assert outcome.status == status, how
            assert error.format(file=tmp_path / "bad.py") in outcome.error
            assert "\n" not in outcome.error
            assert traceback in (outcome.traceback or "")
            assert outcome.attempts == (3 if status == "killed" else 1)
            assert (outcome.values, outcome.curves, outcome.tensors) == ({}, {}, [])


@pytest.mark.slow
def test_what_never_ends_is_stopped_even_in_compiled_code(own):
    found = outcomes(own("fine", "loop", "compiled", seeds=1), Loky(2, timeout=1))
    assert found["fine", 0].status == "ok"
    for how, line in (("loop", 18), ("compiled", 21)):
        outcome = found[how, 0]
        assert outcome.status == "timeout"
        assert outcome.error.startswith("took longer than 1 s (engine.timeout)")
        assert "bad.py:" in outcome.error
        assert f'bad.py", line {line}' in outcome.traceback or how == "loop"
    assert "cannot be interrupted" in found["compiled", 0].error


def test_a_process_that_dies_once_is_tried_again(own):
    found = outcomes(own("once", seeds=1), Loky(2))
    assert found["once", 0].status == "ok"


@pytest.mark.slow
def test_somebody_elses_code_never_runs_in_the_sweeps_own_process(own):
    assert outcomes(own("exit", seeds=1), Loky(1))["exit", 0].status == "killed"


def test_without_last_words_every_death_counts(own):
    class DiedError(Exception):
        pass

    def dies(_cases):
        raise DiedError("{EXIT(127)}")

    ((outcome,),) = Pool(dies, 1, dies, (DiedError,)).outcomes([Task(own("fine", seeds=1))])
    assert (outcome.status, outcome.attempts) == ("killed", 3)


def test_workers_that_die_before_they_begin(own, tmp_path):
    class DiedError(Exception):
        pass

    def dies(_cases):
        raise DiedError("{EXIT(127)}")

    pool = Pool(dies, 1, dies, (DiedError,), lambda error: Death.of(tmp_path / "none", error))
    with pytest.raises(ResultsError, match=r"do not start .*EXIT\(127\)"):
        list(pool.outcomes([Task(own("fine", seeds=1))]))


# --- last words


def death(tmp_path, words, error="{SIGKILL(-9)}"):
    log = tmp_path / "log"
    log.write_text(words)
    return Death.of(log, RuntimeError(error))


def test_last_words(tmp_path):
    nothing = Death.of(tmp_path / "none", RuntimeError("{EXIT(1)}"))
    assert (nothing.started, nothing.timed_out, nothing.reason) == (False, False, "EXIT(1)")
    silent = death(tmp_path, f"{STARTED}\n")
    assert (silent.started, silent.reason, silent.dump) == (True, "SIGKILL(-9)", "")
    said = death(
        tmp_path,
        f"{STARTED}\nFatal Python error: Bus error\n\nCurrent thread:\n"
        f'  File "{shutil.__file__}", line 5 in copy\n  File "/home/me/mine.py", line 7 in f\n',
    )
    assert (said.reason, said.location) == ("Bus error", "/home/me/mine.py:7"), (
        "the first line that is not a library's"
    )
    late = death(tmp_path, f'{STARTED}\nTimeout (0:00:02)!\n  File "/home/me/mine.py", line 7 in f\n')
    assert late.timed_out and not said.timed_out


# --- modules that change


def test_a_module_that_changed_is_imported_again(own, tmp_path):
    before = own("fine", seeds=1)
    (tmp_path / "bad.py").write_text(BAD.replace("2 * w", "3 * w"))
    after = own("fine", seeds=1)
    assert before[0].id != after[0].id
    found = outcomes(after, Loky(2))
    assert found["fine", 0].values["verdict"] == "incorrect gradient"


def test_what_a_module_imports_from_beside_it_counts_as_its_code(own, tmp_path):
    (tmp_path / "part.py").write_text("FACTOR = 2\n")
    (tmp_path / "bad.py").write_text(
        BAD.replace("2 * w", "part.FACTOR * w").replace("import ctypes", "import part, ctypes")
    )
    before = own("fine", seeds=1)
    assert outcomes(before, Loky(2))["fine", 0].values["verdict"] == "agrees"
    (tmp_path / "part.py").write_text("FACTOR = 3\n")
    after = own("fine", seeds=1)
    assert before[0].id != after[0].id
    assert outcomes(after, Loky(2))["fine", 0].values["verdict"] == "incorrect gradient"


def test_a_module_that_changes_after_the_sweep_began_ends_it(own, tmp_path):
    cells = own("fine")
    (tmp_path / "bad.py").write_text(BAD.replace("2 * w", "4 * w"))
    with pytest.raises(ResultsError, match=r"bad\.\w+: its module on .* is not what it was"):
        outcomes(cells, Loky(2))
