"""Jacobians, dense or sparse: all of a small one, products with a few cotangents of a large one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from backproof.errors import FunctionError
from backproof.network.arrays import Array, unit_roundoff
from backproof.targets.calling import called
from backproof.targets.container import container_of
from backproof.targets.leaves import array_of, is_sparse, what_is_wrong
from backproof.targets.source import UserFunction, defined_at
from backproof.targets.vector import Forward, Rows, chosen_cotangents

ROUNDINGS = 2.0**10
"""Roundings of an entry by which a Hessian may differ from its transpose."""

Matrix = Any
"""(outputs, parameters): an array, or a sparse matrix of SciPy."""


def jacobian(
    f: UserFunction,
    jac: UserFunction,
    x: Any,
    args: Sequence[Any] = (),
    *,
    generator: np.random.Generator,
    name: str = "x",
    output: str = "y",
    symmetric: bool = False,
) -> Rows:
    """The Jacobian of a function, as a function of one vector and its gradient.

    Args:
        f: (x, *args) → outputs, as the residuals of SciPy's `least_squares`.
        jac: (x, *args) → (outputs, parameters), both in the order in which NumPy flattens them; dense, sparse
            or, of one output, a vector.
        name, output: what x and the outputs are called.
        symmetric: whether it is noted if it differs from its transpose by more than rounding.

    Raises:
        FunctionError: if one of them does what no such function does; it names the file and the line.
    """
    container, flat = container_of(x, name)
    forward = Forward(f, container, lambda seen: f(seen, *args), output)
    values = forward.at(flat)
    shape = (len(values), len(flat))
    chosen = chosen_cotangents(forward, values, len(flat), None, generator)
    matrix_at = remembered(lambda at: _matrix(jac, container.filled(at.copy()), args, shape))

    def row_at(rows: Rows, number: int, at: Array) -> Array:
        found = np.asarray(matrix_at(at).T @ chosen.rows[number]).ravel()
        return found.astype(np.promote_types(found.dtype, rows.dtype))

    rows = Rows(forward, flat, chosen, row_at, jac)
    if symmetric:
        _note_asymmetry(rows, matrix_at(flat))
    return rows


def _note_asymmetry(target: Rows, matrix: Matrix) -> None:
    """Note where a Hessian differs from its transpose by more than rounding."""
    apart = abs(matrix - matrix.T)
    apart = apart.toarray() if is_sparse(apart) else np.asarray(apart)
    i, j = np.unravel_index(int(np.argmax(apart)), apart.shape)
    size = max(abs(float(matrix[i, j])), abs(float(matrix[j, i])))
    if apart[i, j] > ROUNDINGS * unit_roundoff(target.dtype) * size:
        names = [target.forward.inputs.layout.location(int(k)) for k in (i, j)]
        target.note(
            f"{defined_at(target.derivative)}: is not symmetric: {matrix[i, j]:g} in the row of {names[0]} "
            f"and the column of {names[1]}, and {matrix[j, i]:g} across the diagonal"
        )


def remembered(function: Callable[[Array], Matrix]) -> Callable[[Array], Matrix]:
    """A function that is not called again for the point it was called for last: rows share a matrix."""
    last: dict[bytes, Matrix] = {}

    def recalled(at: Array) -> Matrix:
        key = at.tobytes()
        if key not in last:
            found = function(at)
            last.clear()
            last[key] = found
        return last[key]

    return recalled


def _matrix(jac: UserFunction, x: Any, args: Sequence[Any], shape: tuple[int, int]) -> Matrix:
    """What `jac` returns, of the right shape."""
    found = called(jac, jac, x, *args)
    where = defined_at(jac)
    matrix = found if is_sparse(found) else array_of(found, where)
    if matrix.dtype == object or matrix.dtype.kind not in "fiub":
        raise FunctionError(f"{where}: the Jacobian must be real numbers; not {what_is_wrong(found, 'J')}")
    if matrix.shape == shape[1:] and shape[0] == 1:
        return matrix.reshape(shape)
    if matrix.shape != shape:
        transposed = "; is it transposed?" if matrix.shape == shape[::-1] else ""
        raise FunctionError(
            f"{where}: the Jacobian must have shape {shape}, (outputs, parameters); "
            f"it has {matrix.shape}{transposed}"
        )
    return matrix
