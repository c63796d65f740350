"""Derivatives written for tensors of PyTorch and arrays of JAX get such arrays, in any precision."""

import numpy as np
import pytest

from backproof import check_hessian, check_hvp, check_jacobian, check_jvp, check_vjp
from backproof.errors import FunctionError

RNG = np.random.default_rng(3)
X, W = RNG.normal(size=(3, 4)), RNG.normal(size=4)


class Functions:
    """Functions by a library's own operations, which take none of NumPy's arrays, and their derivatives."""

    def __init__(self, name, factor=1.0):
        self.factor = factor
        if name == "torch":
            torch = pytest.importorskip("torch")
            self.kind, self.array, self.diagonal = torch.Tensor, torch.tensor, torch.diag
            self.tanh, self.outer = torch.tanh, torch.outer
        else:
            jnp = pytest.importorskip("jax.numpy")
            self.kind, self.array, self.diagonal = pytest.importorskip("jax").Array, jnp.asarray, jnp.diag
            self.tanh, self.outer = jnp.tanh, jnp.outer

    def _is_native(self, *arrays):
        assert all(isinstance(a, self.kind) for a in arrays), [type(a) for a in arrays]

    def forward(self, x, w):
        self._is_native(x, w)
        return self.tanh(x) * w

    def backward(self, g, x, w):
        self._is_native(g, x, w)
        y = self.tanh(x)
        return g * w * (1 - y * y) * self.factor, (g * y).sum(0)

    def pushforward(self, moves, x, w):
        self._is_native(*moves, x, w)
        y = self.tanh(x)
        return moves[0] * w * (1 - y * y) * self.factor + moves[1] * y

    def kept(self, x, w):
        return self.forward(x, w), (x, w)

    def backward_of_kept(self, kept, g):
        return self.backward(g, *kept)

    def map(self, w):
        self._is_native(w)
        return self.tanh(w)

    def jac(self, w):
        return self.diagonal((1 - self.tanh(w) ** 2) * self.factor)

    def loss(self, w):
        return (w**3).sum()

    def gradient(self, w):
        return 3 * w**2

    def hessian(self, w):
        return self.diagonal(6 * w * self.factor)

    def hvp(self, v, w):
        self._is_native(v, w)
        return 6 * w * v * self.factor

    def checks(self, precision):
        x, w = (self.array(a.astype(precision)) for a in (X, W))
        yield check_vjp(self.forward, self.backward, x, w)
        yield check_vjp(self.kept, self.backward_of_kept, x, w, residuals=True)
        yield check_jvp(self.forward, self.pushforward, x, w)
        yield check_jacobian(self.map, self.jac, w)
        yield check_hessian(self.loss, self.gradient, self.hessian, w)
        yield check_hvp(self.loss, self.gradient, self.hvp, w)


@pytest.mark.parametrize("library", ["torch", "jax"])
@pytest.mark.parametrize("precision", ["float64", "float32"])
def test_every_derivative(library, precision):
    for check in Functions(library).checks(precision):
        assert check.verdict.right, check  # JAX's own tanh errs by more than a rounding
        assert check.digits >= 3
        assert check.target.precision == precision
    for check in Functions(library, factor=1.002).checks(precision):
        assert check.verdict == "incorrect gradient", check


def test_a_function_that_changes_its_tensor_is_refused():
    torch = pytest.importorskip("torch")

    def backward(g, x):
        x.mul_(2)
        return g

    with pytest.raises(FunctionError, match=r"backward: changes its argument"):
        check_vjp(lambda x: x + 0, backward, torch.ones(3, dtype=torch.float64))


def test_whole_numbers_are_passed_on_as_tensors():
    torch = pytest.importorskip("torch")

    def backward(g, table, rows):
        found = torch.zeros_like(table)
        found.index_add_(0, rows, g)
        return found, None

    table, rows = torch.randn(4, 2, dtype=torch.float64), torch.tensor([2, 0, 2])
    check_vjp(lambda table, rows: table[rows] ** 1, backward, table, rows).assert_agrees(6)
