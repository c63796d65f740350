"""Grids: that they are what Hydra composes, point by point, and which points they hold."""

import itertools
import shlex

import pytest
import yaml
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from backproof import paths
from backproof.errors import ConfigurationError
from backproof.sweeps.canonical import case_of
from backproof.sweeps.commands import set_to
from backproof.sweeps.composition import CONFIG_NAME, composed
from backproof.sweeps.composition.composer import Composer, chosen_in
from backproof.sweeps.composition.flat import flatten
from backproof.sweeps.experiment import Exclusion, Experiment
from backproof.sweeps.grid import expand

DEFAULT = Composer(CONFIG_NAME)
CHOICES = [(group, choice) for group in DEFAULT.groups for choice in DEFAULT.options(group)]
ROUNDS = [
    {group: choice for group, choice in zip(DEFAULT.groups, choices, strict=True) if choice is not None}
    for choices in itertools.zip_longest(*map(DEFAULT.options, DEFAULT.groups))
]
"""The first choice of every group, the second of each that has one, and so on: each choice is in one."""

QUICK = ("data=xor", "training=none", "check=none")


def by_hydra(*overrides, resolve=False):
    """Configuration and choices as Hydra's own `compose` makes them."""
    with initialize_config_dir(str(paths.conf()), version_base="1.3"):
        config = compose("config", list(overrides), return_hydra_config=True)
    chosen = chosen_in(config.hydra.runtime.choices)
    job = OmegaConf.masked_copy(config, [k for k in config if k != "hydra"])
    return OmegaConf.to_container(job, resolve=resolve), chosen


@pytest.fixture(scope="module")
def composer():
    return DEFAULT


def test_there_are_choices_to_test():
    assert len(CHOICES) > 60
    assert ("activation", "relu") in CHOICES


@pytest.mark.parametrize("choices", ROUNDS)
def test_every_choice_is_composed_as_by_hydra(composer, choices):
    assert composer.compose(choices) == by_hydra(*(f"{g}={c}" for g, c in choices.items()))


@pytest.mark.parametrize(
    "choices",
    [
        {},
        {"activation": "leaky_relu", "output": "elu", "loss": "squared_error", "clip": "none"},
        {"data": "gaussian", "network": "deep", "training": "adam", "check": "sampled"},
        {"fault": "sign", "kink": "assign", "precision": "float32", "engine": "serial"},
    ],
)
def test_combinations_of_choices_are_composed_as_by_hydra(composer, choices):
    assert composer.compose(choices) == by_hydra(*(f"{g}={c}" for g, c in choices.items()))


OVERRIDES = [
    (),
    ("clip.eps=1e-7",),
    ("clip=shift", "clip.eps=1e-3", "clip.backward=ignored"),
    ("network.hidden=[]", "activation=tanh"),
    ("network=deep", "network.hidden=[7,5]", "network.bias=zero", "network.init_scale=2"),
    ("activation=leaky_relu", "activation.slope=0.2"),
    ("output=leaky_relu", "activation=leaky_relu", "output.slope=0.5"),
    ("training=adam", "training.beta1=0.5", "training.steps=3", "training.batch=full"),
    ("data=gaussian", "data.classes=5", "loss=categorical_cross_entropy", "output=softmax"),
    ("check=sampled", "check.parameters=17", "check.step=1e-5"),
    ("relu_at_zero=0.5", "kink=assign", "seed=11"),
    ("loss.reduction=mean", "precision=float32", "fault=sign", "delta=y_minus_t"),
]


@pytest.mark.parametrize("overrides", OVERRIDES, ids=" ".join)
def test_a_cell_is_the_one_that_hydra_composes(one, overrides):
    assert one(*overrides).case == case_of(flatten(*by_hydra(*overrides, resolve=True)))


@pytest.fixture
def own_conf(tmp_path):
    """A folder of the user's, with activations."""
    (tmp_path / "conf" / "activation").mkdir(parents=True)
    return tmp_path / "conf"


OWN_CHOICES = {
    "plain": "_target_: backproof.network.activations.leaky_relu.leaky_relu\nslope: 0.3\n",
    "with_defaults": "defaults: [leaky_relu, _self_]\nslope: 0.4\n",
    "global_package": (
        "# @package _global_\nactivation:\n  _target_: backproof.network.activations.tanh.tanh\nseed: 7\n"
    ),
    "interpolated": "_target_: backproof.network.activations.leaky_relu.leaky_relu\nslope: ${relu_at_zero}\n",
}


@pytest.mark.parametrize("name", OWN_CHOICES)
def test_files_that_do_more_than_fill_their_group_are_composed_as_by_hydra(own_conf, name):
    (own_conf / "activation" / f"{name}.yaml").write_text(OWN_CHOICES[name])
    overrides = [f"activation={name}", "relu_at_zero=0.25", "output=sigmoid"]
    searched = f"file://{own_conf}"
    (cell,) = composed(overrides, searchpath=[searched]).grid().cells
    stock = by_hydra(f"hydra.searchpath=[{searched}]", *overrides, resolve=True)
    assert cell.case == case_of(flatten(*stock))


def test_an_added_key_goes_through_hydra(own_conf):
    (own_conf / "activation" / "bare.yaml").write_text(
        "_target_: backproof.network.activations.leaky_relu.leaky_relu\n"
    )
    overrides = ["activation=bare", "+activation.slope=0.25", *QUICK]
    (cell,) = composed(overrides, searchpath=[f"file://{own_conf}"]).grid().cells
    assert cell.case.flat().get("activation.slope") == 0.25


def test_a_file_may_leave_out_the_settings_of_its_group(own_conf):
    (own_conf / "clip").mkdir(exist_ok=True)
    (own_conf / "clip" / "mine.yaml").write_text("_target_: backproof.network.clips.floor.floor\n")
    (own_conf / "training").mkdir(exist_ok=True)
    (own_conf / "training" / "mine.yaml").write_text("_target_: backproof.training.optimisers.adam.adam\n")
    options = ("clip=mine", "training=mine", "clip.eps=1e-3,1e-5", "training.steps=3", "data=xor")
    cells = composed(options, searchpath=[f"file://{own_conf}"]).grid().cells
    assert [cell.case.clip.eps for cell in cells] == [1e-3, 1e-5]
    assert {cell.case.training.learning_rate for cell in cells} == {0.01}
    for cell in cells:
        (again,) = composed(cell.overrides, searchpath=[f"file://{own_conf}"]).grid().cells
        assert again.case == cell.case


# --- which points a grid holds


def test_all_axes_multiply_in_order(grid):
    found = grid(*QUICK, "activation=relu,tanh", "loss=squared_error,binary_cross_entropy", "seed=range(0,3)")
    points = [
        (c.case.flat().get("activation"), c.case.flat().get("loss"), c.case.flat().get("seed"))
        for c in found.cells
    ]
    assert points == list(
        itertools.product(["relu", "tanh"], ["squared_error", "binary_cross_entropy"], range(3))
    )
    assert found.requested == 12
    assert found.duplicates == 0


@pytest.mark.parametrize(
    ("override", "values"),
    [
        ("seed=1,3", [1, 3]),
        ("seed=range(0,4)", [0, 1, 2, 3]),
        ("seed=range(0,7,3)", [0, 3, 6]),
        ("seed=choice(5,2)", [5, 2]),
        ("network.hidden=[3],[4,2]", [(3,), (4, 2)]),
        ("clip.eps=1e-3,1e-5", [1e-3, 1e-5]),
        ("kink=glob(*)", ["assign", "multiply"]),
        ("activation=glob(*,exclude=[a*,b*,e*,g*,h*,i*,l*,s*])", ["relu", "relu6", "tanh"]),
    ],
)
def test_hydras_syntax_for_several_values(grid, override, values):
    key = override.partition("=")[0]
    assert [c.case.flat().get(key) for c in grid(*QUICK, "output=sigmoid", override).cells] == values


def test_points_that_differ_in_nothing_that_matters_are_one_cell(grid):
    found = grid(*QUICK, "activation=relu,tanh", "output=sigmoid", "relu_at_zero=0,0.5,1")
    assert [(c.case.flat().get("activation"), c.case.flat().get("relu_at_zero")) for c in found.cells] == [
        ("relu", 0.0), ("relu", 0.5), ("relu", 1.0), ("tanh", None),
    ]  # fmt: skip
    assert (found.requested, found.duplicates) == (6, 2)


def test_a_value_that_a_choice_does_not_have_does_not_multiply_its_cells(grid):
    found = grid(*QUICK, "activation=leaky_relu,tanh", "output=sigmoid", "activation.slope=0.1,0.2")
    assert [c.case.flat().get("activation.slope") for c in found.cells] == [0.1, 0.2, None]
    assert (found.requested, found.duplicates) == (4, 1)


def test_a_union_of_grids_holds_each_cell_once(grid):
    union = Experiment("e", grids=({"seed": "0,1"}, {"seed": "1,2", "kink": "assign"}, {"seed": "1,5"}))
    found = grid(*QUICK, experiment=union)
    assert [(c.case.flat().get("seed"), c.case.flat().get("kink")) for c in found.cells] == [
        (0, "multiply"), (1, "multiply"), (1, "assign"), (2, "assign"), (5, "multiply"),
    ]  # fmt: skip
    assert (found.requested, found.duplicates) == (6, 1)


def test_the_command_line_takes_precedence_over_the_experiment(grid):
    found = grid(
        *QUICK, "seed=7", experiment=Experiment("e", grids=({"seed": "0,1", "loss": "binary_cross_entropy"},))
    )
    assert [c.case.flat().get("seed") for c in found.cells] == [7]


def test_exclusions_keep_the_cell_and_give_the_first_reason(grid):
    rules = (
        Exclusion("activation == 'relu' and `clip.eps` > 1e-4", "too large"),
        Exclusion("seed == 1", "unlucky"),
    )
    found = grid(
        *QUICK, "activation=relu,tanh", "clip.eps=1e-3,1e-5", "seed=0,1",
        experiment=Experiment("e", exclude=rules),
    )  # fmt: skip
    assert [c.excluded for c in found.cells] == [
        "too large", "too large", None, "unlucky", None, "unlucky", None, "unlucky",
    ]  # fmt: skip


def test_an_exclusion_may_speak_of_settings_that_some_cells_lack(grid):
    rules = (Exclusion("relu_at_zero == 0.5", "no"),)
    found = grid(
        *QUICK, "activation=relu,tanh", "output=sigmoid", "relu_at_zero=0.5",
        experiment=Experiment("e", exclude=rules),
    )  # fmt: skip
    assert [c.excluded for c in found.cells] == ["no", None]


@pytest.mark.parametrize("where", ["activaton == 'relu'", "seed ==", "seed == 'a' +", "activation.foo()"])
def test_an_exclusion_that_cannot_be_read(grid, where):
    with pytest.raises(ConfigurationError, match=r"^exclude\[0\]\.where: "):
        grid(*QUICK, experiment=Experiment("e", exclude=(Exclusion(where, "no"),)))


# --- every cell can be made again by its command


@pytest.fixture
def again(one):
    """A cell made anew by its command."""

    def make(cell):
        program, command, *overrides = shlex.split(cell.command)
        assert (program, command) == ("backproof", "check")
        return one(*overrides)

    return make


@pytest.mark.parametrize("overrides", OVERRIDES, ids=" ".join)
def test_a_command_makes_its_cell_again(again, one, overrides):
    cell = one(*overrides)
    found = again(cell)
    assert found.case == cell.case
    assert found.case.id == cell.case.id
    assert found.command == cell.command


def test_commands_of_a_wide_grid_make_their_cells_again(again, grid):
    found = grid(
        "activation=relu,leaky_relu,tanh", "output=same,elu,sigmoid",
        "loss=squared_error,binary_cross_entropy",
        "clip=none,floor", "clip.eps=1e-3", "clip.backward=consistent,ignored", "delta=exact,y_minus_t",
        "network.hidden=[],[3]", "training=none,adam", "data=xor", "activation.slope=0.2",
    )  # fmt: skip
    assert len(found.cells) > 100
    for cell in found.cells[::9]:
        assert again(cell).case.id == cell.case.id, cell.command


AWKWARD = (
    "plain", "two words", "it's", "a,b", "k=v", "[1]", "{a}", "ünïcode", "back\\slash", "end\\", "(x)", "a:b",
    "~", "1", "1e3", "null", "True", "inf", "-1", "$HOME", "#", '"quoted"', "a\\'b", "%", "x ", "a\\\\'",
)  # fmt: skip


@pytest.mark.parametrize("name", AWKWARD)
def test_text_of_any_kind_survives_the_command(tmp_path, name):
    """Path and column as a configuration file may give them, hence by no quoting of ours."""
    folder = tmp_path / name.replace("/", "")
    folder.mkdir()
    table = folder / "my.csv"
    table.write_text('"' + name.replace('"', '""') + '",z\n0,1\n1,2\n0,3\n1,4\n', encoding="utf-8")
    (tmp_path / "conf").mkdir()
    primary = {
        "defaults": ["config", {"override data": "file"}, {"override training": "none"}, "_self_"],
        "data": {"path": str(table), "target": name},
    }
    (tmp_path / "conf" / "mine.yaml").write_text(
        yaml.safe_dump(primary, allow_unicode=True, default_style='"')
    )
    searched = (f"file://{tmp_path}/conf",)
    (cell,) = composed((), "mine", searched).grid().cells
    assert dict(cell.case.data.parameters)["target"] == name
    overrides = [set_to(key, value) for key, value in cell.case.flat().items() if key.startswith("data")]
    (again,) = composed([*overrides, "training=none"]).grid().cells
    assert again.case == cell.case


@pytest.mark.parametrize(
    "words",
    [
        ("activation=relu,tanh", "seed=range(0,12)", "clip.eps=1e-7,1e-3", *QUICK),  # of templates
        ("activation=relu,tanh", "network.hidden=[3],[4]", *QUICK),  # one by one
        ("activation=relu,tanh", "relu_at_zero=0,0.5", "network.hidden=[],[4]", *QUICK),  # with duplicates
    ],
)
def test_cells_that_were_kept_are_those_that_are_made_anew(words):
    composition = composed(words)
    kept = expand([composition._product({})], keep=True)
    anew = expand([composition._product({})])
    assert kept.cells == anew.cells
    assert [cell.case.id for cell in kept.cells] == [listed.id for listed in kept.listed()]
