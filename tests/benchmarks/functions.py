"""A check of somebody else's function, beside the evaluations that it cannot do without."""

from __future__ import annotations

import numpy as np
from rounds import alternate, heading, line, ratios

import backproof


def network(features: int, hidden: int, outputs: int, samples: int):  # type: ignore[no-untyped-def]
    """Weights, data, and a two-layer network with cross entropy, in NumPy."""
    rng = np.random.default_rng(0)
    x, t = rng.normal(size=(samples, features)), np.eye(outputs)[rng.integers(0, outputs, samples)]
    w = [
        rng.normal(size=(features, hidden)) / np.sqrt(features),
        rng.normal(size=hidden) / 10,
        rng.normal(size=(hidden, outputs)) / np.sqrt(hidden),
        rng.normal(size=outputs) / 10,
    ]

    def loss(w, x, t):  # type: ignore[no-untyped-def]
        a = np.tanh(x @ w[0] + w[1])
        y = 1 / (1 + np.exp(-(a @ w[2] + w[3])))
        return -(t * np.log(y) + (1 - t) * np.log(1 - y)).sum() / len(x)

    def slope(w, x, t):  # type: ignore[no-untyped-def]
        a = np.tanh(x @ w[0] + w[1])
        d = (1 / (1 + np.exp(-(a @ w[2] + w[3]))) - t) / len(x)
        dz = (d @ w[2].T) * (1 - a * a)
        return [x.T @ dz, dz.sum(0), a.T @ d, d.sum(0)]

    return w, x, t, loss, slope


def main(rounds: int) -> None:
    w, x, t, loss, slope = network(20, 95, 10, 64)
    count = sum(part.size for part in w)
    heading(f"A black-box check of {count:,} parameters, beside 2P evaluations of the loss and nothing else")

    def plain() -> None:
        for part in w:
            flat = part.ravel()
            for i in range(flat.size):
                kept = flat[i]
                for h in (1e-6, -1e-6):
                    flat[i] = kept + h
                    loss(w, x, t)
                flat[i] = kept

    works = {"2P evaluations": plain, "backproof.check": lambda: backproof.check(loss, w, x, t, df=slope)}
    times = alternate(works, rounds)
    for name in works:
        asked = "at most 1.2" if "check" in name else ""
        line(f"P = {count:,}", name, times[name], ratios(times, name, "2P evaluations"), asked)
    large = network(500, 2000, 10, 16)
    w, x, t, loss, slope = large
    count = sum(part.size for part in w)
    heading(f"Along random directions, {count:,} parameters: evaluations of the loss (asked: at most 400)")

    def entry(w, x, t):  # type: ignore[no-untyped-def]
        found = slope(w, x, t)
        found[0][123, 456] *= 1.01
        return found

    def tensor(w, x, t):  # type: ignore[no-untyped-def]
        found = slope(w, x, t)
        found[2] = np.cos(np.arange(found[2].size)).reshape(found[2].shape)
        return found

    def scale(w, x, t):  # type: ignore[no-untyped-def]
        return [len(x) * g for g in slope(w, x, t)]

    for what, df in {"right": slope, "one entry": entry, "one tensor": tensor, "scale": scale}.items():
        found = backproof.check(loss, w, x, t, df=df)
        told = found.causes[0][:70] if found.causes else found.verdict
        print(f"{what:12} {found.judgement.evaluations:4} evaluations   {told}")
