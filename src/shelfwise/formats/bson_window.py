"""The stretch of a BSON file that lies in memory, while what follows is being read."""

from __future__ import annotations

import os
from collections import deque
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from shelfwise.formats.bson_columns import SLACK
from shelfwise.formats.bson_document import MAX_DOCUMENT

# Bytes read at once, and buffers for them: one is taken apart, the others are filled meanwhile.
BLOCK, _BUFFERS = 8 * 2**20, 3


class Window:
    """What lies in memory: from `begin` to `end` of `data`.

    What is left over of one buffer is copied before the block of the next, where there is room for a whole document; pages
    of it that were never needed take no memory.
    """

    def __init__(self, file: int, offset: int, ahead: ThreadPoolExecutor) -> None:
        self._file, self._ahead = file, ahead
        self.data, *others = (np.empty(MAX_DOCUMENT + BLOCK + SLACK, np.uint8) for _ in range(_BUFFERS))
        self.view = self.data.data
        self.begin = self.end = MAX_DOCUMENT
        self._reached = offset
        self._first = offset - self.begin
        self._pending = deque((buffer, ahead.submit(self._fill, buffer)) for buffer in others)

    def offset_of(self, place: int) -> int:
        """Return where in the file a place of `data` lies."""
        return self._first + place

    def skip_to(self, offset: int) -> bool:
        """Leave out what lies before an offset of the file; False where that is not in memory."""
        if not self.begin <= offset - self._first <= self.end:
            return False
        self.begin = offset - self._first
        return True

    def _fill(self, buffer: NDArray[np.uint8]) -> int:
        """Read a block into a buffer; fewer bytes only at the end of the file."""
        block = buffer.data[MAX_DOCUMENT : MAX_DOCUMENT + BLOCK]
        filled = 0
        while filled < BLOCK and (count := os.preadv(self._file, [block[filled:]], self._reached + filled)):
            filled += count
        self._reached += filled
        return filled

    def slide(self) -> bool:
        """Go on to the next block, with what is left over before it; False at the end of the file."""
        buffer, filled = self._pending.popleft()
        count = filled.result()
        if not count:
            return False
        begin = MAX_DOCUMENT - (self.end - self.begin)
        buffer[begin:MAX_DOCUMENT] = self.data[self.begin : self.end]
        self._pending.append((self.data, self._ahead.submit(self._fill, self.data)))
        self.data, self.view = buffer, buffer.data
        self._first += self.begin - begin
        self.begin, self.end = begin, MAX_DOCUMENT + count
        return True
