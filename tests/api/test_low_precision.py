"""Backward passes in low precision: right ones agree, wrong ones are refused, whatever the library."""

import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
import pytest

import backproof

torch = pytest.importorskip("torch")

WRONG = 1.15
"""A factor that rounding in 8 bits does not explain."""


def drawn(kind, *shapes):
    rng = np.random.default_rng(7)
    return [rng.normal(size=shape).astype(kind) for shape in shapes]


def product(a, b):
    """Accumulated as NumPy does it, and rounded once."""
    return (a @ b).astype(np.result_type(a, b))


def tanh_layer(x, w):
    return np.tanh(product(x, w))


def pulled(scale=1.0):
    def backward(g, x, w):
        y = tanh_layer(x, w)
        d = g * (y.dtype.type(1) - y * y)
        return product(d, w.T), product(x.T, d) * w.dtype.type(scale)

    return backward


@pytest.mark.parametrize("kind", [np.float16, ml_dtypes.bfloat16])
def test_a_pass_in_low_precision_is_checked_in_its_own(kind):
    x, w = drawn(kind, (5, 6), (6, 3))
    seen = []

    def backward(g, x, w):
        seen.append({a.dtype for a in (g, x, w)})
        return pulled()(g, x, w)

    check = backproof.check_vjp(tanh_layer, backward, x, w)
    assert check.agrees, check
    double = {np.dtype(np.float64)}  # once, for what rounding makes of the pass
    assert [found for found in seen if found != {np.dtype(kind)}] == [double]
    assert check.target.precision == np.dtype(kind).name
    wrong = backproof.check_vjp(tanh_layer, pulled(WRONG), x, w)
    assert wrong.verdict == "incorrect gradient"
    assert [t.name for t in wrong.judgement.tensors if t.disagreeing] == ["w"]
    twice = backproof.check_vjp(tanh_layer, pulled(2.0), x, w)
    assert any("the gradient is 2 times the right one" in cause for cause in twice.causes), twice


@pytest.mark.parametrize(
    ("kind", "factor"),
    [
        (ml_dtypes.float8_e4m3fn, 1.0),
        (ml_dtypes.float8_e4m3fn, WRONG),
        (ml_dtypes.float8_e5m2, 1.0),
        (ml_dtypes.float8_e5m2, 1.5),  # moves by its last digit are moves by a quarter
    ],
)
def test_inputs_in_eight_bits_with_gradients_in_sixteen(kind, factor):
    x, w = drawn(kind, (5, 6), (6, 3))

    def backward(g, x, w):
        d = g.astype(np.float32)
        dx, dw = d @ w.astype(np.float32).T, x.astype(np.float32).T @ d * factor
        return dx.astype(ml_dtypes.bfloat16), dw.astype(ml_dtypes.bfloat16)

    check = backproof.check_vjp(lambda x, w: x @ w, backward, x, w)
    assert check.verdict == ("agrees" if factor == 1 else "incorrect gradient"), check


def test_a_reference_is_asked_for_where_forward_rounds_by_itself():
    x, w = drawn(ml_dtypes.bfloat16, (5, 6), (6, 3))

    def forward(x, w):
        return tanh_layer(x.astype(ml_dtypes.bfloat16), w.astype(ml_dtypes.bfloat16))

    def hidden(x, w):
        return forward(x, w).astype(x.dtype)

    for each in (forward, hidden):
        with pytest.raises(backproof.FunctionError, match="reference="):
            backproof.check_vjp(each, pulled(), x, w)
        assert backproof.check_vjp(each, pulled(), x, w, reference=tanh_layer).agrees
        assert not backproof.check_vjp(each, pulled(WRONG), x, w, reference=tanh_layer).agrees


class Tanh(torch.autograd.Function):
    """Its derivative is multiplied by `factor`."""

    factor = 1.0

    @staticmethod
    def forward(ctx, z):
        y = torch.tanh(z)
        ctx.save_for_backward(y)
        return y

    @staticmethod
    def backward(ctx, g):
        (y,) = ctx.saved_tensors
        return g * (1 - y * y) * Tanh.factor


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("factor", [1.0, WRONG])
def test_pytorch(kind, factor, monkeypatch):
    x, w = (torch.tensor(a).to(kind) for a in drawn(float, (5, 6), (6, 3)))
    monkeypatch.setattr(Tanh, "factor", factor)
    check = backproof.check_vjp(lambda x, w: Tanh.apply(x @ w), None, x, w)
    assert check.verdict == ("agrees" if factor == 1 else "incorrect gradient"), check

    def backward(g, x, w):
        assert g.dtype == x.dtype == kind
        d = g * (1 - torch.tanh(x @ w) ** 2)
        return d @ w.T, x.T @ d * factor

    check = backproof.check_vjp(lambda x, w: torch.tanh(x @ w), backward, x, w)
    assert check.verdict == ("agrees" if factor == 1 else "incorrect gradient"), check


F = torch.nn.functional
OF_PYTORCH = {
    "gelu": (lambda x, w, v: F.gelu(x @ w) * (x @ v), [(5, 11), (11, 7), (11, 7)]),
    "attention": (lambda q, k, v: F.scaled_dot_product_attention(q, k, v), [(5, 9), (7, 9), (7, 6)]),
    "layer norm": (lambda x, w, b: F.layer_norm(x, (11,), w, b), [(5, 11), (11,), (11,)]),
    "cross entropy": (
        lambda x, w: F.cross_entropy(x @ w, torch.tensor([0, 6, 2, 2, 1]), reduction="none"),
        [(5, 11), (11, 7)],
    ),
}
"""Kernels whose backward pass is PyTorch's own, and the shapes of their inputs."""


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("name", OF_PYTORCH)
def test_kernels_of_pytorch_agree(name, kind):
    function, shapes = OF_PYTORCH[name]
    check = backproof.check_vjp(function, None, *(torch.tensor(a).to(kind) for a in drawn(float, *shapes)))
    assert check.agrees, check


@pytest.mark.parametrize("factor", [1.0, WRONG])
def test_jax(factor):
    x, w = (jnp.asarray(a) for a in drawn(ml_dtypes.bfloat16, (5, 6), (6, 3)))

    @jax.custom_vjp
    def layer(x, w):
        return jnp.tanh(x @ w)

    def rule(kept, g):
        x, w, y = kept
        d = g * (1 - y * y)
        return d @ w.T, (x.T @ d * factor).astype(w.dtype)

    layer.defvjp(lambda x, w: (layer(x, w), (x, w, layer(x, w))), rule)
    check = backproof.check_vjp(layer, None, x, w)
    assert check.verdict == ("agrees" if factor == 1 else "incorrect gradient"), check


def test_residuals_are_those_of_the_pass_in_low_precision():
    x, w = drawn(ml_dtypes.bfloat16, (5, 6), (6, 3))

    def forward(x, w):
        y = tanh_layer(x, w)
        return y, (x, w, y)

    def backward(kept, g):
        x, w, y = kept
        assert y.dtype == g.dtype == ml_dtypes.bfloat16
        d = g * (y.dtype.type(1) - y * y)
        return product(d, w.T), product(x.T, d)

    assert backproof.check_vjp(forward, backward, x, w, residuals=True).agrees


def test_cotangents_and_whole_numbers_are_passed_on():
    logits, labels = drawn(ml_dtypes.bfloat16, (4, 5))[0], np.array([1, 0, 3, 3])

    def forward(z, labels):
        z = z - z.max(axis=1, keepdims=True)
        return np.log(np.exp(z).sum(axis=1)) - np.take_along_axis(z, labels[:, None], 1)[:, 0]

    def backward(g, z, labels, factor=1.0):
        e = np.exp(z - z.max(axis=1, keepdims=True))
        p = e / e.sum(axis=1, keepdims=True)
        p[np.arange(len(z)), labels] -= z.dtype.type(factor)
        return g[:, None] * p, None

    rows = [np.ones(4), np.arange(4.0)]
    check = backproof.check_vjp(forward, backward, logits, labels, cotangents=rows)
    assert check.agrees, check
    assert "labels is held fixed" in " ".join(check.target.notes) or len(check.judgement.tensors) == 1
    wrong = backproof.check_vjp(
        forward, lambda g, z, labels: backward(g, z, labels, 1.2), logits, labels, cotangents=rows
    )
    assert wrong.verdict == "incorrect gradient"


def test_overflow_is_named():
    x = np.full(6, 300.0, np.float16)
    check = backproof.check_vjp(lambda x: x / 1000 * x, lambda g, x: 2 * g * (x * x / x / 1000), x)
    assert check.verdict == "not finite"
    assert "x[0]" in check.causes[0]


def test_a_backward_pass_must_be_given_for_arrays_of_numpy():
    (x,) = drawn(ml_dtypes.bfloat16, (3,))
    with pytest.raises(backproof.FunctionError, match="backward: needed"):
        backproof.check_vjp(np.tanh, None, x)


def mean_square(w, x):
    r = product(x, w)
    return (r * r).sum() / r.dtype.type(2 * len(r))


def gradient_of_mean_square(w, x, factor=1.0):
    return product(x.T, product(x, w)) / w.dtype.type(len(x) / factor)


@pytest.mark.parametrize("factor", [1.0, WRONG])
def test_a_loss_whose_gradient_is_in_low_precision(factor):
    w, x = drawn(ml_dtypes.bfloat16, (6,), (9, 6))
    verdict = "agrees" if factor == 1 else "incorrect gradient"

    def both(w, x):
        return mean_square(w, x), gradient_of_mean_square(w, x, factor)

    def df(w, x):
        return gradient_of_mean_square(w, x, factor)

    for check in (backproof.check(both, w, x), backproof.check(mean_square, w, x, df=df)):
        assert check.verdict == verdict, check
        assert [t.name for t in check.judgement.tensors] == ["W"]
    half, more = w.astype(np.float16), x.astype(np.float16)

    def rounding(w, x):
        return mean_square(w.astype(np.float16), x.astype(np.float16))

    rounded = backproof.check(rounding, half, more, df=df, reference=mean_square)
    assert rounded.verdict == verdict, rounded

    def loss(w, x):
        return ((x @ w) ** 2).sum() / (2 * len(x))

    for made in (lambda a: torch.tensor(a.astype(float)).to(torch.bfloat16), jnp.asarray):
        assert backproof.check(loss, made(w), made(x)).agrees


@pytest.mark.parametrize("factor", [1.0, WRONG])
def test_a_module_in_low_precision(factor, monkeypatch):
    class Loss(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.linear = torch.nn.Linear(6, 3)

        def forward(self, x):
            return (Tanh.apply(self.linear(x)) ** 2).mean()

    monkeypatch.setattr(Tanh, "factor", factor)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        module = Loss().to(torch.bfloat16)
    check = backproof.check(module, None, torch.tensor(drawn(float, (5, 6))[0]).to(torch.bfloat16))
    assert check.verdict == ("agrees" if factor == 1 else "incorrect gradient"), check
    assert check.judgement.tensors[0].name == "W['linear.weight']"


def test_what_changes_its_arguments_is_named():
    (x,) = drawn(ml_dtypes.bfloat16, (4,))
    with pytest.raises(backproof.FunctionError, match="changes an argument"):
        backproof.check_vjp(np.square, lambda g, x: np.multiply(x, 2 * g, out=x), x)
    with pytest.raises(backproof.FunctionError, match="changes its cotangent"):
        backproof.check_vjp(np.square, lambda g, x: np.multiply(x + x, g, out=g), x)
    with pytest.raises(backproof.FunctionError, match=r"cotangents\[0\] of .*\(3, 3\)"):
        backproof.check_vjp(np.square, lambda g, x: g * (x + x), x, cotangents=[np.ones((3, 3))])


def test_bounds_are_refused_in_low_precision():
    w, x = drawn(ml_dtypes.bfloat16, (6,), (9, 6))
    with pytest.raises(backproof.FunctionError, match="bounds"):
        backproof.check(mean_square, w, x, df=gradient_of_mean_square, bounds=(0, None))


def saturated(kind):
    return np.array([0.5, -2.25, 5.0, 1.0, -7.0]).astype(kind)


def slope_of_tanh(g, x):
    y = np.tanh(x)
    return g * (y.dtype.type(1) - y * y)


@pytest.mark.parametrize("kind", [np.float16, ml_dtypes.bfloat16])
def test_a_mistake_in_low_precision_alone_is_found(kind):
    def backward(g, x):
        right = slope_of_tanh(g, x)
        return right if x.dtype == np.float64 else right * right.dtype.type(1.25)

    assert backproof.check_vjp(np.tanh, slope_of_tanh, saturated(kind)).agrees
    assert backproof.check_vjp(np.tanh, backward, saturated(kind)).verdict == "incorrect gradient"


def test_a_pass_that_takes_no_doubles_is_checked_without_and_that_is_noted():
    def backward(g, x):
        assert x.dtype == g.dtype == np.float16
        return slope_of_tanh(g, x)

    def beyond(g, x):
        return slope_of_tanh(g, x).astype(np.float16)

    (x,) = drawn(np.float16, (5,))
    for each in (backward, beyond):
        check = backproof.check_vjp(np.tanh, each, x)
        assert check.agrees, check
        assert any("does not run in double precision" in note for note in check.target.notes)
    assert not backproof.check_vjp(np.tanh, slope_of_tanh, x).target.notes
