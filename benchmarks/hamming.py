"""All pairs of 64-bit hashes within 4 bits: beside imagededup and FAISS, at 50,000 and 1,000,000 hashes.

Hashes are random, one in five with planted near-duplicates; and perceptual hashes of Grocery's photos, each many times
with up to 16 bits changed, which are as uneven as real ones are. All are distinct, so that every side has the same pairs
to find. A side that would take hours answers for a sample of the hashes, each compared with all; its seconds for all are
then projected in proportion. That the sides agree is checked on the hashes for which all of them answer.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

import harness

RADIUS = 4
OURS, FLAT, MULTI, HASH, IMAGEDEDUP = "shelfwise", "FAISS Flat", "FAISS MultiHash", "FAISS Hash", "imagededup"
# What comes before the search, however many are asked for.
BUILD, CPU_BUILD = "seconds to build", "processor seconds to build"
FOLDER = "SHELFWISE_BENCHMARK_FOLDER"
MODULE = {OURS: "shelfwise", FLAT: "faiss", MULTI: "faiss", HASH: "faiss", IMAGEDEDUP: "imagededup"}


@dataclass(frozen=True)
class Work:
    """One side's work: which hashes, and of how many of them it says what is close to them."""

    side: str
    kind: str
    n: int
    asked: int

    def __str__(self) -> str:
        return f"{self.side}, {self.n:,} {self.kind}"

    @property
    def file(self) -> Path:
        return Path(os.environ[FOLDER], f"{self.kind}-{self.n}.npy")


def works(quick: bool) -> list[Work]:
    few, many = (5_000, 50_000) if quick else (50_000, 1_000_000)
    part = {FLAT: 4_000, MULTI: 50_000, HASH: 50_000}  # of the many, how many are asked for
    some = [2_000, 400] if quick else [1_000, 200]  # hashes of which imagededup answers
    sets = [("random", few), ("random", many), ("real", few), ("real", many)]
    done = [Work(side, kind, n, min(n, part.get(side, n)) if n == many else n)
            for side in (OURS, FLAT, MULTI, HASH) for kind, n in sets]  # fmt: skip
    return [*done, Work(OURS, "random", many // 10, many // 10),
            Work(IMAGEDEDUP, "random", few, some[0]), Work(IMAGEDEDUP, "random", many, some[1])]  # fmt: skip


def changed(rng: np.random.Generator, hashes: np.ndarray, most: int) -> np.ndarray:
    """Change up to so many bits of each hash."""
    hashes, bits = hashes.copy(), rng.integers(0, most + 1, len(hashes))
    for flip in range(most):
        bit = np.uint64(1) << rng.integers(0, 64, len(hashes), dtype=np.uint64)
        hashes ^= np.where(flip < bits, bit, np.uint64(0))
    return hashes


def random_hashes(n: int) -> np.ndarray:
    rng = np.random.default_rng(n)
    hashes = rng.integers(0, 2**64, 2 * n, dtype=np.uint64)
    hashes = np.concatenate((hashes[: n - n // 10], changed(rng, hashes[: n // 5], RADIUS)))
    return rng.permutation(np.unique(hashes))[:n]


def real_hashes(n: int, photographed: np.ndarray) -> np.ndarray:
    rng = np.random.default_rng(n)
    hashes = changed(rng, np.resize(photographed, n * 3 // 2), 16)
    return rng.permutation(np.unique(hashes))[:n]


def grocery_hashes() -> np.ndarray:
    from shelfwise.images.decode import decode
    from shelfwise.images.hashes import perceptual_hash

    photos = sorted((harness.DATA / "grocery").rglob("*.jpg"))
    return np.array([perceptual_hash(decode(photo.read_bytes()).pixels) for photo in photos], dtype=np.uint64)


Found = tuple[np.ndarray, np.ndarray]
# Build what is searched; search it.
Steps = tuple[Callable[[], Any], Callable[[Any], Found]]


def ours(hashes: np.ndarray, _asked: int) -> Steps:
    from shelfwise.index.hamming import pairs_within

    def find(_: None) -> Found:
        i, j = pairs_within(hashes, RADIUS)
        return np.concatenate((i, j)), np.concatenate((j, i))

    return lambda: None, find


def faiss_side(side: str, hashes: np.ndarray, asked: int) -> Steps:
    import faiss

    codes = hashes.view(np.uint8).reshape(-1, 8)

    def build() -> Any:
        index = {
            FLAT: lambda: faiss.IndexBinaryFlat(64),
            MULTI: lambda: faiss.IndexBinaryMultiHash(64, 4, 16),
            HASH: lambda: faiss.IndexBinaryHash(64, 16),
        }[side]()
        if side != FLAT:
            index.nflip = (
                1  # of four keys of 16 bits, one has at most one changed: complete; the one key of Hash is not
            )
        index.add(codes)
        return index

    def find(index: Any) -> Found:
        ends, _, partner = index.range_search(codes[:asked], RADIUS + 1)  # fewer bits than that
        return np.repeat(np.arange(asked), np.diff(ends.astype(np.int64))), partner

    return build, find


def imagededup_side(hashes: np.ndarray, asked: int) -> Steps:
    from imagededup.handlers.search.retrieval import HashEval
    from imagededup.methods import PHash

    names = {str(place): f"{value:016x}" for place, value in enumerate(hashes.tolist())}
    queries = dict(list(names.items())[:asked])

    def find(_: None) -> Found:
        """What PHash().find_duplicates does with an encoding map and its fastest search, for those that are asked for."""
        search = HashEval(names, queries, PHash.hamming_distance, verbose=False, threshold=RADIUS,
                          search_method="brute_force_cython")  # fmt: skip
        found = [(int(name), int(near)) for name, close in search.retrieve_results().items() for near in close]
        i, j = np.array(found, dtype=np.int64).reshape(-1, 2).T
        return i, j

    return lambda: None, find


def prepare(work: Work) -> harness.Turn:
    hashes = np.load(work.file)
    kinds = {OURS: ours, IMAGEDEDUP: imagededup_side}
    build, find = kinds.get(work.side, partial(faiss_side, work.side))(hashes, work.asked)
    reset_peak()
    before_mib = peak_mib()

    def turn() -> dict[str, Any]:
        cpu, started = harness.cpu_seconds(), time.perf_counter()
        index = build()
        seconds, cpu = time.perf_counter() - started, harness.cpu_seconds() - cpu
        i, j = find(index)
        return {
            BUILD: seconds, CPU_BUILD: cpu, "asked": work.asked, "memory taken, MiB": peak_mib() - before_mib,
            "pairs": int(((i < j) & (i < work.asked)).sum()), "digest": digest(i, j, work),
        }  # fmt: skip

    return turn


def reset_peak() -> None:
    """Forget how much memory this process had at most (Linux)."""
    Path("/proc/self/clear_refs").write_text("5")


def peak_mib() -> float:
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def digest(i: np.ndarray, j: np.ndarray, work: Work) -> str:
    """Sum up what is close to the first hashes, those for which every side answers."""
    few = min(w.asked for w in works("--quick" in sys.argv) if (w.kind, w.n) == (work.kind, work.n))
    of_few = (i < few) & (i != j)
    i, j = i[of_few], j[of_few]
    order = np.lexsort((j, i))
    return hashlib.sha256(np.stack((i[order], j[order])).astype(np.int64).tobytes()).hexdigest()[:8]


def run(options: Any) -> dict[str, harness.Side]:
    here = [work for work in works(options.quick) if importlib.util.find_spec(MODULE[work.side])]
    photographed = grocery_hashes()
    made = {"random": random_hashes, "real": partial(real_hashes, photographed=photographed)}
    with tempfile.TemporaryDirectory(prefix="shelfwise-hashes-") as folder:
        os.environ[FOLDER] = folder
        for work in {work.file: work for work in here}.values():
            np.save(work.file, made[work.kind](work.n))
        done: dict[str, harness.Side] = {}
        for several in (True, False):  # one turn of imagededup is long enough
            names = [str(work) for work in here if (work.side != IMAGEDEDUP) == several]
            done |= harness.alternate(__file__, names, options, (options.turns or 3) if several else 1)
    return done


def for_all(work: Work, side: harness.Side) -> tuple[float, float]:
    """Project wall and processor seconds to all hashes."""
    build, cpu_build = side.facts[BUILD], side.facts[CPU_BUILD]
    times = work.n / work.asked
    return build + (side.median_s - build) * times, cpu_build + (side.median_cpu_s - cpu_build) * times


def compared(done: dict[str, harness.Side], quick: bool) -> list[harness.Ratio]:
    goal, ratios = {IMAGEDEDUP: 100.0, FLAT: 20.0, MULTI: 20.0}, []
    for work in works(quick):
        side, our = done.get(str(work)), done[str(Work(OURS, work.kind, work.n, work.n))]
        if side and work.side in goal:
            seconds, cpu_seconds = for_all(work, side)
            times, by_cpu = seconds / our.median_s, cpu_seconds / our.median_cpu_s
            ratios.append(harness.Ratio(f"over {work}", times, goal[work.side], by_cpu))
    return ratios


def notes(done: dict[str, harness.Side], quick: bool) -> list[str]:
    projected = [f"{work}: {for_all(work, done[str(work)])[0]:,.0f} s ({for_all(work, done[str(work)])[1]:,.0f} of the "
                 f"processor) from {work.asked:,}"
                 for work in works(quick) if work.asked < work.n and str(work) in done]  # fmt: skip
    said = [
        "Where fewer hashes are asked for than there are, each is compared with all of them, and the ratios are those of "
        f"seconds projected to all in proportion, without the time to build. Projected: {'; '.join(projected)}."
    ]
    absent = sorted({work.side for work in works(quick) if str(work) not in done})
    said += [f"Not installed here, so not compared: {', '.join(absent)}."] if absent else []
    for kind, n in dict.fromkeys((work.kind, work.n) for work in works(quick)):
        sides = [work for work in works(quick) if (work.kind, work.n) == (kind, n) and str(work) in done]
        answers = {work.side: done[str(work)].facts["digest"] for work in sides}
        other = [side for side, answer in answers.items() if answer != answers[OURS]]
        agreeing = [side for side in answers if side not in other]
        few = min(work.asked for work in works(quick) if (work.kind, work.n) == (kind, n))
        line = f"{n:,} {kind}: the same pairs, for the first {few:,} hashes: {', '.join(agreeing)}"
        said.append(f"{line}; other pairs: {', '.join(other)}." if other else f"{line}.")
    said.append("imagededup searches with brute_force_cython, its fastest: on 5,000 hashes 2.9 s, its BK-tree 20.8 s.")
    said.append("FAISS MultiHash has 4 keys of 16 bits, each looked up with one bit changed, and is complete; FAISS Hash "
                "has one key, the first 16 bits with one changed, and leaves out pairs.")  # fmt: skip
    return said


def main() -> None:
    options = harness.arguments(__doc__)
    if options.side:
        harness.serve(partial(prepare, next(work for work in works(options.quick) if str(work) == options.side)))
        return
    on = harness.machine()
    done = run(options)
    harness.write("hamming", f"All pairs of hashes within {RADIUS} bits", list(done.values()),
                  compared(done, options.quick), notes(done, options.quick), on=on, quick=options.quick)  # fmt: skip


if __name__ == "__main__":
    main()
