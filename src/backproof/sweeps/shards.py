"""Shards: the outcomes of a task as its worker packs them; the sweep's process only enters them.

A shard's content is one line of JSON for each cell, compressed: its error, traceback, results and tensors.
What the sweep itself needs to know of a cell stands beside it.
"""

from __future__ import annotations

import itertools
import json
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from backproof.files import printable
from backproof.network.arrays import Array
from backproof.sweeps.outcome import Outcome
from backproof.sweeps.rows import MalformedError
from backproof.sweeps.status import Status

MOST_TEXT = 1 << 22
"""Characters of a shard, unless a single cell has more."""

MOST_BYTES = 1 << 26
"""Bytes that a shard may unpack to."""

MOST_RATIO, ALLOWANCE = 200, 1 << 16
"""Bytes that one may unpack to for each that it has, and beyond; text like ours has a tenth of that."""

LEVEL = 1
"""Of compression: the quickest; a higher one saves a tenth and takes twice as long."""


class Head(NamedTuple):
    """What is known of a cell without unpacking its shard."""

    id: str
    status: str
    seconds: float
    attempts: int
    curves: bytes | None


class Shard(NamedTuple):
    """Outcomes, packed: heads, and the lines of the content in their order."""

    heads: list[Head]
    content: bytes


@dataclass
class Packed:
    """The outcomes of one task or several; iterating unpacks them."""

    shards: list[Shard] = field(default_factory=list)

    def __len__(self) -> int:
        return sum(len(shard.heads) for shard in self.shards)

    def __iter__(self) -> Iterator[Outcome]:
        for shard in self.shards:
            for head, line in zip(shard.heads, lines_of(shard.content), strict=True):
                yield _outcome(head, line)

    @property
    def failed(self) -> int:
        """How many of the cells failed."""
        return sum(head.status != Status.OK for shard in self.shards for head in shard.heads)

    def with_attempts(self, before: int) -> Packed:
        """The same, of cells that were tried before."""
        return Packed(
            [
                Shard([h._replace(attempts=h.attempts + before) for h in s.heads], s.content)
                for s in self.shards
            ]
        )


def packed(outcomes: Iterable[Outcome]) -> Packed:
    """Outcomes as shards of a bounded size."""
    found, heads, lines, size = Packed(), list[Head](), list[str](), 0
    for outcome in outcomes:
        line = _line(outcome)
        if heads and size + len(line) > MOST_TEXT:
            found.shards.append(_shard(heads, lines))
            heads, lines, size = [], [], 0
        heads.append(_head(outcome))
        lines.append(line)
        size += len(line)
    if heads:
        found.shards.append(_shard(heads, lines))
    return found


def joined(parts: Sequence[Packed]) -> Packed:
    """Several in one."""
    return parts[0] if len(parts) == 1 else Packed([shard for part in parts for shard in part.shards])


def shard_of(heads: Iterable[Head], lines: Iterable[bytes]) -> Shard:
    """A shard of lines that are packed already."""
    return Shard(list(heads), zlib.compress(b"\n".join(lines), LEVEL))


def _shard(heads: list[Head], lines: list[str]) -> Shard:
    return shard_of(heads, (line.encode() for line in lines))


def _head(outcome: Outcome) -> Head:
    curves = None
    if outcome.curves:
        from backproof.sweeps.curves import encode_curves  # pyarrow: only where there are curves

        curves = encode_curves(outcome.curves)
    return Head(outcome.id, str(outcome.status), outcome.seconds, outcome.attempts, curves)


def _line(outcome: Outcome) -> str:
    error, traceback = (printable(text) if text else text for text in (outcome.error, outcome.traceback))
    return json.dumps([error, traceback, outcome.values, outcome.tensors or None])


def _outcome(head: Head, line: bytes) -> Outcome:
    error, traceback, values, tensors = json.loads(line)
    curves = _series(head.curves) if head.curves else {}
    status = Status(head.status)
    return Outcome(
        head.id, status, error, traceback, values, curves, tensors or [], head.seconds, head.attempts
    )


def _series(stored: bytes) -> dict[str, tuple[Array, Array]]:
    from backproof.sweeps.curves import decode_curves

    counts, steps, values = decode_curves(stored)
    ends = list(itertools.accumulate(counts.values()))
    starts = [0, *ends]
    return {name: (steps[a:b], values[a:b]) for name, a, b in zip(counts, starts, ends, strict=False)}


def lines_of(content: object) -> list[bytes]:
    """The lines of a shard, unpacked.

    Raises:
        MalformedError: if it is none, or unpacks to more than any of ours.
    """
    if not isinstance(content, bytes):
        raise MalformedError("shard: must be bytes")
    most = min(MOST_BYTES, MOST_RATIO * len(content) + ALLOWANCE)
    unpacking = zlib.decompressobj()
    try:
        text = unpacking.decompress(content, most)
    except zlib.error as error:
        raise MalformedError(f"shard: cannot be unpacked ({error})") from error
    if not unpacking.eof:
        raise MalformedError(f"shard: is cut off, or unpacks to more than {most} bytes")
    return text.split(b"\n")
