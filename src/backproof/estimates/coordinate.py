"""Differences of a function of which nothing is known but its values, one coordinate at a time.

The noise of f is measured around θ, and every parameter is moved once up and once down. That settles it where
the derivative stands clear of the noise, is the same on both sides, and is the analytic one: truncation that
makes up for just the error of the gradient under test is no accident to be feared. All other parameters are
looked at a second time, each with steps of its own, found by how f responds to them (see `refinement`).
"""

from __future__ import annotations

from functools import cached_property

import numpy as np

from backproof.estimates.differencer import CoordinateDifferencer, Mapper, move
from backproof.estimates.noise import rounding_of
from backproof.estimates.record import EntryStatus, Estimate, Mask
from backproof.estimates.refinement import Refinement
from backproof.estimates.stairs import OWN, Stairs
from backproof.estimates.step_sequence import RATIO, Entry
from backproof.network.arrays import Array, evenly_spaced
from backproof.targets.layout import Index

CLEAR, AIM = 1 / 4, 1 / 10
"""The noise, relative to the derivative, up to which one look is enough, and the error at which a second one
ends; in units of the relative error that must not go unseen."""

NATURAL = 8.0
"""The least truncation of a first step, in squares of it, relative to the parameter's size."""

ROUGH = 0.9
"""The quantile of a tensor's bends taken for what kinks do to its derivatives."""

SMALL = 2000
"""Up to so many parameters every doubtful one is looked at twice; of more, one in eighty and a few."""

BENT, SHORT = 12, 16.0
"""Where kinks bend more derivatives than there is room to look at, one parameter in so many is measured once
more, with a step so many times shorter."""

MARGIN = 4.0
"""Among kinks, what exceeds its bound by up to this factor may be the work of several of them."""

RESIDUE = 4.0
"""Units of round-off of the largest entry that may be left where terms cancel."""

EVEN = 0.1
"""Half the difference of one-sided derivatives up to which they are about the same."""

COARSE = 2.0**-16
"""The noise, relative to f, beyond which it may be f's stairs."""

SURELY, PROVEN = 16.0, 2
"""Of a tensor's entries that are off by so many bounds, and by so many times what kinks may do, so many are
looked at twice, and all others only if that finds anything new."""

NOISIER = 2.0
"""An entry that is noisier than its tensor by this factor has noise of its own."""

QUIETER = 16.0
"""An entry that is quieter than its tensor by this factor is measured with its own noise."""

EXPLAINS = 100.0
"""The noise that would explain an entry's gap, in units of one that would not."""

ASKED = 64
"""Entries of a tensor whose own noise is measured, where that of one is larger than the tensor's."""


def asked_error(resolution: float, digits: float) -> float:
    """The relative error that must not go unseen; in low precision the root of its rounding error, which is
    what differences reach.
    """
    return max(resolution, float(np.sqrt(digits)) / AIM)


class _Measurement:
    """The estimate of the selected parameters while it is refined; its arrays are written in place."""

    def __init__(
        self, differencer: CoordinateDifferencer, analytic: Array, selected: Index, resolution: float
    ) -> None:
        self.differencer, self.function, self.selected = differencer, differencer.function, selected
        self.asked = asked_error(resolution, differencer.digits)
        self.everything = analytic
        self.analytic = analytic[selected].astype(differencer.kind)
        self.owned = [np.flatnonzero(t.owns(selected)) for t in self.function.layout.tensors]

    def first_pass(self, round_off: Array, blocks: Mapper | None) -> None:
        """Two evaluations of every parameter."""
        differencer, function, selected = self.differencer, self.function, self.selected
        steps = differencer.first_steps()[selected]
        cuts = min(len(selected), max(1, len(selected) // 256))
        parts = zip(np.array_split(selected, cuts), np.array_split(steps, cuts), strict=True)
        tasks = [(function, piece, part) for piece, part in parts]
        ends = list(blocks(move, tasks)) if blocks else [move(*task) for task in tasks]
        function.reset()
        both = np.concatenate([e[0] for e in ends]), np.concatenate([e[1] for e in ends])
        value, self.right, self.left = differencer.central(selected, steps, both)
        nothing = np.full(len(selected), np.nan, differencer.kind)
        flat = (self.right == 0) & (self.left == 0)
        status = np.where(flat, EntryStatus.FLAT, EntryStatus.SMOOTH).astype(np.uint8)
        apart = np.abs(self.right - self.left)
        noise = differencer.rounding(steps, differencer.noise[selected], self.right, self.left)
        self.size = np.maximum(np.abs(value), np.abs(self.analytic))
        # By dimension: f‴ is about f″² / f′, and the sides differ by h f″.
        bend = np.maximum(apart - noise, 0)
        truncation = np.where(self.size > 0, bend / 6 * (bend / self.size), 0)
        # That may be 0 by symmetry; at unit scale truncation is about h² of the derivative.
        relative = steps / differencer.sizes[selected]
        natural = NATURAL * relative**2 * np.abs(value)
        self.found = Estimate(
            function.layout, selected, value, np.maximum(truncation, natural), noise,
            round_off[selected].copy(), np.zeros_like(value), steps.copy(), differencer.sizes[selected],
            nothing, nothing.copy(), status,
        )  # fmt: skip
        self.first, self.steps, self.ends, self.looked = value.copy(), steps, both, set[int]()
        self.first_gap = np.abs(self.analytic - value)
        self.first_bound = noise + round_off[selected] + natural
        # A kink within the step bends the derivative by half the distance of the one-sided ones.
        self.bend = apart / 2

    def bound(self) -> Array:
        """The present bounds; those of the estimate are computed once, when it is complete."""
        f = self.found
        return np.asarray(f.truncation + f.noise + f.round_off + f.kink)

    def second_look(self, room: int) -> None:
        """Steps of their own for as many doubtful parameters as there is room for."""
        gap, bound, f = self.first_gap, self.first_bound, self.found
        off = ~(gap <= bound)
        clear = np.maximum(CLEAR * self.asked * self.size, np.finfo(float).eps * self._floors())
        vague = (f.noise > clear) | ~(2 * self.bend <= np.maximum(clear, 4 * f.noise))
        vague |= (self.size == 0) & (f.noise > 0)
        doubtful, bent = np.flatnonzero(off), np.flatnonzero(off & (gap <= bound + 2 * self.bend))
        if len(bent) > room:
            looked = bent[:: max(1, len(bent) * BENT // len(self.selected))]
            self._shorten(looked)
            still = np.abs(self.analytic - f.value)[looked]
            doubtful = np.setdiff1d(doubtful, looked[still <= self.bound()[looked]])
        postponed = self._alike(doubtful, gap > SURELY * (bound + 2 * self.bend))
        order = self._in_turns(np.setdiff1d(doubtful, postponed))
        vaguely = self._in_turns(np.flatnonzero(vague & ~off))[: max(0, room - len(order))]
        self._look_at(order[:room] + vaguely)
        surprising = self._surprising(np.array(order[:room], int), postponed)
        self._look_at(self._in_turns(surprising)[: max(0, room - len(order))])
        sure = np.array([k for k in (*order[:room], *surprising) if k in self.looked], int)
        left_over = np.array([k for k in doubtful if k not in self.looked], int)
        self._leave_open(sure, self._still_off(np.array(sorted(self.looked), int), left_over))

    def _look_at(self, chosen: list[int]) -> None:
        """Steps of their own for some entries."""
        floors = self._floors()
        for k in chosen:
            self._write(k, self._refined(k, floors[k], self.differencer.noise[self.selected[k]]))
        self._ask_for_noise(np.array(chosen, int), floors)
        self.looked.update(chosen)

    def _alike(self, doubtful: Index, sure: Mask) -> Index:
        """Of entries that are off by far more than their bounds, all but a few of each tensor.

        The few are those of the smallest and the largest gap.
        """
        postponed = list[int]()
        for members in self.owned:
            mine = np.intersect1d(doubtful, members)
            mine = mine[sure[mine]]
            order = mine[np.argsort(self.first_gap[mine], kind="stable")]
            postponed += np.delete(order, evenly_spaced(len(order), PROVEN)).tolist()
        return np.array(postponed, int)

    def _surprising(self, looked: Index, postponed: Index) -> Index:
        """Of the entries that were postponed those of whose tensor a second look found anything new."""
        f, found = self.found, list[Index]()
        gap, bound = np.abs(self.analytic - f.value), self.bound()
        moved = np.abs(f.value - self.first) > self.first_gap / SURELY
        new = moved | ~(gap > bound) | f.has(EntryStatus.TOUCHED | EntryStatus.JUMPS)
        for members in self.owned:
            if new[np.intersect1d(looked, members)].any():
                found.append(np.intersect1d(postponed, members))
        return np.concatenate([np.zeros(0, int), *found])

    def _still_off(self, looked: Index, left_over: Index) -> Index:
        """What is left over and does not agree by the truncation that its tensor's other entries were found
        to have.
        """
        f, unit = self.found, self.found.unit
        for members in self.owned:
            alike = np.intersect1d(looked, members)
            alike = alike[(f.status[alike] & ~np.uint8(EntryStatus.FLAT)) == 0]
            effect = (np.abs(self.first - f.value) * unit)[alike].max(initial=0)
            mine = np.intersect1d(left_over, members)
            f.truncation[mine] = np.maximum(f.truncation[mine], MARGIN * effect / unit[mine])
        return left_over[~(self.first_gap[left_over] <= self.bound()[left_over])]

    def _floors(self) -> Array:
        """What is typical of an entry's tensor, in its unit, by either gradient; (entries)."""
        f, unit, floors = self.found, self.found.unit, np.zeros_like(self.found.value)
        seen = np.where(np.abs(f.value) > f.noise, f.value, 0)
        for members in self.owned:
            effects = [np.abs(g[members] * unit[members]) for g in (seen, self.analytic)]
            typical = [np.median(e[np.isfinite(e) & (e > 0)]) for e in effects if (e > 0).any()]
            floors[members] = min(typical, default=0.0) / unit[members]
        return floors

    def _refined(self, k: int, floor: float, noise: float) -> Entry:
        """What steps of its own find of an entry."""
        index, step = self.selected[k : k + 1], float(self.steps[k])

        def measure(h: float) -> tuple[float, float, float]:
            central, right, left = self.differencer.at(index, np.array([h]))
            return central[0], right[0], left[0]

        return Refinement(
            measure, noise, self.differencer.digits, self.analytic[k], self.found.round_off[k],
            AIM * self.asked, floor, step, self.differencer.shortest(int(self.selected[k])),
            {step: (self.first[k], self.right[k], self.left[k])},
        ).entry()  # fmt: skip

    def _ask_for_noise(self, looked: Index, floors: Array) -> None:
        """Before entries are said to be wrong or on a kink, or not to be what the first step found: are they
        noisier than their tensor? And of those that noise hides: are they quieter?
        """
        f, bound = self.found, self.bound()
        gap = np.abs(self.analytic - f.value)
        drift = np.abs(self.first - f.value) > self.first_bound + bound + 2 * self.bend
        far = f.step > self.differencer.sizes[self.selected]
        doubted = ~(gap <= bound) | f.has(EntryStatus.TOUCHED | EntryStatus.JUMPS) | drift | far
        for members in self.owned:
            mine = np.intersect1d(looked[doubted[looked]], members)
            loudest, quiet = 0.0, list[int]()
            for k in mine[np.lexsort(((gap / bound)[mine], ~drift[mine]))][:ASKED]:
                enough = not drift[k] and np.count_nonzero(~drift[quiet]) > len(mine) // 20
                own = self._own_noise(k, only_probed=bool(enough and not far[k]))
                if own is not None and own > self._least(k):
                    self._allow_for_arithmetic(k, own)
                    self._write(k, self._refined(k, floors[k], own))
                    loudest = max(loudest, own)
                    continue
                if own is not None and QUIETER * own < self.differencer.noise[self.selected[k]]:
                    entry = self._refined(k, floors[k], own)
                    # A plateau around the point is not all that f does, if longer steps agree.
                    if gap[k] > bound[k] or not entry.status & EntryStatus.FLAT:
                        self._write(k, entry)
                quiet.append(k)
            self._allow_what_others_have(quiet, loudest, floors)

    def _own_noise(self, k: int, *, only_probed: bool) -> float | None:
        """An entry's own noise; also farther away, if a long step speaks for the gradient under test.

        Where others of its tensor have none, it is `only_probed` whether a long step does; None if not.
        """
        differencer, index, step = self.differencer, int(self.selected[k]), float(self.steps[k])
        differencer.remember(index, step, *(side[k] for side in self.ends))
        least, value = self._least(k), float(self.found.value[k])
        # Where noise asked for longer steps, it matters whether the entry has less.
        longer = self.found.step[k] > RATIO * step
        negligible = float(differencer.noise[index]) / QUIETER if longer else least
        own = None if only_probed else differencer.own_noise(index, step, negligible)
        loud = own is not None and own > least
        if not loud and differencer.speaks_for(index, float(self.analytic[k]), value):
            return differencer.noise_farther_away(index, step, least) or own
        return own

    def _least(self, k: int) -> float:
        """The noise up to which an entry has none of its own, or none that would explain its gap."""
        f = self.found
        gap = abs(self.analytic[k] - f.value[k])
        matters = gap * f.step[k] / EXPLAINS if gap > self.bound()[k] else 0.0
        return max(NOISIER * float(self.differencer.noise[self.selected[k]]), float(matters))

    def _allow_what_others_have(self, quiet: list[int], noise: float, floors: Array) -> None:
        """Of entries that seem to have no noise of their own, those that agree with that of another.

        An entry that counts little beside others may lie on plateaus that none of its steps leaves.
        """
        for k in quiet:
            off = not abs(self.analytic[k] - self.found.value[k]) <= self.bound()[k]
            if off and noise > NOISIER * self.differencer.noise[self.selected[k]]:
                entry = self._refined(k, floors[k], noise)
                if abs(self.analytic[k] - entry.value) <= entry.error:
                    self._write(k, entry)

    @cached_property
    def _size_of_rounding(self) -> Array:
        """The rounding of every parameter's gradient, relative to that of the arithmetic; (parameters)."""
        return rounding_of(self.function, self.everything, self.differencer.sizes, np.ones(1))

    def _allow_for_arithmetic(self, k: int, noise: float) -> None:
        """Widen the round-off of an entry by that of the arithmetic that its noise tells of."""
        digits = float(self.differencer.arithmetic(np.array([noise]))[0])
        allowed = digits * self._size_of_rounding[self.selected[k]]
        self.found.round_off[k] = max(self.found.round_off[k], allowed)

    def _write(self, k: int, entry: Entry) -> None:
        f = self.found
        f.value[k], f.step[k], f.status[k] = entry.value, entry.step, int(entry.status)
        f.truncation[k], f.noise[k], f.kink[k] = entry.truncation, entry.noise, entry.kink
        f.low[k], f.high[k] = entry.low, entry.high

    def _shorten(self, at: Index) -> None:
        """Measure some entries again with a much shorter step; kept where that agrees."""
        f, differencer = self.found, self.differencer
        steps = f.step[at] / SHORT
        value, _, _ = differencer.at(self.selected[at], steps)
        noise = differencer.noise[self.selected[at]] / steps
        agrees = np.abs(self.analytic[at] - value) <= self.bound()[at] - f.noise[at] + noise
        kept = at[agrees]
        f.value[kept], f.noise[kept], f.step[kept] = value[agrees], noise[agrees], steps[agrees]
        f.status[kept] |= np.uint8(EntryStatus.AVOIDED)

    def _in_turns(self, doubtful: Index) -> list[int]:
        """Doubtful entries in turns of their tensors, the largest gaps of each first."""
        queues = []
        for members in self.owned:
            mine = np.intersect1d(doubtful, members, assume_unique=True)
            gap = np.nan_to_num(self.first_gap[mine], nan=np.inf)
            queues.append(mine[np.argsort(-gap, kind="stable")].tolist())
        turns = max(map(len, queues), default=0)
        return [queue[k] for k in range(turns) for queue in queues if k < len(queue)]

    def _leave_open(self, sure: Index, left_over: Index) -> None:
        """Of the entries that were not looked at, only what no kink explains is known to be wrong.

        And that only where a sequence of steps finds the same of their tensor. The bends of several kinks may
        cancel in an entry; then those of the tensor's other entries tell.
        """
        f = self.found
        off = sure[~(np.abs(self.analytic - f.value)[sure] <= self.bound()[sure])]
        off = off[(f.status[off] & np.uint8(EntryStatus.TOUCHED)) == 0]
        left_open = np.zeros(len(self.selected), bool)
        left_open[left_over] = True
        for members in self.owned:
            mine = np.intersect1d(left_over, members, assume_unique=True)
            if len(mine) and np.isin(off, members).any():
                typical = np.quantile(self.bend[members].astype(float), ROUGH)
                limit = self.first_bound[mine] + 4 * np.maximum(self.bend[mine], typical)
                left_open[mine] = self.first_gap[mine] <= limit
        f.status[left_open] |= np.uint8(EntryStatus.OPEN)

    def allow_for_residues(self) -> None:
        """Where no derivative is seen, what cancels in the gradient leaves the rounding of its terms.

        Those may be as large as any other entry, or as f itself, as the terms of a sum of probabilities are.
        """
        f = self.found
        still = np.abs(f.value) <= f.truncation + f.noise + f.kink
        residue = RESIDUE * self.differencer.digits * self.differencer.scale / f.unit
        f.round_off[still] = np.maximum(f.round_off, residue)[still]

    def leave_stairs_open(self) -> None:
        """Leave open what f's stairs do not decide."""
        off = ~(np.abs(self.analytic - self.found.value) <= self.bound())
        drift = ~(self.first_gap <= self.first_bound + 2 * self.bend)
        flat = (self.right == 0) & (self.left == 0)
        coarse = self.found.noise * self.found.step > COARSE * self.differencer.scale
        # Beside a long plateau no shorter step can find the same on both sides.
        larger = np.fmax(np.abs(self.right), np.abs(self.left))
        even = (self.bend <= EVEN * larger) & ~flat & (self.steps < OWN / 2 * self.found.unit)
        stairs = Stairs(self.differencer, self.found, self.analytic)
        stairs.leave_open(off, ~off & (drift | flat | coarse), ~even, coarse)

    def allow_for_several_kinks(self) -> None:
        """Among kinks, an entry a little beyond its bound is not resolved.

        It straddles one where kinks are the larger part of its bound.
        """
        f = self.found
        if not (f.status & np.uint8(EntryStatus.TOUCHED | EntryStatus.AVOIDED)).any():
            return
        gap, bound = np.abs(self.analytic - f.value), self.bound()
        inside = (self.analytic >= f.low) & (self.analytic <= f.high)
        left_open = (gap > bound) & (gap <= MARGIN * bound) & ~inside
        f.status[left_open] |= np.uint8(EntryStatus.OPEN)
        f.status[left_open & (f.kink > bound - f.kink)] |= np.uint8(EntryStatus.CROSSED)


def estimate_coordinates(
    differencer: CoordinateDifferencer,
    analytic: Array,
    round_off: Array,
    selected: Index,
    *,
    resolution: float,
    blocks: Mapper | None = None,
    room: int | None = None,
) -> Estimate:
    """The derivative of every selected parameter: two evaluations each, and more where there is doubt.

    Args:
        analytic: the gradient under test, of all parameters; it decides only where to look twice.
        round_off: by how much its own rounding may move it.
        resolution: the relative error that must not go unseen.
        blocks: evaluates blocks of parameters elsewhere, as `map` does; by default here.
        room: parameters that are looked at twice.
    """
    few = len(selected) if len(selected) <= SMALL else 24 + len(selected) // 80
    measurement = _Measurement(differencer, analytic, selected, resolution)
    measurement.first_pass(round_off, blocks)
    measurement.second_look(few if room is None else room)
    measurement.allow_for_residues()
    measurement.leave_stairs_open()
    measurement.allow_for_several_kinks()
    return measurement.found
