"""A function from outside: f over arrays, and its gradient, as functions of one vector.

Nothing is known of it but its values. Whatever it does that no loss does is an error that names its file
and line.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from backproof.errors import FunctionError
from backproof.network.arrays import Array, DType, FloatType
from backproof.targets.batched import Batched
from backproof.targets.calling import called
from backproof.targets.container import ArrayTree, Stack, container_of
from backproof.targets.findings import Trial
from backproof.targets.layout import Index, Layout
from backproof.targets.leaves import Fixed, Leaf, ShapeError, what_it_is
from backproof.targets.order import order_hint
from backproof.targets.source import UserFunction, defined_at

Loss = UserFunction
"""W, *args → a number."""


Together = Callable[[Sequence[Stack | Fixed]], Sequence[Array]]
"""For each leaf of the inputs a stack of arrays, or what is held fixed → such stacks of each output."""


class Function:
    """A loss from outside as a function of a vector, and its gradient.

    The caller deals with NumPy's warnings. Give `f` and `df`, or `f_df` alone, which returns both.
    `evaluations` and `gradients` count calls; `notes` are remarks on what is odd but can be lived with;
    `trials` are made beside the comparison with differences; no point outside of `low` and `high` is asked of
    f, where they are given.
    """

    def __init__(
        self,
        w: ArrayTree,
        args: Sequence[Any] = (),
        *,
        f: Loss | None = None,
        df: UserFunction | None = None,
        f_df: UserFunction | None = None,
        together: Together | None = None,
    ) -> None:
        """
        Args:
            together: f at many points by one call.
        """
        self.together = together
        self.container, self.start = container_of(w)
        self.args, self.f, self.df, self.f_df = tuple(args), f, df, f_df
        self._calls = self.gradients = 0
        self.notes: dict[str, None] = {}
        self.trials: list[Trial] = []
        for leaf in self.container.varying:
            if leaf.precision != self.dtype:
                self.note(f"{leaf.name} is {leaf.dtype}, and checked in {self.dtype} as its neighbours are")
        self._at_start: float | np.longdouble | None = None
        self._batched: Batched | None = None
        self.low: Array | None = None
        self.high: Array | None = None
        self._work = self.start.copy()
        self._w = self.container.filled(self._work)

    def __getstate__(self) -> dict[str, Any]:
        return {k: v for k, v in vars(self).items() if k not in ("_w", "_batched")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._batched = None
        self._w = self.container.filled(self._work)  # views again, of this process's own vector

    @property
    def evaluations(self) -> int:
        """How often the loss was evaluated."""
        return self._calls

    @property
    def terms(self) -> float:
        """How large the terms are whose sum a value is, where it is known that they cancel; or else 0."""
        return 0.0

    def size_of(self, gradient: Array) -> Array:
        """What the rounding of each entry of a gradient is relative to, of the entries' absolute values."""
        return gradient

    @property
    def rows(self) -> Sequence[tuple[Function, Index]]:
        """The functions whose sum it is, and which parameters are each one's own: itself, and all."""
        return ((self, np.arange(self.layout.size)),)

    @property
    def layout(self) -> Layout:
        """The arrays of W in the vector."""
        return self.container.layout

    @property
    def dtype(self) -> DType:
        """The precision of the parameters."""
        return self.container.dtype

    @property
    def precision(self) -> str:
        """The precision of the gradient's arithmetic, by its name."""
        return str(self.dtype)

    def gradient_error(self) -> Array | float:
        """What arithmetic in a lower precision than the parameters' may do to each entry of the gradient."""
        return 0.0

    @property
    def loss(self) -> UserFunction:
        """The user's function that returns the loss, alone or with its gradient."""
        found = self.f or self.f_df
        assert found is not None
        return found

    @property
    def derivative(self) -> UserFunction:
        """The user's function that returns the gradient, alone or with the loss."""
        found = self.df or self.f_df
        assert found is not None
        return found

    def hold_what_has_no_gradient(self) -> None:
        """Leave out the arrays of several whose gradient is None, with a note for each.

        Raises:
            FunctionError: if that leaves none.
        """
        if len(self.container.varying) < 2:
            return
        parts = self.container.parts(self._gradient_as_returned(), defined_at(self.derivative))
        nothing = [
            leaf.name for leaf, part in zip(self.container.varying, parts, strict=True) if part is None
        ]
        for name in nothing:
            self.note(f"{name} is held fixed and not checked: its gradient is None")
        if nothing:
            w = self.container.filled(self.start.copy())
            self.container, self.start = container_of(w, held=dict.fromkeys(nothing, "its gradient is None"))
            self._work = self.start.copy()
            self._w = self.container.filled(self._work)

    def value(self, theta: Array) -> float | np.longdouble:
        """f(θ)."""
        self._work[:] = theta
        return self._value()

    def value_at_start(self) -> float | np.longdouble:
        """f at the starting point, to be kept."""
        self._at_start = self.value(self.start)
        return self._at_start

    def value_near(self, theta: Array) -> float | np.longdouble:
        """f(θ) at a point that a check has chosen; NaN where f raises, since that is outside its domain.

        At the starting point it is not evaluated again, once `value_at_start` has done so.
        """
        if self._at_start is not None and np.array_equal(theta, self.start):
            return self._at_start
        if self._outside(theta, slice(None)):
            return float("nan")
        try:
            return self.value(theta)
        except FunctionError:
            return float("nan")

    def value_with(self, index: int, value: Any) -> float | np.longdouble:
        """The same with one parameter changed; `reset` first, if anything else came before."""
        if self._outside(value, index):
            return float("nan")
        self._work[index] = value
        try:
            return self._value()
        except FunctionError:
            return float("nan")
        finally:
            self._work[index] = self.start[index]

    def values_at(self, points: Array) -> Array | None:
        """Every row's value at many points, (points, parameters) → (points, rows); NaN where f raises.

        None where asking for many at once gains nothing.
        """
        if self.together is None or self.low is not None or self.high is not None:
            return None
        if self._batched is None:
            self._batched = Batched(lambda x: np.array([self.value_near(x)]), self._many)
        return self._batched(points)

    def _many(self, points: Array) -> Array:
        """f at many points by one call, (points, parameters) → (points, 1)."""
        assert self.together is not None
        self._calls += len(points)
        (found,) = self.together(self.container.stacked(points))
        if found.shape != (len(points),) or found.dtype != self.dtype:
            raise NotImplementedError(found.dtype)
        return found[:, None]

    def gradients_near(self, theta: Array) -> Array:
        """`gradient_near` of every row, (rows, parameters)."""
        return self.gradient_near(theta)[None]

    def _outside(self, values: Any, at: int | slice) -> bool:
        """Whether some parameters are beyond their bounds."""
        if self.low is None or self.high is None:
            return False
        return not bool(np.all((values >= self.low[at]) & (values <= self.high[at])))

    def reset(self) -> None:
        """Go back to the starting point."""
        self._work[:] = self.start

    def _value(self) -> float | np.longdouble:
        self._calls += 1
        if self.f is not None:
            found = called(self.f, self.f, self._w, *self.args)
            if isinstance(found, tuple | list):
                what = f"{len(found)} values"
                raise FunctionError(
                    f"{defined_at(self.f)}: must return the loss alone where df is given; not {what}"
                )
            return self._number(found, self.f)
        return self._number(self._both()[0], self.loss)

    def _both(self) -> tuple[Any, Any]:
        assert self.f_df is not None
        try:
            found = called(self.f_df, self.f_df, self._w, *self.args)
        except FunctionError as error:
            if isinstance(error.__cause__, TypeError) and any(map(callable, self.args)):
                raise FunctionError(f"{error}; pass the gradient as df=") from error.__cause__
            raise
        if not isinstance(found, tuple | list) or len(found) != 2:
            what = f"{len(found)} values" if isinstance(found, tuple | list) else what_it_is(found)
            raise FunctionError(
                f"{defined_at(self.f_df)}: must return the loss and its gradient, (f, df), where df= is"
                f" not given; not {what}"
            )
        return found[0], found[1]

    def _number(self, found: Any, function: UserFunction) -> float | np.longdouble:
        if type(found) is self.dtype.type:  # as it should be, thousands of times
            return found  # type: ignore[no-any-return]
        array = np.asarray(found)
        wrong = _why_no_loss(array, found)
        if wrong:
            raise FunctionError(f"{defined_at(function)}: the loss {wrong}")
        if type(found) is not float and np.finfo(array.dtype).eps > np.finfo(self.dtype).eps:
            self.note(f"{defined_at(function)}: the loss is {array.dtype} although W is {self.dtype}")
        return np.longdouble(array.reshape(())) if array.dtype == np.longdouble else float(array.reshape(()))

    def gradient(self, theta: Array | None = None) -> Array:
        """df(θ) as a vector, in W's precision or what df returns, if that is wider.

        Raises:
            FunctionError: if it lacks an array, or one has another shape than in W, or is none of floats.
        """
        self.gradients += 1
        self._work[:] = self.start if theta is None else theta
        parts = self.container.parts(self._gradient_as_returned(), defined_at(self.derivative))
        return self.flat_gradient(parts, self.container.varying)

    def flat_gradient(self, parts: Sequence[Any], leaves: Sequence[Leaf]) -> Array:
        """The gradients of some arrays as one vector, at least as precise as W.

        Raises:
            FunctionError: if one has another shape than its array, or is none of numbers.
        """
        flat = [self._part(part, leaf) for part, leaf in zip(parts, leaves, strict=True)]
        joined = np.concatenate(flat)
        return joined.astype(np.promote_types(joined.dtype, self.dtype), copy=True)

    def _gradient_as_returned(self) -> Any:
        return called(self.df, self.df, self._w, *self.args) if self.df is not None else self._both()[1]

    def gradient_near(self, theta: Array) -> Array:
        """df at a point that a check has chosen, moved within the bounds; NaN where it raises."""
        inside = theta if self.low is None else np.clip(theta, self.low, self.high).astype(theta.dtype)
        try:
            return self.gradient(inside)
        except FunctionError:
            return np.full(theta.shape, np.nan)

    def _part(self, part: Any, leaf: Leaf) -> Array:
        """One array of the gradient, flat."""
        where = self._derivative_at
        try:
            array = leaf.numbers(part, where)
        except ShapeError as error:
            raise FunctionError(f"{error}{self._whose(error.shape) if error.shape else ''}") from None
        if array.dtype.kind in "iub":
            self.note(f"{where}: d{leaf.name} holds {_kind_of(array)} ({array.dtype}), read as {self.dtype}")
            return array.astype(self.dtype)
        if np.finfo(array.dtype).eps > np.finfo(leaf.dtype).eps:
            self.note(f"{where}: d{leaf.name} is {array.dtype} although {leaf.name} is {leaf.dtype}")
        return array

    @cached_property
    def _derivative_at(self) -> str:
        """Where the derivative is defined, for messages."""
        return defined_at(self.derivative)

    def _whose(self, shape: tuple[int, ...]) -> str:
        """Which other argument a gradient of this shape may belong to."""
        same = [i for i, a in enumerate(self.args, 2) if np.shape(a) == shape] if shape else []
        return f"; that is the shape of argument number {same[0]}, and W comes first" if same else ""

    def note(self, remark: str) -> None:
        """Keep a remark, once."""
        self.notes[remark] = None

    def in_precision(self, dtype: FloatType) -> Function:
        """The same function at the same point, W and all arguments of its precision in another one."""

        def wider(array: Any) -> Any:
            same = isinstance(array, np.ndarray) and array.dtype == self.dtype
            return array.astype(dtype) if same else array

        w = self.container.filled(self.start.astype(dtype))
        other = Function(w, [wider(a) for a in self.args], f=self.f, df=self.df, f_df=self.f_df)
        other.low, other.high = self.low, self.high
        return other

    def check_arguments(self) -> None:
        """Evaluate once, and see that the function leaves W and the other arguments as they were.

        Raises:
            FunctionError: naming what it changed; or what it does that no loss or gradient does, with a hint
                where it takes its arguments in another order.
        """
        before = [np.array(a, copy=True) if isinstance(a, np.ndarray) else a for a in self.args]
        for evaluate, function in (
            (lambda: self.value(self.start), self.loss),
            (self.gradient, self.derivative),
        ):
            try:
                evaluate()
            except FunctionError as error:
                raise FunctionError(f"{error}{self._hint(function)}") from error
            if not np.array_equal(self._work, self.start, equal_nan=True):
                changed = self.layout.location(int(np.flatnonzero(self._work != self.start)[0]))
                self.reset()
                raise FunctionError(
                    f"{defined_at(function)}: changes its argument, at {changed}; copy it first"
                )
            for i, (old, new) in enumerate(zip(before, self.args, strict=True), 2):
                if isinstance(new, np.ndarray) and not np.array_equal(old, new, equal_nan=True):
                    entry = list(map(int, np.argwhere(old != new)[0]))
                    raise FunctionError(
                        f"{defined_at(function)}: changes its argument number {i}, at {entry}; copy it first"
                    )

    def _hint(self, function: UserFunction) -> str:
        """In which other order of its arguments a function does what it should."""
        self.reset()
        both = self.f_df is not None
        return order_hint(
            function, self.container, self._w, self.args,
            loss=both or function is self.f, gradient=both or function is self.df,
        )  # fmt: skip


def _kind_of(array: Array) -> str:
    return "truth values" if array.dtype.kind == "b" else "whole numbers"


def _why_no_loss(array: Array, found: Any) -> str:
    """Why something that was returned can be no loss; empty if it can."""
    if array.dtype == object or array.dtype.kind not in "fiubc":
        return f"must be a number; not {what_it_is(found)}"
    if array.size != 1:
        return f"must be one number; it returns an array of shape {array.shape}, which check_vjp is for"
    if array.dtype.kind == "c":
        return f"must be a real number; not {array.dtype}"
    if array.dtype.kind in "iub":
        return f"is a whole number ({array.dtype}), which has no derivative"
    return ""
