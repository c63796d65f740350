"""PyTorch's own tests of its operators put to `backproof.torch`: all outputs, real and complex.

    python tests/peers/torch_whole_operators.py --seed 1 [--share 0.3] [--samples 1] [--only linalg] [--list]

As `torch_operators.py`, but no number is made of the outputs: they are tuples, complex or sparse as they
come. The backward passes are also given cotangents and inputs in other memory layouts, and outputs without a
cotangent. Samples with more than MOST inputs or outputs are left out.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import torch
from tally import Verdicts
from torch.testing._internal.common_methods_invocations import op_db
from torch.utils._pytree import tree_flatten, tree_unflatten
from torch_operators import INEXACT, SEED, add_all, main, skipped

from backproof.interfaces.torch_checks import checks_of
from backproof.targets.torch_backward import Asked
from backproof.verdicts.measuring import Sampling

MOST, DRAWN = 40, 40
"""Numbers of the inputs and outputs of a sample; and so many derivatives of each are drawn."""

KNOWN = {
    "median": "with a dimension, reads beyond an expanded tensor (2.13.0)",
    "nanmedian": "with a dimension, reads beyond an expanded tensor (2.13.0)",
    "as_strided": "is a function of memory, not of numbers",
}
"""Operators that depend on the layout of their input, and why; counted apart."""


@dataclass(frozen=True)
class Whole:
    """An operator on one sample input, as a function of its tensors that require a gradient."""

    name: str
    call: object
    inputs: list[torch.Tensor]

    @property
    def operator(self) -> str:
        """Its name alone."""
        return self.name.split(" ")[0].split(".dtype")[0]


@dataclass
class Tally(Verdicts):
    """What was said of the framework's derivatives."""

    left_out: int = 0
    known: list[str] = field(default_factory=list)

    def add(self, sample: Whole) -> None:
        """Check one sample."""
        asked, sampling = Asked(masked=True), Sampling(parameters=DRAWN)
        try:
            (found,) = checks_of(sample.call, sample.inputs, asked, sampling)
        except Exception as error:  # of the function's or the checker's
            self.ended(sample.name, error)
            return
        if not found.agrees and sample.operator in KNOWN | INEXACT:
            self.known.append(f"{sample.name}: {found.verdict}")
            return
        self.judged(sample.name, found)

    def lines(self, *, full: bool) -> Iterator[str]:
        """The tally in words."""
        yield f"derivatives checked: {self.count} samples (left out: {self.left_out})"
        yield from self.of_verdicts(full=full)
        yield f"of operators that are known to be so: {len(self.known)}"
        yield from (f"  {line}" for line in self.known)


def samples(seed: int, share: float, most: int, only: str, tally: Tally) -> Iterator[Whole]:
    """Samples of a random share of the operators, in double precision, real and complex."""
    rng = np.random.default_rng(seed)
    for op in op_db:
        drawn = rng.random() < share and only in op.name and op.supports_autograd and not skipped(op)
        for dtype in (torch.float64, torch.complex128) if drawn else ():
            if dtype not in op.supported_backward_dtypes("cpu"):
                continue
            torch.manual_seed(seed)
            given = list(op.sample_inputs("cpu", dtype, requires_grad=True))
            for number in rng.permutation(len(given))[:most]:
                whole = _whole(op, given[number], f"{op.name} {op.variant_test_name} {dtype} sample {number}")
                if whole is None:
                    tally.left_out += 1
                else:
                    yield whole


def _whole(op: object, given: object, name: str) -> Whole | None:
    flat, tree = tree_flatten((given.input, given.args, given.kwargs))
    moving = [k for k, t in enumerate(flat) if isinstance(t, torch.Tensor) and t.requires_grad]

    def call(*tensors: torch.Tensor) -> object:
        parts = list(flat)
        for position, tensor in zip(moving, tensors, strict=True):
            parts[position] = tensor
        first, args, kwargs = tree_unflatten(parts, tree)
        torch.default_generator.manual_seed(SEED)  # of the CPU alone, which takes a hundredth of the time
        return given.output_process_fn_grad(op.gradcheck_wrapper(op.op, first, *args, **kwargs))

    inputs = [flat[k].detach().requires_grad_() for k in moving]
    with torch.random.fork_rng():
        outputs = [y for y in tree_flatten(call(*inputs))[0] if isinstance(y, torch.Tensor)]
    sizes = sum(x.numel() for x in inputs), sum(y.numel() for y in outputs)
    finite = all(bool(torch.isfinite(t.detach().to_dense()).all()) for t in (*inputs, *outputs))
    return Whole(name, call, inputs) if finite and all(0 < size <= MOST for size in sizes) else None


def tally_of(
    seed: int, *, share: float = 1.0, most: int = 1, only: str = "", seconds: float = np.inf
) -> Tally:
    """Check samples of the operators."""
    tally = Tally()
    add_all(tally, samples(seed, share, most, only, tally), seconds)
    return tally


if __name__ == "__main__":
    main(__doc__, 1, tally_of)
