"""A custom_vjp that forgets the 2."""

import jax
import jax.numpy as jnp


@jax.custom_vjp
def square(x):
    return x * x


square.defvjp(lambda x: (x * x, x), lambda x, g: (g * x,))


def loss(w, x, y, own=True):
    z = x @ w[0][:, :-1].T + w[0][:, -1]
    return jnp.sum((square(z) if own else z * z) - y)
