"""Every cell of a sweep is made again by its own command, whatever the overrides that it came from."""

import shlex
import sys

import pytest
from own_configuration import write_files
from reproduction import ENVIRONMENT, cells_of, made_again, reproduction

from backproof.errors import ConfigurationError
from backproof.sweeps.commands import command_of
from backproof.sweeps.composition import request

pytestmark = pytest.mark.slow


@pytest.fixture
def world(tmp_path, monkeypatch):
    """A working directory with configuration files that do all that Hydra lets one do."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path)])
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    write_files(tmp_path)
    return tmp_path


COMMANDS = [
    (["++training.steps=20", "++loss.l2=0.1"], "loss.l2=0.1 training.steps=20"),
    (["+activation.slope=0.25", "activation=bare"], "activation=bare +activation.slope=0.25"),
    (["activation=bare", "++activation.slope=0.25"], "activation=bare +activation.slope=0.25"),
    (["activation=bump", "~activation.width"], "activation=bump '~activation.width'"),
    (["activation=bump", "activation.width=null"], "activation=bump activation.width=null"),
    (["loss={l2: 0.5, reduction: mean}"], "loss.l2=0.5 loss.reduction=mean"),
    (["+activation@output=tanh"], "+activation@output=tanh"),
    (["+activation@output=bump", "output=tanh"], "+activation@output=bump output=tanh"),
    (["+variant=a", "seed=3"], "+variant=a seed=3"),
    (["experiment=preset"], "+experiment=preset"),
    (["seed=${oc.env:NUMBER}", "clip.eps=1e-7"], "clip.eps=1e-07 seed=2"),
    (["training.steps=${check.samples}"], "training.steps=16"),
    (["output=${activation}", "activation=tanh"], "activation=tanh output=tanh"),
    (["output=same", "network.hidden=[]", "activation=bare"], "'network.hidden=[]' activation=bare"),
    (["subject=outside", "subject.new=\"a 'b' ü\""], "subject=outside 'subject.new='\"'\"'a \\'\"'\"'b"),
    (["subject=outside", "subject.flag=true"], "subject=outside subject.flag=true"),
    (["subject=outside", "~subject.text", "subject.numbers=[-1,null,'b c']"], "subject.numbers=[-1,null,"),
    (["subject=kernel", "subject.shape=[[2,3],[]]"], "subject=kernel 'subject.shape=[[2,3],[]]'"),
    (
        ["subject=kernel", "~subject.shape", "subject.layout=gaps"],
        "subject.layout=gaps 'subject.shape=[4,3]'",
    ),
    (["subject=kernel", "subject.flag=true", "precision=float32"], "subject.flag=true precision=float32"),
    (["subject=outside", r"subject.text=\${seed}"], r"\${seed}"),
]
"""Arguments, and what the command has of them."""


@pytest.mark.parametrize(
    ("words", "expected"), COMMANDS, ids=lambda v: " ".join(v) if isinstance(v, list) else ""
)
def test_the_command_of_one_cell(world, words, expected):
    (cell,) = cells_of(["--config-dir=my", *words])
    assert f"backproof check --config-dir={world}/my " in cell.command
    assert expected in cell.command
    assert made_again(cell) == cell.case.id


@pytest.mark.usefixtures("world")
@pytest.mark.parametrize("name", ["first", "second"])
def test_another_primary_configuration_is_named(name):
    cells = cells_of(
        [
            "--config-dir=my",
            "--config-name",
            name,
            "clip.eps=1e-7,0.25",
            "loss=squared_error,binary_cross_entropy",
        ]
    )
    assert len(cells) > 2
    for cell in cells:
        assert f"--config-name={name}" in cell.command
        assert made_again(cell) == cell.case.id, cell.command


@pytest.mark.usefixtures("world")
def test_a_command_that_lacks_an_override_makes_another_cell():
    """The comparison can fail: each word of these commands is needed."""
    (cell,) = cells_of(
        ["--config-dir=my", "activation=bare", "+activation.slope=0.25", "++loss.l2=0.1", "seed=3"]
    )
    words = shlex.split(cell.command)[2:]
    assert len(words) == 5
    for i in range(len(words)):

        class Lacking:
            command = command_of((), words[:i] + words[i + 1 :])

        assert made_again(Lacking) != cell.case.id


def test_cells_of_random_command_lines(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(request, "Composer", request.Composer)  # which it replaces
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    found = reproduction(tmp_path, 25, seed=11, processes=1)
    assert (found["reproduced"], found["confirmed"]) == (25, 1)


REFUSED = [
    (["+seed=1"], "seed: is there already, and + only adds"),
    (["~activation.slope"], "~activation.slope: there is nothing to delete"),
    (["~seed=3"], "~seed: deletes a key"),
    (["variant=a"], "variant: is not in the list of defaults; +variant=a adds a choice"),
    (["+variant=z"], "variant: must be one of a, b; not 'z'"),
    (["++activation=tanh"], "activation: ++ is for values; activation=… chooses"),
    (["+activation=tanh"], "activation: has a choice already, and + only adds"),
    (["++trainig.steps=1"], "trainig.steps: unknown; did you mean 'training'?"),
    (["data=open"], "data.path: must be given; its file leaves it open (???)"),
    (["seed=${nowhere}"], "seed: "),
    (["seed=${oc.env:ABSENT_HERE}"], "seed: "),
    (["activation=${oc.env:WORD}"], "activation: must be one of"),
]


@pytest.mark.usefixtures("world")
@pytest.mark.parametrize(("words", "says"), REFUSED, ids=lambda v: " ".join(v) if isinstance(v, list) else "")
def test_what_is_refused(words, says):
    with pytest.raises(ConfigurationError) as caught:
        cells_of(["--config-dir=my", *words])
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)
