"""Wrong settings: each is refused before anything runs, in a line that names the key and what is allowed."""

import pytest

from backproof.errors import ConfigurationError, nearest
from backproof.sweeps.canonical import case_of
from backproof.sweeps.case import NetworkCase
from backproof.sweeps.settings import (
    MODELS,
    CheckSettings,
    ClipSettings,
    ComponentSettings,
    FunctionCheckSettings,
    FunctionSettings,
    NetworkSettings,
    TrainingSettings,
)
from backproof.sweeps.validation import allowed

BIG = "a whole number ≥ 1"

WRONG = [
    ("network.hidden=3", "network.hidden: must be a list of whole numbers ≥ 1; not 3"),
    ("network.hidden=[0]", "network.hidden: must be a list of whole numbers ≥ 1; not [0]"),
    ("network.hidden=[1.5]", "network.hidden: must be a list of whole numbers ≥ 1; not [1.5]"),
    ("network.hidden=[true]", "network.hidden: must be a list of whole numbers ≥ 1; not [True]"),
    ("network.hidden=[[3]]", "network.hidden: must be a list of whole numbers ≥ 1"),
    ("network.hidden=null", "network.hidden: must be a list of whole numbers ≥ 1; not null"),
    ("network.init_scale=-1", "network.init_scale: must be a number ≥ 0; not -1"),
    ("network.init_scale=big", "network.init_scale: must be a number ≥ 0; not 'big'"),
    ("network.init_scale=nan", "network.init_scale: must be a number ≥ 0; not nan"),
    ("network.init_scale=inf", "network.init_scale: must be a number ≥ 0; not inf"),
    ("network.bias=nomal", "network.bias: must be one of zero, normal; not 'nomal'; did you mean 'normal'?"),
    ("loss.reduction=total", "loss.reduction: must be one of sum, mean, sample_mean; not 'total'"),
    ("clip.eps=0", "clip.eps: must be a number > 0 and < 0.5; not 0"),
    ("clip.eps=-1", "clip.eps: must be a number > 0 and < 0.5; not -1"),
    ("clip.eps=0.5", "clip.eps: must be a number > 0 and < 0.5; not 0.5"),
    ("clip.eps=true", "clip.eps: must be a number > 0 and < 0.5; not True"),
    (
        "clip.backward=ignore",
        "must be one of consistent, ignored; not 'ignore'; did you mean 'ignored'?",
    ),
    ("relu_at_zero=half", "relu_at_zero: must be a number; not 'half'"),
    ("relu_at_zero=inf", "relu_at_zero: must be a number; not inf"),
    ("seed=-1", "seed: must be a whole number ≥ 0; not -1"),
    ("seed=1.5", "seed: must be a whole number ≥ 0; not 1.5"),
    ("seed=a", "seed: must be a whole number ≥ 0; not 'a'"),
    ("seed=null", "seed: must be a whole number ≥ 0; not null"),
    ("seed=true", "seed: must be a whole number ≥ 0; not True"),
    ("check.samples=0", f"check.samples: must be {BIG}; not 0"),
    ("check.parameters=some", f"check.parameters: must be all or {BIG}; not 'some'"),
    ("check.step=0", "check.step: must be null or a number > 0; not 0"),
    ("training.learning_rate=0", "training.learning_rate: must be a number > 0; not 0"),
    ("training.steps=0", f"training.steps: must be {BIG}; not 0"),
    ("training.batch=half", f"training.batch: must be full or {BIG}; not 'half'"),
    ("training.threshold=1.1", "training.threshold: must be a number > 0 and ≤ 1; not 1.1"),
    ("training.every=0", f"training.every: must be {BIG}; not 0"),
    ("data.test_share=1", "data: test_share must be between 0 and 1; not 1"),
    ("data.test_share=x", "data.test_share: must be a number; not 'x'"),
    ("activaton=relu", "activaton: unknown; did you mean 'activation'?"),
    ("activation=rleu", "not 'rleu'; did you mean 'relu'?"),
    ("activation=3", "activation: must be one of abs, "),
    ("activation=null", "activation: must be one of abs, "),
    ("precision=float63", "not 'float63'; did you mean 'float64'?"),
    ("clip.ep=1", "clip.ep: unknown; did you mean 'clip.eps'?"),
    ("training={stepps: 3}", "training.stepps: unknown"),
    ("seed=interval(0,1)", "seed: an interval needs a sweeper that optimises"),
    ("activation=glob(z*)", "activation: activation=glob(z*) matches nothing"),
    ("seed=[1", "seed=[1"),
]


@pytest.mark.parametrize(("override", "says"), WRONG, ids=lambda v: v)
def test_a_wrong_setting_is_named(grid, override, says):
    with pytest.raises(ConfigurationError) as caught:
        grid(override)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


SEVERAL = [
    (("activation=leaky_relu", "activation.slope=steep"), "activation.slope: must be a number; not 'steep'"),
    (("data=gaussian", "data.classes=1"), "data: classes must be at least 2; not 1"),
    (("data=gaussian", "data.samples=1.5"), "data.samples: must be a whole number; not 1.5"),
    (("data=gaussian", "data.samples=0"), "data: samples must be at least 4; not 0"),
    (("training=momentum", "training.momentum=1"), "training: momentum must be in [0, 1); not 1"),
    (("training=adam", "training.epsilon=0"), "training: epsilon must be positive; not 0"),
    (("data=file",), "data.path is needed with data=file"),
    (("data=file", "data.path=none.csv"), "data.path=none.csv: no such file"),
    (("data=file", "data.path=3"), "data.path: must be text or null; not 3"),
    (("seed=0,1,x",), "seed: must be a whole number ≥ 0; not 'x'"),
    (("+activation.slope=3",), "activation.slope"),
    (("activation._target_=nowhere.relu",), "activation._target_: cannot import nowhere.relu"),
    (("activation._target_=backproof.network.activations.NOPE",), "activation._target_: cannot import"),
    (("activation._target_=3",), "activation._target_: must be null or text; not 3"),
]


@pytest.mark.parametrize(("overrides", "says"), SEVERAL)
def test_wrong_settings_together(grid, overrides, says):
    with pytest.raises(ConfigurationError) as caught:
        grid(*overrides)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("override", "key", "value"),
    [
        ("network.init_scale=0", "network.init_scale", 0.0),
        ("network.hidden=[]", "network.hidden", ()),
        ("clip.eps=1e-300", "clip.eps", 1e-300),
        ("relu_at_zero=-2", "relu_at_zero", -2.0),
        ("check.parameters=all", "check.parameters", "all"),
        ("check.step=null", "check.step", None),
        ("training.threshold=1", "training.threshold", 1.0),
        ("training.batch=full", "training.batch", "full"),
    ],
)
def test_bounds_that_belong_to_what_is_allowed(one, override, key, value):
    found = one(override).case.flat().get(key)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("model", "name", "says"),
    [
        (NetworkSettings, "hidden", "a list of whole numbers ≥ 1"),
        (NetworkSettings, "bias", "one of zero, normal"),
        (ClipSettings, "eps", "a number > 0 and < 0.5"),
        (CheckSettings, "parameters", "all or a whole number ≥ 1"),
        (CheckSettings, "step", "null or a number > 0"),
        (CheckSettings, "evidence", "true or false"),
        (TrainingSettings, "threshold", "a number > 0 and ≤ 1"),
        (NetworkCase, "relu_at_zero", "a number"),
        (ComponentSettings, "target", "null or text"),
    ],
)
def test_what_a_setting_allows_is_read_off_its_type(model, name, says):
    assert allowed(model.model_fields[name]) == says


@pytest.mark.parametrize("model", [*MODELS.values(), FunctionSettings, FunctionCheckSettings])
def test_every_setting_is_described(model):
    for name, field in model.settings().items():
        assert field.description, name


DEFAULT = {
    "subject": "network", "data": "xor", "network": "mine", "activation": "relu", "output": "same",
    "loss": "binary_cross_entropy", "clip": "floor", "precision": "float64", "delta": "exact",
    "fault": "none", "check": "full", "training": "adam", "seed": 0,
}  # fmt: skip


def test_a_case_of_choices_alone_has_the_defaults_of_their_settings():
    case = case_of(DEFAULT)
    assert case.network.hidden == (100,)
    assert case.clip.eps == 2**-52
    assert case.check.samples == 16
    assert case.training.learning_rate == 0.01, "the one that Adam's record declares"


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"network.hiden": (3,)}, "network.hiden: unknown; did you mean 'hidden'?"),
        ({"seed.x": 1}, "seed.x: unknown"),
        ({"colour": 1}, "colour: unknown"),
        ({"clip": None}, "clip: is missing"),
        ({"kink": None}, "kink: must be one of multiply, assign; not null"),
        ({"activation.slope": {"a": 1}}, "activation.slope: must be a single value"),
        ({"data._target_": "mine.nothing"}, "data._target_: cannot import mine.nothing"),
        (
            {"data._target_": "fractions.Fraction"},
            "data._target_: fractions.Fraction must give Source; not Fraction",
        ),
    ],
)
def test_the_door_refuses_what_is_wrong(settings, says):
    with pytest.raises(ConfigurationError) as caught:
        case_of({**DEFAULT, **settings})
    assert str(caught.value).startswith(says)


@pytest.mark.parametrize("key", sorted(DEFAULT.keys() - {"output", "subject"}))
def test_what_every_case_needs_may_not_be_left_out(key):
    with pytest.raises(ConfigurationError, match=f"^{key}: is missing"):
        case_of({k: v for k, v in DEFAULT.items() if k != key})


def test_nearest():
    assert nearest("rleu", ["tanh", "relu"]) == "; did you mean 'relu'?"
    assert nearest("xyz", ["tanh", "relu"]) == ""
