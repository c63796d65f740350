"""Trials of a backward pass of PyTorch: undefined cotangents, what depends on what, batches, types."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

from backproof.targets.container import leaves_of
from backproof.targets.findings import Finding
from backproof.targets.source import defined_at
from backproof.targets.torch_calls import Calls, Pass, defined, strided
from backproof.targets.torch_graph import custom_functions, gradients, nodes_of
from backproof.targets.torch_layouts import contiguous
from backproof.targets.torch_leaves import Tensor

BATCH = 3
"""Cotangents, or tangents, at a time."""


def undefined_cotangents(calls: Calls) -> Iterator[Finding]:
    """An output that nothing depends on has no cotangent, which means 0: of each alone, and of all."""
    with calls.guarded():
        first = calls.run()
        if first is None:
            return
        given = calls.cotangents(first.outputs)
    count = len(given)
    without = [{k} for k in range(count)] if count > 1 else []
    without += [set(range(count)) - {k} for k in range(count)] if count > 2 else []
    for left_out in without:
        with calls.guarded():
            zeros = [calls.torch.zeros_like(g) if k in left_out else g for k, g in enumerate(given)]
            fewer = [None if k in left_out else g for k, g in enumerate(given)]
            back = partial(calls.back_anew, fewer)
            names = ", ".join(f"number {k + 1}" for k in sorted(left_out))
            words = f"the gradient is not that of a zero cotangent where output {names} has none"
            base = calls.back_anew(zeros)
            yield from calls.compared("undefined cotangent", words, base, back)
    yield from _all_undefined(calls, given)


def _all_undefined(calls: Calls, given: Sequence[Tensor]) -> Iterator[Finding]:
    """Of a node behind which no cotangent is defined, the gradient is 0."""

    def back() -> tuple[Tensor, ...]:
        found = calls.run_anew()
        undefine = calls.torch._C._functions.UndefinedGrad()
        return Pass(tuple(undefine(y) for y in found.outputs), found.leaves).back(given)

    with calls.guarded():
        leaves = calls.run_anew().leaves
        zeros = tuple(calls.torch.zeros_like(contiguous(strided(x))) for x in leaves)
        words = "the gradient is not 0 where no output has a cotangent"
        yield from calls.compared("undefined cotangent", words, zeros, back)


def dependence(calls: Calls) -> Iterator[Finding]:
    """Outputs that depend on no input by the graph, and inputs on which no output depends."""
    where, label = defined_at(calls.passes.function), "no dependence"
    with calls.guarded():
        tensors = calls.inputs()
        outputs = [y for y in leaves_of(calls.passes.outputs(tensors)) if calls.is_tensor(y)]
        moved = [tensors[k] for k in calls.passes.moving]
        usable = [y for y in outputs if y.requires_grad]
        cotangents = calls.cotangents(usable)
        found = gradients(usable, cotangents, moved) if usable else ()
    for number, y in enumerate(outputs):
        if not y.requires_grad and (y.is_floating_point() or y.is_complex()):
            words = f"{where}: output number {number + 1} depends on no input by PyTorch's graph"
            yield Finding(label, f"{words}; is it detached, or made outside of PyTorch?", wrong=False)
    for k, gradient in zip(calls.passes.moving, found, strict=False):
        if gradient is None:
            words = f"{where}: no output depends on its input number {k + 1} by PyTorch's graph"
            yield Finding(label, words, wrong=False)


def batched_cotangents(calls: Calls) -> Iterator[Finding]:
    """The gradients of several cotangents at a time, as of a Jacobian, and of one after the other."""
    with calls.guarded():
        first = calls.run()
        if first is None:
            return
        given = [calls.cotangents(first.outputs, k) for k in range(BATCH)]
        one_by_one = [calls.run_anew().back(each) for each in given]
        base = tuple(calls.torch.stack(parts) for parts in zip(*one_by_one, strict=True))
        stacked = tuple(calls.torch.stack(parts) for parts in zip(*given, strict=True))

        def back() -> tuple[Any, ...]:
            found = calls.run_anew()
            batch = gradients(found.outputs, stacked, found.leaves, is_grads_batched=True)
            return tuple(defined(g, x) for g, x in zip(batch, base, strict=True))

        yield from calls.compared("batched gradient", "wrong for several cotangents at a time", base, back)


def batched_tangents(calls: Calls) -> Iterator[Finding]:
    """The tangents of the outputs along several tangents at a time, and along one after the other."""
    from torch._vmap_internals import _vmap

    with calls.guarded():
        inputs = calls.inputs()
        for number in calls.passes.moving:
            moves = calls.cotangents([inputs[number]] * BATCH)
            along = [_along(calls, inputs, number, v) for v in moves]
            base = tuple(calls.torch.stack(parts) for parts in zip(*along, strict=True))

            def batch(number: int = number, moves: Sequence[Tensor] = moves) -> tuple[Tensor, ...]:
                stacked = calls.torch.stack(list(moves))
                found: tuple[Tensor, ...] = _vmap(partial(_along, calls, inputs, number))(stacked)
                return found

            words = f"wrong for several tangents of input number {number + 1} at a time"
            yield from calls.compared("batched forward gradient", words, base, batch)


def _along(calls: Calls, inputs: Sequence[Any], number: int, tangent: Tensor) -> tuple[Tensor, ...]:
    forward_mode = calls.torch.autograd.forward_ad
    with forward_mode.dual_level():
        moved = list(inputs)
        moved[number] = forward_mode.make_dual(inputs[number].detach(), tangent)
        outputs = leaves_of(calls.passes.outputs(moved))
        pairs = [(y, forward_mode.unpack_dual(y).tangent) for y in outputs if calls.is_tensor(y)]
        return tuple(calls.torch.zeros_like(y) if v is None else v for y, v in pairs)


def types_of_gradients(calls: Calls) -> Iterator[Finding]:
    """The precision of what custom backward passes return, before the engine casts it to the input's."""
    with calls.guarded():
        first = calls.run()
        if first is None:
            return
        expected = {type(node)._forward_cls: _types_of(node) for node in nodes_of(first.outputs)
                    if hasattr(type(node), "_forward_cls")}  # fmt: skip
        with _recorded(custom_functions(first.outputs)) as returned:
            first.back(calls.cotangents(first.outputs))
    for function, found in returned:
        where = defined_at(function.backward)
        for number, (is_type, wanted) in enumerate(zip(found, expected[function], strict=False)):
            if is_type is not None and wanted is not None and is_type != wanted:
                words = f"gradient number {number} is {_plain(is_type)}, and its input {_plain(wanted)}"
                yield Finding("type of a gradient", f"{where}: {words}")


def _plain(dtype: Any) -> str:
    return str(dtype).removeprefix("torch.")


def _types_of(node: Any) -> list[Any]:
    """The types of a custom node's inputs, None of those that have no gradient."""
    found = []
    for following, number in node.next_functions:
        metadata = getattr(following, "_input_metadata", None)
        found.append(metadata[number].dtype if metadata else None)
    return found


@contextmanager
def _recorded(functions: Sequence[Any]) -> Iterator[list[tuple[Any, list[Any]]]]:
    """Within, the types of what these functions' backward passes return are written down."""
    returned: list[tuple[Any, list[Any]]] = []
    passes = {function: function.__dict__.get("backward") for function in functions}

    def recorder(function: Any) -> Any:
        backward = function.backward

        def recording(ctx: Any, *cotangents: Any) -> Any:
            found = backward(ctx, *cotangents)
            parts = found if isinstance(found, tuple) else (found,)
            returned.append((function, [getattr(part, "dtype", None) for part in parts]))
            return found

        return recording

    try:
        for function, own in passes.items():
            if own is not None:
                function.backward = staticmethod(recorder(function))
        yield returned
    finally:
        for function, own in passes.items():
            if own is not None:
                function.backward = own
