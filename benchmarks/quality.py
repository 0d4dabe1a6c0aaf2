"""Photo quality beside cleanvision: time on the Grocery photos, what both flag, and what both find of planted faults.

Both sides read the same JPEG files with as many workers as there are cores: threads here, processes there. cleanvision is not
among the development packages: type  pip install cleanvision==0.3.7  to run this. Its `odd_size` is relative to the other
photos, so the planted ones are judged among untouched ones.
"""

from __future__ import annotations

import csv
import io
import json
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageFilter

import harness

OURS, THEIRS = "shelfwise", "cleanvision"
# Our kinds, and the issue types of cleanvision that say the same.
ISSUES = {
    "blurred": "blurry", "dark": "dark", "bright": "light", "low_information": "low_information",
    "odd_aspect": "odd_aspect_ratio", "tiny": "odd_size",
}  # fmt: skip
PLANTED_EACH, UNTOUCHED = 150, 600
Flags = dict[str, np.ndarray]


def grocery(quick: bool) -> list[Path]:
    dataset = harness.DATA / "grocery" / "dataset"
    natural = [
        dataset / line.partition(",")[0] for split in ("train", "val", "test")
        for line in (dataset / f"{split}.txt").read_text().splitlines() if line
    ]  # fmt: skip
    paths = natural + sorted((dataset / "iconic-images-and-descriptions").rglob("*.jpg"))
    return paths[::20] if quick else paths


def ccp() -> list[Path]:
    folder = harness.DATA / "ccp"
    with (folder / "tags.csv").open() as file:
        return [folder / row["image"] for row in csv.DictReader(file)]


def by_shelfwise(paths: list[Path]) -> Flags:
    from shelfwise.audit.quality import CHECKS
    from shelfwise.engines import available_cores, map_ordered
    from shelfwise.images.measures import NAMES, measure

    parts = (paths[start : start + 8] for start in range(0, len(paths), 8))  # as audit.measures does
    measured = map_ordered(lambda part: [measure(path.read_bytes()) for path in part], parts, available_cores())
    values = np.stack([value for part in measured for value in part])
    return {check.kind: values[:, NAMES.index(check.measure)] < check.threshold for check in CHECKS}


def by_cleanvision(paths: list[Path]) -> Flags:
    from cleanvision import Imagelab

    lab = Imagelab(filepaths=[str(path) for path in paths], verbose=False)
    cores = harness.machine()["cores"]
    lab.find_issues({issue: {} for issue in ISSUES.values()}, n_jobs=cores, verbose=False)
    found = lab.issues.loc[[str(path) for path in paths]]
    return {kind: found[f"is_{issue}_issue"].to_numpy() for kind, issue in ISSUES.items()}


FLAGGERS = {OURS: by_shelfwise, THEIRS: by_cleanvision}


def side(name: str, quick: bool) -> harness.Turn:
    paths = grocery(quick)
    FLAGGERS[name](paths[:16])

    def turn() -> dict[str, Any]:
        flags = FLAGGERS[name](paths)
        return {"photos": len(paths)} | {kind: int(found.sum()) for kind, found in flags.items()}

    return turn


def poor_copies(path: Path, rng: np.random.Generator) -> dict[str, tuple[str, Image.Image]]:
    """Degrade a photo: by name, the kind that it should be found as, and the picture. Pixels of blur are of 256 a side."""
    image = Image.open(path).convert("RGB")
    width, height = image.size
    unit = max(width, height) / 256
    small = image.resize(
        (max(1, round(64 * width / max(width, height))), max(1, round(64 * height / max(width, height))))
    )
    light = (np.asarray(image) / 255) ** 2.2
    over = [Image.fromarray(((light * gain).clip(0, 1) ** (1 / 2.2) * 255).astype(np.uint8)) for gain in (4, 8)]
    banded = Image.new("RGB", (width, round(height * 1.3)), tuple(int(level) for level in rng.integers(0, 200, 3)))
    banded.paste(image, (0, round(height * 0.15)))
    return {
        **{
            f"blurred, Gaussian of {s:g} px": ("blurred", image.filter(ImageFilter.GaussianBlur(s * unit)))
            for s in (1, 1.5, 2, 4)
        },
        "blurred, 9 px of motion": ("blurred", moved(image, 9 * unit, float(rng.uniform(0, np.pi)))),
        "blurred, enlarged from 64 px": ("blurred", small.resize((width, height), Image.Resampling.BICUBIC)),
        "dark, 15 % of the luma": ("dark", image.point(lambda level: level * 0.15)),
        "bright, two stops over": ("bright", over[0]),
        "bright, three stops over": ("bright", over[1]),
        "empty, one color and noise": (
            "low_information",
            Image.fromarray(rng.normal(rng.integers(20, 235, 3), 0.5, (height, width, 3)).clip(0, 255).astype(np.uint8)),
        ),
        "stretched four times": ("odd_aspect", image.resize((width * 2, height // 2 * width // height))),
        "tiny, 64 px": ("tiny", small),
        "bands of any color above and below": ("framed", banded),
    }  # fmt: skip


def moved(image: Image.Image, length_px: float, angle: float) -> Image.Image:
    """Blur along a line by averaging shifted copies."""
    steps = np.linspace(-length_px / 2, length_px / 2, 25)
    shifts = [(1, 0, step * np.cos(angle), 0, 1, step * np.sin(angle)) for step in steps]
    width, height = image.size
    edge = round(length_px) + 1
    copies = [image.transform(image.size, Image.Transform.AFFINE, s, Image.Resampling.BICUBIC) for s in shifts]
    mean = np.mean([np.asarray(copy, np.float32) for copy in copies], axis=0)
    return Image.fromarray(mean.round().astype(np.uint8)).crop((edge, edge, width - edge, height - edge))


def planted(quick: bool, folder: Path) -> tuple[list[Path], dict[str, tuple[str, list[Path]]]]:
    """Write poor copies of photos that no threshold was chosen on (test); return untouched ones, and the copies by name."""
    test = [path for path in grocery(False) if "test" in path.relative_to(harness.DATA).parts]
    rng = np.random.default_rng(4)
    order, each = rng.permutation(len(test)), 10 if quick else PLANTED_EACH
    copies: dict[str, tuple[str, list[Path]]] = {}
    for number in order[:each]:
        for place, (name, (kind, image)) in enumerate(poor_copies(test[number], rng).items()):
            file = io.BytesIO()
            image.save(file, "JPEG", quality=90)
            path = folder / f"{number}-{place}.jpg"
            path.write_bytes(file.getvalue())
            copies.setdefault(name, (kind, []))[1].append(path)
    return [test[number] for number in order[each : each + (60 if quick else UNTOUCHED)]], copies


def recall_table(quick: bool) -> list[list[str]]:
    with tempfile.TemporaryDirectory(prefix="poor-") as folder:
        untouched, copies = planted(quick, Path(folder))
        paths = untouched + [path for _, group in copies.values() for path in group]
        flags = {name: flagger(paths) for name, flagger in FLAGGERS.items()}
    rows = [["planted", "photos", *(f"{name}: found, of untouched" for name in FLAGGERS)]]
    start = len(untouched)
    for planted_name, (kind, group) in copies.items():
        row = [planted_name, str(len(group))]
        for found in flags.values():
            cell = "not looked for"
            if kind in found:
                cell = (
                    f"{found[kind][start : start + len(group)].mean():.1%}, {found[kind][: len(untouched)].mean():.1%}"
                )
            row.append(cell)
        rows.append(row)
        start += len(group)
    return rows


def agreement_table(quick: bool) -> list[list[str]]:
    sets = {"Grocery, natural": [p for p in grocery(quick) if "iconic" not in str(p)],
            "Grocery, iconic (on white)": [p for p in grocery(quick) if "iconic" in str(p)],
            "clothing (CCP)": ccp()[:: 20 if quick else 1]}  # fmt: skip
    rows = [["photos of", "kind", "photos", "both", f"{OURS} alone", f"{THEIRS} alone"]]
    for name, paths in sets.items():
        ours, theirs = by_shelfwise(paths), by_cleanvision(paths)
        for kind, found in ours.items():
            other = theirs.get(kind, np.zeros(len(paths), bool))
            counts = [(found & other).sum(), (found & ~other).sum(), (other & ~found).sum()]
            rows.append([name, kind, f"{len(paths):,}", *map(str, counts)])
    return rows


def append(tables: dict[str, list[list[str]]], quick: bool) -> None:
    """Put tables below those that the harness wrote."""
    stem = harness.RESULTS / ("quality-quick" if quick else "quality")
    values = json.loads(stem.with_suffix(".json").read_text())
    stem.with_suffix(".json").write_text(json.dumps(values | {"tables": tables}, indent=1) + "\n")
    page = ""
    for title, (head, *body) in tables.items():
        lines = [head, ["---"] * len(head), *body]
        page += f"\n## {title}\n\n" + "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"
    with stem.with_suffix(".md").open("a") as file:
        file.write(page)
    print(page)


def main() -> None:
    options = harness.arguments(__doc__)
    try:
        import cleanvision  # noqa: F401
    except ImportError:
        sys.exit("quality.py: cleanvision is not installed: type  pip install cleanvision==0.3.7")
    sides = {name: partial(side, name, options.quick) for name in FLAGGERS}
    if options.side:
        harness.serve(sides[options.side])
        return
    on = harness.machine()
    done = harness.alternate(__file__, list(sides), options, options.turns or 3)
    ratios = [harness.ratio("measuring, over cleanvision with six of its issue types", done[THEIRS], done[OURS], 3)]
    notes = [
        "Ours also measures bands and sixteen-bar histograms of luma and the three channels in that time.",
        "cleanvision's peak memory is that of its main process alone.",
    ]
    harness.write("quality", "Photo quality", list(done.values()), ratios, notes, on=on, quick=options.quick)
    tables = {
        "Planted in Grocery's test photos": recall_table(options.quick),
        "Flagged among real photos": agreement_table(options.quick),
    }
    append(tables, options.quick)


if __name__ == "__main__":
    main()
