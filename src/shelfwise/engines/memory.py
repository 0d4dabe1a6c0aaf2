"""Give memory that was freed back to the system, between the stages of long work."""

from __future__ import annotations

import ctypes
from contextlib import suppress


def return_memory() -> None:
    """Make the C library return what is free; where it cannot be asked (only glibc can), nothing happens.

    Arrays of a few megabytes come from its heap, which otherwise keeps the peak of every stage for the next one.
    """
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
