"""Code from outside that changes what its process computes with: found, put back, no other cell's loss."""

import os
import random
from pathlib import Path

import numpy as np
import pytest

from backproof.errors import ConfigurationError
from backproof.sweeps import modules, surroundings
from backproof.sweeps.engines.loky import Loky
from backproof.sweeps.engines.serial import Serial
from backproof.sweeps.execution import run
from backproof.sweeps.surroundings import TamperedError, guarded

MINE = """
import builtins, os, random
import numpy as np
import backproof.estimates.stencils as stencils

def start(seed):
    return np.linspace(-1, 1, 3) + seed

def f(w, how="fine", seed=0):
    if how == "sqrt":
        np.sqrt = np.abs
    if how == "linalg":
        np.linalg.norm = lambda *_, **__: 0.0
    if how == "builtin":
        builtins.abs = lambda x: x
    if how == "ours":
        stencils.takes_complex = None
    if how == "errors":
        np.seterr(all="raise")
    if how == "state":
        np.random.seed(1), random.seed(1), os.chdir("/"), os.environ.update(MINE="1")
    return float((np.sqrt(w**2) ** 2).sum()), 2 * w

def drawing(w, seed=0):
    return float((w**2).sum()), 2 * w

def drawn(seed):
    return np.random.normal(size=3)
"""

TAMPERS = {
    "sqrt": "numpy.sqrt", "linalg": "numpy.linalg.norm", "builtin": "builtins.abs",
    "ours": "backproof.estimates.stencils.takes_complex",
}  # fmt: skip


@pytest.fixture
def own(tmp_path, monkeypatch, grid):
    """Cases of a function that does what `how` asks for."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "mine.py").write_text(MINE)
    modules.forget(["mine"])

    def cases(*how, target="mine.f", start="mine.start", seeds=2):
        words = [f"++subject.how={','.join(how)}"] if how else []
        found = grid(
            "subject=function", f"++subject._target_={target}", f"++subject.start={start}", *words,
            f"seed=range(0,{seeds})",
        )  # fmt: skip
        return [c.case for c in found.cells]

    return cases


def computed(cases, engine):
    found = {o.id: o for each in run(cases, engine, lambda _: None) for o in each}
    return {(c.flat().get("subject.how"), c.flat()["seed"]): found[c.id] for c in cases}


@pytest.mark.slow
@pytest.mark.parametrize(
    "engine", [Loky(1), Serial(), Loky(1, isolate="cell")], ids=["task", "serial", "cell"]
)
def test_a_cell_that_replaces_functions_fails_and_no_other_is_changed(own, engine):
    alone = computed(own("fine", "errors"), engine)
    before = dict(os.environ), Path.cwd(), random.getstate()
    found = computed(own("fine", *TAMPERS, "errors", "state"), engine)
    for how, name in TAMPERS.items():
        for seed in (0, 1):
            assert found[how, seed].status == "failed"
            assert found[how, seed].error == f"mine.f: replaces {name}, which the check computes with"
    for how in ("fine", "errors", "state"):
        for seed in (0, 1):
            assert found[how, seed].status == "ok", found[how, seed].error
            assert found[how, seed].values["verdict"] == "agrees"
    for key, outcome in alone.items():
        assert found[key].values == outcome.values
    assert before == (dict(os.environ), Path.cwd(), random.getstate())


@pytest.mark.parametrize("engine", [Serial(isolate="none"), Loky(2, isolate="none")], ids=repr)
def test_without_a_guard_nothing_is_looked_for_and_nothing_stays(own, grid, engine):
    found = computed(own("sqrt", seeds=4), engine)
    assert {outcome.status for outcome in found.values()} == {"ok"}
    assert np.sqrt(4.0) == 2
    networks = [c.case for c in grid("data=xor", "output=sigmoid", "training=none", "seed=range(0,4)").cells]
    assert {o.values["verdict"] for o in computed(networks, engine).values()} == {"agrees"}


def test_a_module_that_replaces_functions_when_it_is_imported_is_refused(own, tmp_path):
    (tmp_path / "mine.py").write_text("import numpy as np\nnp.exp = np.abs\n" + MINE)
    modules.forget(["mine"])
    with pytest.raises(ConfigurationError, match=r"importing mine\.f replaces numpy\.exp, which"):
        own("fine")
    assert np.exp(0.0) == 1


def test_global_generators_are_seeded_by_the_case_whatever_ran_before(own):
    cases = own(target="mine.drawing", start="mine.drawn", seeds=4)
    one_way = computed(cases, Serial())
    other_way = computed(cases[::-1], Serial())
    assert one_way.keys() == other_way.keys()
    for key, outcome in one_way.items():
        assert outcome.values == other_way[key].values
    assert len({str(o.values) for o in one_way.values()}) == 4


def test_what_was_deleted_is_put_back_and_what_was_added_stays():
    surroundings.put_back()
    with pytest.raises(TamperedError, match=r"me: replaces numpy\.hypot, which"), guarded("me", 0):
        del np.hypot
        np.something_new = 1
    assert np.hypot(3.0, 4.0) == 5
    assert surroundings.put_back() == []
    del np.something_new


@pytest.mark.slow
def test_a_cell_has_no_more_memory_than_it_may(own, tmp_path):
    (tmp_path / "mine.py").write_text(
        MINE.replace(
            '    if how == "sqrt":',
            "    if how == 'large':\n        np.ones(1 << 27)\n    if how == \"sqrt\":",
        )
    )
    modules.forget(["mine"])
    found = computed(own("fine", "large", seeds=1), Loky(1, memory="200MB"))
    assert found["fine", 0].status == "ok"
    assert found["large", 0].status == "failed"
    assert "MemoryError" in found["large", 0].error
    assert found["large", 0].error.endswith("(engine.memory allows 200,000,000 bytes)")
    assert computed(own("large", seeds=1), Loky(1, memory="4GB"))["large", 0].status == "ok"
