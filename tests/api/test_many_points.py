"""Functions asked for many points at once: the same verdicts as of one point after another, and when not."""

import numpy as np
import pytest

import backproof
from backproof.targets import batched
from backproof.targets.batched import Batched
from backproof.verdicts import measuring

torch = pytest.importorskip("torch")


def tensor(*values):
    return torch.tensor(values, dtype=torch.float64, requires_grad=True)


X = (0.7, -1.3, 2.1, 0.4)


class Counted:
    """A function that knows how often it was called."""

    def __init__(self, function):
        self.function, self.calls = function, 0

    def __call__(self, *given):
        self.calls += 1
        return self.function(*given)


def custom(backward, forward=torch.sin, **more):
    """A function with a backward pass of its own, (x, cotangent) → gradient."""

    class Custom(torch.autograd.Function):
        @staticmethod
        def forward(x):
            return forward(x)

        @staticmethod
        def setup_context(ctx, inputs, output):  # noqa: ARG004  # PyTorch's
            ctx.save_for_backward(*inputs)

        @staticmethod
        def backward(ctx, g):
            return backward(ctx.saved_tensors[0], g)

    for name, value in more.items():
        setattr(Custom, name, value)
    return Custom.apply


def one_by_one(monkeypatch):
    """From here on no function is asked for many points at once, and none gets a first look."""
    monkeypatch.setattr(Batched, "_chunk", Batched._one_by_one)
    monkeypatch.setattr(measuring, "first_look", lambda function, *_, **__: [None] * len(function.rows))


# --- functions that take many points, and what is said of them


SMOOTH = {
    "elementwise": lambda x: x.sin() * x.exp(),
    "softmax": lambda x: x.softmax(0),
    "matrix": lambda x: torch.outer(x, x) @ x,
    "complex": lambda x: torch.complex(x, x**2).exp(),
    "parts": lambda x: (x[:2].prod(), x[2:].tanh()),
    "permuted": lambda x: x.flip(0),
    "constant outputs": lambda x: torch.stack([x[0], torch.ones((), dtype=x.dtype)]),
    "inverse": lambda x: torch.linalg.inv(torch.diag(x) + 0.1),
    "small": lambda x: 1e-12 * x.sin(),
}


@pytest.mark.parametrize("name", SMOOTH)
def test_many_points_and_one_after_another_agree_within_the_bound(monkeypatch, name):
    f = Counted(SMOOTH[name])
    together = backproof.check_vjp(f, None, tensor(*X, *X))
    assert together.agrees, together
    assert f.calls < together.target.evaluations, "many points were asked for at once"
    one_by_one(monkeypatch)
    alone = backproof.check_vjp(SMOOTH[name], None, tensor(*X, *X))
    assert alone.agrees
    mine, others = together.judgement.seen.estimate, alone.judgement.seen.estimate
    assert (mine.index == others.index).all()
    assert (np.abs(mine.value - others.value) <= mine.bound + others.bound).all()
    assert together.judgement.resolution <= 1e-3


@pytest.mark.parametrize("factor", [1.001, 0.0, -1.0])
@pytest.mark.parametrize("entry", [0, 3])
def test_one_wrong_entry_is_seen(factor, entry):
    def backward(x, g):
        found = g * x.cos()
        return torch.cat([found[:entry], factor * found[entry : entry + 1], found[entry + 1 :]])

    f = custom(backward, generate_vmap_rule=True)
    found = backproof.check_vjp(f, None, tensor(*X))
    assert found.verdict == "incorrect gradient"
    assert f"[{entry}]" in found.judgement.worst_parameter
    assert not backproof.check(lambda x: f(x).sum(), tensor(*X)).agrees
    assert backproof.check_vjp(
        custom(lambda x, g: g * x.cos(), generate_vmap_rule=True), None, tensor(*X)
    ).agrees


# --- what a first look must leave to a closer one


HARD = {
    "abs at 0": (lambda x: x.abs(), (0.0, 1.0)),
    "relu at 0": (lambda x: x.relu(), (0.0, 1.0)),
    "max at a tie": (lambda x: x.max(), (1.0, 1.0, 0.5)),
    "median at a tie": (lambda x: x.median(), (1.0, 1.0, 1.0)),
    "max": (lambda x: x.amax(), (1.0, 2.0, 0.5)),
    "sort": (lambda x: x.sort().values, (1.0, 2.0, 0.5)),
    "root near 0": (lambda x: x.sqrt(), (1e-9, 1.0)),
    "fast": (lambda x: (1e5 * x).sin(), (0.3, 1.0)),
    "float32 inside": (lambda x: x.float().sin().double(), X),
    "rounded": (lambda x: x.round(), X),
    "stairs": (lambda x: (1e3 * x).round() / 1e3 + 0 * x, X),
    "kink nearby": (lambda x: (x - 1e-7).relu(), (0.0, 1.0)),
    "tiny parameters": (lambda x: (1e20 * x).sin(), (1e-20, 3e-20)),
    "two units": (lambda x: x[0] ** 2 + (1e9 * x[1]).sin(), (1.0, 1e-9)),
    "flat and far": (lambda x: (x - 5).relu() + x[0], (0.0, 1.0)),
    "stationary": (lambda x: x**2, (0.0, 0.0)),
    "cubic at 0": (lambda x: x**3, (0.0, 1.0)),
    "cancels": (lambda x: (x + 1e8) - 1e8, X),
    "detached": (lambda x: x * x.detach(), X),
    "wrong where 0": (custom(lambda x, g: g * (2 * x + 1e-3 * (x == 0)), torch.square), (0.0, 1.0)),
    "wrong by 0.1 %": (custom(lambda x, g: g * 2.002 * x, torch.square), (0.5, 1.0)),
    "norm at 0": (lambda x: x.norm(), (0.0, 0.0)),
    "log at 0": (lambda x: x.log(), (0.0, 1.0)),
    "clamped": (lambda x: x.clamp(0.0, 1.0), (1.0, 0.0, 0.5, 2.0)),
    "step": (lambda x: (x > 0) * x + torch.heaviside(x.detach(), x.new_zeros(())), (0.0, 1.0)),
}


@pytest.mark.parametrize("name", HARD)
@pytest.mark.parametrize("as_loss", [False, True])
def test_what_is_hard_gets_the_verdict_of_a_close_look(monkeypatch, name, as_loss):
    f, at = HARD[name]

    def found():
        if as_loss:
            return backproof.check(lambda x: f(x).sum(), tensor(*at))
        return backproof.check_vjp(f, None, tensor(*at))

    first = found()
    one_by_one(monkeypatch)
    close = found()
    assert first.verdict == close.verdict
    assert first.judgement.disagreeing == close.judgement.disagreeing


# --- functions that refuse many points


def in_place(x):
    y = torch.zeros(2, dtype=x.dtype)
    y[0] = x.sum()
    return y + x[0]


def seeded(x):
    return x * torch.rand(x.shape, generator=torch.Generator().manual_seed(3), dtype=x.dtype)


def inner_gradient(x):
    with torch.enable_grad():
        leaf = x if x.requires_grad else x.detach().requires_grad_()
        return torch.autograd.grad(leaf.sin().sum(), leaf, create_graph=True)[0]


def doubled_by_vmap(info, in_dims, x):  # noqa: ARG001  # PyTorch's
    return 2 * x.sin(), in_dims[0]


REFUSING = {
    "control flow": lambda x: x.exp() if x.sum() > 0 else x.sin(),
    "item": lambda x: x * x.detach()[0].item(),
    "in place": in_place,
    "random": seeded,
    "NumPy": lambda x: x * torch.from_numpy(np.ones(4) * float(x.shape[0])) + 0 * float(x[0].detach()),
    "no rule": custom(lambda x, g: g * x.cos()),
    "a wrong rule": custom(lambda x, g: g * x.cos(), vmap=staticmethod(doubled_by_vmap)),
    "a gradient inside": inner_gradient,
}


@pytest.mark.parametrize("name", REFUSING)
def test_a_function_that_refuses_many_points_is_asked_for_one_after_another(name):
    f = Counted(REFUSING[name])
    found = backproof.check_vjp(f, None, tensor(*X), resolution=1e-2)
    wrong = name == "item"  # whose gradient lacks what the number depends on
    assert found.agrees is not wrong, found
    assert f.calls > 60, "each point takes a call"

    def scaled(x, g):
        with torch.enable_grad():
            leaf = x.detach().requires_grad_()
            return 1.001 * torch.autograd.grad(REFUSING[name](leaf), leaf, g)[0]

    off = custom(scaled, lambda x: REFUSING[name](x.detach().requires_grad_()).detach())
    assert not backproof.check_vjp(off, None, tensor(*X)).agrees


def test_only_some_points_are_asked_for_at_once_and_memory_stays_bounded(monkeypatch):
    seen = []

    def many(points):
        seen.append(len(points))
        return points**2

    monkeypatch.setattr(batched, "MOST", 40)
    points = np.random.default_rng(0).normal(size=(33, 4))
    found = Batched(lambda x: x**2, many)(np.concatenate([points, points[5:9]]))
    assert (found == np.concatenate([points, points[5:9]]) ** 2).all()
    assert max(seen) <= 10 and sum(seen) == 33, "the same point is not evaluated twice"


@pytest.mark.parametrize(
    ("many", "asked"),
    [
        (lambda points: points**2 + 1e-9, 1),  # other numbers
        (lambda points: np.where(points > 0, points**2, np.nan), 1),
        (lambda points: points[1e9], 1),
        (lambda points: points**2 * (1 + 2.0**-50), 3),  # but for rounding
    ],
)
def test_what_differs_by_more_than_rounding_is_not_asked_again(many, asked):
    many, points = Counted(many), np.random.default_rng(0).normal(size=(7, 4))
    both = Batched(lambda x: x**2, many)
    for _ in range(3):
        assert np.abs(both(points) - points**2).max() < 1e-13
    assert many.calls == asked


# --- backward passes that share a graph


def test_a_graph_that_can_be_used_once_is_made_again_for_each_output():
    def backward(x, g):
        found = g * x.cos()
        x.data.fill_(float("nan"))  # of no use to whoever comes next
        return found

    class Once(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x.clone())
            return x.sin()

        @staticmethod
        def backward(ctx, g):
            return backward(ctx.saved_tensors[0], g)

    assert backproof.check_vjp(Once.apply, None, tensor(*X)).agrees


def test_functions_in_jax_take_many_points():
    jax = pytest.importorskip("jax")
    with jax.enable_x64(True):
        x = jax.numpy.asarray(X)
    f = Counted(lambda x: jax.numpy.sin(x) * x)
    found = backproof.check_vjp(f, None, x)
    assert found.agrees and f.calls < 40 < found.target.evaluations

    @jax.custom_vjp
    def wrong(x):
        return jax.numpy.sin(x)

    wrong.defvjp(lambda x: (jax.numpy.sin(x), x), lambda x, g: (1.001 * g * jax.numpy.cos(x),))
    assert backproof.check_vjp(wrong, None, x).verdict == "incorrect gradient"
    assert backproof.check(lambda x: wrong(x).sum(), x).verdict == "incorrect gradient"


def test_functions_in_jax_that_refuse_many_points():
    jax = pytest.importorskip("jax")
    with jax.enable_x64(True):
        x = jax.numpy.asarray(X)

    @jax.custom_vjp
    def outside(x):
        return jax.pure_callback(np.sin, jax.ShapeDtypeStruct(x.shape, x.dtype), x)

    outside.defvjp(lambda x: (outside(x), x), lambda x, g: (g * jax.numpy.cos(x),))
    f = Counted(outside)
    assert backproof.check_vjp(f, None, x).agrees
    assert f.calls > 60, "each point takes a call"
