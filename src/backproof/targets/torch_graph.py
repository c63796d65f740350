"""The graph that PyTorch keeps of a call: the gradients it gives, and the custom functions in it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from backproof.errors import FunctionError
from backproof.targets.adapters import library
from backproof.targets.source import defined_at, in_one_line

REENTRANT = "CheckpointFunctionBackward"
"""The node of a re-entrant checkpoint, which works in `.backward()` alone."""

WORDS: dict[str, str] = {
    r"returned an incorrect number of gradients \(expected (\d+), got (\d+)\)": (
        "must return {0} gradients, one for each input of its forward; not {1}"
    ),
    r"returned an invalid gradient at index (\d+) - got \[(.*?)\] but expected .* with \[(.*?)\]": (
        "its gradient number {0} has shape ({1}), and the input of its forward has ({2})"
    ),
    r"returned an invalid gradient at index (\d+) - (.*)": "its gradient number {0} is invalid: {1}",
}
"""What the engine says of a custom function, and in which words that is passed on."""


def nodes_of(outputs: Sequence[Any]) -> Iterator[Any]:
    """The operations behind some tensors, each once."""
    waiting, seen = [y.grad_fn for y in outputs if y.grad_fn is not None], set()
    while waiting:
        node = waiting.pop()
        if node in seen:
            continue
        seen.add(node)
        yield node
        waiting += [following[0] for following in node.next_functions if following[0] is not None]


def custom_functions(outputs: Sequence[Any]) -> list[Any]:
    """The classes of `autograd.Function` behind some tensors."""
    found = (getattr(type(node), "_forward_cls", None) for node in nodes_of(outputs))
    return list(dict.fromkeys(each for each in found if each is not None))


def gradients(
    outputs: Sequence[Any], cotangents: Sequence[Any], leaves: Sequence[Any], **more: Any
) -> tuple[Any, ...]:
    """The gradient of Σ cotangent · output with respect to each leaf, None where there is none.

    No `.grad` of any tensor is touched, but by a re-entrant checkpoint.

    Raises:
        FunctionError: if a custom function's backward returns what none does; it names its file and line.
    """
    torch = library("torch")
    if any(node.name() == REENTRANT for node in nodes_of(outputs)):
        torch.autograd.backward(outputs, cotangents, retain_graph=more.get("retain_graph"))
        return tuple(leaf.grad for leaf in leaves)
    found: tuple[Any, ...] = of_engine(
        lambda: torch.autograd.grad(outputs, leaves, cotangents, allow_unused=True, **more), outputs
    )
    return found


def of_engine(run: Callable[[], Any], outputs: Sequence[Any]) -> Any:
    """What a run of the engine returns.

    Raises:
        FunctionError: if it refuses what a custom function's backward returned.
    """
    try:
        return run()
    except RuntimeError as error:
        for function in custom_functions(outputs):
            if f"{function.__name__}Backward " in str(error):
                raise FunctionError(
                    f"{defined_at(function.backward)}: {_reworded(in_one_line(error))}"
                ) from error
        raise


def _reworded(message: str) -> str:
    for pattern, words in WORDS.items():
        found = re.search(pattern, message)
        if found:
            return words.format(*found.groups())
    return f"raises {message}"
