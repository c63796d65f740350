"""What Hydra's users are used to: each works, or is refused in one line that gives the reason."""

import os
import subprocess
import sys

import forked
import pandas as pd
import pytest
import yaml

from backproof.interfaces.cli import COMMANDS

PRESET = """\
# @package _global_
defaults:
  - override /activation: leaky_relu
seed: 4
activation:
  slope: 0.3
hydra:
  sweeper:
    params:
      loss: squared_error,binary_cross_entropy
"""


@pytest.fixture
def presets(here):
    """A folder of configuration files with an experiment of Hydra's kind, and one whose file sets nothing."""
    folder = here / "my" / "experiment"
    folder.mkdir(parents=True)
    (folder / "preset.yaml").write_text(PRESET)
    (folder / "other.yaml").write_text(PRESET.replace("seed: 4", "seed: 5"))
    (folder / "unpackaged.yaml").write_text("seed: 4\n")
    return ("--config-dir", "my")


def refused(done, says):
    assert (done.status, done.out, done.err.count("\n")) == (2, "", 1), done
    assert done.err.startswith("backproof: ")
    assert says in done.err


REFUSED = [
    (["hydra.sweep.dir=x"], "hydra.sweep.dir: has no effect on backproof's own sweeper; results go to"),
    (["++hydra.sweep.subdir=x"], "hydra.sweep.subdir: has no effect"),
    (["hydra.run.dir=x"], "hydra.run.dir: results go to results/NAME, and name=NAME chooses it"),
    (["hydra.output_subdir=x"], "hydra.output_subdir: has no effect"),
    (["hydra.verbose=true"], "hydra.verbose: has no effect on backproof's own sweeper; it writes no log"),
    (["hydra/job_logging=default"], "hydra/job_logging: has no effect"),
    (["hydra.job.name=x"], "hydra.job.name: has no effect on backproof's own sweeper; hydra/sweeper=basic"),
    (["hydra.job.chdir=true"], "hydra.job.chdir: jobs run in the folder that the program is started in"),
    (["hydra/sweeper=basic", "hydra.run.dir=x"], "hydra.run.dir: results go to results/NAME"),
    (["hydra/launcher=ray", "seed=1"], "=ray: is not installed; pip install hydra-ray-launcher"),
    (["hydra/sweeper=optnua", "seed=1"], "hydra/sweeper: must be one of backproof, basic"),
    (["clip.eps=interval(0.1,0.2)"], "clip.eps: an interval needs a sweeper that optimises"),
    (["--resolve"], "--resolve: is about what --cfg shows"),
    (["--package", "clip"], "--package: is about what --cfg shows"),
    (["--experimental-rerun", "x.pickle"], "--experimental-rerun: needs a pickled configuration"),
    (["--shell-completion"], "--shell-completion: takes install=SHELL or uninstall=SHELL; not nothing"),
    (["-sc", "install=csh"], "--shell-completion install: must be one of bash, zsh, fish; not 'csh'"),
    (["-sc", "instal=bash"], "not instal=bash; did you mean 'install'?"),
    (["-sc", "query=bash"], "--shell-completion query: is what the installed script asks"),
    (["--cfg", "job", "trainig.steps=1"], "trainig.steps: unknown"),
]  # fmt: skip


def test_an_experiment_of_both_kinds_is_refused(program, presets, here):
    (here / "my" / "experiments").mkdir()
    (here / "my" / "experiments" / "preset.yaml").write_text("grid: {seed: 1}\n")
    done = program("plan", *presets, "experiment=preset")
    refused(done, "experiment=preset: is two files, ")
    assert (
        "my/experiments/preset.yaml and one of the group experiment/; one of them needs another name"
        in done.err
    )
    assert program("plan", *presets, "experiment=other").status == 0


@pytest.mark.parametrize(("words", "says"), REFUSED, ids=lambda v: " ".join(v) if isinstance(v, list) else "")
def test_what_is_refused(program, here, words, says):
    refused(program("sweep", *words), says)
    assert not list(here.iterdir())


@pytest.mark.parametrize("form", ["~{}=../x", "{}=1", "+{}=a", "{}/a=b"])
def test_a_key_that_no_file_can_be_named_after(program, form):
    refused(program("plan", form.format("x" * 5000)), "xxx")


@pytest.mark.parametrize("command", ["sweep", "plan", "check", "report"])
def test_the_version_is_backproofs(program, command):
    assert program(command, "--version") == program("--version")
    assert program("--version").out.count("\n") == 1


@pytest.mark.parametrize(
    "override", ["++seed=0,1", "++training.steps=2,3", "+variant=a,b", "activation=glob(r*)"]
)
def test_forms_that_span_several_cells(tiny, here, override):
    (here / "my" / "variant").mkdir(parents=True)
    for name in "ab":
        (here / "my" / "variant" / f"{name}.yaml").write_text(f"# @package _global_\nseed: {ord(name)}\n")
    done = tiny("plan", "--config-dir", "my", "training=sgd", override)
    assert (done.status, done.err) == (0, "")
    assert "  2 to run" in done.out


def test_variables_of_the_environment(tiny, here, table, monkeypatch):
    monkeypatch.setenv("SEED", "3")
    (here / "experiments").mkdir()
    (here / "experiments" / "mine.yaml").write_text("grid: {seed: ['${oc.env:SEED}', 7], kink: assign}\n")
    assert tiny("sweep", "seed=${oc.env:SEED}", "name=line").status == 0
    assert tiny("sweep", "experiment=mine").status == 0
    assert table("line")["seed"].tolist() == [3]
    assert sorted(table("mine")["seed"]) == [3, 7]
    monkeypatch.delenv("SEED")
    refused(tiny("sweep", "seed=${oc.env:SEED}"), "seed: ")


def test_an_experiment_of_hydras_kind(tiny, presets, table):
    """A group `experiment` of files that set values anywhere, and may hold a grid, `hydra.sweeper.params`."""
    assert tiny("sweep", *presets, "experiment=preset").status == 0
    cells = table("preset")
    assert len(cells) == 2
    assert set(cells["activation"]) == {"leaky_relu"} and set(cells["activation.slope"]) == {0.3}
    assert set(cells["loss"]) == {"squared_error", "binary_cross_entropy"}
    assert all("+experiment=preset" in command for command in cells["command"])
    several = tiny("plan", *presets, "experiment=preset,other", "loss=squared_error")
    assert "2 to run" in several.out


def test_an_experiment_of_hydras_kind_may_be_shown_and_checked(program, presets):
    done = program("sweep", *presets, "--cfg", "job", "experiment=preset")
    assert yaml.safe_load(done.out)["activation"]["slope"] == 0.3
    assert program("check", *presets, "experiment=preset", "data=xor", "network.hidden=[2]").status == 0


def test_experiments_that_are_none(tiny, presets):
    refused(tiny("plan", *presets, "experiment=preste"), "did you mean 'preset'?")
    refused(tiny("plan", *presets, "experiment=unpackaged"), "must begin with `# @package _global_`")
    refused(tiny("plan", *presets, "experiment=preset,thread"), "experiment: takes one value")


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        (("--cfg", "job"), "activation:\n"),
        (("--cfg", "hydra"), "hydra:\n"),
        (("--cfg", "all"), "hydra:\n"),
        (("--cfg", "job", "--package", "clip"), "eps: 2.22"),
        (("--cfg", "job", "--resolve", "seed=${oc.decode:'8'}"), "seed: 8"),
        (("--info", "searchpath"), "Config search path"),
        (("--info",), "BackproofSweeper"),
        (("--hydra-help",), "--multirun"),
    ],
    ids=" ".join,
)  # fmt: skip
def test_what_hydra_shows(here, words, shown):
    """In a process of its own: Hydra sets up its logging once a process."""
    done = forked.program("sweep", *words, cwd=here)
    assert done.returncode == 0 and shown in done.stdout
    assert not list(here.iterdir())


@pytest.mark.parametrize(
    ("line", "completions"),
    [
        ("backproof sw", {"sweep"}),
        ("backproof ", set(COMMANDS)),
        ("backproof sweep activation=re", {"activation=relu", "activation=relu6"}),
        ("backproof check seed=0 clip.e", {"clip.eps="}),
        ("backproof report re", set()),
    ],
)
def test_completion_in_a_shell(here, line, completions):
    environment = {**os.environ, "COMP_LINE": line}
    done = forked.program("-sc", "query=bash", cwd=here, environment=environment)
    assert (done.returncode, set(done.stdout.split())) == (0, completions)


def test_completion_is_installed_for_the_program(here):
    command = [sys.executable, "-m", "backproof", "sweep", "--shell-completion", "install=bash"]
    done = subprocess.run(command, cwd=here, capture_output=True, text=True, check=True)
    assert done.stdout.rstrip().endswith("hydra_bash_completion backproof")


@pytest.mark.slow
def test_joblibs_launcher_or_how_to_install_it(tiny, table):
    done = tiny("sweep", "hydra/launcher=joblib", "hydra.launcher.n_jobs=1", "seed=0,1")
    try:
        import hydra_plugins.hydra_joblib_launcher  # noqa: F401
    except ImportError:
        refused(done, "hydra/launcher=joblib: is not installed; pip install hydra-joblib-launcher")
    else:
        assert done.status == 0, done.err
        assert len(table()) == 2


@pytest.mark.slow
def test_a_cell_that_a_stock_sweeper_computed_has_a_command_that_makes_it_again(tiny, presets, here):
    (here / "my" / "activation").mkdir()
    (here / "my" / "activation" / "odd.yaml").write_text('value: "z + a * sin(z)"\n')
    grid = ("activation=odd", "+activation.a=0.25,0.5", "output=sigmoid", "++loss.l2=0.1")
    assert tiny("sweep", *presets, "hydra/sweeper=basic", *grid, "name=stock").status == 0
    assert tiny("sweep", *presets, *grid, "name=ours").status == 0
    stock, ours = (pd.read_parquet(f"results/{name}/cells.parquet") for name in ("stock", "ours"))
    assert sorted(stock["command"]) == sorted(ours["command"])
    assert set(stock["cell"]) == set(ours["cell"])
