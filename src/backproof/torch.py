"""PyTorch's gradcheck and gradgradcheck by backproof's road: replace the import, and nothing else.

from backproof.torch import gradcheck, gradgradcheck
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any

from backproof.errors import FunctionError
from backproof.interfaces.tolerances import passes
from backproof.interfaces.torch_checks import checks_of
from backproof.targets.adapters import library
from backproof.targets.source import shown_as
from backproof.targets.torch_backward import Asked
from backproof.verdicts.measuring import Sampling

__all__ = ["gradcheck", "gradgradcheck"]

ATOL, RTOL = 1e-5, 1e-3
"""PyTorch's defaults: room for the error of differences of one fixed step, which error bounds do not need."""


def gradcheck(
    func: Callable[..., Any],
    inputs: Any,
    *,
    eps: float = 1e-6,  # noqa: ARG001  # PyTorch's signature
    atol: float = ATOL,
    rtol: float = RTOL,
    raise_exception: bool = True,
    nondet_tol: float = 0.0,
    check_undefined_grad: bool = True,
    check_grad_dtypes: bool = False,
    check_batched_grad: bool = False,
    check_batched_forward_grad: bool = False,
    check_forward_ad: bool = False,
    check_backward_ad: bool = True,
    fast_mode: bool = False,  # noqa: ARG001
    masked: bool | None = None,
) -> bool:
    """Is the gradient of a function of tensors right? With the signature of `torch.autograd.gradcheck`.

    Inputs that require a gradient are moved, outputs that require one are looked at. Beyond PyTorch's own,
    the backward pass is given the same cotangents in several memory layouts, and the function the same
    inputs; gradients must not depend on that, nor on whether other outputs have a cotangent. A check that
    cannot see a relative error of 0.1 % does not pass.

    Args:
        func: `(*inputs)` → a tensor, or a container of tensors.
        inputs: a tensor, or a sequence of them and of other arguments; float64 is seen best.
        eps: not used: a step is chosen for each entry.
        atol, rtol: up to the defaults, nothing more is allowed than the error bound of each entry, which is
            derived. Larger ones are allowed in full: |analytic − numerical| ≤ atol + rtol · |numerical|.
        raise_exception: whether to raise what was found, or to return False.
        nondet_tol: by how much two calls of the backward pass may differ, in any entry.
        check_undefined_grad: whether outputs without a cotangent are tried: each alone, and all.
        check_grad_dtypes: whether custom functions must return gradients of their inputs' types.
        check_batched_grad: whether several cotangents at a time are tried, as `is_grads_batched` does.
        check_batched_forward_grad: the same of tangents.
        check_forward_ad, check_backward_ad: the modes that are checked.
        fast_mode: not used: a Jacobian of more than 2,500 entries is checked by products that are drawn.
        masked: whether entries that a sparse input does not store have no derivative; by default they are
            zeros like others.

    Raises:
        GradcheckError: of PyTorch, with the explanation of what is wrong.
        ValueError: if no input requires a gradient, or neither mode is asked for.

    Example:
        >>> import torch
        >>> from backproof.torch import gradcheck
        >>> x = torch.linspace(0.1, 1, 4, dtype=torch.float64, requires_grad=True)
        >>> gradcheck(torch.sinc, (x,))
        True
    """
    given = tuple(inputs) if isinstance(inputs, Sequence) else (inputs,)
    _require_gradients(given)
    if not (check_forward_ad or check_backward_ad):
        raise ValueError("check_forward_ad, check_backward_ad: at least one must be True")
    asked = Asked(
        backward=check_backward_ad, forward=check_forward_ad, layouts=check_backward_ad,
        undefined=check_undefined_grad, types=check_grad_dtypes, batched=check_batched_grad,
        batched_forward=check_batched_forward_grad, masked=bool(masked),
    )  # fmt: skip
    sampling = Sampling(nondeterminism=nondet_tol)
    absolute = atol if atol > ATOL else nondet_tol  # two calls may differ by as much from the right gradient
    relative = rtol if rtol > RTOL else 0.0
    wrong = ""
    try:
        for check in checks_of(func, given, asked, sampling):
            if not passes(check, absolute, relative):
                wrong = repr(check)
                break
    except FunctionError as error:
        wrong = str(error)
    if wrong and raise_exception:
        raise import_module("torch.autograd.gradcheck").GradcheckError(wrong)
    return not wrong


def gradgradcheck(
    func: Callable[..., Any],
    inputs: Any,
    grad_outputs: Any = None,
    *,
    eps: float = 1e-6,
    atol: float = ATOL,
    rtol: float = RTOL,
    gen_non_contig_grad_outputs: bool = False,
    raise_exception: bool = True,
    nondet_tol: float = 0.0,
    check_undefined_grad: bool = True,
    check_grad_dtypes: bool = False,
    check_batched_grad: bool = False,
    check_fwd_over_rev: bool = False,
    check_rev_over_rev: bool = True,
    fast_mode: bool = False,
    masked: bool = False,
) -> bool:
    """Is the gradient of a gradient right? With the signature of `torch.autograd.gradgradcheck`.

    The function that returns func's gradients for its inputs and the cotangents is put to `gradcheck`.

    Args:
        grad_outputs: the cotangents of the outputs; by default they are drawn.
        gen_non_contig_grad_outputs: whether those that are drawn lie in memory with gaps; several layouts
            are tried in any case.
        check_fwd_over_rev, check_rev_over_rev: the modes of the second derivative.

    The other arguments are those of `gradcheck`.

    Raises:
        GradcheckError: of PyTorch, with the explanation of what is wrong.
        ValueError: if no input requires a gradient, or neither mode is asked for.

    Example:
        >>> import torch
        >>> from backproof.torch import gradgradcheck
        >>> x = torch.linspace(0.1, 1, 4, dtype=torch.float64, requires_grad=True)
        >>> gradgradcheck(torch.sinc, (x,))
        True
    """
    torch = library("torch")
    given = tuple(inputs) if isinstance(inputs, Sequence) else (inputs,)
    _require_gradients(given)
    if grad_outputs is None:
        outputs = _differentiable(torch, func(*given))
        cotangents = tuple(_drawn(torch, y, gen_non_contig_grad_outputs) for y in outputs)
    else:
        cotangents = tuple(grad_outputs) if isinstance(grad_outputs, Sequence) else (grad_outputs,)
    moved = [k for k, x in enumerate(given) if isinstance(x, torch.Tensor) and x.requires_grad]

    @shown_as(func)
    def first(*arguments: Any) -> tuple[Any, ...]:
        inputs, upstream = arguments[: len(given)], arguments[len(given) :]
        outputs, leaves = _differentiable(torch, func(*inputs)), [inputs[k] for k in moved]
        found = torch.autograd.grad(outputs, leaves, upstream, create_graph=True, allow_unused=True)
        return tuple(g for g in found if g is not None)

    return gradcheck(
        first, (*given, *cotangents), eps=eps, atol=atol, rtol=rtol, raise_exception=raise_exception,
        nondet_tol=nondet_tol, check_undefined_grad=check_undefined_grad,
        check_grad_dtypes=check_grad_dtypes, check_batched_grad=check_batched_grad, fast_mode=fast_mode,
        check_forward_ad=check_fwd_over_rev, check_backward_ad=check_rev_over_rev, masked=masked,
    )  # fmt: skip


def _require_gradients(inputs: Sequence[Any]) -> None:
    torch = library("torch")
    if not any(isinstance(x, torch.Tensor) and x.requires_grad for x in inputs):
        raise ValueError("inputs: at least one must be a tensor with requires_grad=True")


def _differentiable(torch: Any, found: Any) -> tuple[Any, ...]:
    """The outputs that require a gradient."""
    several = found if isinstance(found, Sequence) else (found,)
    return tuple(y for y in several if isinstance(y, torch.Tensor) and y.requires_grad)


def _drawn(torch: Any, output: Any, with_gaps: bool) -> Any:
    """A random cotangent of an output."""
    drawn = torch.testing.make_tensor(
        output.shape, dtype=output.dtype, device=output.device, low=-1, high=1, noncontiguous=with_gaps
    )
    return drawn.requires_grad_()
