"""Piecewise linear functions with backpropagation by hand, each with what it does at ties as a keyword.

A maximum of several numbers has one derivative where the largest is alone. Where several are equal, `ties`
says which of them gets the gradient: "first", "shared" (each an equal part), or "all" (each the whole of it,
which is a mistake).
"""

import numpy as np

TIES = ("first", "shared", "all")


def share_of_largest(values, ties="first"):
    """How much of a maximum's gradient each of its candidates gets; candidates along the last axis."""
    largest = values == values.max(axis=-1, keepdims=True)
    if ties == "first":
        return np.eye(values.shape[-1])[largest.argmax(axis=-1)]
    if ties == "shared":
        return largest / largest.sum(axis=-1, keepdims=True)
    if ties == "all":
        return largest.astype(float)
    raise ValueError(f"ties must be one of {', '.join(TIES)}; not {ties!r}")


# --- maxout


def maxout_start(seed, pieces=3, tied=False):
    """W of a layer of two units, and samples; with `tied`, all pieces of a unit are equal."""
    rng = np.random.default_rng(seed)
    w = rng.normal(size=(pieces, 4, 2))
    return (np.broadcast_to(w[:1], w.shape).copy() if tied else w), rng.normal(size=(6, 4))


def maxout(w, x, ties="first"):
    """Half the squares of max over pieces k of x·w[k], and their gradient."""
    z = np.einsum("ni,kiu->nuk", x, w)
    y = z.max(axis=-1)
    delta = y[:, :, None] * share_of_largest(z, ties)
    return (y**2).sum() / 2, np.einsum("ni,nuk->kiu", x, delta)


# --- the k largest, by sorting


def top_start(seed, size=6, tied=False):
    """Numbers whose largest are added up; with `tied`, the second and third largest are equal."""
    x = np.sort(np.random.default_rng(seed).normal(size=size))[::-1].copy()
    if tied:
        x[2] = x[1]
    return x


def top(x, k=2, ties="first"):
    """½ (sum of the k largest)², and its gradient: that of the sorted array, put back in its place."""
    order = np.argsort(-x, kind="stable")
    chosen = np.zeros(len(x))
    chosen[order[:k]] = 1
    last = x == x[order[k - 1]]
    if ties != "first":
        rest = k - (x > x[order[k - 1]]).sum()
        chosen[last] = 1 if ties == "all" else rest / last.sum()
    total = x[order[:k]].sum()
    return total**2 / 2, total * chosen


# --- a convolution with max pooling


def convolution_start(seed, channels=3, samples=8, bias=0.1):
    """Digits of 8×8 pixels with blank margins, and the weights of a network for them.

    W: kernels of 3×3 with a bias each, and the dense layer behind the pooling.
    """
    from sklearn.datasets import load_digits

    rng = np.random.default_rng(seed)
    found = load_digits()
    rows = rng.choice(len(found.data), samples, replace=False)
    kernels = rng.normal(size=(channels, 9)) / 3
    dense = rng.normal(size=(channels * 9, 10)) / 5
    weights = [np.hstack([kernels, np.full((channels, 1), float(bias))]), dense]
    return weights, found.images[rows] / 16, np.eye(10)[found.target[rows]]


def patches(images):
    """Every 3×3 patch of 8×8 images, with the 1 of the bias: (samples, 6, 6, 10)."""
    windows = np.lib.stride_tricks.sliding_window_view(images, (3, 3), axis=(1, 2))
    flat = windows.reshape(len(images), 6, 6, 9)
    return np.concatenate([flat, np.ones((len(images), 6, 6, 1))], axis=-1)


def convolution(w, images, targets, ties="first", relu_at_zero=0.0):
    """Convolution, ReLU, max pooling by 2×2, a dense layer and the softmax cost; its gradient by hand.

    Where a patch is blank, its value is the bias, so that four blank patches are a tie in every channel.
    """
    kernels, dense = w
    seen = patches(images)
    z = seen @ kernels.T
    a = np.maximum(z, 0)
    count, channels = len(images), len(kernels)
    windows = a.reshape(count, 3, 2, 3, 2, channels).transpose(0, 1, 3, 5, 2, 4)
    windows = windows.reshape(count, 3, 3, channels, 4)
    pooled = windows.max(axis=-1).reshape(count, -1)
    logits = pooled @ dense
    logits = logits - logits.max(axis=1, keepdims=True)
    log_p = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    loss = -(targets * log_p).sum()

    delta = np.exp(log_p) - targets
    back = (delta @ dense.T).reshape(count, 3, 3, channels, 1) * share_of_largest(windows, ties)
    back = back.reshape(count, 3, 3, channels, 2, 2).transpose(0, 1, 4, 2, 5, 3)
    slope = np.where(z == 0, relu_at_zero, z > 0)
    back = back.reshape(count, 6, 6, channels) * slope
    return loss, [np.einsum("nijc,nijp->cp", back, seen), pooled.T @ delta]
