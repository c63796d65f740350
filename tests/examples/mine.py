"""An activation, and a network with its backpropagation, in a file of one's own."""

import numpy as np


class Snake:
    """z + sin²(a z)/a"""

    def __init__(self, a: float = 1.0) -> None:
        self.a = a

    def value(self, z):
        return z + np.sin(self.a * z) ** 2 / self.a

    def derivative(self, z):
        return 1 + np.sin(2 * self.a * z)


def start(seed, hidden=5):
    """Where the gradient is checked: W, and what else the function is called with."""
    rng = np.random.default_rng(seed)
    x, y = rng.normal(size=(10, 4)), np.eye(3)[rng.integers(0, 3, 10)]
    return [rng.normal(size=(4, hidden)), rng.normal(size=(hidden, 3))], x, y


def backprop(w, x, y, output="relu", eps=1e-15):
    """Cross entropy and its gradient, by hand."""
    a = np.tanh(x @ w[0])
    z = a @ w[1]
    p = np.maximum(z, 0) if output == "relu" else 1 / (1 + np.exp(-z))
    loss = -(y * np.log(np.maximum(p, eps)) + (1 - y) * np.log(np.maximum(1 - p, eps))).sum()
    delta = p - y
    return loss, [x.T @ (delta @ w[1].T * (1 - a**2)), a.T @ delta]
