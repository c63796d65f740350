"""Checks of functions in PyTorch and JAX, beside the checkers that come with those libraries.

Operators of PyTorch's own tests, a transformer block with 56,372 parameters, and functions in JAX. One thread
each. Takes about five minutes, most of them in PyTorch's check of the wrong block.
"""

from __future__ import annotations

import statistics
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from rounds import alternate, heading, line, ratios, seconds
from threadpoolctl import threadpool_limits
from torch.utils._pytree import tree_leaves

import backproof
from backproof.torch import gradcheck

SHARE, MOST = 0.15, 200
"""Of the operators; and so many numbers of the inputs of a sample, at most."""

OURS, SLOW, FAST = "backproof", "gradcheck", "gradcheck, fast mode"
THROUGHOUT = "backproof.torch.gradcheck"

Work = Callable[[], object]


def operators(share: float, seed: int = 0) -> Iterator[tuple[str, Callable[..., object], list[torch.Tensor]]]:
    """One sample of each of a random share of PyTorch's operators, in double precision."""
    sys.path.append(str(Path(__file__).parents[1] / "peers"))
    import torch_whole_operators as database

    database.MOST = MOST
    found = database.samples(seed, share, 1, "", database.Tally())
    yield from ((s.name, s.call, s.inputs) for s in found if all(x.dtype == torch.float64 for x in s.inputs))


def of_operators(rounds: int, share: float = SHARE) -> None:
    """Ratios operator by operator, of the least time of each.

    Of a number made of its outputs by `check`, and of all derivatives of all outputs by `gradcheck`, which
    also tries other layouts in memory and outputs without a cotangent.
    """
    heading(f"Operators of PyTorch with at most {MOST} numbers: time over that of PyTorch's own check")
    found = {(what, peer): list[float]() for what in ("check", "gradcheck") for peer in (SLOW, FAST)}
    for _, call, inputs in operators(share):
        loss = loss_of(call, inputs)
        for what, function, ours in (("check", loss, _check), ("gradcheck", call, _gradcheck)):
            works = {
                OURS: ours(function, inputs),
                SLOW: _torch(function, inputs),
                FAST: _torch(function, inputs, fast=True),
            }
            times = alternate(works, rounds)
            for peer in (SLOW, FAST):
                found[what, peer].append(min(times[OURS]) / min(times[peer]))
    for (what, peer), ratio in found.items():
        middle, high = statistics.median(ratio), float(np.quantile(ratio, 0.95))
        print(f"{what:10} over {peer:22} {len(ratio)}: median {middle:.3g}, 95 % {high:.3g}")


def _check(loss: Callable[..., object], inputs: list[torch.Tensor]) -> Work:
    return lambda: backproof.check(lambda tensors: loss(*tensors), inputs)


def _gradcheck(call: Callable[..., object], inputs: list[torch.Tensor]) -> Work:
    return lambda: gradcheck(call, inputs, raise_exception=False, masked=True)


def _torch(call: Callable[..., object], inputs: list[torch.Tensor], *, fast: bool = False) -> Work:
    return lambda: torch.autograd.gradcheck(call, inputs, raise_exception=False, masked=True, fast_mode=fast)


def loss_of(call: Callable[..., object], inputs: list[torch.Tensor]) -> Callable[..., torch.Tensor]:
    """A number of an operator's outputs: their sum, each number by one that is drawn."""
    draw = torch.Generator().manual_seed(0)
    counts = [isinstance(y, torch.Tensor) and y.requires_grad for y in tree_leaves(call(*inputs))]

    def outputs(tensors: Sequence[torch.Tensor]) -> list[torch.Tensor]:
        found = [y for y, counted in zip(tree_leaves(call(*tensors)), counts, strict=True) if counted]
        found = [y if y.layout == torch.strided else y.to_dense() for y in found]
        return [torch.view_as_real(y.resolve_conj()) if y.is_complex() else y for y in found]

    factors = [torch.randn(y.shape, generator=draw, dtype=torch.float64) for y in outputs(inputs)]

    def loss(*tensors: torch.Tensor) -> torch.Tensor:
        return torch.stack([(c * y).sum() for c, y in zip(factors, outputs(tensors), strict=True)]).sum()

    return loss


class WrongGelu(torch.autograd.Function):
    """x · Φ(1.702 x) by the logistic function; the backward pass lacks a term."""

    @staticmethod
    def forward(ctx, x):  # type: ignore[no-untyped-def]
        ctx.save_for_backward(x)
        return x * torch.sigmoid(1.702 * x)

    @staticmethod
    def backward(ctx, g):  # type: ignore[no-untyped-def]
        (x,) = ctx.saved_tensors
        return g * torch.sigmoid(1.702 * x)


class Block(torch.nn.Module):
    """Attention with four heads and a perceptron, each after a layer norm; 56,372 parameters."""

    def __init__(self, width: int, activation: Callable[[torch.Tensor], torch.Tensor]) -> None:
        super().__init__()
        self.first, self.second = torch.nn.LayerNorm(width), torch.nn.LayerNorm(width)
        self.attention = torch.nn.Linear(width, 3 * width)
        self.projection = torch.nn.Linear(width, width)
        self.up, self.down = torch.nn.Linear(width, 4 * width), torch.nn.Linear(4 * width, width)
        self.activation = activation

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        batch, length, width = x.shape
        parts = self.attention(self.first(x)).reshape(batch, length, 3, 4, width // 4).permute(2, 0, 3, 1, 4)
        scores = torch.softmax(parts[0] @ parts[1].transpose(-1, -2) / (width // 4) ** 0.5, -1)
        x = x + self.projection((scores @ parts[2]).transpose(1, 2).reshape(batch, length, width))
        x = x + self.down(self.activation(self.up(self.second(x))))
        return (x * x).mean()


def of_a_block(rounds: int) -> None:
    """Our check along directions, and PyTorch's, which has one."""
    heading("A transformer block in double precision: time over that of gradcheck's fast mode")
    torch.manual_seed(0)
    x = torch.randn(2, 16, 68, dtype=torch.float64)
    for what, activation in {"right": torch.nn.functional.gelu, "wrong": WrongGelu.apply}.items():
        torch.manual_seed(1)
        block = Block(x.shape[-1], activation).double()
        names = [name for name, _ in block.named_parameters()]
        tensors = [p.detach().clone().requires_grad_() for p in block.parameters()]

        def loss(*parts: torch.Tensor, block: Block = block, names: list[str] = names) -> torch.Tensor:
            found: torch.Tensor = torch.func.functional_call(
                block, dict(zip(names, parts, strict=True)), (x,)
            )
            return found

        def ours(block: Block = block, agrees: bool = what == "right") -> None:
            assert backproof.check(block, None, x).agrees == agrees

        def theirs(loss=loss, tensors=tensors, agrees: bool = what == "right") -> None:  # type: ignore[no-untyped-def]
            assert torch.autograd.gradcheck(loss, tensors, raise_exception=False, fast_mode=True) == agrees

        works = {
            FAST: theirs,
            OURS: ours,
            THROUGHOUT: lambda loss=loss, tensors=tensors: gradcheck(loss, tensors, raise_exception=False),
        }
        # Of a wrong gradient fast mode makes its slow check, which takes minutes.
        times = alternate(works, rounds) if what == "right" else {n: [seconds(w)] for n, w in works.items()}
        count = sum(t.numel() for t in tensors)
        for name in works:
            line(f"{what}, {count:,} parameters", name, times[name], ratios(times, name, FAST))


def of_jax(rounds: int) -> None:
    """jax.test_util.check_grads, which draws one direction, beside ours, which moves every parameter."""
    heading("Functions in JAX: time over that of check_grads")
    import jax
    import jax.numpy as jnp
    from jax.test_util import check_grads

    jax.config.update("jax_enable_x64", True)
    draw = np.random.default_rng(0)

    def array(*shape: int) -> jax.Array:
        return jnp.asarray(draw.standard_normal(shape))

    functions = {
        "tanh network, 1 output": (
            lambda w, v: jnp.sum(jnp.tanh(jnp.tanh(w).sum(0) @ v)),
            (array(5, 8), array(8, 6)),
        ),
        "softmax, 64": (lambda x: jax.nn.softmax(x), (array(8, 8),)),
        "matmul, 40": (lambda a, b: a @ b, (array(4, 5), array(5, 4))),
        "solve, 20": (lambda a, b: jnp.linalg.solve(a, b), (array(4, 4) + 4 * jnp.eye(4), array(4))),
    }
    for name, (f, args) in functions.items():
        works = {
            OURS: lambda f=f, args=args: backproof.check_vjp(f, None, *args),
            "check_grads": lambda f=f, args=args: check_grads(f, args, 1, ["rev"]),
        }
        times = alternate(works, rounds)
        line(name, "check_grads", times["check_grads"], ratios(times, OURS, "check_grads"))


def main(rounds: int) -> None:
    torch.set_num_threads(1)
    with threadpool_limits(1):
        of_operators(rounds)
        of_a_block(rounds)
        of_jax(rounds)
