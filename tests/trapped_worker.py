"""A worker that decodes pictures, with traps: what a file asks for at its end is what happens to the process."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import time

from shelfwise.images import worker
from shelfwise.images.decode import Picture, decode

COMMAND = (sys.executable, __file__)


poisoned: list[bool] = []


def trapped_decode(data: bytes, **options: object) -> Picture:
    if poisoned:
        os.kill(os.getpid(), signal.SIGSEGV)
    trap = data[-40:].rpartition(b"TRAP:")[2].decode("latin-1")
    match trap:
        case "segv":
            os.kill(os.getpid(), signal.SIGSEGV)
        case "abort":
            ctypes.CDLL(None).abort()
        case "exit":
            os._exit(3)
        case "sleep":
            time.sleep(60)
        case "spin":
            signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT, signal.SIGALRM})
            while True:
                pass
        case "swell":
            bytearray(4 * 2**30)
        case "poison":
            poisoned.append(True)
        case "bug":
            raise KeyError("no such thing")
        case "chatter":
            os.write(1, b"printed by a library" * 1000)
            os.write(2, b"complained by a library" * 1000)
    return decode(data, **options)


answer = worker.answer


def lying_answer(request: dict[str, object], data: bytes) -> worker.Answer:
    """Answer as a decoder might that a picture took over: with what stands after LIE: in the file."""
    if b"LIE:" in data[-4000:]:
        return eval(data.rpartition(b"LIE:")[2])  # the test's own words
    return answer(request, data)


if __name__ == "__main__":
    worker.decode = trapped_decode
    worker.answer = lying_answer
    worker.main()
