"""Wrong input: exit status 2, one line that names what is wrong, and nothing has happened."""

import itertools

import numpy as np
import pytest

from backproof.sweeps import work
from backproof.sweeps.engines import serial
from backproof.sweeps.overrides import GROUPS
from backproof.verdicts import view

WRONG = [
    (["swep"], "swep: must be one of sweep, plan, check, report", "did you mean 'sweep'?"),
    (["--frobnicate"], "--frobnicate"),
    (["report"], "report: takes one results folder"),
    (["report", "a", "b"], "report: takes one results folder"),
    (["report", "results/none"], "results/none: holds no sweep"),
    (["sweep", "--frobnicate"], "--frobnicate: unknown option"),
    (["sweep", "--multirn"], "--multirn: unknown option; did you mean '--multirun'?"),
    (["sweep", "--config-dir"], "--config-dir", "expected one argument"),
    (["sweep", "--config-dir", "nowhere"], "nowhere"),
    (["sweep", "--config-name", "nowhere"], "nowhere"),
    (["plan", "hydra.searchpath=[file:///nowhere]"], "hydra.searchpath: /nowhere is not a folder"),
    (["sweep", "--cfg", "everything"], "--cfg", "everything"),
    (["sweep", "-m"], "--multirun: needs axes"),
    (["sweep", "name=../x"], "name: must be a folder name", "'../x'"),
    (["sweep", "name=.hidden"], "name: must be a folder name"),
    (["sweep", "name=a/b"], "name: must be a folder name"),
    (["sweep", "-m", "name=a,b"], "name: takes one value"),
    (["sweep", "experiment=thraed"], "experiment: must be one of", "did you mean 'thread'?"),
    (["sweep", "-m", "experiment=thread,clipping"], "experiment: takes one value"),
    (["check", "experiment=thread"], "experiment: check takes one case"),
    (["check", "seed=0,1"], "check takes one case; these arguments span 2"),
    (["plan", "data=1"], "data: must be one of", "xor; not 1"),
    (["plan", "training=[2.5]"], "training: must be one of", "not [2.5]"),
    (["sweep", "-m", "seed=0,1", "--cfg", "job"], "--multirun and --cfg: only one of them", ""),
    (["sweep", "activation=1e-3"], "activation: must be one of", "not 1e-3"),
    (["sweep", "engine=loki"], "engine: must be one of dask, loky, serial, threads", "did you mean 'loky'?"),
    (["sweep", "engine=loky,serial"], "engine: takes one value"),
    (["sweep", "engine.name=x"], "engine: must be one of dask, loky, serial, threads; not 'x'"),
    (["sweep", "engine.jobs=0"], "engine.jobs: must be a whole number other than 0; not 0"),
    (["sweep", "engine.jobs=two"], "engine.jobs: must be a whole number other than 0; not 'two'"),
    (["sweep", "engine.jobs=1.5"], "engine.jobs"),
    (["sweep", "engine.jobs=1,2"], "engine.jobs: takes one value"),
    (["sweep", "hydra/sweeper=basc"], "hydra/sweeper: must be one of backproof, basic", "'basic'?"),
    (["sweep", "hydra/launcher=nope"], "hydra/launcher: must be one of", "basic"),
]  # fmt: skip

WRONG_GRIDS = [
    (["activaton=relu"], "activaton: unknown; did you mean 'activation'?"),
    (["activation=rleu"], "activation: must be one of", "not 'rleu'; did you mean 'relu'?"),
    (["activation=relu,rleu"], "activation: must be one of", "not 'rleu'; did you mean 'relu'?"),
    (["clip.epsilon=1"], "clip.epsilon: unknown; did you mean 'clip.eps'?"),
    (["clip.eps=-1"], "clip.eps: must be a number > 0 and < 0.5; not -1"),
    (["network.hidden=[0]"], "network.hidden: must be a list of whole numbers ≥ 1; not [0]"),
    (["network.hidden=3"], "network.hidden: must be a list of whole numbers ≥ 1; not 3"),
    (["seed=-1"], "seed: must be a whole number ≥ 0; not -1"),
    (["seed=x"], "seed: must be a whole number ≥ 0; not 'x'"),
    (
        ["seed=interval(0,1)"],
        "seed: an interval needs a sweeper that optimises, as hydra/sweeper=optuna does",
    ),
    (["a=[1"], "a: 'a=[1' is not an override in Hydra's syntax"),
    (["seed"], "seed: 'seed' is not an override in Hydra's syntax"),
    (["data=file"], "data.path is needed"),
    (["data=file", "data.path=none.csv"], "data.path=none.csv: no such file"),
    (["data.path=none.csv"], "data.path: not among the values of the chosen data"),
    (["data=file", "data.path=text.csv"], "text.csv: column 'a', line 3: must be a finite number; not 'x'"),
    (["data=file", "data.path=nan.csv"], "nan.csv: column 'a', line 3: must be a finite number"),
    (["data=file", "data.path=nan.npz"], "nan.npz: X is not a finite number in row 1"),
    (["data=file", "data.path=broken.npz"], "broken.npz: not a readable NPZ"),
    (["data=file", "data.path=good.csv", "data.target=z"], "data.target=z: must be one of a, y"),
    (
        ["data=file", "data.path=good.csv", "data.kind=values"],
        "loss=binary_cross_entropy: needs targets in [0, 1]",
    ),
    (["training=adam", "training.epsilon=0"], "training: epsilon must be positive; not 0"),
    (["training=nonee"], "training: must be one of", "did you mean 'none'?"),
    (["~loss"], "loss"),
    (["+colour=red"], "colour: unknown"),
]


@pytest.fixture
def nothing_runs(monkeypatch, here):
    """A folder with data good and bad, where computing a cell is an error."""

    def forbidden(*_given, **_more):
        raise AssertionError("a cell was run")

    for module, name in ((work, "compute"), (serial, "compute_here"), (view, "numerical_gradient")):
        monkeypatch.setattr(module, name, forbidden)
    (here / "good.csv").write_text("a,y\n1,0\n2,3\n3,0\n4,3\n")
    (here / "text.csv").write_text("a,y\n1,0\nx,1\n3,0\n4,1\n")
    (here / "nan.csv").write_text("a,y\n1,0\nnan,1\n3,0\n4,1\n")
    (here / "broken.npz").write_bytes(b"PK\x03\x04 and no more")
    np.savez(here / "nan.npz", X=np.array([[0], [np.nan], [1], [2]]), y=np.array([0, 1, 0, 1]))
    return sorted(here.iterdir())


def assert_refused(done, here, before, says):
    assert done.status == 2
    assert done.out == ""
    assert done.err.count("\n") == 1, done.err
    assert done.err.startswith("backproof: ")
    for part in says:
        assert part in done.err
    assert sorted(here.iterdir()) == before


@pytest.mark.parametrize("given", WRONG, ids=lambda g: " ".join(g[0]))
def test_arguments(program, here, nothing_runs, given):
    arguments, *says = given
    assert_refused(program(*arguments), here, nothing_runs, says)


COMMANDS = itertools.cycle([("sweep",), ("sweep", "-m"), ("plan",), ("check",)])


@pytest.mark.parametrize(
    ("flags", "given"),
    list(zip(COMMANDS, WRONG_GRIDS, strict=False)),
    ids=lambda v: " ".join(v[0] if isinstance(v[0], list) else v),
)
def test_grids(program, here, nothing_runs, flags, given):
    arguments, *says = given
    assert_refused(program(*flags, *arguments), here, nothing_runs, says)


def test_no_command_shows_the_usage(program):
    done = program()
    assert done.status == 2
    assert "usage: backproof COMMAND" in done.out


BROKEN = {
    "qestion: Why?": "qestion: unknown; did you mean 'question'?",
    "grid: {activation: [rleu]}": "not 'rleu'; did you mean 'relu'?",
    "grid: {engine: serial}": "engine: belongs on the command line",
    "grid: {seed: []}": "seed: the list is empty",
    "grid: [": "not readable as YAML",
    "claims: [{statement: a, where: activaton == 'relu', holds: verdict == 'agrees'}]": "activaton",
    "claims: [{statement: a, where: seed == 0, holds: verdct == 'agrees'}]": "verdct",
    "claims: [{statement: a, where: 'seed ==', holds: verdict == 'agrees'}]": "seed ==",
    "figures: [{value: verdct, rows: [seed], columns: [loss]}]": "verdct",
    "figures: [{value: verdict, rows: [sed], columns: [loss]}]": "sed",
    "exclude: [{where: sed == 1, because: no}]": "exclude[0].where: unknown name sed; did you mean 'seed'?",
}


@pytest.mark.usefixtures("nothing_runs")
@pytest.mark.parametrize("text", BROKEN)
@pytest.mark.parametrize("command", ["sweep", "plan"])
def test_a_broken_experiment(program, here, command, text):
    (here / "experiments").mkdir()
    (here / "experiments" / "mine.yaml").write_text(text)
    before = sorted(here.iterdir())
    assert_refused(program(command, "data=xor", "experiment=mine"), here, before, [BROKEN[text]])


@pytest.mark.usefixtures("nothing_runs")
@pytest.mark.parametrize("command", ["sweep", "plan"])
def test_a_results_folder_that_cannot_be_one(tiny, here, command):
    (here / "results").write_text("a file")
    before = sorted(here.iterdir())
    done = tiny(command)
    if command == "plan":
        assert done.status in (0, 2)
    else:
        assert_refused(done, here, before, ["results/sweep: cannot be used as a results folder"])
    assert (here / "results").read_text() == "a file"


@pytest.mark.usefixtures("nothing_runs")
@pytest.mark.parametrize("command", ["plan", "report"])
def test_a_store_that_is_none(program, tiny, here, command):
    (here / "results" / "a").mkdir(parents=True)
    (here / "results" / "a" / "sweep.sqlite").write_bytes(b"no database at all" * 100)
    before = sorted(here.iterdir())
    done = program("report", "results/a") if command == "report" else tiny(command, "name=a")
    assert_refused(done, here, before, ["results/a"])


def test_a_sweep_sets_aside_what_is_no_store(tiny, here):
    (here / "results" / "a").mkdir(parents=True)
    (here / "results" / "a" / "sweep.sqlite").write_bytes(b"no database at all" * 100)
    done = tiny("sweep", "name=a")
    assert done.status == 0
    assert "damaged" in done.err and "kept as results/a/sweep.damaged-1.sqlite" in done.err
    kept = here / "results" / "a" / "sweep.damaged-1.sqlite"
    assert kept.read_bytes() == b"no database at all" * 100


def test_a_store_that_is_damaged_inside(program, tiny, here):
    """The first half is sound, so that it opens; what follows is not."""
    tiny("sweep", "seed=range(0,60)", "check=none", "name=a")
    path = here / "results" / "a" / "sweep.sqlite"
    content = bytearray(path.read_bytes())
    half = len(content) // 8192 * 4096
    content[half:] = b"\xaa" * (len(content) - half)
    path.write_bytes(bytes(content))
    done = program("report", "results/a")
    assert done.status == 2
    assert done.err.count("\n") == 1, done.err
    assert "results/a" in done.err
    assert path.read_bytes() == bytes(content), "who only reads changes nothing"
    done = tiny("sweep", "seed=range(0,60)", "check=none", "name=a")
    assert (done.status, "kept as results/a/sweep.damaged-1.sqlite" in done.err) == (1, True)
    assert tiny("sweep", "seed=range(0,60)", "check=none", "name=a").status == 0


def test_every_group_refuses_an_unknown_choice_by_name(program, here, nothing_runs):
    for group in (*GROUPS, "engine"):
        assert_refused(program("sweep", f"{group}=nope"), here, nothing_runs, [f"{group}: must be one of "])
