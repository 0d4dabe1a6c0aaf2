"""A process that decodes pictures for another one, and may die of it: `python -m shelfwise.images.worker`.

It answers one request after the other on its standard streams and ends with them. A message is the lengths of a JSON
header and of a body, the header, and the body: nothing in it can be run. The other end is `shelfwise.engines.decoders`.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import struct
from collections.abc import Callable
from typing import Any, BinaryIO

from shelfwise.errors import ImageError
from shelfwise.images.decode import Limits, decode
from shelfwise.images.preprocess import Preprocessing, prepare

# Room above what a worker has when it has started. A PNG of 50 MP takes 0.4 GB. Source: tests/reliability/test_bombs.py.
MEMORY_BYTES = 2 * 2**30
HEADER_BYTES, DETAIL_LETTERS = 4096, 300
_PIPE_BYTES = 2**16  # what a pipe of Linux holds
_LENGTHS = struct.Struct("<IQ")
# Seconds that the other end has to end an overdue worker before the worker ends itself: the other end may be gone.
_GRACE_S = 5.0

Answer = tuple[dict[str, Any], bytes]


def send(stream: BinaryIO, header: dict[str, Any], body: bytes = b"") -> None:
    """Write a message and flush it."""
    encoded = json.dumps(header).encode()
    stream.write(b"".join((_LENGTHS.pack(len(encoded), len(body)), encoded, body)))
    stream.flush()


def receive_lengths(stream: BinaryIO) -> tuple[int, int]:
    """Read how many bytes the header and the body of the next message have; raises EOFError at the end."""
    header_bytes, body_bytes = _LENGTHS.unpack(receive(stream, _LENGTHS.size))
    return header_bytes, body_bytes


def receive(stream: BinaryIO, size: int) -> bytes:
    """Read so many bytes; raises EOFError where there are fewer."""
    data = stream.read(size)
    if len(data) < size:
        raise EOFError
    return data


def examine(data: bytes, limits: Limits) -> Answer:
    """Answer with what a catalog says of a picture."""
    from shelfwise.images.hashes import perceptual_hash  # scipy: half of a start, and only this task needs it

    picture = decode(data, limits=limits)
    return {
        "perceptual_hash": perceptual_hash(picture.pixels),
        "width": picture.width,
        "height": picture.height,
        "format": picture.format,
        "mode": picture.mode,
        "notes": picture.notes,
        "frames": picture.frames,
    }, b""


def squares(data: bytes, limits: Limits, views: list[dict[str, Any]]) -> Answer:
    """Answer with the squares that backbones look at, one after the other."""
    return {}, b"".join(prepare(data, Preprocessing(**view), limits).tobytes() for view in views)


_TASKS: dict[str, Callable[..., Answer]] = {"examine": examine, "squares": squares}


def answer(request: dict[str, Any], data: bytes) -> Answer:
    """Carry out a request; a picture that cannot be used is answered with code and detail."""
    try:
        return _TASKS[request["task"]](data, Limits(**request["limits"]), **request["parameters"])
    except ImageError as error:
        code, detail = error.code, error.detail
    except MemoryError:
        code, detail = "img_memory", "the decoder ran out of memory"
    except Exception as error:
        code, detail = "img_decoder_crash", f"the decoder failed: {type(error).__name__}: {error}"
    return {"code": code, "detail": detail[:DETAIL_LETTERS]}, b""


def serve(requests: BinaryIO, answers: BinaryIO) -> None:
    """Answer requests until there are no more."""
    while True:
        try:
            header_bytes, body_bytes = receive_lengths(requests)
            request = json.loads(receive(requests, header_bytes))
            data = receive(requests, body_bytes)
        except EOFError:
            return
        _end_in(request["limits"]["seconds"] + _GRACE_S)
        header, body = answer(request, data)
        _end_in(0)
        send(answers, header, body)


def _end_in(seconds: float) -> None:
    """Let the kernel end this process after some time; 0 calls that off."""
    signal.setitimer(signal.ITIMER_REAL, seconds)


def _limit_memory() -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        with open("/proc/self/statm", "rb") as file:  # noqa: PTH123 - before anything untrusted is read
            now = int(file.read().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (now + MEMORY_BYTES, now + MEMORY_BYTES))
    except (OSError, ValueError):  # macOS has neither /proc nor a limit that it keeps
        return


def main() -> None:
    """Take the standard streams for messages, so that nothing that a library prints gets between, and serve."""
    requests, answers = os.fdopen(os.dup(0), "rb", _PIPE_BYTES), os.fdopen(os.dup(1), "wb")
    nowhere = os.open(os.devnull, os.O_RDWR)
    _limit_memory()
    send(answers, {"ready": True})
    for stream in (0, 1, 2):
        os.dup2(nowhere, stream)
    serve(requests, answers)


if __name__ == "__main__":
    main()
