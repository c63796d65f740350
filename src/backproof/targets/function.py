"""A function from outside: somebody's f over arrays, as a function of one vector; and what it must not do.

Nothing is known of it but its values. Whatever it does that a loss does not do is an error of its own, which
names the function's file and line.
"""

from __future__ import annotations

import inspect
import math
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from backproof.network.arrays import Array, Precision

PACKAGE = str(Path(__file__).parents[1])


class FunctionError(Exception):
    """A function from outside does what no loss or gradient does; the message is one line, with the place."""


@dataclass(frozen=True)
class Layout:
    """How the arrays of W lie in one vector, one after another.

    Attributes:
        names: as one would write each array in Python: `W`, `W[0]`, `W['bias']`.
        keys: of a dictionary; empty otherwise.
        kind: the container: "array", "list", "tuple" or "dict".
    """

    kind: str
    names: tuple[str, ...]
    shapes: tuple[tuple[int, ...], ...]
    dtype: np.dtype[Any]
    keys: tuple[Any, ...] = ()

    @property
    def size(self) -> int:
        """The number of parameters."""
        return sum(math.prod(shape) for shape in self.shapes)

    @property
    def slices(self) -> list[slice]:
        """Where each array lies in the vector."""
        ends = np.cumsum([0, *(math.prod(shape) for shape in self.shapes)]).tolist()
        return [slice(a, b) for a, b in pairwise(ends)]

    def arrays(self, flat: Array) -> list[Array]:
        """Views of a vector, one a tensor."""
        return [flat[s].reshape(shape) for s, shape in zip(self.slices, self.shapes, strict=True)]

    def like_w(self, flat: Array) -> Any:
        """Views of a vector, in W's own container."""
        arrays = self.arrays(flat)
        if self.kind == "array":
            return arrays[0]
        if self.kind == "dict":
            return dict(zip(self.keys, arrays, strict=True))
        return arrays if self.kind == "list" else tuple(arrays)

    def place(self, index: int) -> str:
        """A parameter's name, as in `W[0][3,17]`."""
        for name, shape, cut in zip(self.names, self.shapes, self.slices, strict=True):
            if cut.start <= index < cut.stop:
                where = np.unravel_index(index - cut.start, shape)
                return f"{name}[{','.join(map(str, where))}]" if shape else name
        raise IndexError(index)


def layout_of(w: Any, name: str = "W") -> tuple[Layout, Array]:
    """The layout of W, and its arrays as one vector.

    Raises:
        FunctionError: unless W is one array, a list, a tuple or a dictionary of arrays of one floating type.
    """
    kind, keys = "array", tuple[Any, ...]()
    if isinstance(w, Mapping):
        kind, keys, parts = "dict", tuple(w), list(w.values())
        names = tuple(f"{name}[{key!r}]" for key in keys)
    elif isinstance(w, list | tuple):
        kind, parts = ("list" if isinstance(w, list) else "tuple"), list(w)
        names = tuple(f"{name}[{i}]" for i in range(len(parts)))
    else:
        parts, names = [w], (name,)
    arrays = []
    for part, label in zip(parts, names, strict=True):
        array = np.asarray(part)
        if array.dtype == object or array.dtype.kind in "USOc":
            raise FunctionError(f"{label}: must be an array of real numbers; not {type(part).__name__}")
        if array.dtype.kind in "iub":
            raise FunctionError(
                f"{label}: holds whole numbers ({array.dtype}), which have no derivative; use floats"
            )
        if Precision.of(array.dtype) is None:
            raise FunctionError(f"{label}: must be of {', '.join(Precision)}; not {array.dtype}")
        arrays.append(array)
    kinds = {a.dtype for a in arrays}
    if len(kinds) > 1:
        told = ", ".join(f"{label} {a.dtype}" for label, a in zip(names, arrays, strict=True))
        raise FunctionError(f"{name}: its arrays must be of one precision; not {told}")
    if not arrays or not sum(a.size for a in arrays):
        raise FunctionError(f"{name}: holds no parameter")
    layout = Layout(kind, names, tuple(a.shape for a in arrays), kinds.pop(), keys)
    return layout, np.concatenate([a.ravel() for a in arrays])


Loss = Callable[..., Any]
"""W, *args → a number."""


class Function:
    """A loss from outside as a function of a vector, and its gradient.

    Whoever evaluates it sees to NumPy's warnings. Give `f` and `df`, or `f_df` alone, which returns both.
    `evaluations` and `gradients` count calls; `notes` are remarks on what is odd but can be lived with.
    """

    def __init__(
        self,
        w: Any,
        args: Sequence[Any] = (),
        *,
        f: Loss | None = None,
        df: Callable[..., Any] | None = None,
        f_df: Callable[..., Any] | None = None,
    ) -> None:
        self.layout, self.start = layout_of(w)
        self.args, self.f, self.df, self.f_df = tuple(args), f, df, f_df
        self.evaluations = self.gradients = 0
        self.notes: dict[str, None] = {}
        self._work = self.start.copy()
        self._w = self.layout.like_w(self._work)

    def __getstate__(self) -> dict[str, Any]:
        return {k: v for k, v in vars(self).items() if k != "_w"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._w = self.layout.like_w(self._work)  # views again, of this process's own vector

    @property
    def dtype(self) -> np.dtype[Any]:
        """The precision of the parameters."""
        return self.layout.dtype

    @property
    def outer(self) -> Callable[..., Any]:
        """What the loss is evaluated by."""
        found = self.f or self.f_df
        assert found is not None
        return found

    def at(self, theta: Array) -> float | np.longdouble:
        """f(θ)."""
        self._work[:] = theta
        return self._value()

    def beside(self, index: int, value: Any) -> float | np.longdouble:
        """f at the starting point with one parameter changed."""
        self._work[index] = value
        try:
            return self._value()
        finally:
            self._work[index] = self.start[index]

    def rest(self) -> None:
        """Go back to the starting point; `beside` needs that once something else was evaluated."""
        self._work[:] = self.start

    def _value(self) -> float | np.longdouble:
        self.evaluations += 1
        if self.f is not None:
            return self._number(self._call(self.f), self.f)
        return self._number(self._both()[0], self.outer)

    def _both(self) -> tuple[Any, Any]:
        assert self.f_df is not None
        found = self._call(self.f_df)
        if not isinstance(found, tuple | list) or len(found) != 2:
            what = f"{len(found)} values" if isinstance(found, tuple | list) else _what(found)
            raise FunctionError(
                f"{place(self.f_df)}: must return the loss and its gradient, (f, df); not {what}"
            )
        return found[0], found[1]

    def _call(self, function: Callable[..., Any]) -> Any:
        try:
            return function(self._w, *self.args)
        except FunctionError:
            raise
        except Exception as error:
            raise FunctionError(f"{raised_at(error, function)}: raises {told(error)}") from error

    def _number(self, found: Any, function: Callable[..., Any]) -> float | np.longdouble:
        if type(found) is self.dtype.type:  # as it should be, thousands of times
            return found  # type: ignore[no-any-return]
        array = np.asarray(found)
        if array.dtype == object or array.dtype.kind not in "fiubc":
            raise FunctionError(f"{place(function)}: the loss must be a number; not {_what(found)}")
        if array.size != 1:
            raise FunctionError(
                f"{place(function)}: the loss must be one number; it returns an array of shape {array.shape}"
            )
        if array.dtype.kind == "c":
            raise FunctionError(f"{place(function)}: the loss must be a real number; not {array.dtype}")
        if array.dtype.kind in "iub":
            raise FunctionError(
                f"{place(function)}: the loss is a whole number ({array.dtype}), which has no derivative"
            )
        if type(found) is not float and np.finfo(array.dtype).eps > np.finfo(self.dtype).eps:
            self.note(f"{place(function)}: the loss is {array.dtype} although W is {self.dtype}")
        return np.longdouble(array.reshape(())) if array.dtype == np.longdouble else float(array.reshape(()))

    def gradient(self, theta: Array | None = None) -> Array:
        """df(θ) as a vector, in W's precision or what df returns, if that is wider.

        Raises:
            FunctionError: if it lacks an array, or one has another shape than in W, or is none of floats.
        """
        self.gradients += 1
        self._work[:] = self.start if theta is None else theta
        function = self.df or self.f_df
        assert function is not None
        found = self._call(self.df) if self.df is not None else self._both()[1]
        parts = self._parts(found, function)
        flat = []
        for part, name, shape in zip(parts, self.layout.names, self.layout.shapes, strict=True):
            array = np.asarray(part)
            label = "d" + name
            if array.dtype == object or array.dtype.kind not in "fiub":
                raise FunctionError(f"{place(function)}: {label} must be real numbers; not {_what(part)}")
            if array.shape != shape:
                turned = "; is it transposed?" if array.shape == shape[::-1] else ""
                raise FunctionError(
                    f"{place(function)}: {label} has shape {array.shape}, and {name} has {shape}{turned}"
                )
            if array.dtype.kind in "iub":
                raise FunctionError(
                    f"{place(function)}: {label} holds whole numbers ({array.dtype}); a gradient needs floats"
                )
            if np.finfo(array.dtype).eps > np.finfo(self.dtype).eps:
                self.note(f"{place(function)}: {label} is {array.dtype} although W is {self.dtype}")
            flat.append(array.ravel())
        joined = np.concatenate(flat)
        return joined.astype(np.promote_types(joined.dtype, self.dtype), copy=True)

    def _parts(self, found: Any, function: Callable[..., Any]) -> list[Any]:
        layout = self.layout
        if layout.kind == "array":
            return [found]
        if layout.kind == "dict":
            if not isinstance(found, Mapping) or set(found) != set(layout.keys):
                what = f"the keys {sorted(map(str, found))}" if isinstance(found, Mapping) else _what(found)
                raise FunctionError(
                    f"{place(function)}: the gradient must have W's keys {sorted(map(str, layout.keys))};"
                    f" not {what}"
                )
            return [found[key] for key in layout.keys]
        if not isinstance(found, list | tuple) or len(found) != len(layout.names):
            what = f"{len(found)}" if isinstance(found, list | tuple) else _what(found)
            raise FunctionError(
                f"{place(function)}: the gradient must be {len(layout.names)} arrays, as W is; not {what}"
            )
        return list(found)

    def note(self, remark: str) -> None:
        """Keep a remark, once."""
        self.notes[remark] = None

    def check_arguments(self) -> None:
        """Evaluate once, and see that the function leaves W and the other arguments as they were.

        Raises:
            FunctionError: naming what it changed.
        """
        before = [np.array(a, copy=True) if isinstance(a, np.ndarray) else a for a in self.args]
        for what, evaluate in (("f", lambda: self.at(self.start)), ("df", self.gradient)):
            evaluate()
            function = self.outer if what == "f" else (self.df or self.f_df)
            assert function is not None
            if not np.array_equal(self._work, self.start, equal_nan=True):
                changed = int(np.flatnonzero(self._work != self.start)[0])
                self.rest()
                raise FunctionError(
                    f"{place(function)}: changes its argument, at {self.layout.place(changed)}; copy it first"
                )
            for i, (old, new) in enumerate(zip(before, self.args, strict=True)):
                if isinstance(new, np.ndarray) and not np.array_equal(old, new, equal_nan=True):
                    raise FunctionError(
                        f"{place(function)}: changes its argument number {i + 2}; copy it first"
                    )


def _what(found: Any) -> str:
    if found is None:
        return "nothing (None)"
    shape = getattr(found, "shape", None)
    return type(found).__name__ + (f" of shape {tuple(shape)}" if shape is not None else "")


def told(error: BaseException) -> str:
    """An exception in one line."""
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _innermost(function: Callable[..., Any]) -> Any:
    while isinstance(function, partial):
        function = function.func
    shown = getattr(function, "__backproof_source__", None)
    if shown is not None:
        return _innermost(shown)
    found = inspect.unwrap(function)
    if inspect.ismethod(found):
        return found.__func__
    if hasattr(found, "__code__") or inspect.isclass(found):
        return found
    return type(found).__call__ if callable(found) else found


def place(function: Callable[..., Any]) -> str:
    """Where a function is defined, as file:line, and its name."""
    found = _innermost(function)
    name = getattr(found, "__qualname__", type(function).__name__)
    code = getattr(found, "__code__", None)
    if code is not None:
        return f"{code.co_filename}:{code.co_firstlineno}, {name}"
    try:
        lines, first = inspect.getsourcelines(found)
        del lines
        return f"{inspect.getsourcefile(found)}:{first}, {name}"
    except (OSError, TypeError):
        return name


def raised_at(error: BaseException, function: Callable[..., Any]) -> str:
    """The innermost line of the function's own file that an exception came through, else of any not ours."""
    own = getattr(getattr(_innermost(function), "__code__", None), "co_filename", None)
    frames = [f for f in traceback.extract_tb(error.__traceback__) if not f.filename.startswith(PACKAGE)]
    inside = [f for f in frames if f.filename == own] or frames
    if not inside:
        return place(function)
    return f"{inside[-1].filename}:{inside[-1].lineno}, {inside[-1].name}"
