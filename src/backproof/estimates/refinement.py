"""The steps that suit one parameter of a function, found by how the function responds to it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np

from backproof.estimates.noise import SPACING
from backproof.estimates.record import EntryStatus
from backproof.estimates.step_sequence import RATIO, Entry, StepSequence

CERTAIN = 0.1
"""The relative error up to which a sequence of other steps than the first is believed."""

NEAR = RATIO**5
"""By how much steps may exceed the first for what they take for a kink to lie at the point."""

SHORTER = 5
"""Steps in a sequence."""

SEQUENCES = 4
"""Sequences of one parameter."""

JUMP = RATIO**10
"""From one sequence to one of longer steps, at most."""

LEAP, LEAPS = RATIO**10, 3
"""From one step to the next longer one while f does not move at all, and how often that is tried."""

WITHIN = 2.0**47
"""From the shortest step that a parameter's precision allows to its size."""

BACK = RATIO**2
"""From one step to the next shorter one while f is not finite there, and how often that is tried."""
TRIES = 6

CLOSER = RATIO**12
"""From the last step of a sequence to one that tells whether what it takes for a kink or a jump is one."""

REMAINS = 0.7
"""What is left there, at least, of what a kink or a jump does."""

REACH = 16.0
"""How far above noise a gap or the distance of one-sided derivatives must be to tell."""

Sides = tuple[float, float, float]
"""Derivatives at one step: central, to the right and to the left."""


@dataclass
class Refinement:
    """One parameter while its steps are looked for.

    Attributes:
        measure: the derivatives at a step.
        noise: the largest error of a value of f.
        digits: the relative rounding error of such a value.
        analytic: the derivative under test, which decides only when to stop and where to look.
        allowed: by how much its own rounding may move it.
        aim: the error, relative to the derivative, at which it is known well enough.
        floor: the size of derivative below which nothing is asked of its error.
        first: the first step.
        shortest: the shortest step that the parameter's own precision allows.
        known: derivatives by their steps.
    """

    measure: Callable[[float], Sides]
    noise: float
    digits: float
    analytic: float
    allowed: float
    aim: float
    floor: float
    first: float
    shortest: float
    known: dict[float, Sides] = field(default_factory=dict)

    def entry(self) -> Entry:
        """What is found with the first step and shorter ones, or, where these tell little, with others."""
        found = dict[float, Entry]()
        longest: float | None = self._start()
        for _ in range(SEQUENCES):
            if longest is None or longest in found:
                break
            sequence = self._sequence(longest)
            entry = found[longest] = self._of(sequence)
            closer = self._closer(entry)
            if closer is not None:
                del found[longest]
                longest = closer
                continue
            if self._settled(entry) and self._believed(entry):
                return entry
            longest = self._elsewhere(sequence, entry)
        if self.first not in found:
            found[self.first] = self._of(self._sequence(self.first))
        believed = [found[self.first], *(entry for entry in found.values() if self._believed(entry))]
        best = min(believed, key=lambda e: 0 if e.odd else np.nan_to_num(e.error, nan=np.inf))
        if self._closer(best) is not None:  # and no other steps show what it is
            best = replace(best, status=best.status | EntryStatus.OPEN)
        if best.value == 0 and not any(self._at(self.first)):
            # Whatever lies farther away: a leap may end on the other side of all that f does.
            best = Entry(0.0, 0.0, self.noise / self.first, 0.0, self.first, status=EntryStatus.FLAT)
            return self._as_far_as_it_counts() or best
        return best

    def _as_far_as_it_counts(self) -> Entry | None:
        """The derivative over the step at which the one under test would just be seen.

        Within the entry's size; what it does there may be little beside the rounding of all others.
        """
        step = REACH * self.noise / abs(self.analytic) if self.analytic else np.inf
        if not step < self.shortest * WITHIN:
            return None
        central, right, left = self._at(step)
        found = Entry(central, abs(right - left), self._rounding(step, right, left), 0.0, step)
        return found if np.isfinite(found.error) else None

    def _of(self, sequence: StepSequence) -> Entry:
        """What a sequence finds; no kink and no jump that is none at a far shorter step."""
        entry = sequence.entry()
        return entry if not entry.odd or self._remains(sequence, entry) else sequence.smooth_entry()

    def _closer(self, entry: Entry) -> float | None:
        """Where to begin instead, if the shortest step that could tell speaks against an entry.

        Of a period that is shorter than all steps these see an average, which they may agree on. So it is
        with a gap as it is with a kink: it must be there at any step at which noise would not hide it.
        """
        gap = abs(self.analytic - entry.value)
        if entry.odd or not gap > entry.error + self.allowed:
            return None
        step = max(REACH * self.noise / gap, self.shortest)
        if not step < entry.step / RATIO:
            return None
        central, right, left = self._at(step)
        away = abs(central - entry.value) - self._rounding(step, right, left) - entry.error
        return step * RATIO ** (SHORTER - 1) if away > abs(self.analytic - central) else None

    def _remains(self, sequence: StepSequence, entry: Entry) -> bool:
        """Whether one-sided derivatives stay as far apart as a sequence found, as close as noise allows.

        The sides of a narrow peak look like those of a kink, and its flank like a jump, while steps are as
        long as it is wide.
        """
        k = int(np.flatnonzero(sequence.steps == entry.step)[0])
        last, apart = float(sequence.steps[k]), float(sequence.apart[k])
        jumps = bool(entry.status & EntryStatus.JUMPS)
        clear = 0.0 if jumps else REACH * self.noise / apart
        step = max(last / CLOSER, clear, self.shortest)
        if not step < last / RATIO:
            return True
        _, right, left = self._at(step)
        noise = self._rounding(step, right, left)
        if jumps:
            sides = zip((right, left), (sequence.right[k], sequence.left[k]), strict=True)
            return any(abs(side) * step > REMAINS * abs(before) * last > 0 for side, before in sides)
        ratio, slack = abs(right - left) / apart, 4 * noise / apart
        return bool(REMAINS - slack <= ratio <= 1 / REMAINS + slack)

    def _believed(self, entry: Entry) -> bool:
        """Whether a sequence found something, and nothing that the first step contradicts."""
        central, right, left = self._at(self.first)
        apart = abs(right - left) + 2 * self._rounding(self.first, right, left) + entry.error
        contradicted = entry.step > self.first and abs(entry.value - central) > apart
        if entry.odd:
            return not contradicted and entry.step <= NEAR * self.first
        # Far away f may saturate; then a derivative is small, and so is its error, but that is truncation.
        certain = entry.error <= CERTAIN * abs(entry.value) or entry.noise >= entry.truncation + entry.kink
        return bool(certain and not contradicted)

    def _size(self, value: float, error: float, sides: Sides) -> float:
        """What the derivative is at least, by all that is known; where it is zero, what it is a step away."""
        seen = abs(value) if abs(value) > 2 * error else 0.0
        size = max(seen, abs(self.analytic))
        size = size if size > np.finfo(float).eps * self.floor else self.floor
        if seen or abs(self.analytic) > error + self.allowed:
            return size
        return float(np.nanmax([size, *np.abs(sides[1:])]))  # see `variation`

    def _long_enough(self, value: float, error: float, sides: Sides) -> float:
        """The step at which noise no longer matters."""
        size = self._size(value, error, sides)
        return self._in_sequence(self.noise / (self.aim * size)) if size else 0.0

    def _in_sequence(self, step: float) -> float:
        """The step next to another one among those of which sequences are made, for these to share them."""
        if not 0 < step < np.inf:
            return step
        return float(self.first * RATIO ** (np.round(2 * np.log(step / self.first) / np.log(RATIO)) / 2))

    def _start(self) -> float:
        """The first step, unless noise hides the derivative there."""
        central, right, left = self._at(self.first)
        noise = self._rounding(self.first, right, left)
        if abs(self.analytic) <= np.finfo(float).eps * self.floor and max(abs(right), abs(left)) <= 4 * noise:
            return self._first_that_moves()
        sides = central, right, left
        wanted = RATIO * self._long_enough(central, noise, sides)
        hidden = np.isfinite(central) and noise > self.aim * self._size(central, noise, sides)
        return min(wanted, JUMP * self.first) if hidden and wanted > RATIO * self.first else self.first

    def _first_that_moves(self) -> float:
        """Of longer and longer steps the first that moves f by more than noise; if none does, the shortest.

        Where the gradient says 0 and nothing moves, the parameter may count in a far larger unit.
        """
        step = self.first
        for _ in range(LEAPS):
            step *= LEAP
            central, right, left = self._at(step)
            if not abs(central) <= 4 * self._rounding(step, right, left):
                return step
        return self.first

    def _at(self, step: float) -> Sides:
        if step not in self.known:
            self.known[step] = self.measure(step)
        return self.known[step]

    def _rounding(self, step: float, right: float, left: float) -> float:
        """The noise of a derivative; f's last digits are coarser where a step makes f larger.

        And f may round the parameter itself, which counts where f varies within little of its size.
        """
        grown = np.nanmax([abs(right), abs(left), 0.0])
        return float(max(self.noise, self.shortest / SPACING * grown) / step + 4 * self.digits * grown)

    def _sequence(self, longest: float) -> StepSequence:
        """Shorter and shorter steps, until they show what there is to see."""
        step = longest
        for _ in range(TRIES):
            if np.isfinite(self._at(step)[0]):
                break
            step /= BACK
        if not np.isfinite(self._at(step)[0]):
            step = longest
        # Long steps must be seen to converge; that two agree may be chance.
        enough = 2 if step <= self.first else 3
        steps = [step]
        while True:
            sequence = self._made_of(steps)
            if len(steps) == SHORTER:
                return sequence
            if len(steps) >= enough and sequence.straight and self._settled(sequence.smooth_entry()):
                return sequence
            steps.append(steps[-1] / RATIO)

    def _made_of(self, steps: list[float]) -> StepSequence:
        central, right, left = (np.array(part) for part in zip(*map(self._at, steps), strict=True))
        rounding = [self._rounding(h, *sides) for h, *sides in zip(steps, right, left, strict=True)]
        return StepSequence(np.array(steps), central, right, left, np.array(rounding))

    def _settled(self, entry: Entry) -> bool:
        """Whether the derivative is known well enough, and the one under test clearly is it or is not."""
        if entry.odd:
            return True
        gap = abs(self.analytic - entry.value)
        clear = gap <= entry.error + self.allowed or gap > 4 * (entry.error + self.allowed)
        size = self._size(entry.value, entry.error, self._at(entry.step))
        return bool(clear and (size == 0 or entry.error <= self.aim * size))

    def _elsewhere(self, sequence: StepSequence, entry: Entry) -> float | None:
        """Where to begin another sequence; None if no other would show more."""
        longest, shortest = float(sequence.steps[0]), float(sequence.steps[-1])
        if entry.noise >= entry.truncation + entry.kink:
            wanted = RATIO * self._long_enough(entry.value, entry.error, self._at(entry.step))
            return min(wanted, JUMP * longest) if wanted > longest else None
        shorter = shortest / RATIO
        return shortest if self.noise / shorter < entry.error or not np.isfinite(entry.error) else None
