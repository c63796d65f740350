"""PyTorch's own tests of its operators put to `backproof.check`: how many gradients are called wrong?

    python tests/peers/torch_operators.py --seed 1 [--share 0.3] [--samples 6] [--only linalg] [--list]

Every operator that PyTorch tests and differentiates in double precision, on the sample inputs of those tests,
on the CPU, but for those whose gradient test PyTorch skips or expects to fail. A fixed random cotangent makes
one number of the outputs; the gradient is the framework's. Needs `pip install torch==2.13.0 expecttest`:
PyTorch's test tables import the latter.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import torch
from tally import Verdicts
from threadpoolctl import threadpool_limits
from torch.testing._internal.common_device_type import toleranceOverride
from torch.testing._internal.common_methods_invocations import op_db
from torch.utils._pytree import tree_flatten, tree_unflatten

import backproof

MOST_ENTRIES = 60
"""Of more, so many are drawn."""

SEED = 18
"""Of operators that are random: the same numbers in every evaluation."""


INEXACT = {
    "nn.functional.hardsigmoid": "one sixth is a constant of single precision in the backward pass (2.13.0)",
}
"""Operators whose gradients are known to be off, and by what; counted apart."""


@dataclass(frozen=True)
class Sample:
    """An operator on one sample input, as a function of NumPy arrays and its gradient.

    Attributes:
        arrays: the differentiable tensors among its arguments.
    """

    name: str
    arrays: list[np.ndarray]
    tree: object
    rest: list[object]
    positions: list[int]
    call: object

    def outputs(self, leaves: list[torch.Tensor]) -> list[torch.Tensor]:
        """The operator's tensors."""
        flat = list(self.rest)
        for position, leaf in zip(self.positions, leaves, strict=True):
            flat[position] = leaf
        first, args, kwargs = tree_unflatten(flat, self.tree)
        torch.default_generator.manual_seed(SEED)  # of the CPU alone, which takes a hundredth of the time
        found, _ = tree_flatten(self.call(first, *args, **kwargs))
        return [t for t in found if isinstance(t, torch.Tensor)]

    @cached_property
    def differentiable(self) -> list[int]:
        """Which outputs the framework differentiates; statistics that are kept for later are not."""
        with torch.enable_grad():
            found = self.outputs([torch.tensor(a, requires_grad=True) for a in self.arrays])
        return [k for k, t in enumerate(found) if t.requires_grad]

    def loss(self, leaves: list[torch.Tensor]) -> torch.Tensor:
        """The outputs along a random cotangent, the same for the same shapes; complex ones as pairs."""
        generator = torch.Generator().manual_seed(SEED)
        total = torch.zeros((), dtype=torch.float64)
        outputs = self.outputs(leaves)
        for out in (outputs[k] for k in self.differentiable):
            dense = out.to_dense() if out.layout is not torch.strided else out
            real = torch.view_as_real(dense.resolve_conj()) if dense.is_complex() else dense
            cotangent = torch.randn(real.shape, generator=generator, dtype=torch.float64)
            total = total + (cotangent * real.to(torch.float64)).sum()
        return total

    def f(self, arrays: list[np.ndarray]) -> float:
        """The loss of NumPy's arrays."""
        with torch.no_grad():
            return float(self.loss([torch.tensor(a) for a in arrays]))

    def df(self, arrays: list[np.ndarray]) -> list[np.ndarray]:
        """The framework's gradient."""
        leaves = [torch.tensor(a, requires_grad=True) for a in arrays]
        found = torch.autograd.grad(self.loss(leaves), leaves, allow_unused=True)
        return [np.zeros_like(a) if g is None else g.numpy() for a, g in zip(arrays, found, strict=True)]


def samples(seed: int, share: float, most: int, only: str = "") -> Iterator[Sample]:
    """Samples of a random share of the operators; of each so many, drawn at random."""
    rng = np.random.default_rng(seed)
    for op in op_db:
        drawn = rng.random() < share
        usable = op.supports_autograd and op.supports_dtype(torch.float64, "cpu")
        if drawn and usable and only in op.name and not skipped(op):
            torch.manual_seed(seed)
            given = list(op.sample_inputs("cpu", torch.float64, requires_grad=True))
            for k in rng.permutation(len(given))[:most]:
                yield from _sample(op, given[k], int(k))


def skipped(op: object) -> bool:
    """Whether PyTorch skips the operator's own gradient test, or expects that it fails."""
    test = ("TestBwdGradients", "test_fn_grad", "cpu", torch.float64, {})
    active = [info for info in op.decorators if hasattr(info, "is_active") and info.is_active(*test)]
    return any(not isinstance(d, toleranceOverride) for info in active for d in info.decorators)


def _sample(op: object, given: object, number: int) -> Iterator[Sample]:
    flat, tree = tree_flatten((given.input, given.args, given.kwargs))
    differentiable = [
        k for k, t in enumerate(flat)
        if isinstance(t, torch.Tensor) and t.requires_grad and t.dtype == torch.float64
        and t.layout is torch.strided
    ]  # fmt: skip
    arrays = [flat[k].detach().numpy().copy() for k in differentiable]
    rest = [t.detach() if isinstance(t, torch.Tensor) else t for t in flat]
    name = f"{op.name}{'.' + op.variant_test_name if op.variant_test_name else ''} sample {number}"

    def call(first: object, *args: object, **kwargs: object) -> object:
        return given.output_process_fn_grad(op.gradcheck_wrapper(op.op, first, *args, **kwargs))

    if sum(a.size for a in arrays):
        yield Sample(name, arrays, tree, rest, differentiable, call)


@dataclass
class Tally(Verdicts):
    """What was said of the framework's gradients."""

    left_out: Counter[str] = field(default_factory=Counter)
    inexact: Counter[str] = field(default_factory=Counter)

    def add(self, sample: Sample) -> None:
        """Check one sample."""
        try:
            value, gradient = sample.f(sample.arrays), sample.df(sample.arrays)
        except Exception as error:  # whatever an operator's own test would not have asked of it
            self.left_out[f"raises {type(error).__name__}"] += 1
            return
        if not np.isfinite(value) or not all(np.isfinite(a).all() for a in (*sample.arrays, *gradient)):
            self.left_out["not finite at the point"] += 1
            return
        try:
            found = backproof.check(sample.f, sample.arrays, df=sample.df, parameters=MOST_ENTRIES)
        except Exception as error:  # of the function's or the checker's
            self.ended(sample.name, error)
            return
        operator = sample.name.split(" ")[0]
        if operator in INEXACT:
            self.inexact[f"{found.verdict}: {operator}: {INEXACT[operator]}"] += 1
            return
        self.judged(f"{sample.name} ({', '.join(str(a.shape) for a in sample.arrays)})", found)

    def lines(self, *, full: bool) -> Iterator[str]:
        """The tally in words."""
        yield f"gradients checked: {self.count} (left out: {dict(self.left_out)})"
        yield from self.of_verdicts(full=full)
        yield f"gradients that are inexact in PyTorch: {self.inexact.total()}"
        yield from (f"  {count} {line}" for line, count in sorted(self.inexact.items()))


def tally_of(
    seed: int, *, share: float = 1.0, most: int = 6, only: str = "", seconds: float = np.inf
) -> Tally:
    """Check samples of the operators."""
    tally = Tally()
    add_all(tally, samples(seed, share, most, only), seconds)
    return tally


def add_all(tally: Tally, sampled: Iterable[object], seconds: float) -> None:
    """Check samples, one thread each, until so many seconds have passed."""
    begun = time.monotonic()
    torch.set_num_threads(1)
    with threadpool_limits(1):
        for sample in sampled:
            if time.monotonic() - begun > seconds:
                break
            tally.add(sample)


def main(words: str | None, most: int, tally_of: Callable[..., Tally]) -> None:
    """The command line of a check of the operators, of each of which so many samples are drawn by default."""
    parser = argparse.ArgumentParser(description=words, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=0, help="of the sample inputs, and of what is drawn")
    parser.add_argument("--share", type=float, default=1.0, help="of the operators, drawn at random")
    parser.add_argument("--samples", type=int, default=most, help="of each operator")
    parser.add_argument("--only", default="", help="operators whose names contain this")
    parser.add_argument("--seconds", type=float, default=np.inf, help="stop after so long")
    parser.add_argument("--list", action="store_true", help="also list what is unresolved or undetermined")
    asked = parser.parse_args()
    begun = time.monotonic()
    tally = tally_of(
        asked.seed, share=asked.share, most=asked.samples, only=asked.only, seconds=asked.seconds
    )
    print(f"PyTorch {torch.__version__}, seed {asked.seed}, share {asked.share}, samples {asked.samples}")
    print(*tally.lines(full=asked.list), sep="\n")
    print(f"{time.monotonic() - begun:.0f} s")


if __name__ == "__main__":
    main(__doc__, 6, tally_of)
