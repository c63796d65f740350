"""What a call of a function in PyTorch must leave as it was: buffers of modules, `.grad`, its arguments."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import numpy as np

from backproof.targets.adapters import library
from backproof.targets.container import leaves_of
from backproof.targets.source import UserFunction


class Kept:
    """The buffers and gradients of the modules that a function holds, put back after every call.

    Attributes:
        changed: names of the buffers that some call changed.
    """

    def __init__(self, function: UserFunction, inputs: Sequence[Any] = ()) -> None:
        self._modules = modules_of(function, inputs)
        self._buffers = [
            (module, name, buffer, buffer.detach().clone())
            for module in self._modules
            for name, buffer in module._buffers.items()
            if buffer is not None
        ]
        self.changed: dict[str, None] = {}

    @contextmanager
    def put_back(self) -> Iterator[None]:
        """Within, the function may be called."""
        parameters = [p for module in self._modules for p in module._parameters.values() if p is not None]
        before = [p.grad for p in parameters]
        try:
            yield
        finally:
            for parameter, gradient in zip(parameters, before, strict=True):
                parameter.grad = gradient
            self._restore()

    def _restore(self) -> None:
        torch = library("torch")
        for module, name, buffer, value in self._buffers:
            if module._buffers.get(name) is buffer and same(buffer, value):
                continue
            self.changed[f"{type(module).__name__}.{name}"] = None
            module._buffers[name] = buffer
            with torch.no_grad():
                buffer.copy_(value)


class GradMode:
    """Whether a function must be called with gradients enabled, as one that takes some inside.

    That is found by trying, in its first call: it need not be, where it returns the same bits without.
    """

    def __init__(self) -> None:
        self._enabled: bool | None = None

    def run(self, call: Callable[[], Any]) -> Any:
        """What a call returns, which is a container of arrays of NumPy."""
        torch = library("torch")
        if self._enabled is not None:
            with torch.set_grad_enabled(self._enabled):
                return call()
        with torch.enable_grad():
            found = call()
        self._enabled = not self._is_same(call, found)
        return found

    def _is_same(self, call: Callable[[], Any], found: Any) -> bool:
        try:
            with library("torch").no_grad():
                other = call()
        except Exception:  # of whatever needs gradients
            return False
        mine, others = leaves_of(found), leaves_of(other)
        return len(mine) == len(others) and all(map(_same_bits, mine, others))


def _same_bits(a: Any, b: Any) -> bool:
    return np.array_equal(a, b, equal_nan=True) if isinstance(a, np.ndarray) else type(a) is type(b)


def modules_of(function: UserFunction, inputs: Sequence[Any] = ()) -> list[Any]:
    """The modules that a function is, is a method of, closes over, names or is given; with those inside."""
    torch = library("torch")
    found = [*_held(function), *inputs]
    tops = [each for each in found if isinstance(each, torch.nn.Module)]
    return list({id(m): m for top in tops for m in top.modules()}.values())


def _held(function: Any) -> Iterator[Any]:
    """The function itself, and what it can reach by a name of its own."""
    yield function
    while isinstance(function, partial) or hasattr(function, "__backproof_source__"):
        if isinstance(function, partial):
            yield from (*function.args, *function.keywords.values())
            function = function.func
        else:
            function = function.__backproof_source__
        yield function
    yield getattr(function, "__self__", None)
    plain = inspect.unwrap(getattr(function, "__func__", function))
    for cell in getattr(plain, "__closure__", None) or ():
        try:
            yield cell.cell_contents
        except ValueError:  # a name that has no value yet
            continue
    code, names = getattr(plain, "__code__", None), getattr(plain, "__globals__", {})
    yield from (names[name] for name in getattr(code, "co_names", ()) if name in names)


def same(a: Any, b: Any) -> bool:
    """Whether two tensors are equal, bit by bit but for zeros' signs; what is not a number equals itself."""
    torch = library("torch")
    if a.layout == torch.strided == b.layout and a.dtype == b.dtype and torch.equal(a, b):
        return True
    if a.layout != torch.strided:
        return same(a.to_dense(), b.to_dense())
    alike = a.shape == b.shape and a.dtype == b.dtype
    return alike and bool(((a == b) | ((a != a) & (b != b))).all())
