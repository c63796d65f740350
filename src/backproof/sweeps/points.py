"""The points of products, made from templates where axes are plain and one by one where they are not."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from backproof.errors import ConfigurationError
from backproof.sweeps.canonical import case_of
from backproof.sweeps.listing import Cell, Listed
from backproof.sweeps.overrides import Settings
from backproof.sweeps.products import Axis, Combination, Product, applies
from backproof.sweeps.templates import ENOUGH, FREE, PLAIN, Known, Template, template

MOST_POINTS = 20_000_000
"""Of a grid: they are all looked at before the first cell runs."""

LEAST_POINTS = 3
"""Of a template, for each cell that has to be made for it; else all are as quickly made one by one."""

MOST_TEMPLATES = 256
"""Templates that are kept where plain axes are not the last ones."""


@dataclass(frozen=True)
class Quick:
    """Points of a template.

    Attributes:
        times: points of the grid for each of them.
    """

    of: Template
    times: int

    @property
    def number(self) -> int:
        """How many cells."""
        return math.prod(map(len, self.of.texts))

    @property
    def keys(self) -> frozenset[str]:
        """Their settings."""
        return self.of.keys

    def digests(self) -> Iterator[bytes]:
        """Their ids."""
        return self.of.digests()

    def cells(self) -> Iterator[Listed]:
        """The cells."""
        return self.of.cells()

    def made(self) -> Iterator[None]:
        """None for each of the cells: templates make no cases."""
        return itertools.repeat(None, self.number)


@dataclass(frozen=True)
class One:
    """A point that was made by itself."""

    cell: Cell
    times: int
    number: int = 1

    @property
    def keys(self) -> frozenset[str]:
        """Its settings."""
        return frozenset(self.cell.case.flat())

    def digests(self) -> Iterator[bytes]:
        """Its id."""
        yield bytes.fromhex(self.cell.case.id)

    def cells(self) -> Iterator[Listed]:
        """The cell."""
        yield self.cell.listed()

    def made(self) -> Iterator[Cell]:
        """The cell with its case."""
        yield self.cell


Block = Quick | One


@dataclass(frozen=True)
class Points:
    """The points of products, each with its combinations of choices.

    Attributes:
        known: what is known along the axes of each product.
    """

    products: Sequence[tuple[Product, Sequence[Combination]]]
    options: tuple[str, ...]
    known: dict[int, Known] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for product, _ in self.products:
            points = math.prod(len(a.values) for a in product.axes)
            if points > MOST_POINTS:
                raise ConfigurationError(
                    f"the grid has {points:,} points; at most {MOST_POINTS:,} make one sweep"
                )

    @property
    def number(self) -> int:
        """How many points there are, without those that differ in what does not apply to them."""
        return sum(math.prod(len(a.values) for a in part.axes) for part in self._parts())

    def blocks(self) -> Iterator[Block]:
        """The points, some at a time."""
        for part in self._parts():
            yield from part.blocks()

    def cells(self, made: Iterable[Cell | None] = ()) -> Iterator[Cell]:
        """The cell of each point, made by itself; those of the first points may be there already."""
        known = itertools.chain(made, itertools.repeat(None))
        for part in self._parts():
            for values in itertools.product(*(a.values for a in part.axes)):
                yield next(known) or part.cell(dict(zip((a.key for a in part.axes), values, strict=True)))

    def _parts(self) -> Iterator[_Part]:
        for i, (product, combinations) in enumerate(self.products):
            known = self.known.setdefault(i, {})
            axes = [a for a in product.axes if a.key not in product.assembly.groups]
            for combination in combinations:
                here = tuple(a for a in axes if applies(a, combination))
                times = math.prod(len(a.values) for a in axes if a not in here)
                yield _Part(combination, len(combinations), here, times, self.options, known)


@dataclass(frozen=True)
class _Part:
    """The points of one combination of choices, and how many combinations their product has."""

    combination: Combination
    combinations: int
    axes: tuple[Axis, ...]
    times: int
    options: tuple[str, ...]
    known: Known

    def cell(self, values: Settings) -> Cell:
        """The cell of a point."""
        settings = self.combination.with_values(values)
        case = case_of(settings)
        return Cell(case, self.combination.overrides(case, settings), self.options)

    def blocks(self) -> Iterator[Block]:
        """The points, in the order of the axes; the plain ones at the end are a block."""
        plain = self._plain()
        last = max((i for i, a in enumerate(self.axes) if a not in plain), default=-1) + 1
        before, behind = self.axes[:last], self.axes[last:]
        others = [i for i, a in enumerate(before) if a not in plain]
        known: dict[tuple[int, ...], Template | None] = {}
        for at in itertools.product(*(range(len(a.values)) for a in before)):
            given = {a.key: a.values[i] for a, i in zip(before, at, strict=True)}
            which = tuple(at[i] for i in others)
            if plain and which not in known:
                known.clear() if len(known) >= MOST_TEMPLATES else None
                known[which] = self._template(plain, {before[i].key: given[before[i].key] for i in others})
            found = known.get(which)
            if found is None:
                yield from self._one_by_one(given, behind)
            else:
                fixed = [i for i, a in zip(at, before, strict=True) if a in plain]
                yield Quick(found.with_fixed(fixed), self.times)

    def _plain(self) -> tuple[Axis, ...]:
        """The axes that a template is made along; none where that would not pay."""
        plain = tuple(a for a in self.axes if a.key in PLAIN)
        if math.prod(len(a.values) for a in self.axes if a not in plain) > MOST_TEMPLATES:
            behind = itertools.takewhile(lambda a: a.key in PLAIN, reversed(self.axes))
            plain = tuple(reversed(tuple(behind)))
        points = math.prod(len(a.values) for a in plain)
        return plain if plain and points >= LEAST_POINTS * self._made(plain) else ()

    def _made(self, plain: Sequence[Axis]) -> float:
        """How many cells have to be made for a template, on the average over all of the product."""
        every = [len(a.values) for a in plain]
        few = [min(n, ENOUGH) if a.key in FREE else n for a, n in zip(plain, every, strict=True)]
        templates = self.combinations * math.prod(len(a.values) for a in self.axes if a not in plain)
        return 1 + sum(few) + (sum(every) - sum(few)) / templates

    def _template(self, plain: Sequence[Axis], fixed: Settings) -> Template | None:
        return template(self.combination, fixed, [(a.key, a.values) for a in plain], self.options, self.known)

    def _one_by_one(self, given: Settings, axes: Sequence[Axis]) -> Iterator[One]:
        for values in itertools.product(*(a.values for a in axes)):
            cell = self.cell({**given, **{a.key: v for a, v in zip(axes, values, strict=True)}})
            yield One(cell, self.times)
