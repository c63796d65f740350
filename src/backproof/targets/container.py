"""What W is: one array or any nesting of arrays, as one vector and back."""

from __future__ import annotations

import dataclasses
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import optree

from backproof.errors import FunctionError
from backproof.network.arrays import Array, DType
from backproof.targets.layout import Layout
from backproof.targets.leaves import ComplexLeaf, Fixed, Leaf, leaf_of, what_it_is

ArrayTree = Any
"""W, or a gradient in W's container: an array, or lists, tuples, dictionaries and dataclasses of arrays."""

NAMESPACE = "backproof"
"""Of the dataclasses that optree takes apart here; elsewhere they stay as they are."""


@dataclass(frozen=True)
class Stack:
    """Values of one array at many points, (points, *shape)."""

    values: Array


@dataclass(frozen=True)
class Container:
    """What W is: one array, or nested lists, tuples, named tuples, dictionaries and dataclasses.

    Attributes:
        skeleton: W with the number of each leaf in its place.
        leaves: in the order of the vector; also those that are held fixed.
        layout: names each array as one would write it in Python: `W`, `W[0]`, `W['bias']`, `W.bias`.
        dtype: of the vector: the widest of its arrays.
        name: of W, for messages.
    """

    skeleton: Any
    leaves: tuple[Leaf | Fixed, ...]
    layout: Layout
    dtype: DType
    name: str = "W"

    @cached_property
    def _spec(self) -> optree.PyTreeSpec:
        return _flattened(self.skeleton)[1]

    def __getstate__(self) -> dict[str, Any]:
        return {k: v for k, v in vars(self).items() if k != "_spec"}  # which is no longer known elsewhere

    @cached_property
    def varying(self) -> tuple[Leaf, ...]:
        """The leaves that are checked, one for each tensor of the layout."""
        return tuple(leaf for leaf in self.leaves if isinstance(leaf, Leaf))

    def filled(self, flat: Array) -> Any:
        """Views of a vector, in W's own container."""
        return optree.tree_unflatten(self._spec, [leaf.seen(flat) for leaf in self.leaves])

    def stacked(self, points: Array) -> list[Stack | Fixed]:
        """The arrays of many vectors, (points, parameters), each as one stack; in the order of the leaves.

        Raises:
            NotImplementedError: if they are of several precisions, or no plain arrays.
        """
        return [leaf if isinstance(leaf, Fixed) else Stack(self._stack(leaf, points)) for leaf in self.leaves]

    def _stack(self, leaf: Leaf, points: Array) -> Array:
        if type(leaf) not in (Leaf, ComplexLeaf) or leaf.precision != points.dtype:
            raise NotImplementedError(leaf.name)
        part = np.ascontiguousarray(points[:, leaf.tensor.block]).reshape(len(points), *leaf.tensor.shape)
        return part.view(leaf.dtype)[..., 0] if isinstance(leaf, ComplexLeaf) else part

    def unstacked(self, stacks: Sequence[Array]) -> Array:
        """Stacks of every leaf's arrays as vectors again, (points, parameters).

        Raises:
            NotImplementedError: if their precisions or shapes are not those of the leaves.
        """
        flat = np.empty((len(stacks[0]), self.layout.size), self.dtype)
        for leaf, stack in zip(self.leaves, stacks, strict=True):
            if isinstance(leaf, Fixed):
                continue
            if type(leaf) not in (Leaf, ComplexLeaf) or leaf.dtype != stack.dtype:
                raise NotImplementedError(leaf.name)
            numbers = np.ascontiguousarray(stack).view(self.dtype) if stack.dtype.kind == "c" else stack
            flat[:, leaf.tensor.block] = numbers.reshape(len(stack), leaf.tensor.size)
        return flat

    def parts(self, found: Any, label: str) -> list[Any]:
        """The gradients of the varying leaves, out of something that should be a container like W.

        Raises:
            FunctionError: if it is another container, lacks an array, or has one of a leaf that is held
                fixed; it begins with `label`.
        """
        given = dict(self._matched(self.skeleton, found, label, self.name))
        for number, leaf in enumerate(self.leaves):
            if isinstance(leaf, Fixed) and not _is_nothing(given.get(number)):
                raise FunctionError(f"{leaf.name}: {leaf.why}")
        return [given.get(number) for number, leaf in enumerate(self.leaves) if isinstance(leaf, Leaf)]

    def numbers(self, found: Any, label: str, called: str = "") -> Array:
        """The entries of something that should be a container like W, as a vector.

        Args:
            called: what stands before an array's name in messages.

        Raises:
            FunctionError: if it is another container, or an array has another shape; it begins with `label`.
        """
        leaves = zip(self.varying, self.parts(found, label), strict=True)
        return np.concatenate([leaf.numbers(part, label, called + leaf.name) for leaf, part in leaves])

    def _matched(self, skeleton: Any, found: Any, label: str, name: str) -> Iterator[tuple[int, Any]]:
        """What a gradient has for each leaf, by the leaf's number; None has nothing for a whole part."""
        children = _children(skeleton)
        if skeleton is None or found is None:
            return
        if children is None:
            yield skeleton, found
            return
        given = _children(found)
        if given is None or isinstance(skeleton, Mapping) != isinstance(found, Mapping):
            raise FunctionError(f"{label}: the gradient must {_wanted(skeleton, name)}; not {_what(found)}")
        if not isinstance(skeleton, Mapping) and len(given) == len(children):
            given = dict(zip(children, given.values(), strict=True))
        lacking = [key for key in children if key not in given and self._varies(children[key])]
        if lacking or set(given) - set(children):
            raise FunctionError(f"{label}: the gradient must {_wanted(skeleton, name)}; not {_what(found)}")
        for key in given:
            yield from self._matched(children[key], given[key], label, f"{name}{key}")

    def _varies(self, skeleton: Any) -> bool:
        """Whether a part has anything to check."""
        numbers = optree.tree_leaves(skeleton, namespace=NAMESPACE)
        return any(isinstance(self.leaves[number], Leaf) for number in numbers)


def container_of(
    w: ArrayTree,
    name: str | Sequence[str] = "W",
    held: Mapping[str, str] | None = None,
) -> tuple[Container, Array]:
    """What W is, and its arrays as one vector, in the widest of their precisions.

    Args:
        name: of W; or of each element, where W is a tuple of arguments.
        held: names of arrays that are not to vary, each with the reason.

    Raises:
        FunctionError: if it holds no array of floats.
    """
    parts, spec, names = _flattened(w, name)
    leaves: list[Leaf | Fixed] = []
    vectors: list[Array] = []
    start = 0
    for part, label in zip(parts, names, strict=True):
        if held and label in held:
            leaves.append(Fixed(label, part, held[label]))
            continue
        leaf, numbers = leaf_of(part, label, start)
        leaves.append(leaf)
        if isinstance(leaf, Leaf):
            vectors.append(numbers.ravel())
            start += numbers.size
    called = name if isinstance(name, str) else "the inputs"
    fixed = [leaf for leaf in leaves if isinstance(leaf, Fixed)]
    if not start:
        raise FunctionError(f"{fixed[0].name}: {fixed[0].why}" if fixed else f"{called}: holds no parameter")
    layout = Layout(tuple(leaf.tensor for leaf in leaves if isinstance(leaf, Leaf)))
    flat = np.concatenate(vectors)
    skeleton = optree.tree_unflatten(spec, range(len(parts)))
    return Container(
        skeleton, tuple(leaves), layout, flat.dtype, name if isinstance(name, str) else "the inputs"
    ), flat


def leaves_of(w: ArrayTree) -> list[Any]:
    """The arrays of a nesting, and what else it holds."""
    return _taken_apart(w)[0]


def mapped(convert: Callable[[Any], Any], w: ArrayTree) -> ArrayTree:
    """The same nesting with every leaf converted."""
    leaves, spec = _taken_apart(w)
    return optree.tree_unflatten(spec, [convert(leaf) for leaf in leaves])


def _taken_apart(w: ArrayTree) -> tuple[list[Any], optree.PyTreeSpec]:
    """The leaves of a nesting and its structure, without their names, which take most of the time."""
    with optree.dict_insertion_ordered(True, namespace=NAMESPACE):
        leaves, spec = optree.tree_flatten(w, namespace=NAMESPACE)
    if any(map(dataclasses.is_dataclass, leaves)):
        return _flattened(w)[:2]
    return leaves, spec


def _flattened(
    w: ArrayTree, name: str | Sequence[str] = "W"
) -> tuple[list[Any], optree.PyTreeSpec, list[str]]:
    """The leaves of a nesting, its structure and the names of its leaves; dictionaries keep their order."""
    with optree.dict_insertion_ordered(True, namespace=NAMESPACE):
        while True:
            paths, leaves, spec = optree.tree_flatten_with_accessor(w, namespace=NAMESPACE)
            unknown = {type(leaf) for leaf in leaves if dataclasses.is_dataclass(leaf)}
            if not unknown:
                return leaves, spec, [_written(path, name) for path in paths]
            for kind in unknown:
                _register(kind)


def _written(path: optree.PyTreeAccessor, name: str | Sequence[str]) -> str:
    """How one writes a part of W in Python."""
    return path.codify(name) if isinstance(name, str) else path[1:].codify(name[path[0].entry])


def _register(kind: type) -> None:
    """Let optree take a dataclass apart, field by field."""
    fields = tuple(f.name for f in dataclasses.fields(kind))

    def apart(instance: Any) -> tuple[tuple[Any, ...], None, tuple[str, ...]]:
        return tuple(getattr(instance, name) for name in fields), None, fields

    def together(_: Any, values: Iterable[Any]) -> Any:
        made: Any = object.__new__(kind)  # __post_init__ may refuse what stands in for arrays
        for name, value in zip(fields, values, strict=True):
            object.__setattr__(made, name, value)
        return made

    optree.register_pytree_node(
        kind, apart, together, namespace=NAMESPACE, path_entry_type=optree.GetAttrEntry
    )


def _is_nothing(part: Any) -> bool:
    """Whether a gradient says that there is none, as JAX does by arrays of a type without bits."""
    return part is None or getattr(getattr(part, "dtype", None), "itemsize", 1) == 0


def _children(node: Any) -> dict[Any, Any] | None:
    """The parts of a container by how one reaches them; None of a leaf."""
    if isinstance(node, Mapping):
        return {f"[{key!r}]": value for key, value in node.items()}
    if isinstance(node, tuple) and hasattr(node, "_fields"):
        return {f".{key}": value for key, value in zip(node._fields, node, strict=True)}
    if isinstance(node, list | tuple | deque):
        return {f"[{i}]": value for i, value in enumerate(node)}
    if dataclasses.is_dataclass(node) and not isinstance(node, type):
        return {f".{f.name}": getattr(node, f.name) for f in dataclasses.fields(node)}
    return None


def _wanted(skeleton: Any, name: str) -> str:
    if isinstance(skeleton, Mapping):
        return f"have {name}'s keys {sorted(map(str, skeleton))}"
    return f"be {len(_children(skeleton) or ())} arrays, as {name} is"


def _what(found: Any) -> str:
    if isinstance(found, Mapping):
        return f"the keys {sorted(map(str, found))}"
    children = _children(found)
    return what_it_is(found) if children is None else str(len(children))
