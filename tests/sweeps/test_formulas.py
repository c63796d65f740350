"""Choices of a user's file that are expressions: losses, clips and deltas, from the file to the verdict."""

import pytest

from backproof.errors import ConfigurationError
from backproof.requests import Request
from backproof.session import Session

FILES = {
    "loss/huber.yaml": 'value: "where(abs(y - t) < w, (y - t)**2 / 2, w * (abs(y - t) - w / 2))"\nw: 0.5\n',
    "loss/half.yaml": 'value: "(y - t)**2 / 2"\n',
    "loss/absolute.yaml": 'value: "abs(y - t)"\n',
    "loss/hinge.yaml": 'value: "maximum(0, 1 - (2 * t - 1) * y)"\n',
    "loss/wrong.yaml": 'value: "(y - t)**2 / 2"\nderivative: "1.001 * (y - t)"\n',
    "clip/mine.yaml": 'value: "log(maximum(q, k * eps))"\nk: 2\n',
    "delta/chain.yaml": 'value: "g * d"\n',
    "delta/scaled.yaml": 'value: "a * g * d"\na: 1.001\n',
    "delta/at_kink.yaml": 'value: "where(abs(y - t) > 0, g, a)"\na: 0.9\n',
    "delta/shortcut.yaml": 'value: "y - t"\n',
}


@pytest.fixture
def session(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name, text in FILES.items():
        (tmp_path / "my" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "my" / name).write_text(text)
    return Session(searchpath=(f"file://{tmp_path}/my",))


AT_KINKS = (
    "network.init_scale=0", "network.bias=zero", "activation=tanh", "output=identity",
    "check.resolution=1e-2",
)  # fmt: skip
"""All outputs are 0, and so is the target of half of them."""

IGNORED = ("clip.backward=ignored", "network.init_scale=4")


def request(*words):
    return Request(("data=moons", "network.hidden=[4]", "training=none", *words))


@pytest.mark.parametrize(
    ("words", "verdict"),
    [
        (("loss=huber", "output=identity"), "agrees"),
        (("loss=huber", "output=softmax"), "agrees"),
        (("loss=huber", "output=identity", "delta=shortcut"), "incorrect gradient"),
        (("loss=half", "output=identity", "delta=shortcut"), "agrees"),
        (("loss=absolute", "output=identity"), "agrees"),
        (("loss=absolute", "output=identity", "delta=scaled"), "incorrect gradient"),
        (("loss=hinge", "output=identity"), "agrees"),
        (("loss=hinge", "output=identity", "delta=shortcut"), "incorrect gradient"),
        (("loss=absolute", *AT_KINKS), "agrees"),
        (("loss=absolute", *AT_KINKS, "delta=at_kink", "delta.a=0.9"), "valid subgradient"),
        (("loss=absolute", *AT_KINKS, "delta=at_kink", "delta.a=1.1"), "incorrect gradient"),
        (("loss=half", "output=relu", "activation=tanh"), "agrees"),
        (("loss=squared_error", "output=tanh", "delta=chain"), "agrees"),
        (("output=sigmoid", "clip=mine", "clip.eps=1e-3"), "agrees"),
        (("output=relu", "clip=mine", "clip.eps=1e-3", "activation=tanh"), "agrees"),
        (
            ("output=sigmoid", "clip=mine", "clip.eps=0.2", *IGNORED),
            "clip active",
        ),
        (("loss=squared_error", "output=tanh", "delta=scaled"), "incorrect gradient"),
        (("loss=squared_error", "output=tanh", "delta=scaled", "delta.a=1"), "agrees"),
    ],
    ids=lambda v: " ".join(v) if isinstance(v, tuple) else "",
)
def test_verdicts(session, words, verdict):
    found = session.check(request(*words))
    assert found.verdict == verdict
    assert found.judgement.excess == found.judgement.excess, "a bound that is no number"


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (
            ("loss=absolute", "loss.value='sqrt(1 - cos(y - t)**2)'"),
            "loss=absolute: its derivative jumps at y",
        ),
        (("loss=hinge", "output=identity", "check.scheme=complex"), "since loss=hinge has kinks"),
        (("loss=wrong",), "loss=wrong: its derivative is "),
        (("loss=huber", "loss.w=x"), "loss.w: must be a number; not 'x'"),
        (("loss=huber", "loss.value='foo(y)'"), "loss.value: 'foo' is not a known function"),
        (("loss=huber", "loss.value='y + q'"), "loss.value: 'q' is unknown"),
        (("loss=huber", "loss.value='y * 9**9**9'"), "loss.value: '9 ** 9 ** 9' is not a finite number"),
        (("loss=huber", "loss.value='y / (t - t)'"), "loss=huber: "),
        (("clip=mine", "clip.value='log(p)'"), "clip.value: 'p' is unknown"),
        (("clip=mine", "clip.value=eps"), "clip=mine: 'eps' must depend on q"),
        (("loss=squared_error", "output=softmax", "delta=chain"), "delta=chain: uses d"),
        (("loss=squared_error", "+loss.value=y"), "loss.value: unknown, since loss=squared_error is code"),
    ],
    ids=lambda v: " ".join(v) if isinstance(v, tuple) else "",
)
def test_what_is_refused(session, words, says):
    with pytest.raises(ConfigurationError) as caught:
        session.cell(request(*words))
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_kink_of_a_loss_is_named(session):
    found = session.check(request("loss=absolute", *AT_KINKS))
    assert "switch of the loss at output 1: 0 lies on the kink at 0" in found.parameters()["kinks"].iloc[-1]


def test_a_parameter_of_an_expression_is_an_axis(session):
    cells = session.cells(request("loss=huber", "output=identity", "loss.w=0.1,0.5"))
    assert [cell.case.flat()["loss.w"] for cell in cells] == [0.1, 0.5]
    for cell in cells:
        assert session.cell(Request(cell.overrides)).case == cell.case
