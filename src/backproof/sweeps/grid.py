"""Grids: the distinct cells of a product of axes, those that an experiment leaves out marked with the reason.

A grid is made point by point whenever it is gone through; only a small one is held.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import cached_property

from backproof.errors import ConfigurationError
from backproof.sweeps import modules
from backproof.sweeps.distinct import Distinct
from backproof.sweeps.exclusion import Marks
from backproof.sweeps.experiment import Exclusion
from backproof.sweeps.listing import Cell, Listed, batched
from backproof.sweeps.points import Block, Points
from backproof.sweeps.products import Product, applied, combinations_of

HELD = 20_000
"""Points of a grid whose cells are kept; those of a larger one are made again whenever they are needed."""

TOGETHER = 5_000
"""Cells that rules of exclusion are applied to at a time."""

SAMPLES = 5
"""So many times that many cells of a grid that is not kept are, to estimate what they take."""


Tell = Callable[[int, int], None]
"""Called with how many of how many points have been looked at; first with none."""


class Grid:
    """The distinct cells of a sweep, in the order of the grid.

    A large one holds a digest of each cell while they are counted, and then a bit for each point.

    Attributes:
        requested: how many points the grid has, duplicates included.
        size: how many cells, those that are left out among them.
        excluded: how many cells each reason leaves out.
        idle: axes with several values that make no difference to any cell.
        keys: the settings that cells have.
        sample: some of the cells, to estimate what they take; all of a grid that is held.
    """

    def __init__(self, points: Points, tell: Tell = lambda _done, _all: None, *, keep: bool = False) -> None:
        """`keep` says that `cells` will be asked for; else what they are made of goes, as far as it can."""
        self.requested, self.keys, self.idle = 0, frozenset[str](), list[str]()
        self.excluded = Counter[str]()
        self.sample = list[Listed]()
        self._points, self._marks = points, Marks()
        self._held: list[Listed] | None = None
        self._keep, self._made = keep, list[Cell | None]()
        self._distinct = Distinct()
        self._look(tell)
        self.size = self._distinct.number

    @property
    def duplicates(self) -> int:
        """How many points of the grid are equal in canonical form to an earlier one."""
        return self.requested - self.size

    def listed(self) -> Iterator[Listed]:
        """The cells as a store lists them, those that are left out with the reason."""
        if self._held is not None:
            yield from self._held
            return
        points = (cell for block in self._points.blocks() for cell in block.cells())
        for some in batched(itertools.compress(points, self._distinct.first()), TOGETHER):
            yield from self._marks.marked(some)

    @cached_property
    def cells(self) -> list[Cell]:
        """The cells with their cases and overrides: of grids of some thousands."""
        made, self._made = self._made, []
        cells = itertools.compress(self._points.cells(made), self._distinct.first())
        return [replace(c, excluded=e.excluded) for c, e in zip(cells, self.listed(), strict=True)]

    def exclude(self, rules: Sequence[Exclusion], known: Iterable[str] = ()) -> None:
        """Leave out the cells that rules fit; of several rules the first counts.

        Args:
            known: settings that rules may name beside those of these cells.

        Raises:
            ConfigurationError: if a rule cannot be applied.
        """
        if not rules or not self.size:
            return
        self._marks = Marks.of(rules, self.keys.union(known), self.listed, several=self._held is None)
        if self._held is not None:
            self._held = self._marks.marked(self._held)
            self.sample = self._held
        self.excluded = Counter(cell.excluded for cell in self.listed() if cell.excluded is not None)

    def _look(self, tell: Tell) -> None:
        """Go through all points once: each is validated, and looked for among those before it."""
        held: list[Listed] | None = []
        at, every = 0, max(self._points.number // SAMPLES, 1)
        tell(0, self._points.number)
        for block in self._points.blocks():
            self.requested += block.times * block.number
            self.keys |= block.keys
            if held is not None and at + block.number <= HELD:
                some = list(block.cells())
                held += some
                self._made += block.made() if self._keep else ()
                self._distinct.add(bytes.fromhex(cell.id) for cell in some)
            else:
                held, self._made = None, []
                self._sample(block, at, every)
                self._distinct.add(block.digests(), lambda done: tell(done, self._points.number))
            at += block.number
        self._distinct.close()
        if held is not None:
            self.sample = self._held = list(itertools.compress(held, self._distinct.first()))

    def _sample(self, block: Block, at: int, every: int) -> None:
        """Keep the cells of a block that stand at the beginning of a fifth of the grid."""
        start = -(-at // every) * every
        if at <= start < at + block.number or at % every < HELD // SAMPLES:
            offset = 0 if at % every < HELD // SAMPLES else start - at
            end = min(offset + HELD // SAMPLES, block.number)
            self.sample += itertools.islice(block.cells(), offset, end)


def expand(
    products: Sequence[Product],
    exclude: Sequence[Exclusion] = (),
    options: Sequence[str] = (),
    known: Iterable[str] = (),
    tell: Tell = lambda _done, _all: None,
    *,
    keep: bool = False,
) -> Grid:
    """Every cell of a union of products, validated; each distinct one once.

    Args:
        options: become part of each cell's command.
        known: settings that rules of exclusion may name beside those of these cells.
        tell: hears how many points have been looked at, about once a second.
        keep: whether the grid's `cells` will be asked for.

    Raises:
        ConfigurationError: if anything about any cell is wrong; nothing has run then.
    """
    modules.refresh()
    combined = [(product, combinations_of(product)) for product in products]
    found = {key for each in combined for key in applied(*each)}
    grid = Grid(Points(combined, tuple(options)), tell, keep=keep)
    axes = [axis for product in products for axis in product.axes]
    for axis in axes:
        if axis.required and axis.key not in found:
            group = axis.key.partition(".")[0]
            raise ConfigurationError(f"{axis.key}: not among the values of the chosen {group}")
    grid.exclude(exclude, known)
    grid.idle = list(dict.fromkeys(a.key for a in axes if len(a.values) > 1 and a.key not in grid.keys))
    return grid
