"""`hydra/sweeper=optuna`: trials are cells of the store, and the same study asks for the same ones."""

import shlex

import pytest

from backproof.errors import ConfigurationError
from backproof.reports import results
from backproof.requests import Request
from backproof.session import Session
from backproof.sweeps import optimisation
from backproof.sweeps.store import read_only

SMALL = (
    "data=xor", "network.hidden=[3]", "training=none", "check.cures=0", "clip.backward=ignored",
    "output=sigmoid", "network.init_scale=6", "engine=serial", "hydra/sweeper=optuna", "name=best",
)  # fmt: skip
EPS = "clip.eps=tag(log,interval(1e-8,0.4))"


@pytest.fixture
def session(tmp_path, monkeypatch):
    pytest.importorskip("optuna", reason="pip install 'backproof[optuna]'")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(results, "write_results", lambda *_: ())  # reports are tested elsewhere
    return Session()


def cells_of(result):
    with read_only(result.folder) as store:
        return store.cells().set_index("cell")


def optimised(session, *words):
    return session.optimise(Request((*SMALL, *words)))


def test_the_largest_error_is_found_and_no_trial_computed_twice(session):
    words = (EPS, "optimize=gradient_error", "hydra.sweeper.direction=maximize", "hydra.sweeper.n_trials=12")
    result, best = optimised(session, *words)
    cells = cells_of(result)
    assert (result.cells, result.failed, result.pending) == (12, 0, 0)
    assert best.value == cells["gradient_error"].max() > 0.01
    assert best.command == cells["command"][cells["gradient_error"].idxmax()]
    assert (
        session.cell(Request(tuple(shlex.split(best.command)[2:]))).case.id
        == cells["gradient_error"].idxmax()
    )
    again, same = optimised(session, *words)
    assert same == best
    assert cells_of(again).equals(cells), "nothing was computed: seconds and attempts are as they were"
    _, other = optimised(session, *words, "hydra.sweeper.sampler.seed=1")
    assert other.overrides != best.overrides
    longer, _ = optimised(session, *words[:-1], "hydra.sweeper.n_trials=14")
    assert set(cells.index) < set(cells_of(longer).index), "it goes on from there"


def test_the_largest_eps_that_still_agrees(session):
    objective = "optimize='-log10(`clip.eps`) + 100 * (verdict != \"agrees\")'"
    result, best = optimised(session, EPS, objective, "hydra.sweeper.n_trials=15")
    cells = cells_of(result)
    agreeing = cells[cells["verdict"] == "agrees"]
    assert 0 < len(agreeing) < len(cells)
    assert best.overrides == (f"clip.eps={float(agreeing['clip.eps'].max())!r}",)


def test_whole_numbers_choices_and_ranges_are_dimensions_too(session):
    space = (
        "seed=int(interval(3,5))", "network.hidden=[2],[3]", "activation=tanh,relu", "loss.l2=0.5,0.25",
        "check.samples=range(2,9,3)",
    )  # fmt: skip
    words = [word for word in SMALL if not word.startswith("network.hidden")]
    study = (
        "optimize=loss_value",
        "hydra.sweeper.n_trials=8",
        "hydra.sweeper.n_jobs=3",
        "hydra/sweeper/sampler=random",
    )
    result, best = session.optimise(Request((*words, *space, *study)))
    cells = cells_of(result)
    assert set(cells["seed"]) <= {3, 4, 5} and set(cells["activation"]) == {"tanh", "relu"}
    assert set(cells["loss.l2"]) == {0.5, 0.25} and set(cells["check.samples"]) <= {2, 5, 8}
    assert best.value == cells["loss_value"].min()


REFUSED = {
    (EPS,): "optimize: is missing; it names a column, as optimize=gradient_error",
    (EPS, "optimize=gradient_eror"): "optimize: unknown name gradient_eror; did you mean 'gradient_error'?",
    (EPS, "optimize=verdict"): "optimize: 'verdict' is text, not a number",
    (EPS, "optimize=loss_value", "hydra.sweeper.direction=up"): "must be one of minimize, maximize; not up",
    (EPS, "optimize=loss_value", "hydra.sweeper.n_trials=0"): "n_trials: must be a whole number ≥ 1",
    (EPS, "optimize=loss_value", "hydra.sweeper.n_trails=9"): "hydra.sweeper.n_trails: unknown; did you mean",
    (EPS, "optimize=loss_value", "hydra/sweeper/sampler=best"): "must be one of tpe, random, nsgaii, qmc",
    (EPS, "optimize=loss_value", "hydra/launcher=basic"): "hydra/launcher: hydra/sweeper=optuna runs",
    (EPS, "optimize=loss_value", "experiment=thread"): "experiment: has a grid of its own",
    ("optimize=loss_value",): "hydra/sweeper=optuna: needs something to vary",
    ("clip.eps=interval(0.2,0.1)", "optimize=loss_value"): "clip.eps: an interval needs two numbers",
    ("clip.eps=tag(log,interval(0,0.1))", "optimize=loss_value"): "of logarithms needs numbers > 0",
    ("clip.esp=interval(0.1,0.2)", "optimize=loss_value"): "clip.esp: unknown; did you mean 'clip.eps'?",
}  # fmt: skip


@pytest.mark.parametrize(("words", "says"), REFUSED.items(), ids=map(" ".join, REFUSED))
def test_what_is_refused(session, words, says):
    with pytest.raises(ConfigurationError) as caught:
        optimised(session, *words)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_without_optuna_a_line_says_what_to_install(program, here, monkeypatch):
    monkeypatch.setattr(optimisation, "find_spec", lambda _: None)
    done = program("sweep", *SMALL, EPS, "optimize=gradient_error")
    assert done.status == 2
    assert done.err.startswith("backproof: hydra/sweeper=optuna: needs Optuna")
    assert done.err.endswith("; pip install 'backproof[optuna]'\n") and done.err.count("\n") == 1
    assert not list(here.iterdir())
