"""A function of tensors and the derivatives that PyTorch makes of it, over arrays of NumPy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from backproof.errors import FunctionError
from backproof.network.arrays import Array
from backproof.targets.adapters import library
from backproof.targets.container import Stack, leaves_of, mapped
from backproof.targets.leaves import Fixed
from backproof.targets.source import UserFunction, defined_at
from backproof.targets.torch_graph import gradients
from backproof.targets.torch_leaves import Dense, Leaf, Tensor, array_of_tensor, dense, leaf_of_tensor
from backproof.targets.torch_state import GradMode, Kept, same


class TorchPasses:
    """F, its backward pass and its forward mode; tensors that stand in for arrays lie where the user's do.

    F is evaluated with gradients enabled where it takes some inside.

    Attributes:
        function: the user's, (*inputs) → outputs.
        kept: what F must leave as it was.
        count: how many inputs it has.
    """

    def __init__(
        self,
        function: UserFunction,
        inputs: Sequence[Any],
        *,
        masked: bool = True,
        differentiable: bool = False,
    ) -> None:
        """
        Args:
            masked: whether entries that a sparse input does not store have no derivative.
            differentiable: whether only inputs and outputs that require a gradient count, as in PyTorch's own
                check; the arrays are then those of the inputs that do.
        """
        self.function, self.masked, self.differentiable = function, masked, differentiable
        self._torch, self.count = library("torch"), len(inputs)
        self._given = [self._as_tensor(part) for part in leaves_of(tuple(inputs))]
        self._leaves = [self._leaf(part) for part in self._given]
        self._moving = [number for number, leaf in enumerate(self._leaves) if leaf]
        self._structure = mapped(lambda _: 0, tuple(inputs))
        self.kept = Kept(function, self._given)
        self._counted: list[bool] | None = None
        self._mode = GradMode()

    # --- what the checks call

    @property
    def moving(self) -> tuple[int, ...]:
        """Which inputs have a derivative."""
        return tuple(self._moving)

    @property
    def arrays(self) -> tuple[Any, ...]:
        """The inputs, their tensors as arrays."""
        pairs = zip(self._leaves, self._given, strict=True)
        return self._returned([leaf.array(part) if leaf else self._plain(part) for leaf, part in pairs])

    def forward(self, *arrays: Any) -> Any:
        """F; (arrays) → arrays."""

        def run() -> Any:
            with self.kept.put_back():
                return mapped(self._plain, self.outputs(self.tensors(arrays)))

        return self._mode.run(run)

    def together(self, parts: Sequence[Stack | Fixed]) -> list[Array]:
        """F at many points by `vmap`, without gradients: stacks of arrays to stacks of the outputs' arrays.

        Raises:
            Exception: of any kind where F refuses that, or an input is none that can be stacked.
        """
        values = [part.values if isinstance(part, Stack) else part.value for part in parts]
        moves = self._of_leaves([isinstance(part, Stack) for part in parts])
        given: list[Any] = []
        for leaf, part, moved, own in zip(
            self._leaves, self._of_leaves(values), moves, self._given, strict=True
        ):
            if leaf is None:
                given.append(own)
            elif not moved:
                given.append(leaf.tensor(np.asarray(part)))
            elif isinstance(leaf, Dense):
                given.append(leaf.stack(part))
            else:
                raise NotImplementedError("a sparse input")
        axes = tuple(0 if moved else None for moved in moves)

        def outputs(*tensors: Any) -> tuple[Any, ...]:
            found = self._reduced(self.function(*self._in_structure(tensors)))
            return tuple(leaves_of(found))

        with self._torch.no_grad(), self.kept.put_back():
            found = self._torch.func.vmap(outputs, axes)(*given)
        return [array_of_tensor(y) for y in found]

    def backward(self, cotangent: Any, *arrays: Any) -> Any:
        """The gradient of each input; None of those that have none."""
        (found,) = self._pulled([cotangent], arrays)
        return found

    def backward_of_all(self, cotangents: Sequence[Any], *arrays: Any) -> list[Any]:
        """The same for several cotangents, one after another through the graph of one call of F."""
        return self._pulled(cotangents, arrays)

    def _pulled(self, cotangents: Sequence[Any], arrays: Sequence[Any]) -> list[Any]:
        with self._torch.enable_grad(), self.kept.put_back():
            tensors = self.tensors(arrays)
            outputs = [y for y in leaves_of(self.outputs(tensors)) if self._is_tensor(y)]
            return [self._through(outputs, tensors, each, len(cotangents) > 1) for each in cotangents]

    def _through(self, outputs: Sequence[Tensor], tensors: Sequence[Any], cotangent: Any, again: bool) -> Any:
        """The gradients of one cotangent, through a graph that may be asked `again`."""
        given = [g for g in leaves_of(cotangent) if isinstance(g, np.ndarray | np.generic)]
        pairs = [
            (y, self._torch.as_tensor(np.array(g)).to(y))
            for y, g in zip(outputs, given, strict=True)
            if y.requires_grad
        ]
        parts = zip(self._leaves, tensors, self._gradients(pairs, tensors, again), strict=True)
        return self._returned([self._gradient(leaf, x, g) for leaf, x, g in parts])

    def pushforward(self, tangent: Any, *arrays: Any) -> Any:
        """The tangent of the outputs, by forward mode; the tangent is a tuple where several inputs move."""
        forward_mode = self._torch.autograd.forward_ad
        moves = self._of_leaves((tangent,) if len(arrays) == 1 else tangent)
        with self._torch.enable_grad(), self.kept.put_back(), forward_mode.dual_level():
            tensors = self.tensors(arrays)
            tangents = [
                None if leaf is None else leaf.tensor(np.asarray(v)).to(x.dtype)
                for leaf, v, x in zip(self._leaves, moves, tensors, strict=True)
            ]
            return mapped(self._tangent_of, self.outputs(self.dual(tensors, tangents)))

    # --- pieces that trials use as well

    def dual(self, tensors: Sequence[Any], tangents: Sequence[Any]) -> list[Any]:
        """Tensors that carry their tangents through F; within a level of forward mode."""
        make = self._torch.autograd.forward_ad.make_dual
        return [x if v is None else make(x, v) for x, v in zip(tensors, tangents, strict=True)]

    def _tangent_of(self, part: Any) -> Any:
        if not self._is_tensor(part):
            return part
        tangent = self._torch.autograd.forward_ad.unpack_dual(part).tangent
        return array_of_tensor(self._torch.zeros_like(part) if tangent is None else tangent)

    def tensors(self, arrays: Sequence[Any], *, requires_grad: bool = True) -> list[Any]:
        """Tensors that stand in for arrays, and all else as it was given; all in the arrays' precision."""
        parts = self._of_leaves(arrays)
        kind = self._wider(parts)
        found = []
        for leaf, part, given in zip(self._leaves, parts, self._given, strict=True):
            if leaf is None:
                found.append(given)
                continue
            array = np.asarray(part)
            array = array if kind is None else array.astype(np.result_type(kind, array.dtype))
            found.append(leaf.tensor(array, requires_grad=requires_grad))
        return found

    def called(self, tensors: Sequence[Any]) -> Any:
        """What F returns of tensors, which it must leave as they are.

        Raises:
            FunctionError: if it changes one.
        """
        before = [t.detach().clone() if self._is_tensor(t) else None for t in tensors]
        found = self.function(*self._in_structure(tensors))
        for number, (tensor, value) in enumerate(zip(tensors, before, strict=True)):
            if value is not None and not same(tensor.detach(), value):
                if tensor is self._given[number]:
                    with self._torch.no_grad():
                        tensor.copy_(value)
                raise FunctionError(
                    f"{defined_at(self.function)}: changes its argument number {number + 1}; clone it first"
                )
        return found

    def outputs(self, tensors: Sequence[Any]) -> Any:
        """What F returns, sparse tensors as strided ones, and None for what does not count."""
        return self._reduced(self.called(tensors))

    def _reduced(self, found: Any) -> Any:
        """Of what F returned what counts, None of all else."""
        found = mapped(lambda y: dense(y, masked=self.masked) if self._is_tensor(y) else y, found)
        if not self.differentiable:
            return found
        flat = leaves_of(found)
        if self._counted is None:
            counted = [self._is_tensor(y) and y.requires_grad for y in flat]
            self._counted = counted if any(counted) else [self._is_tensor(y) for y in flat]
        counts = iter(self._counted)
        return mapped(lambda y: y if next(counts, False) else None, found)

    def _gradients(
        self, pairs: Sequence[tuple[Tensor, Tensor]], tensors: Sequence[Any], again: bool
    ) -> list[Any]:
        moved = [x for x in tensors if self._is_tensor(x) and x.requires_grad]
        if not pairs or not moved:
            return [None] * len(tensors)
        outputs, upstream = zip(*pairs, strict=True)
        before = [g.clone() for g in upstream]
        found = iter(gradients(outputs, upstream, moved, retain_graph=again))
        if not all(map(same, upstream, before)):
            where = defined_at(self.function)
            raise FunctionError(f"{where}: its backward changes its cotangent; clone it first")
        return [next(found) if self._is_tensor(x) and x.requires_grad else None for x in tensors]

    def _gradient(self, leaf: Leaf | None, x: Any, gradient: Any) -> Array | None:
        """As an array; None of what has none, 0 where the outputs do not depend on it."""
        if leaf is None or not x.requires_grad:
            return None
        if gradient is None:
            return np.zeros_like(leaf.array(x))
        return leaf.array(gradient)

    # --- the inputs

    def _is_tensor(self, part: Any) -> bool:
        return isinstance(part, self._torch.Tensor)

    def _as_tensor(self, part: Any) -> Any:
        numbers = isinstance(part, np.ndarray) and part.dtype.kind in "fc"
        return self._torch.tensor(part, requires_grad=True) if numbers else part

    def _plain(self, part: Any) -> Any:
        return array_of_tensor(part) if self._is_tensor(part) else part

    def _leaf(self, part: Any) -> Leaf | None:
        """How to move a tensor of numbers that have a derivative; None of anything else."""
        moves = self._is_tensor(part) and (part.is_floating_point() or part.is_complex())
        moves = moves and (part.requires_grad or not self.differentiable)
        return leaf_of_tensor(part, masked=self.masked) if moves else None

    def _of_leaves(self, arrays: Sequence[Any]) -> list[Any]:
        """The array of every input, None of those that are none of the arrays."""
        if not self.differentiable:
            return leaves_of(tuple(arrays))
        found: list[Any] = [None] * len(self._leaves)
        for number, array in zip(self._moving, arrays, strict=True):
            found[number] = array
        return found

    def _returned(self, parts: Sequence[Any]) -> tuple[Any, ...]:
        """Something for every input, in the inputs' structure; or for every one that counts."""
        if self.differentiable:
            return tuple(parts[number] for number in self._moving)
        found: tuple[Any, ...] = self._in_structure(parts)
        return found

    def _wider(self, parts: Sequence[Any]) -> Any:
        """The precision to evaluate in, where the arrays have another than the user's tensors."""
        kinds = [
            (np.asarray(part).real.dtype, _kind_of(leaf))
            for leaf, part in zip(self._leaves, parts, strict=True)
            if leaf
        ]
        if all(now == then for now, then in kinds):
            return None
        return np.result_type(*(now for now, _ in kinds))

    def _in_structure(self, parts: Sequence[Any]) -> Any:
        remaining = iter(parts)
        return mapped(lambda _: next(remaining), self._structure)


def _kind_of(leaf: Leaf) -> Any:
    torch = library("torch")
    return torch.empty(0, dtype=leaf.like.dtype).numpy().real.dtype
