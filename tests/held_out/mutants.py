"""Mutants of backward passes: are they named for what was edited?

    python tests/held_out/mutants.py --seed 100 --count 200

The source of a backward pass, as one writes it by hand, is parsed, and one operator, operand, index or
constant of its arithmetic is replaced at random. The mutant runs against the problem of the package, which
knows nothing of the edit, at its full size and mixed into the right gradient by 1e-3. What the line and the
edit were decides which names are true. Printed is how often the cause named first is one of them, is no name
but the right place, or is false. Seeds 0 to 99 are for development; report on others.
"""

from __future__ import annotations

import argparse
import ast
import copy
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from oracles import random_problem

from backproof.network.problem import Problem
from backproof.network.rules import Backward
from backproof.verdicts.network import judge_network
from backproof.verdicts.view import view_of

HIDDEN = {
    "tanh": "1 - a * a",
    "sigmoid": "a * (1 - a)",
    "softplus": "1 / (1 + np.exp(-z))",
    "relu": "np.where(z > 0, 1.0, 0.0)",
    "leaky_relu": "np.where(z > 0, 1.0, 0.01)",
    "elu": "np.where(z > 0, 1.0, np.exp(np.minimum(z, 0)))",
    "silu": "1 / (1 + np.exp(-z)) * (1 + z * (1 - 1 / (1 + np.exp(-z))))",
}
"""f'(z) of a layer with pre-activations z and values a."""

OUTPUT = {
    ("identity", "squared_error"): ["delta = y - t"],
    ("sigmoid", "squared_error"): ["delta = (y - t) * y * (1 - y)"],
    ("tanh", "squared_error"): ["delta = (y - t) * (1 - y * y)"],
    ("sigmoid", "binary_cross_entropy"): ["g = (1 - t) / (1 - y) - t / y", "delta = g * y * (1 - y)"],
    ("softmax", "categorical_cross_entropy"): [
        "g = -t / y", "delta = y * (g - np.sum(g * y, axis=1, keepdims=True))",
    ],
    ("softmax", "squared_error"): [
        "g = y - t", "delta = y * (g - np.sum(g * y, axis=1, keepdims=True))",
    ],
}  # fmt: skip
"""∂(sum of terms)/∂z of the last layer, for an output and a loss."""

BODY = """
def backward(zs, activations, y, t, ws, bs, scale, l2):
    deltas, weight_gradients, bias_gradients = [], [], []
    {output}  # output
    delta = delta * scale  # output
    for layer in range(len(ws) - 1, -1, -1):
        w, b, a = ws[layer], bs[layer], activations[layer]
        weight_gradient = delta.T @ a  # weight
        penalty = l2 * w  # penalty
        bias_gradient = np.sum(delta, axis=0)  # bias
        deltas.append(delta)
        weight_gradients.append(weight_gradient + penalty)
        bias_gradients.append(bias_gradient)
        if layer > 0:
            z = zs[layer - 1]
            arriving = delta @ w  # arriving
            derivative = {hidden}  # derivative
            delta = arriving * derivative  # hidden
    return deltas[::-1], weight_gradients[::-1], bias_gradients[::-1]
"""

TRUE = {
    "output": ("output delta",),
    "weight": ("weight gradient",),
    "penalty": ("penalty",),
    "bias": ("bias gradient", "penalty: on the biases"),
    "hidden": ("hidden delta", "derivative", "arriving gradient"),
    "derivative": ("derivative", "hidden delta:"),
    "arriving w": ("carried weights", "arriving gradient", "hidden delta:"),
    "arriving delta": ("arriving gradient", "hidden delta:"),
    "arriving": ("arriving gradient", "carried weights", "hidden delta:"),
}
"""How names begin that are true of an edit, by the line; of an arriving gradient by what was edited."""

PLACES = {
    "output": ("output delta",),
    "weight": ("weight gradient",),
    "penalty": ("weight gradient", "bias gradient", "penalty"),
    "bias": ("bias gradient",),
}
"""How the places begin that are right where nothing is named; of all other lines it is the hidden delta."""

OPERATORS = (ast.Add, ast.Sub, ast.Mult, ast.Div)

ALIKE = (
    {"y", "t", "g", "delta"},
    {"a", "z", "derivative", "arriving", "delta"},
    {"b", "bias_gradient"},
)
"""Names that stand for arrays of one shape in some line."""


@dataclass(frozen=True)
class Edit:
    """One edit of a tree: the node at a position in its walk, replaced."""

    position: int
    new: ast.AST
    words: str


def edits_of(tree: ast.AST) -> Iterator[Edit]:
    """All edits of the arithmetic of a parsed line."""
    for position, node in enumerate(ast.walk(tree)):
        if isinstance(node, ast.expr):
            for new in _instead_of(node):
                yield Edit(position, new, f"{ast.unparse(node)} → {ast.unparse(new)}")


def _instead_of(node: ast.expr) -> Iterator[ast.expr]:
    if isinstance(node, ast.BinOp) and isinstance(node.op, OPERATORS):
        for operator in OPERATORS:
            if not isinstance(node.op, operator):
                yield ast.BinOp(node.left, operator(), node.right)
        yield node.left
        yield node.right
        yield ast.BinOp(node.right, node.op, node.left)
    elif isinstance(node, ast.UnaryOp):
        yield node.operand
    elif isinstance(node, ast.Constant) and type(node.value) in (int, float):
        for value in (node.value + 1, node.value - 1, 2 * node.value, 0.5 * node.value):
            if value != node.value:
                yield ast.Constant(value)
    elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and node.id != "np":
        for names in ALIKE:
            if node.id in names:
                yield from (ast.Name(name, ast.Load()) for name in sorted(names - {node.id}))
        yield from (ast.parse(text.format(node.id), mode="eval").body for text in INDEXED)
    elif isinstance(node, ast.Compare):
        for compared in (ast.Lt(), ast.GtE()):
            yield ast.Compare(node.left, [compared], node.comparators)


INDEXED = ("{0}[::-1]", "{0}[:, ::-1]", "{0}.T", "np.roll({0}, 1, axis=0)", "np.roll({0}, 1, axis=1)",
           "-{0}", "abs({0})", "{0}[:1]", "{0}[:, :1]")  # fmt: skip
"""Other indices of an array, and its signs."""


class Replace(ast.NodeTransformer):
    """Puts a node in the place of another."""

    def __init__(self, old: ast.AST, new: ast.AST) -> None:
        self.old, self.new = old, new

    def visit(self, node: ast.AST) -> Any:
        """The node or what replaces it."""
        return self.new if node is self.old else self.generic_visit(node)


@dataclass(frozen=True)
class Mutant:
    """A backward pass with one edit, mixed into the right one by a share.

    Attributes:
        source: of the mutant; `right` of the right one.
        line: what the edited line computes.
        words: what was edited.
    """

    source: str
    right: str
    line: str
    words: str
    share: float = 1.0

    def backward(self, problem: Problem, forward: Any, weights: Any) -> Backward:
        """The mixture."""
        wrong = run(self.source, problem, forward, weights)
        if self.share == 1:
            return wrong
        right = run(self.right, problem, forward, weights)
        return Backward(
            [r + self.share * (w - r) for w, r in zip(wrong.deltas, right.deltas, strict=True)],
            [r + self.share * (w - r) for w, r in zip(wrong.gradients, right.gradients, strict=True)],
        )


def run(source: str, problem: Problem, forward: Any, weights: Any) -> Backward:
    """The backward pass of a source."""
    names: dict[str, Any] = {"np": np}
    exec(source, names)
    deltas, of_weights, of_biases = names["backward"](
        forward.pre_activations, [a[:, :-1] for a in forward.inputs], forward.outputs, problem.targets,
        [w[:, :-1] for w in weights], [w[:, -1] for w in weights], problem.scale, problem.l2,
    )  # fmt: skip
    gradients = []
    for w, of_weight, of_bias in zip(weights, of_weights, of_biases, strict=True):
        gradient = np.empty_like(w)
        gradient[:, :-1], gradient[:, -1] = of_weight, of_bias
        gradients.append(gradient)
    for delta, z in zip(deltas, forward.pre_activations, strict=True):
        if delta.shape != z.shape:
            raise ValueError("a delta of another shape")
    return Backward(deltas, gradients)


def source_of(problem: Problem) -> str:
    """The right backward pass of a problem."""
    output = "  # output\n    ".join(OUTPUT[problem.output.name, problem.loss.name])
    return BODY.format(output=output, hidden=HIDDEN[problem.activation.name])


def mutant_of(problem: Problem, draw: np.random.Generator) -> Mutant:
    """One edit of one line of arithmetic."""
    right = source_of(problem)
    lines = right.split("\n")
    chosen = draw.choice([i for i, line in enumerate(lines) if "  # " in line])
    text, _, label = lines[chosen].partition("  # ")
    indent = text[: len(text) - len(text.lstrip())]
    tree = ast.parse(text.strip())
    edits = list(edits_of(tree.body[0].value))
    edit = edits[draw.integers(len(edits))]
    changed = copy.deepcopy(tree)
    node = list(ast.walk(changed.body[0].value))[edit.position]
    changed = ast.fix_missing_locations(Replace(node, edit.new).visit(changed))
    if label == "arriving":
        before = edit.words.partition(" →")[0]
        label = f"arriving {before}" if before in ("w", "delta") else label
    lines[chosen] = indent + ast.unparse(changed)
    return Mutant("\n".join(lines), right, label, f"{text.strip()}: {edit.words}")


def drawn(draw: np.random.Generator) -> tuple[Problem, Any]:
    """A small random problem; all of its sizes are alike at times, so that shapes can be confused."""
    pairs = list(OUTPUT)
    output, loss = pairs[draw.integers(len(pairs))]
    sizes = draw.integers(4, 9, size=6)
    if draw.random() < 0.4:
        sizes[:] = sizes[0]
    samples = int(sizes[5])
    if sizes[0] != sizes[5]:
        samples += int(draw.integers(0, 12))
    hidden = tuple(int(s) for s in sizes[: draw.integers(1, 4)])
    problem, weights = random_problem(
        int(draw.integers(1 << 30)), activation=str(draw.choice(list(HIDDEN))), output=output, loss=loss,
        hidden=hidden, features=int(sizes[4]), samples=samples,
        outputs=int(draw.integers(2, 6)), reduction=str(draw.choice(["sum", "mean"])),
    )  # fmt: skip
    object.__setattr__(problem, "l2", float(draw.choice([0.0, 0.01])))
    return problem, weights


def judged(seed: int, shares: tuple[float, ...] = (1.0, 1e-3)) -> list[tuple[float, str, Mutant, str]]:
    """The mutant of a seed at each size: share, outcome, itself, the cause named first; empty without one."""
    draw = np.random.default_rng(seed)
    with np.errstate(all="ignore"):
        problem, weights = drawn(draw)
        view = view_of(problem, weights)
        for _ in range(20):
            mutant = mutant_of(problem, draw)
            try:
                found = run(mutant.source, problem, view.forward, weights)
            except Exception:
                continue
            if any(not np.isfinite(x).all() for x in (*found.deltas, *found.gradients)):
                continue
            outcomes = []
            for share in shares:
                mixed = Mutant(mutant.source, mutant.right, mutant.line, mutant.words, share)
                judgement = judge_network(mixed, view)
                if judgement.verdict != "incorrect gradient":
                    break
                cause = judgement.causes[0]
                outcomes.append((share, outcome(mutant.line, cause.name), mixed, str(cause)))
            if len(outcomes) == len(shares):
                return outcomes
    return []


def outcome(line: str, name: str) -> str:
    """Whether a name is true of an edit of a line."""
    if name.endswith("not identified") or name == "not located":
        return "place" if name.startswith(PLACES.get(line, ("hidden delta",))) else "false"
    return "named" if name.startswith(TRUE[line]) or name == "lower precision" else "false"


def main() -> None:
    """Judge so many mutants and print what was named."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=100)
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--list", action="store_true", help="print every mutant that was not named")
    given = parser.parse_args()
    counts: dict[float, Counter[str]] = {1.0: Counter(), 1e-3: Counter()}
    by_line: Counter[tuple[str, str]] = Counter()
    for seed in range(given.seed, given.seed + given.count):
        for share, what, mutant, cause in judged(seed):
            counts[share][what] += 1
            by_line[mutant.line, what] += share == 1
            if given.list and what != "named":
                print(f"{seed} {share:g} {what}: [{mutant.line}] {mutant.words}  =>  {cause}")
    for share, counter in counts.items():
        total = counter.total() or 1
        shares = ", ".join(
            f"{k} {counter[k]} ({counter[k] / total:.1%})" for k in ("named", "place", "false")
        )
        print(f"size {share:g}: {total} mutants: {shares}")
    for line in TRUE:
        print(f"{line:16}", "  ".join(f"{k} {by_line[line, k]:3}" for k in ("named", "place", "false")))


if __name__ == "__main__":
    main()
