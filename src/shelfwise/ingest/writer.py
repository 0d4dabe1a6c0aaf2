"""Bring a source into a catalog: new products are added, changed ones replaced, unchanged ones left as they are."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from shelfwise.catalog import Catalog, Change, changing, refuse_busy, schema
from shelfwise.catalog.conflicts import label_conflicts
from shelfwise.catalog.counts import Counts, count
from shelfwise.engines import available_cores, map_ordered
from shelfwise.engines.decoders import Decoders
from shelfwise.errors import OptionError, SourceError, TaxonomyError
from shelfwise.files import disk_full, text_of
from shelfwise.ingest.decided import Decided
from shelfwise.ingest.known import KnownProducts
from shelfwise.ingest.photos import content_digest, image_row, place_of, read_photo
from shelfwise.ingest.records import Damage, ProductRecord, Source
from shelfwise.ingest.survey import Survey, survey
from shelfwise.ingest.tree import joined
from shelfwise.options import IngestOptions
from shelfwise.progress import SILENT, Advance, Progress
from shelfwise.taxonomy import Taxonomy

# A commit after so many products or bytes of photos: what a kill -9 can cost, and what is kept in memory.
_PRODUCTS_PER_COMMIT, _BYTES_PER_COMMIT = 8192, 64 * 2**20
# Room that a catalog takes over the photos themselves.
_OVERHEAD = 1.2


@dataclass(slots=True, kw_only=True)
class IngestSummary(Counts):
    """Counts of an import.

    Of the source: rows = added + updated + unchanged + quarantined_rows + duplicates. Of the catalog afterwards: what
    `Counts` holds. damage: parts of the source that could not be read. label_conflicts: pictures under several categories.
    Of updated products that a person had moved: kept_moves stay there, overruled_moves go where the source newly says.
    """

    catalog: str = ""
    rows: int = 0
    added: int = 0
    updated: int = 0
    unchanged: int = 0
    quarantined_rows: int = 0
    duplicates: int = 0
    kept_moves: int = 0
    overruled_moves: int = 0
    quarantined_rows_by_code: dict[str, int] = field(default_factory=dict)
    label_conflicts: int = 0
    ignored_files: int = 0
    damage: list[Damage] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)
    dry_run: bool = False

    def to_dict(self) -> dict[str, Any]:
        """Return the counts as JSON values."""
        return asdict(self)

    def exceeds(self, options: IngestOptions) -> str | None:
        """Say what is wrong enough for an exit code of its own; None where all is well."""
        if self.damage:
            return f"{len(self.damage)} damaged part{'s' if len(self.damage) > 1 else ''} of the source"
        for bad, total, what in (
            (self.quarantined_rows, self.rows, "rows"),
            (self.quarantined, self.photos, "photos"),
        ):
            if bad and options.strict:
                return f"{bad:,} {what} are quarantined, and --strict allows none"
            if bad * 100 > total * options.max_bad:
                return f"{bad / total:.1%} of the {what} are quarantined, more than --max-bad {options.max_bad:g}"
        return None


def ingest(
    source: Source, to: Path | str, options: IngestOptions | None = None, *, progress: Progress = SILENT
) -> IngestSummary:
    """Bring a source into the catalog `to`, which is made where there is none.

    All of it appears at once, or nothing does; stopped at any moment, the same call goes on where it was. Rows that
    cannot become products are quarantined, photos that cannot be used are rows with a reason.
    Raises SourceError for a source whose structure is broken or that has no rows, CatalogBusyError when another process
    is changing the catalog, DiskFullError when there is no room.
    """
    options, to = options or IngestOptions(), Path(to)
    _refuse_inside(source, to)
    refuse_busy(to)
    found = survey(source, progress)
    if not found.rows:
        raise SourceError(f"no rows: {source.path} holds no product; nothing was written")
    summary = IngestSummary(catalog=str(to), rows=found.rows, duplicates=found.duplicates, damage=found.damage)
    summary.quarantined_rows = len(found.bad_rows)
    summary.quarantined_rows_by_code = dict(Counter(bad.code for bad in found.bad_rows))
    summary.ignored_files, summary.facts, summary.dry_run = source.ignored_files, dict(source.facts), options.dry_run
    if options.dry_run:
        summary.products, summary.photos = found.products, found.photos
        summary.categories, summary.levels = len(source.taxonomy.leaves), source.taxonomy.depth
        return summary
    _require_room(to, 0 if options.in_place else found.size_bytes)
    key = json.dumps([source.kind, text_of(source.path.absolute()), options.in_place, found.digest])
    with changing(to, f"ingest {source.kind} {source.path.name}", key=key, wait_s=1.0) as change:
        change.replace_taxonomy(_both_trees(change, source, to))
        with progress.task(f"ingest {source.path.name}", found.products) as advance:
            _write_products(source, found, change, options, summary, key, advance)
        _write_quarantine(source, found, change)
        change.add_source({"kind": source.kind, "path": text_of(source.path.absolute())})
        after = change.so_far()
        summary.label_conflicts = len(label_conflicts(after))
        for name, value in asdict(count(after)).items():
            setattr(summary, name, value)
    return summary


def _refuse_inside(source: Source, to: Path) -> None:
    """A catalog among the photos would be a class folder to the next import."""
    if source.path.is_dir() and to.resolve().is_relative_to(source.path.resolve()):
        raise OptionError(f"--to {to} lies inside of {source.path}, where the next import would take it for photos")


def _both_trees(change: Change, source: Source, to: Path) -> Taxonomy:
    """Join the trees; ids mean the same only to sources of one kind."""
    try:
        may_rename = {before["kind"] for before in change.sources} <= {source.kind}
        return joined(change.taxonomy, source.taxonomy, may_rename=may_rename)
    except TaxonomyError as error:
        raise TaxonomyError(f"the categories of {source.path} do not fit those of {to}: {error}") from None


def _require_room(to: Path, size_bytes: int) -> None:
    """Raise DiskFullError where the photos that are not stored yet will not fit."""
    size_bytes -= sum(file.stat().st_size for file in (to / "images.lance" / "data").glob("*"))
    there = next(place for place in (to, *to.absolute().parents) if place.exists())
    disk = shutil.disk_usage(there)
    if disk.total and size_bytes * _OVERHEAD > disk.free:
        raise disk_full(to, round(size_bytes * _OVERHEAD))


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What became of a product: its rows, or None where the catalog holds it already."""

    record: ProductRecord
    fingerprint: bytes
    image_rows: list[dict[str, Any]] | None


def _write_products(
    source: Source,
    found: Survey,
    change: Change,
    options: IngestOptions,
    summary: IngestSummary,
    key: str,
    advance: Advance,
) -> None:
    base = KnownProducts(change.catalog)
    done = KnownProducts(change.so_far())  # with what an interrupted run of the same import has done
    decided = Decided(change.catalog)
    with Decoders() as decoders:

        def outcome(record: ProductRecord) -> _Outcome:
            photos = [read_photo(photo) for photo in record.photos]
            places = [place_of(photo) for photo in record.photos] if options.in_place else None
            fingerprint = content_digest(record, photos, places)
            if done.has(fingerprint):
                return _Outcome(record, fingerprint, None)
            rows = [
                image_row(record.product_id, position, photo, decoders, in_place=options.in_place)
                for position, photo in enumerate(photos)
            ]
            return _Outcome(record, fingerprint, rows)

        outcomes = map_ordered(outcome, found.accepted(source), available_cores())
        for batch in _batches(outcomes, advance):
            for product in batch:
                known = base.has_id(product.record.product_id)
                summary.added += not known
                unchanged = known and base.has(product.fingerprint)
                summary.unchanged += unchanged
                if not unchanged:
                    summary.kept_moves += decided.keeps(product.record)
                    summary.overruled_moves += decided.overruled(product.record)
            fresh = [product for product in batch if product.image_rows is not None]
            _commit(fresh, source.kind, done, decided, change, key)
    summary.updated = found.products - summary.added - summary.unchanged


def _batches(outcomes: Iterator[_Outcome], advance: Advance) -> Iterator[list[_Outcome]]:
    batch: list[_Outcome] = []
    size_bytes = 0
    for product in outcomes:
        batch.append(product)
        size_bytes += sum(len(row["bytes"]) for row in product.image_rows or () if row.get("bytes"))
        advance(1)
        if len(batch) >= _PRODUCTS_PER_COMMIT or size_bytes >= _BYTES_PER_COMMIT:
            yield batch
            batch, size_bytes = [], 0
    if batch:
        yield batch


def _commit(
    products: list[_Outcome], kind: str, done: KnownProducts, decided: Decided, change: Change, key: str
) -> None:
    if not products:
        return
    replaced = [p.record.product_id for p in products if done.has_id(p.record.product_id)]
    splits = _splits_of(change.so_far(), replaced)
    change.delete_products(replaced)
    change.append_images([decided.photo(row) for product in products for row in product.image_rows or ()])
    change.append_products([_product_row(product, kind, splits, decided) for product in products])
    change.keep(key)


def _splits_of(catalog: Catalog, product_ids: list[str]) -> dict[str, str | None]:
    """Return the splits of products: `shelfwise split` may have set them, and a source that says nothing leaves them."""
    if not product_ids:
        return {}
    table = catalog.products(["product_id", "split"])
    table = table.filter(pc.is_in(table.column("product_id"), pa.array(product_ids)))
    return dict(zip(table.column("product_id").to_pylist(), table.column("split").to_pylist(), strict=True))


def _product_row(product: _Outcome, kind: str, splits: dict[str, str | None], decided: Decided) -> dict[str, Any]:
    record = product.record
    return {
        "product_id": record.product_id,
        "title": record.title,
        "description": record.description,
        "category": decided.category(record),
        "attributes": list(record.attributes),
        "group": record.group,
        "split": record.split if record.split is not None else splits.get(record.product_id),
        "quality": None,
        "source": kind,
        "fingerprint": product.fingerprint,
    }


def _write_quarantine(source: Source, found: Survey, change: Change) -> None:
    """Put the bad rows of this source in the place of those of an earlier run; another source's stay."""
    path = text_of(source.path.absolute())
    now = datetime.now(UTC).replace(microsecond=0)
    rows = [
        {"id": bad.product_id, "source": path, "place": bad.where, "stage": "row", "code": bad.code,
         "detail": bad.detail, "text": bad.text, "sha256": None, "time": now}
        for bad in found.bad_rows
    ]  # fmt: skip
    before = change.so_far().quarantine()
    others = before.filter(pc.not_equal(before.column("source"), path))
    ours = before.filter(pc.equal(before.column("source"), path)).drop_columns(["time"])
    fresh = pa.Table.from_pylist(rows, schema.QUARANTINE)
    if fresh.drop_columns(["time"]).to_pylist() != ours.to_pylist():
        change.replace_quarantine(pa.concat_tables([others, fresh]))
