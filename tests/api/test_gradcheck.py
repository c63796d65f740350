"""`backproof.torch.gradcheck`: PyTorch's signature, and bugs that PyTorch's own check misses."""

# ruff: noqa: ARG004, ARG005  (backward passes take what they are given)

from __future__ import annotations

import importlib
import inspect

import pytest

import backproof
from backproof.torch import gradcheck, gradgradcheck

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.filterwarnings("ignore")
ERROR = importlib.import_module("torch.autograd.gradcheck").GradcheckError
F64 = torch.float64


def tensor(*shape, seed=0, dtype=F64):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=generator, dtype=dtype).requires_grad_()


def custom(backward, *, forward=torch.sin, materialize=True, **more):
    """An autograd.Function of one input with a backward (x, *cotangents)."""

    class Custom(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            ctx.set_materialize_grads(materialize)
            return forward(x)

    Custom.backward = staticmethod(lambda ctx, *g: backward(ctx.saved_tensors[0], *g))
    for name, method in more.items():
        setattr(Custom, name, staticmethod(method))
    return Custom.apply


def refused(*args, check=gradcheck, **flags):
    assert check(*args, raise_exception=False, **flags) is False
    with pytest.raises(ERROR) as error:
        check(*args, **flags)
    return str(error.value)


def theirs(*args, **flags):
    return torch.autograd.gradcheck(*args, raise_exception=False, **flags)


@pytest.mark.parametrize(("mine", "original"), [
    (gradcheck, torch.autograd.gradcheck), (gradgradcheck, torch.autograd.gradgradcheck),
])  # fmt: skip
def test_the_signature_is_pytorchs(mine, original):
    def of(function):
        parameters = inspect.signature(function).parameters.values()
        return [(p.name, p.kind, p.default) for p in parameters]

    assert of(mine) == of(original)


def test_every_flag_on_functions_that_are_right():
    x, w = tensor(3, 4), tensor(4, 2, seed=1)
    flags = dict.fromkeys(
        ("check_grad_dtypes", "check_batched_grad", "check_batched_forward_grad", "check_forward_ad"), True
    )
    assert gradcheck(lambda x, w, n: (torch.tanh(x @ w), x.sum(0) ** n), (x, w, 3), **flags)
    assert gradcheck(lambda x: torch.softmax(x, -1), x, fast_mode=True, eps=1e-3)
    assert gradgradcheck(lambda x, w: torch.tanh(x @ w), (x, w), check_fwd_over_rev=True)


def test_what_is_wrong_by_a_tenth_of_a_percent_is_refused():
    """Within PyTorch's rtol, which is there for its differences."""
    x, nearly = tensor(3), custom(lambda x, g: g * x.cos() * (1 + 5e-4))
    assert theirs(nearly, (x,))
    assert "1.0005 times the right one" in refused(nearly, (x,))
    assert not gradcheck(nearly, x, rtol=1e-4, raise_exception=False)
    assert gradcheck(nearly, x, rtol=2e-3), "larger tolerances than the defaults are allowed in full"
    assert gradcheck(nearly, x, atol=1e-3)
    assert not gradcheck(custom(lambda x, g: g * x.cos() * 1.003), x, rtol=2e-3, raise_exception=False)


# --- layouts


def strided(x, g):
    return torch.as_strided(g, (g.numel(),), (1,)).reshape(x.shape) * x.cos()


@pytest.mark.parametrize(
    ("backward", "says"),
    [
        (strided, "column-major"),
        (lambda x, g: g.view(-1).view(x.shape) * x.cos(), "expanded along an axis"),
        (lambda x, g: (g if g.is_contiguous() else 1.001 * g) * x.cos(), "with gaps"),
        (lambda x, g: (g if 0 not in g.stride() else 0 * g) * x.cos(), "expanded"),
    ],
)
def test_a_backward_that_assumes_a_contiguous_cotangent(backward, says):
    wrong, x = custom(backward), tensor(3, 4)
    assert theirs(wrong, (x,)), "gradcheck does not look for it"
    message = refused(wrong, (x,))
    assert "layout of the cotangent" in message and says in message
    assert "test_gradcheck.py:" in message
    found = backproof.check_vjp(wrong, None, x.detach())
    assert found.verdict == "incorrect gradient"
    assert found.judgement.causes[0].name == "layout of the cotangent"
    assert gradcheck(custom(lambda x, g: strided(x, g.contiguous())), x)


def test_a_forward_or_backward_that_assumes_contiguous_inputs():
    def forward(x):
        return torch.as_strided(x, (x.numel(),), (1,)).reshape(x.shape).sin()

    x = tensor(3, 4)
    wrong = custom(lambda x, g: g * x.cos(), forward=forward)
    assert theirs(wrong, (x,))
    assert "layout of the inputs" in refused(wrong, (x,))
    wrong = custom(lambda x, g: g * forward(x.cos()).asin())  # cos(x) is laid out as x is
    assert "layout of the inputs" in refused(wrong, (x,))


def test_ties_of_expanded_inputs_are_no_mistake():
    """Which of equal entries is the median depends on their order; what their gradients sum to does not."""
    x = tensor(3, 4, 2)
    assert gradcheck(lambda x: x.median(), x)
    assert gradcheck(lambda x: torch.stft(x.flatten(), 8, window=torch.ones(8), return_complex=True), x)


def test_an_input_that_must_be_contiguous_is_no_wrong_gradient():
    x = tensor(3, 4)
    assert gradcheck(lambda x: x.view(-1).sin(), x)
    found = backproof.check_vjp(lambda x: x.view(-1).sin(), None, x)
    assert found.agrees
    assert any("are refused: RuntimeError: view size" in note for note in found.target.notes)


def test_leaves_keep_their_strides():
    seen = []

    def f(x):
        seen.append(x.stride())
        return (x**2).sum()

    x = tensor(4, 3).detach().t().requires_grad_()
    assert backproof.check(f, x).agrees
    assert set(seen) == {(1, 3)}
    assert gradcheck(lambda x: x.sin(), x.detach()[:, :1].expand(3, 4).requires_grad_())


# --- undefined cotangents


def two(x):
    return x.sin(), x.cos()


@pytest.mark.parametrize(
    "without",
    [
        (lambda x, g: 1.001 * g * x.cos(), lambda x, h: -h * x.sin()),  # the second is None
        (lambda x, g: g * x.cos(), lambda x, h: None),  # the first is None
    ],
)
def test_each_output_may_have_no_cotangent(without):
    def backward(x, g, h, first, second):
        if g is None or h is None:
            return None if g is h else second(x, h) if g is None else first(x, g)
        return g * x.cos() - h * x.sin()

    def apart(x):
        """Both cotangents are defined, but where one output is left out of a gradient."""
        return custom(lambda *given: backward(*given, *without), forward=two, materialize=False)(x)

    right = lambda x, g: g * x.cos(), lambda x, h: -h * x.sin()
    assert gradcheck(
        lambda x: custom(lambda *given: backward(*given, *right), forward=two, materialize=False)(x),
        tensor(3),
    )
    message = refused(apart, (tensor(3),))
    assert "undefined cotangent" in message
    assert "has none" in message
    assert gradcheck(apart, (tensor(3),), check_undefined_grad=False)


def test_a_none_that_cancels_in_a_sum_is_found():
    """Where both outputs are used, what PyTorch tries is 0 plus an undefined one."""

    def backward(x, g, h):
        if g is None and h is None:
            return None
        if h is None:
            return g * x.cos() * (1 + (g.abs() > 0) * 1e-3)
        return (0 if g is None else g * x.cos()) - h * x.sin()

    def f(x):
        a, b = custom(backward, forward=two, materialize=False)(x)
        return a + b, a - b

    class Pair(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x, y):
            ctx.set_materialize_grads(False)
            return x + y, x - y

        @staticmethod
        def backward(ctx, g, h):
            if g is None and h is None:
                return None, None
            if h is None:
                return g, g
            if g is None:
                return h, h  # should be −h, and is 0 as PyTorch tries it
            return g + h, g - h

    x, y = tensor(3), tensor(3, seed=1)
    assert "undefined cotangent" in refused(Pair.apply, (x, y))
    assert gradcheck(f, x), "outputs that share both leave none undefined"


# --- the other flags


def test_a_type_is_refused_where_it_is_asked_for():
    x, single = tensor(3), custom(lambda x, g: 2 * g.float(), forward=lambda x: 2 * x)
    assert theirs(single, (x,), check_grad_dtypes=True), "the engine has cast it by then"
    assert gradcheck(custom(lambda x, g: 2 * g, forward=lambda x: 2 * x), x, check_grad_dtypes=True)
    assert "gradient number 0 is float32, and its input float64" in refused(single, x, check_grad_dtypes=True)


def test_batched_gradients():
    """A branch on the numbers of a cotangent has no meaning for several at a time."""

    def branches(x, g):
        return g * x.cos() if bool((g != 0).any()) else torch.zeros_like(x)

    x = tensor(3)
    assert gradcheck(custom(branches), x)
    says = refused(custom(branches), x, check_batched_grad=True)
    assert "batched gradient" in says and "test_gradcheck.py:" in says


class Forward(torch.autograd.Function):
    factor = 1.0

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        ctx.save_for_forward(x)
        return x.sin()

    @staticmethod
    def backward(ctx, g):
        return g * ctx.saved_tensors[0].cos()

    @classmethod
    def jvp(cls, ctx, v):
        return cls.factor * v * ctx.saved_tensors[0].cos()


class WrongForward(Forward):
    factor = 1.001


def test_forward_mode():
    x = tensor(2, 3)
    for flags in ({"check_forward_ad": True}, {"check_forward_ad": True, "check_backward_ad": False}):
        assert gradcheck(Forward.apply, x, **flags)
        assert "1.001 times" in refused(WrongForward.apply, x, **flags)
    assert gradcheck(WrongForward.apply, x)
    with pytest.raises(ValueError, match="at least one must be True"):
        gradcheck(Forward.apply, x, check_backward_ad=False)


def test_batched_tangents():
    class Branching(Forward):
        @classmethod
        def jvp(cls, ctx, v):
            return v * ctx.saved_tensors[0].cos() if bool((v != 0).any()) else v

    x = tensor(3)
    assert gradcheck(Forward.apply, x, check_forward_ad=True, check_batched_forward_grad=True)
    assert gradcheck(Branching.apply, x, check_forward_ad=True)
    says = refused(Branching.apply, x, check_forward_ad=True, check_batched_forward_grad=True)
    assert "batched forward gradient" in says


def test_nondeterminism_is_measured_and_may_be_allowed():
    calls = []

    def backward(x, g):
        calls.append(0)
        return g * x.cos() * (1 + 1e-9 * (len(calls) % 7))

    x, shaky = tensor(3), custom(backward)
    says = refused(shaky, x)
    assert "not deterministic" in says and "by up to" in says
    assert gradcheck(shaky, x, nondet_tol=1e-8)
    assert not gradcheck(shaky, x, nondet_tol=1e-11, raise_exception=False)
    refused(custom(lambda x, g: backward(x, g) * 1.001), x, nondet_tol=1e-8)


def test_double_backward():
    def detached(x, g):
        return g * x.detach().cos()

    x = tensor(3)
    assert gradgradcheck(custom(lambda x, g: g * x.cos()), x)
    assert gradcheck(custom(detached), x)
    refused(custom(detached), x, check=gradgradcheck)

    class Twice(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x**3

        @staticmethod
        def backward(ctx, g):
            return Slope.apply(ctx.saved_tensors[0], g)

    class Slope(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x, g):
            ctx.save_for_backward(x, g)
            return 3 * x**2 * g

        @staticmethod
        def backward(ctx, h):
            x, g = ctx.saved_tensors
            return 6.006 * x * g * h, 3 * x**2 * h

    assert gradcheck(Twice.apply, x)
    assert "1.001 times" in refused(Twice.apply, x, check=gradgradcheck)


@pytest.mark.parametrize("layout", [torch.sparse_coo, torch.sparse_csr, torch.sparse_csc])
@pytest.mark.parametrize("masked", [True, False])
def test_sparse_inputs(layout, masked):
    values = (tensor(4, 4).detach() * (tensor(4, 4, seed=3).detach() > 0)).to_sparse(layout=layout)
    s, w = values.requires_grad_(), tensor(4, 2, seed=1)
    assert gradcheck(lambda s, w: torch.sin(s @ w), (s, w), masked=masked)
    wrong = custom(lambda w, g: 1.001 * g * w.cos())
    refused(lambda s, w: s @ wrong(w), (s, w), masked=masked)


def test_entries_that_are_not_stored_count_unless_masked():
    class Values(torch.autograd.Function):
        """The gradient of the stored entries alone."""

        @staticmethod
        def forward(ctx, s):
            ctx.save_for_backward(s)
            return s.to_dense()

        @staticmethod
        def backward(ctx, g):
            (s,) = ctx.saved_tensors
            return g * (s.to_dense() > 0)

    s = torch.eye(3, dtype=F64).to_sparse().requires_grad_()
    assert gradcheck(Values.apply, s, masked=True)
    assert not gradcheck(Values.apply, s, masked=False, raise_exception=False)


def test_complex_tensors():
    z = tensor(3, dtype=torch.complex128)
    assert gradcheck(lambda z: (z * z.conj(), z**2, z.abs()), z, check_forward_ad=True)
    conjugated = custom(lambda z, g: 2 * z * g, forward=lambda z: z**2)  # of 2 conj(z) g
    refused(conjugated, z)
    assert gradcheck(custom(lambda z, g: 2 * z.conj() * g, forward=lambda z: z**2), z)


# --- state, and gradients inside


def test_buffers_and_gradients_are_put_back():
    norm, linear, last = torch.nn.BatchNorm1d(3, dtype=F64), torch.nn.Linear(3, 3), torch.nn.Linear(3, 1)
    linear.double(), last.double()
    norm.running_mean.fill_(2.0)
    x = tensor(5, 3)
    assert gradcheck(lambda x: norm(linear(x)), x)
    found = backproof.check_vjp(norm, None, x.detach())
    assert found.agrees
    assert any("changes the buffer BatchNorm1d.num_batches_tracked" in note for note in found.target.notes)
    assert norm.num_batches_tracked == 0
    assert (norm.running_mean == 2).all()
    assert linear.weight.grad is None and x.grad is None
    loss = torch.nn.Sequential(norm, last, torch.nn.Flatten(0), torch.nn.Softmax(0))
    assert backproof.check(lambda w: loss(w)[0], x.detach()).agrees
    assert norm.num_batches_tracked == 0


def test_losses_with_a_gradient_inside():
    """A gradient penalty and the residual of a differential equation."""

    def penalty(x, w):
        (slope,) = torch.autograd.grad(torch.tanh(x @ w).sum(), x, create_graph=True)
        return ((slope.norm(dim=-1) - 1) ** 2).mean()

    def forgets(x, w):
        (slope,) = torch.autograd.grad(torch.tanh(x @ w).sum(), x)
        return ((slope.norm(dim=-1) - 1) ** 2).mean() + 0 * w.sum()

    x, w = tensor(3, 4), tensor(4, 2, seed=1)
    assert gradcheck(penalty, (x, w))
    assert backproof.check(lambda w: penalty(*w), [x.detach(), w.detach()]).agrees
    refused(forgets, (x, w))


def test_a_checkpoint_that_is_entered_again():
    from torch.utils.checkpoint import checkpoint

    x = tensor(3)
    assert gradcheck(lambda x: checkpoint(torch.sin, x, use_reentrant=True), x)
    assert x.grad is None


def test_side_effects_are_refused():
    def overwrites(x):
        x.data.mul_(2)
        return x.sin()

    assert "changes its argument number 1" in refused(overwrites, tensor(3))

    def fixed(x, t):
        t += 1
        return x * t

    t = torch.ones(3, dtype=F64)
    assert "changes its argument number 2" in refused(fixed, (tensor(3), t))
    assert (t == 1).all()

    def scales(x, g):
        g.mul_(2)
        return g * x.cos() / 2

    assert "changes its cotangent" in refused(custom(scales), tensor(3))


# --- wrong input


def test_wrong_input_is_one_line_with_its_place():
    x = tensor(3, 2)
    with pytest.raises(ValueError, match="at least one must be a tensor with requires_grad=True"):
        gradcheck(torch.sin, x.detach())

    class Few(Forward):
        @staticmethod
        def forward(ctx, x, y):
            return x * y

        @staticmethod
        def backward(ctx, g):
            return g

    few = refused(Few.apply, (x, x))
    assert "must return 2 gradients, one for each input of its forward; not 1" in few
    assert "test_gradcheck.py:" in few and "\n" not in few
    shape = refused(custom(lambda x, g: g[0]), x)
    assert "gradient number 0 has shape (2), and the input of its forward has (3, 2)" in shape
    raises = refused(custom(lambda x, g: exec("raise ValueError('no')")), x)
    assert "raises ValueError: no" in raises and "\n" not in raises


def test_what_does_not_depend_on_what_is_a_line():
    def f(x, w):  # noqa: ARG001  (that it is not used is the point)
        return x.detach() ** 2, x.sin()

    found = backproof.check_vjp(f, None, tensor(3).detach(), tensor(2).detach())
    assert found.verdict == "incorrect gradient"
    output, unused = (note for note in found.target.notes if "PyTorch's graph" in note)
    assert "output number 1 depends on no input by PyTorch's graph; is it detached" in output
    assert "no output depends on its input number 2" in unused
    assert all("test_gradcheck.py:" in note for note in (output, unused))
    right = backproof.check_vjp(lambda x, w: (w**2, x.sin()), None, tensor(3).detach(), tensor(2).detach())
    assert right.agrees and not right.target.notes


def test_a_vector_where_a_scalar_is_needed():
    with pytest.raises(backproof.FunctionError, match=r"test_gradcheck.py:\d+.*shape \(3,\).*check_vjp"):
        backproof.check(lambda x: x.sin(), tensor(3).detach())
    with pytest.raises(backproof.FunctionError, match=r"cotangents\[0\] of .*test_gradcheck.py:\d+"):
        backproof.check_vjp(lambda x: x.sin(), None, tensor(3).detach(), cotangents=[torch.ones(2)])


def test_names_of_inputs_are_the_functions_own():
    wrong = custom(lambda x, g: 1.001 * g * x.cos())

    def layer(weight, data):
        return wrong(data) * weight

    assert "∂y/∂data" in refused(layer, (tensor(3), tensor(3, seed=1)))
