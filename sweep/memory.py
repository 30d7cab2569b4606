"""Arrays whose memory is used again: a page that was never touched costs more than filling it with rows."""

from __future__ import annotations

from threading import RLock
from typing import Any
from weakref import ref

import numpy as np
import numpy.typing as npt

SMALLEST = 1 << 16  # bytes from which on it is worth its while


class Memory:
    """Makes arrays, of memory that earlier ones have left where one of about their size has.

    Whoever holds such an array, or a view of it, holds its memory; it comes back when nobody does. What is held and
    what is kept for later are together never more than the most that was held at once. Arrays may outlive this object.
    """

    def __init__(self) -> None:
        self._kept: dict[int, list[npt.NDArray[np.uint8]]] = {}
        self._held_bytes = self._kept_bytes = self._most_bytes = 0
        self._lock = RLock()  # memory comes back whenever Python finds it unused, here too

    def empty(self, count: int, dtype: npt.DTypeLike) -> npt.NDArray[Any]:
        """An array of so many values, whatever they are."""
        size = count * np.dtype(dtype).itemsize
        if size < SMALLEST:
            return np.empty(count, dtype)
        room = _rounded(size)
        with self._lock:
            block = kept.pop() if (kept := self._kept.get(room)) else None
            self._kept_bytes -= room if block is not None else 0
            self._held_bytes += room
            self._most_bytes = max(self._most_bytes, self._held_bytes)
            self._keep_to_the_most()
        block = np.empty(room, np.uint8) if block is None else block
        return np.asarray(_Lease(block, ref(self)))[:size].view(dtype)

    def take_back(self, block: npt.NDArray[np.uint8]) -> None:
        """Have memory for later that nobody holds any more."""
        with self._lock:
            self._held_bytes -= len(block)
            self._kept_bytes += len(block)
            self._kept.setdefault(len(block), []).append(block)
            self._keep_to_the_most()

    def _keep_to_the_most(self) -> None:
        """Let go of what is kept beyond the most that was held at once."""
        while self._kept_bytes and self._held_bytes + self._kept_bytes > self._most_bytes:
            room = next(room for room, blocks in self._kept.items() if blocks)
            self._kept_bytes -= len(self._kept[room].pop())


def _rounded(size: int) -> int:
    """A size that others share, larger by an eighth at most."""
    step = 1 << max(0, size.bit_length() - 4)
    return -(-size // step) * step


class _Lease:
    """What the arrays over a block hold on to."""

    def __init__(self, block: npt.NDArray[np.uint8], memory: ref[Memory]) -> None:
        self._block, self._memory = block, memory
        self.__array_interface__ = block.__array_interface__

    def __del__(self) -> None:
        memory = self._memory()
        if memory is not None:
            memory.take_back(self._block)
