"""What a catalog holds, whatever its files are, and what should not lie in it."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import numpy as np


def logical_digest(catalog: Path) -> str:
    """Digest what a catalog says, whatever its files are: products, images with their bytes, quarantine, tree, vectors."""
    from shelfwise.catalog import Catalog

    opened = Catalog(catalog)
    products = [row | {"fingerprint": None} for row in opened.products().to_pylist()]
    columns = ["image_id", "product_id", "position", "sha256", "perceptual_hash", "width", "height", "status", "bytes"]
    images = opened.images(columns).to_pylist()
    for row in images:
        row["bytes"] = row["bytes"] and hashlib.sha256(row["bytes"]).hexdigest()
        row["sha256"] = row["sha256"] and row["sha256"].hex()
    quarantine = [row | {"time": None} for row in opened.quarantine().to_pylist()]
    vectors = {}
    for key in opened.description.embeddings:
        digests = opened.embedded_pictures(key.removeprefix("embeddings__")).to_pylist()
        rows = opened.embedding_rows(key.removeprefix("embeddings__"), np.arange(len(digests)))
        vectors[key] = sorted((digest.hex(), row.tobytes().hex()) for digest, row in zip(digests, rows, strict=True))
    said = {
        "products": sorted(products, key=lambda row: row["product_id"]),
        "images": sorted(images, key=lambda row: row["image_id"]),
        "quarantine": quarantine,
        "taxonomy": sorted(opened.taxonomy.table().to_pylist(), key=lambda row: row["id"]),
        "levels": opened.taxonomy.level_names,
        "vectors": vectors,
        "embedded": opened.description.embedded,
    }
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


_HINT = "_versions/latest_version_hint.json"
_AT_REST = {".locks", "catalog.json", "checksums", "history"}


def untidy(catalog: Path) -> list[str]:
    """List what should not lie in a catalog that nobody is changing, and checksums that are wrong or of nothing."""
    found = [str(path) for path in catalog.parent.rglob("*") if path.name.endswith(".part")]
    found += [str(p) for p in catalog.iterdir() if p.name not in _AT_REST and not p.name.endswith(".lance")]
    for table in catalog.glob("*.lance"):
        stored = json.loads((catalog / "checksums" / f"{table.stem}.json").read_text())["files"]
        lying = {p.relative_to(table).as_posix(): p for p in table.rglob("*") if p.is_file()}
        lying.pop(_HINT, None)
        found += [f"unknown: {lying[name]}" for name in sorted(set(lying) - set(stored))]
        found += [f"gone: {table / name}" for name in sorted(set(stored) - set(lying))]
        for name in set(lying) & set(stored):
            if hashlib.sha256(lying[name].read_bytes()).hexdigest() != stored[name]:
                found.append(f"checksum: {lying[name]}")
    return found


def acknowledged(catalog: Path) -> int:
    """Count the products that an interrupted import has put away for good."""
    import lance

    pending = catalog / "pending.json"
    if not pending.exists():
        return 0
    version = json.loads(pending.read_text())["tables"]["products"]
    return int(lance.dataset(str(catalog / "products.lance"), version=version).count_rows())


def copied(catalog: Path, to: Path) -> Path:
    """Copy a catalog over what lies there, or make sure that nothing does."""
    shutil.rmtree(to, ignore_errors=True)
    if catalog.exists():
        shutil.copytree(catalog, to)
    return to
