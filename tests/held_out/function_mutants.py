"""Mutants of the gradients of functions as libraries have them: are they named usefully?

    python tests/held_out/function_mutants.py --seed 100 --count 200

One operator, operand, index or constant in a line of a gradient is replaced at random, at full size and mixed
into the right gradient by 1e-3. Names of which the right gradient decides whether they are true (a sign, a
factor, a transpose, a term of the parameters) are held against it. Printed is how often the cause named first
is a name, is the place with a shape (an entry, a row, a rank), is the place alone, or is false. Seeds 0 to 99
are for development; report on others.
"""

from __future__ import annotations

import argparse
import ast
import re
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

import backproof
from backproof.network.faults.edits import Vocabulary, edits_of

FUNCTIONS = {
    "linear": """
def loss(p, X, y, lam):
    r = X @ p - y
    return r @ r / (2 * len(y)) + lam * p @ p / 2
def gradient(p, X, y, lam):
    r = X @ p - y  # p
    return X.T @ r / len(y) + lam * p  # p
""",
    "logistic": """
def loss(p, X, y, lam):
    z = X @ p
    return np.mean(np.logaddexp(0, z) - y * z) + lam * p @ p / 2
def gradient(p, X, y, lam):
    z = X @ p  # p
    s = 1 / (1 + np.exp(-z))  # p
    return X.T @ (s - y) / len(y) + lam * p  # p
""",
    "logistic with intercept": """
def loss(p, X, y, lam):
    z = X @ p[:-1] + p[-1]
    return np.sum(np.logaddexp(0, z) - y * z) + lam * p[:-1] @ p[:-1] / 2
def gradient(p, X, y, lam):
    z = X @ p[:-1] + p[-1]  # p
    r = 1 / (1 + np.exp(-z)) - y  # p
    w = X.T @ r + lam * p[:-1]  # p
    b = np.sum(r)  # p
    return np.append(w, b)
""",
    "softmax": """
def loss(p, X, T, lam):
    z = X @ p["W"] + p["b"]
    l = z - np.log(np.sum(np.exp(z), axis=1, keepdims=True))
    return -np.sum(T * l) / len(X) + lam * np.sum(p["W"] ** 2) / 2
def gradient(p, X, T, lam):
    z = X @ p["W"] + p["b"]  # Wb
    s = np.exp(z) / np.sum(np.exp(z), axis=1, keepdims=True)  # Wb
    d = (s - T) / len(X)  # Wb
    w = X.T @ d + lam * p["W"]  # W
    b = np.sum(d, axis=0)  # b
    return {"W": w, "b": b}
""",
    "poisson": """
def loss(p, X, y, lam):
    z = X @ p
    return np.sum(np.exp(z) - y * z)
def gradient(p, X, y, lam):
    m = np.exp(X @ p)  # p
    return X.T @ (m - y)  # p
""",
    "gaussian nll": """
def loss(p, X, y, lam):
    r = y - X @ p[:-1]
    return len(y) * p[-1] + r @ r / (2 * np.exp(2 * p[-1]))
def gradient(p, X, y, lam):
    r = y - X @ p[:-1]  # p
    v = np.exp(2 * p[-1])  # p
    w = -X.T @ r / v  # p
    s = len(y) - r @ r / v  # p
    return np.append(w, s)
""",
    "mlp": """
def loss(p, X, T, lam):
    h = np.tanh(X @ p["A"] + p["a"])
    r = h @ p["B"] + p["b"] - T
    return np.sum(r * r) / (2 * len(X)) + lam * np.sum(p["A"] ** 2) / 2 + lam * np.sum(p["B"] ** 2) / 2
def gradient(p, X, T, lam):
    h = np.tanh(X @ p["A"] + p["a"])  # AaBb
    r = h @ p["B"] + p["b"] - T  # AaBb
    d = r / len(X)  # AaBb
    gB = h.T @ d + lam * p["B"]  # B
    gb = np.sum(d, axis=0)  # b
    e = (d @ p["B"].T) * (1 - h * h)  # Aa
    gA = X.T @ e + lam * p["A"]  # A
    ga = np.sum(e, axis=0)  # a
    return {"A": gA, "a": ga, "B": gB, "b": gb}
""",
    "factorisation": """
def loss(p, M, lam):
    R = p["U"] @ p["V"].T - M
    return np.sum(R * R) / 2 + lam * np.sum(p["U"] ** 2) / 2 + lam * np.sum(p["V"] ** 2) / 2
def gradient(p, M, lam):
    R = p["U"] @ p["V"].T - M  # UV
    gU = R @ p["V"] + lam * p["U"]  # U
    gV = R.T @ p["U"] + lam * p["V"]  # V
    return {"U": gU, "V": gV}
""",
    "squared hinge": """
def loss(p, X, s, C):
    m = np.maximum(0, 1 - s * (X @ p))
    return p @ p / 2 + C * np.sum(m * m)
def gradient(p, X, s, C):
    m = np.maximum(0, 1 - s * (X @ p))  # p
    return p - 2 * C * X.T @ (m * s)  # p
""",
}
"""A loss and its gradient; what follows # are the arrays that a line goes into."""


FUNCTION_NAMES = {"np", "len"}

INDEXED = (
    "{0}[::-1]", "{0}[:, ::-1]", "{0}.T", "np.roll({0}, 1, axis=0)", "np.roll({0}, 1, axis=1)",
    "-{0}", "abs({0})", "{0}[:1]", "{0}[:, :1]",
)  # fmt: skip
"""Other indices of an array, and its signs."""


@dataclass(frozen=True)
class Mutant:
    """A wrong gradient.

    Attributes:
        tensors: the arrays that the edited line goes into.
    """

    name: str
    words: str
    tensors: str
    f: Any
    df: Any
    right: Any
    p: Any
    args: tuple[Any, ...]


def point(name: str, draw: np.random.Generator) -> tuple[Any, tuple[Any, ...]]:
    """Parameters and data for a function."""
    n, d, k, h = (int(draw.integers(*ends)) for ends in ((8, 40), (4, 9), (3, 6), (3, 7)))
    x, lam = draw.standard_normal((n, d)), float(draw.choice([0.01, 0.1]))
    if name in ("softmax", "mlp"):
        targets = np.eye(k)[draw.integers(0, k, n)]
        if name == "softmax":
            return {"W": draw.standard_normal((d, k)), "b": draw.standard_normal(k)}, (x, targets, lam)
        shapes = {"A": (d, h), "a": (h,), "B": (h, k), "b": (k,)}
        return {key: draw.standard_normal(shape) for key, shape in shapes.items()}, (x, targets, lam)
    if name == "factorisation":
        shapes = {"U": (n, h), "V": (d, h)}
        return {key: draw.standard_normal(shape) for key, shape in shapes.items()}, (x, lam)
    p = draw.standard_normal(d + (name in ("logistic with intercept", "gaussian nll"))) / 2
    if name == "poisson":
        y = draw.poisson(2.0, n).astype(float)
    elif name == "squared hinge":
        y = draw.choice([-1.0, 1.0], n)
    elif name.startswith("logistic"):
        y = draw.integers(0, 2, n).astype(float)
    else:
        y = draw.standard_normal(n)
    return p, (x, y, lam)


def mutant_of(draw: np.random.Generator) -> Mutant:
    """One edit of one line of a gradient."""
    name = str(draw.choice(list(FUNCTIONS)))
    source = FUNCTIONS[name]
    lines = source.split("\n")
    chosen = draw.choice([i for i, line in enumerate(lines) if "  # " in line])
    text, _, tensors = lines[chosen].partition("  # ")
    statement = ast.parse(text.strip()).body[0]
    value = ast.unparse(statement.value)
    head = "return" if isinstance(statement, ast.Return) else f"{ast.unparse(statement.targets[0])} ="
    arrays = {node.id for node in ast.walk(ast.parse(value)) if isinstance(node, ast.Name)} - FUNCTION_NAMES
    edits = edits_of(value, Vocabulary(tuple(sorted(arrays)), INDEXED))
    edited = edits[draw.integers(len(edits))]
    lines[chosen] = f"    {head} {edited}"
    right, wrong = {"np": np}, {"np": np}
    exec(source, right)
    exec("\n".join(lines), wrong)
    p, args = point(name, draw)
    functions = right["loss"], wrong["gradient"], right["gradient"]
    return Mutant(name, f"{value} → {edited}", tensors, *functions, p, args)


def mixed(mutant: Mutant, share: float) -> Any:
    """The gradient, mixed into the right one by a share."""

    def df(p: Any, *args: Any) -> Any:
        right, wrong = mutant.right(p, *args), mutant.df(p, *args)
        if isinstance(right, dict):
            return {k: right[k] + share * (wrong[k] - right[k]) for k in right}
        return right + share * (wrong - right)

    return df


def arrays(found: Any) -> dict[str, np.ndarray]:
    """A gradient as arrays by name."""
    return found if isinstance(found, dict) else {"p": found}


def outcome(mutant: Mutant, df: Any, cause: Any, flat: bool) -> str:
    """Whether a cause is a true name, a place with a shape, a place, or false."""
    right = arrays(mutant.right(mutant.p, *mutant.args))
    wrong = arrays(df(mutant.p, *mutant.args))
    found = re.match(r"W(?:\['(\w)'\])?: ", cause.detail)
    key = (found[1] if found else None) or (mutant.tensors[0] if not flat else "p")
    differs = {k for k in right if np.abs(wrong[k] - right[k]).max() > 1e-9 * np.abs(right[k]).max()}
    if key not in differs:
        return "false"
    if cause.name == "not identified":
        alone = "every entry" in cause.detail and "rank" not in cause.detail and "same" not in cause.detail
        return "place" if alone or re.search(r"\d+ of \d+ entries$", cause.detail) else "shape"
    return "named" if _true(cause, wrong[key], right[key], arrays(mutant.p)[key]) else "false"


def _true(cause: Any, wrong: np.ndarray, right: np.ndarray, theta: np.ndarray) -> bool:
    """Whether a name is true of two gradients, where they decide it."""
    at = np.abs(wrong - right) > 1e-9 * np.abs(right).max()
    part = re.search(r"entries (\d+) to (\d+): ", cause.detail)
    if part:
        positions = np.arange(right.size)
        at &= (positions >= int(part[1])) & (positions <= int(part[2]))
    size = np.abs(right).max()
    if cause.name == "sign" and "in " not in cause.detail:
        return bool(np.allclose(wrong[at], -right[at], rtol=1e-6))
    if cause.name == "scale" and "regulariser" not in cause.detail:
        factor = wrong[at] / right[at]
        return bool(np.ptp(factor) < 1e-5 * np.abs(factor).max())
    if cause.name == "missing":
        return not wrong[at].any()
    if cause.name == "regulariser":
        term = np.sign(theta) if "sign" in cause.detail else theta
        share = (wrong - right)[at] / term[at]
        return bool(np.ptp(share) < 1e-5 * np.abs(share).max())
    if cause.name == "lower precision":
        return bool(np.abs(wrong - right).max() < 1e-2 * size)
    return True


def judged(seed: int, shares: tuple[float, ...] = (1.0, 1e-3)) -> list[tuple[float, str, Mutant, str]]:
    """The mutant of a seed at each size: share, outcome, itself, the cause named first."""
    draw = np.random.default_rng(seed)
    for _ in range(20):
        with np.errstate(all="ignore"):
            try:
                mutant = mutant_of(draw)
                found = arrays(mutant.df(mutant.p, *mutant.args))
                shapes = {k: v.shape for k, v in arrays(mutant.p).items()}
                if {k: np.shape(v) for k, v in found.items()} != shapes:
                    continue
                if not all(np.isfinite(v).all() for v in found.values()):
                    continue
            except Exception:
                continue
        outcomes = []
        for share in shares:
            df = mutant.df if share == 1 else mixed(mutant, share)
            checked = backproof.check(mutant.f, mutant.p, *mutant.args, df=df)
            if checked.verdict != "incorrect gradient":
                break
            cause = checked.judgement.causes[0]
            what = outcome(mutant, df, cause, not isinstance(mutant.p, dict))
            outcomes.append((share, what, mutant, str(cause)))
        if len(outcomes) == len(shares):
            return outcomes
    return []


def main() -> None:
    """Judge so many mutants and print what was named."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=100)
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--list", action="store_true", help="print every mutant that was not named")
    given = parser.parse_args()
    counts: dict[float, Counter[str]] = {1.0: Counter(), 1e-3: Counter()}
    by_name: Counter[tuple[str, str]] = Counter()
    for seed in range(given.seed, given.seed + given.count):
        for share, what, mutant, cause in judged(seed):
            counts[share][what] += 1
            by_name[mutant.name, what] += share == 1
            if given.list and what != "named":
                print(f"{seed} {share:g} {what}: [{mutant.name}] {mutant.words}  =>  {cause}")
    kinds = ("named", "shape", "place", "false")
    for share, counter in counts.items():
        total = counter.total() or 1
        shares = ", ".join(f"{k} {counter[k]} ({counter[k] / total:.1%})" for k in kinds)
        print(f"size {share:g}: {total} mutants: {shares}")
    for name in FUNCTIONS:
        print(f"{name:24}", "  ".join(f"{k} {by_name[name, k]:3}" for k in kinds))


if __name__ == "__main__":
    main()
