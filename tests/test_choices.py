"""Choices: what a function's signature and docstring say about it, and that every group finds its own."""

import copy
import pickle
from itertools import pairwise
from pkgutil import resolve_name

import pytest

from backproof.choices import Choice, choice, discover
from backproof.sweeps.groups import CHOICES

EVERY = [
    pytest.param(group, each, id=f"{name}-{each.name}")
    for name, group in CHOICES.items()
    for each in group.choices.values()
]


@choice
def scaled(factor: float = 2.0, shift: int = 0) -> tuple:
    """a line

    Args:
        factor: of the line,
            how steep it is.
        shift: of the origin

    And more.
    """
    return factor, shift


def test_a_choice_is_described_by_its_function():
    assert (scaled.name, scaled.summary, scaled.parameters) == (
        "scaled",
        "a line",
        {"factor": 2.0, "shift": 0},
    )
    assert resolve_name(scaled.target) is scaled
    assert scaled() == (2.0, 0)


def test_equal_arguments_give_the_same_record():
    assert scaled() is scaled(2.0) is scaled(factor=2.0) is scaled(shift=0, factor=2.0)
    assert scaled(3.0) is not scaled()
    assert type(scaled(2)[0]) is int  # 2 and 2.0 are equal, and still two arguments


def test_an_unknown_argument_is_refused():
    with pytest.raises(TypeError, match="slope"):
        scaled(slope=1)


def no_default(x: float) -> None:
    """help"""


def no_annotation(x=1.0) -> None:
    """help"""


def no_docstring(x: float = 1.0) -> None:
    pass


@pytest.mark.parametrize(
    ("function", "says"),
    [
        (no_default, "x needs a default"),
        (no_annotation, "x needs an annotation"),
        (no_docstring, "needs a docstring"),
    ],
)
def test_a_function_that_leaves_something_out_is_no_choice(function, says):
    with pytest.raises(TypeError, match=says):
        choice(function)


@pytest.fixture
def package(tmp_path, monkeypatch):
    def make(**files):
        folder = tmp_path / "found_choices"
        folder.mkdir()
        (folder / "__init__.py").write_text("")
        for name, text in files.items():
            (folder / f"{name}.py").write_text("from backproof.choices import choice\n" + text)
        monkeypatch.syspath_prepend(tmp_path)
        return discover("found_choices")

    yield make
    import sys

    for name in [n for n in sys.modules if n.startswith("found_choices")]:
        del sys.modules[name]


def function(name):
    return f'@choice\ndef {name}() -> str:\n    """help"""\n    return "{name}"\n'


def test_every_file_of_a_package_is_searched(package):
    found = package(b=function("two") + function("one"), a=function("three"), none="x = 1\n")
    assert list(found) == ["three", "two", "one"]
    assert found.records() == ["three", "two", "one"]


def test_a_choice_that_is_only_imported_is_not_found_again(package):
    found = package(a=function("one"), b="from found_choices.a import one\n")
    assert found["one"].target == "found_choices.a.one"


def test_two_choices_of_one_name_are_refused(package):
    with pytest.raises(TypeError, match=r"found_choices\.b\.one and found_choices\.a\.one"):
        package(a=function("one"), b=function("one"))


@pytest.mark.parametrize(("group", "each"), EVERY)
def test_a_choice_makes_a_record_of_its_name_and_can_be_sent_elsewhere(group, each):
    assert group.choices[each.name] is each
    assert each().name == each.name
    assert each() is each(**each.parameters)
    assert resolve_name(each.target) is each
    assert pickle.loads(pickle.dumps(each)) is copy.deepcopy(each) is each


def test_args_of_a_docstring_describe_the_parameters():
    assert scaled.descriptions == {"factor": "of the line, how steep it is", "shift": "of the origin"}


@pytest.mark.parametrize(("_group", "each"), EVERY)
def test_what_is_described_is_a_parameter(_group, each):
    assert set(each.descriptions) <= set(each.parameters)


def test_a_choice_is_no_other_for_being_in_two_groups():
    activation, output = CHOICES["activation"].choices, CHOICES["output"].choices
    assert set(output) - set(activation) == {"softmax"}
    assert all(output[name] is activation[name] for name in activation)
    assert all(a is not b for a, b in pairwise(output.values()))
    assert isinstance(output["softmax"], Choice)
