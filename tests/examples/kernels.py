"""Attention with its backward pass by hand, in the precision of its inputs, as a kernel has it."""

import numpy as np


def product(a, b):
    """Accumulated by NumPy, and rounded once."""
    return (a @ b).astype(a.dtype)


def weights(q, k, causal):
    """Of every query for every key, (queries, keys); rows sum to 1."""
    scores = product(q, k.T) * q.dtype.type(q.shape[-1] ** -0.5)
    if causal:
        scores = np.where(np.tri(*scores.shape, dtype=bool), scores, q.dtype.type(-1e4))
    e = np.exp(scores - scores.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def attention(q, k, v, causal=False):
    return product(weights(q, k, causal), v)


def attention_backward(g, q, k, v, causal=False, row_sums=True):
    """Without `row_sums`, the derivative of softmax lacks the term that keeps its rows at 1."""
    p = weights(q, k, causal)
    dp = product(g, v.T)
    ds = p * (dp - (p * dp).sum(-1, keepdims=True)) if row_sums else p * dp
    ds = ds * q.dtype.type(q.shape[-1] ** -0.5)
    return product(ds, k), product(ds.T, q), product(p.T, g)
