"""Finding the form Xᵀ r + λ θ of a right gradient among the arrays that a function is given."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from backproof.network.arrays import Array
from backproof.targets.layout import Index
from backproof.verdicts.fit import Candidate, Error
from backproof.verdicts.linear_model import LINKS, LinearModel, Link
from backproof.verdicts.variants import variants

MOST_PRODUCT = 1 << 18
"""Larger hidden layers are not formed."""

ACTIVATIONS: dict[str, tuple[Callable[[Array], Array], Callable[[Array], Array]]] = {
    "tanh": (np.tanh, lambda z: 1 - np.tanh(z) ** 2),
    "σ": (lambda z: 1 / (1 + np.exp(-z)), lambda z: np.exp(-z) / (1 + np.exp(-z)) ** 2),
    "relu": (lambda z: np.maximum(z, 0), lambda z: (z > 0).astype(float)),
}
"""Activations that are looked for, with their derivatives."""


@dataclass(frozen=True)
class Given:
    """A right gradient, and what it may be made of.

    Attributes:
        right: the measured gradient of one tensor, flat.
        theta: that tensor, of its shape.
        data: arrays that the function is given, by name.
        others: the other parameters.
    """

    right: Error
    theta: Array
    data: Mapping[str, Array]
    others: Mapping[str, Array]


def linear_model(given: Given) -> LinearModel | None:
    """The model of which this is the gradient; None if it is none of these."""
    tried, theta = 0, given.theta.ravel()
    for name, design in _designs(given):
        block = theta[design.entries].reshape(design.x.shape[1], -1)
        penalised = block * design.penalised[:, None]
        for offset in _offsets(given.others, block.shape[1]):
            z = design.x @ block + offset
            for target, y in _targets(given.data, z.shape):
                for link, function in LINKS.items():
                    tried += 1
                    shares = _fitted(given.right, design, penalised, function(z, y), y, tried)
                    if shares is not None:
                        words = f"X = {name}, y = {target}"
                        return LinearModel(
                            design.entries,
                            design.x,
                            block,
                            offset,
                            y,
                            link,
                            function,
                            *shares,
                            penalised,
                            words,
                        )
    return None


def hidden_model(given: Given, above: LinearModel, w: Array) -> LinearModel | None:
    """The model of a layer below another one: r is what that one's is carried down to, times f'(z)."""
    arriving = above.residual(above.z, above.y) @ w.T
    tried = 0
    for name, design in _designs(given):
        block = given.theta.ravel()[design.entries].reshape(design.x.shape[1], -1)
        if block.shape[1] != arriving.shape[1] or len(design.x) != len(arriving):
            continue
        penalised = block * design.penalised[:, None]
        for offset in _offsets(given.others, block.shape[1]):
            z = design.x @ block + offset
            for activation, (value, derivative) in ACTIVATIONS.items():
                if not np.allclose(value(z), above.x[:, : z.shape[1]], rtol=1e-9):
                    continue
                tried += 1
                nothing = np.zeros_like(arriving)
                link = _below(arriving, derivative)
                shares = _fitted(given.right, design, penalised, link(z, nothing), nothing, tried)
                if shares is not None:
                    return LinearModel(
                        design.entries, design.x, block, offset, nothing, f"r below · {activation}'(z)", link,
                        *shares, penalised, f"X = {name}",
                        {**_hidden_alternatives(arriving, value), **_other_arriving(above, w, derivative)},
                        {"f'(z)": _below(np.ones_like(arriving), derivative)},
                    )  # fmt: skip
    return None


def _below(arriving: Array, function: Callable[[Array], Array]) -> Link:
    return lambda z, _y: np.asarray(arriving * function(z))


def _hidden_alternatives(arriving: Array, value: Callable[[Array], Array]) -> dict[str, Link]:
    """Derivatives that may be taken for f'(z)."""
    made: dict[str, Callable[[Array], Array]] = {
        "1": np.ones_like,
        "f(z)": value,
        "f(z)²": lambda z: value(z) ** 2,
        "1 - f(z)": lambda z: 1 - value(z),
        "1 + f(z)": lambda z: 1 + value(z),
        "1 + f(z)²": lambda z: 1 + value(z) ** 2,
        "2 - f(z)²": lambda z: 2 - value(z) ** 2,
        "1 - 2 f(z)": lambda z: 1 - 2 * value(z),
        "f(z) (1 - f(z))": lambda z: value(z) * (1 - value(z)),
        "f(z) (1 + f(z))": lambda z: value(z) * (1 + value(z)),
        "1 - f(z)²": lambda z: 1 - value(z) ** 2,
        "1 - z²": lambda z: 1 - z * z,
        "z (1 - z)": lambda z: z * (1 - z),
        "[z > 0]": lambda z: (z > 0).astype(float),
    }
    return {words: _below(arriving, function) for words, function in made.items()}


def _other_arriving(above: LinearModel, w: Array, derivative: Callable[[Array], Array]) -> dict[str, Link]:
    """What may arrive in place of r Wᵀ."""
    r = above.residual(above.z, above.y)
    found = {}
    for v in variants(r, "samples", "outputs"):
        found[f"r above, {v.structure}, {v.words},"] = _below(v.values @ w.T, derivative)
    for v in variants(w, "units", "outputs"):
        found[f"the weights above, {v.structure}, {v.words},"] = _below(r @ v.values.T, derivative)
    return found


def hidden_layers(data: Mapping[str, Array], parameters: Mapping[str, Array]) -> Iterator[tuple[str, Array]]:
    """What layers of hidden units are: activations of data times a parameter, with or without a bias."""
    for name, x in data.items():
        for called, w in parameters.items():
            if x.ndim != 2 or w.ndim != 2 or w.shape[0] != x.shape[1] or x.size * w.shape[1] > MOST_PRODUCT:
                continue
            for offset in _offsets(parameters, w.shape[1]):
                z = x @ w + offset
                for activation, (value, _) in ACTIVATIONS.items():
                    yield f"{activation}({name} {called}{' + b' if offset.any() else ''})", value(z)


@dataclass(frozen=True)
class _Design:
    """Entries of θ, the matrix that they are multiplied by, and which of its columns a penalty counts."""

    entries: Index
    x: Array
    penalised: Array


def _designs(given: Given) -> Iterator[tuple[str, _Design]]:
    """What a tensor may be multiplied by: data, other parameters, hidden layers; a column of ones added."""
    shape, size = given.theta.shape, given.theta.size
    if len(shape) not in (1, 2):
        return
    for name, x in given.data.items():
        if x.ndim != 2:
            continue
        n, d = x.shape
        one, columns = np.ones((n, 1)), np.ones(d)
        if shape[0] == d:
            yield name, _Design(np.arange(size), x, columns)
        if len(shape) == 1 and size == d + 1:
            for last in (1.0, 0.0):
                yield name, _Design(np.arange(size), np.hstack([x, one]), np.append(columns, last))
                yield name, _Design(np.arange(size), np.hstack([one, x]), np.append(last, columns))
        if len(shape) == 1 and size > d:
            yield name, _Design(np.arange(d), x, columns)
            yield name, _Design(np.arange(size - d, size), x, columns)
    if len(shape) == 2:
        for name, x in given.others.items():
            if x.ndim == 2 and x.shape[1] == shape[1]:
                turned = np.arange(size).reshape(shape).T.ravel()
                yield name, _Design(turned, x, np.ones(x.shape[1]))
        for name, x in hidden_layers(given.data, given.others):
            if x.shape[1] == shape[0]:
                yield name, _Design(np.arange(size), x, np.ones(x.shape[1]))


def _offsets(others: Mapping[str, Array], outputs: int) -> Iterator[Array]:
    yield np.zeros(outputs)
    for theta in others.values():
        if theta.ndim <= 1 and theta.size == outputs:
            yield theta.reshape(-1)


def _targets(data: Mapping[str, Array], shape: tuple[int, ...]) -> Iterator[tuple[str, Array]]:
    for name, y in data.items():
        if y.shape == shape or (y.ndim == 1 and (len(y), 1) == shape):
            yield name, y.reshape(shape)
        elif y.shape == shape[::-1]:
            yield f"{name}ᵀ", y.T


def _fitted(
    right: Error, design: _Design, penalised: Array, prediction: Array, y: Array, tried: int
) -> tuple[float, float, float] | None:
    """α, β and λ for which Xᵀ (α φ + β y) + λ θ is the right gradient; None if none are.

    That r is φ − y, and that there is no penalty, is tried first: every number that is fitted costs digits.
    """
    of_prediction, of_y = (design.x.T @ prediction).ravel(), (design.x.T @ y).ravel()
    penalty = penalised.ravel()
    zero = np.zeros_like(penalty)
    for columns in (
        (of_prediction - of_y, zero),
        (of_prediction - of_y, penalty),
        (of_prediction, of_y, penalty),
    ):
        shares = _shares(right, design.entries, np.stack(columns, axis=1), tried)
        if shares is not None:
            alpha, *others = shares
            return (alpha, -alpha, others[0]) if len(others) == 1 else (alpha, others[0], others[1])
    return None


def _shares(right: Error, entries: Index, columns: Array, tried: int) -> list[float] | None:
    """What the columns are multiplied by to give the right gradient; None if they do not."""
    value, tolerance = right.right[entries].astype(float), 4 * right.tolerance[entries].astype(float)
    if not np.isfinite(columns).all():
        return None
    weighted = columns / tolerance[:, None]
    size = np.linalg.norm(weighted, axis=0)
    size = np.where(size > 0, size, 1)
    if not np.isfinite(weighted).all() or not np.isfinite(value / tolerance).all():
        return None
    scaled, *_ = np.linalg.lstsq(weighted / size, value / tolerance, rcond=1e-12)
    fitted = [float(share) for share in scaled / size]
    fit = Error(value, np.zeros_like(value), tolerance, np.ones(value.shape, bool))
    count = int(np.count_nonzero(columns.any(axis=0)))
    if fit.share_of(Candidate("", "", columns @ np.array(fitted), count), tried) != 1:
        return None
    simple = [_simplest(share) for share in fitted]
    return (
        simple if fit.share_of(Candidate("", "", columns @ np.array(simple), count), tried) == 1 else fitted
    )


def _simplest(number: float) -> float:
    """A number with an error of its own as a whole one, one over a whole one, or a short one."""
    parts = round(1 / number) if 1e-6 < abs(number) < np.inf else 0
    if parts and abs(number * parts - 1) < 1e-6:
        return 1 / parts
    return float(f"{number:.6g}")
