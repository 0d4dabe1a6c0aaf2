"""Products of 1 to 4 photos: accuracy by the way their photos are pooled and by their number, and what a missing photo costs.

Grocery's photos of one category and split are bound into products of 1 to 4, in the order of the listing (photos of one item
were taken one after the other) or by chance; the official test photos only with each other. Learned from train; the pool is
chosen on products of train that are left out with their look-alikes. The test split is looked at once, for the table.

    python benchmarks/products.py [--quick]
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

import harness
from shelfwise.backbones.products import ProductFeatures, embedded_layout, read_products
from shelfwise.catalog import Catalog
from shelfwise.classifiers.pools import KINDS
from shelfwise.columns import Columns
from shelfwise.embed import embed
from shelfwise.ingest import GrocerySource, ingest
from shelfwise.metrics.intervals import Proportion, wilson_interval
from shelfwise.options import EmbedOptions
from shelfwise.train.heads.ridge import learn_ridge
from shelfwise.train.learned import LearnedMember
from shelfwise.train.photos.pooling import learn_member
from shelfwise.train.rows import group_products
from shelfwise.train.trees.hierarchies import learn_hierarchy

DATA = Path(__file__).parent / "data"
MOST = 4
AUTO = "auto"


@dataclass(frozen=True)
class Shop:
    """The products of each split, bound in one of the two ways."""

    train: ProductFeatures
    val: ProductFeatures
    test: ProductFeatures
    columns: Columns

    @cached_property
    def members(self) -> dict[str, LearnedMember]:
        """A ridge head for every pool, and the one that is chosen."""
        column = self.columns.of(self.train.categories)
        groups = group_products(self.train, column)

        def learn(kind: str) -> LearnedMember:
            return learn_member(
                self.train, column, self.columns, groups, kind,
                lambda rows: learn_hierarchy("flat", rows, self.columns, learn_ridge), "ridge",
            )  # fmt: skip

        return {kind: learn(kind) for kind in (*KINDS, AUTO)}

    def right(self, kind: str, data: ProductFeatures) -> np.ndarray:
        """Tell which products are answered right."""
        said = self.members[kind].member.log_probabilities(data.photos, data.product, len(data))
        return said.argmax(axis=1) == self.columns.of(data.categories)

    def by_chance(self, seed: int) -> Shop:
        """Deal the photos of every category out again among its products, which keep their numbers of photos."""
        rng = np.random.default_rng(seed)
        return Shop(*(dealt(data, rng) for data in (self.train, self.val, self.test)), self.columns)


def dealt(data: ProductFeatures, rng: np.random.Generator) -> ProductFeatures:
    order = np.arange(len(data.product))
    for category in np.unique(data.categories):
        own = np.flatnonzero(data.categories[data.product] == category)
        order[own] = rng.permutation(own)
    return replace(data, photos=data.photos[order], picture=data.picture[order])


def with_first(data: ProductFeatures, photos: int) -> ProductFeatures:
    """Return the products that have all MOST photos with the first so many of them: the others are missing."""
    full = data.take(np.flatnonzero(np.bincount(data.product) == MOST))
    kept = np.arange(len(full.product)) % MOST < photos
    return replace(full, photos=full.photos[kept], product=full.product[kept], picture=full.picture[kept])


def bound_catalog() -> Catalog:
    """Import and embed the products, where that was not done before; vectors of the same photos are taken over."""
    path, single = DATA / "grocery-products.catalog", DATA / "grocery.catalog"
    if not path.exists():
        ingest(GrocerySource(harness.DATA / "grocery", photos_per_product=MOST), path)
        if single.exists():
            take_vectors(Catalog(single), Catalog(path))
    embed(path, EmbedOptions())
    return Catalog(path)


def take_vectors(source: Catalog, target: Catalog) -> None:
    for spec in embedded_layout(source).specs:
        pictures = source.embedded_pictures(spec.key).to_pylist()
        target.append_embeddings(spec.key, pictures, source.embedding_rows(spec.key, np.arange(len(pictures))))


def shop_of(catalog: Catalog, step: int) -> Shop:
    layout = embedded_layout(catalog)
    splits = (read_products(catalog, layout, [split]) for split in ("train", "val", "test"))
    train, val, test = (data.take(np.arange(0, len(data), step)) for data in splits)
    known = set(train.categories)
    columns = Columns(tuple(c for c in catalog.taxonomy.nodes_in_order if c in known), catalog.taxonomy)
    return Shop(train, val, test, columns)


def figures_of(shop: Shop) -> dict[str, Any]:
    """Compute every number of the tables for one way to bind."""
    tried, count = shop.members[AUTO].facts["pools"], np.bincount(shop.test.product)
    alone = ProductFeatures(
        shop.test.product_ids[shop.test.product], shop.test.categories[shop.test.product], shop.test.photos,
        np.arange(len(shop.test.product)), shop.test.picture, shop.test.first_image[shop.test.product], 0, 0,
    )  # fmt: skip
    rows = {}
    for kind in KINDS:
        right, photo_right = shop.right(kind, shop.test), shop.right(kind, alone)
        rows[kind] = {
            "held_out": tried[kind], "val": share(shop.right(kind, shop.val)), "test": share(right),
            "by_count": {n: share(right[count == n]) for n in range(1, MOST + 1)}, "photos_alone": share(photo_right),
            "alone_by_count": {n: share(photo_right[count[shop.test.product] == n]) for n in range(1, MOST + 1)},
            "missing": {n: share(shop.right(kind, with_first(shop.test, n))) for n in range(1, MOST + 1)},
            "against_mean": paired(right, shop.right("mean", shop.test)),
        }  # fmt: skip
    products = {name: len(data) for name, data in vars(shop).items() if isinstance(data, ProductFeatures)}
    return {"products": products, "chosen": shop.members[AUTO].member.pool.kind, "pools": rows,
            "gate": shop.members["gate"].facts["gate"]}  # fmt: skip


def share(right: np.ndarray) -> dict[str, float]:
    """Return a share with Wilson's interval."""
    found = Proportion(float(right.mean()), len(right))
    low, high = wilson_interval(found)
    return {"value": found.value, "low": low, "high": high, "n": found.n}


def paired(right: np.ndarray, other: np.ndarray) -> dict[str, float]:
    """Count what only one of two gets right, with McNemar's exact test."""
    from scipy.stats import binomtest

    won, lost = int((right & ~other).sum()), int((other & ~right).sum())
    return {"won": won, "lost": lost, "p": float(binomtest(won, won + lost).pvalue) if won + lost else 1.0}


def page(results: dict[str, Any], on: dict[str, Any], quick: bool) -> str:
    lines = [
        "# Products of 1 to 4 photos", "",
        f"`python benchmarks/products.py{' --quick' if quick else ''}`, {date.today().isoformat()}. Ridge heads on the "
        f"default backbones{', a third of the products' if quick else ''}; 95 % intervals (Wilson).",
        f"Machine: {on['cpu']}, {on['cores']} cores, {on['system']}.", "",
    ]  # fmt: skip
    figure = f"products{'-quick' if quick else ''}.png"
    lines += [f"![Accuracy by pool and number of photos]({figure})", ""]
    for binding, found in results.items():
        p, pools = found["products"], found["pools"]
        lines += [f"## Photos bound {binding}: {p['train']:,} train, {p['val']:,} val, {p['test']:,} test products", ""]
        heads = ("pool", "log-loss held out", "top-1 held out", "val", "test", "won / lost against mean", "p")
        lines += [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
        for kind, row in pools.items():
            name, mean = f"**{kind}**" if kind == found["chosen"] else kind, row["against_mean"]
            lines.append(
                f"| {name} | {row['held_out']['log_loss']:.3f} | {row['held_out']['top1']:.1%} | {shown(row['val'])} | "
                f"{shown(row['test'])} | {mean['won']} / {mean['lost']} | {mean['p']:.2g} |"
            )
        lines += [
            "",
            "Bold: taken by `--pool auto`: scores, unless train products held out with look-alikes say otherwise beyond chance.",
            "",
        ]
        lines += table("Test products by their number of photos", pools, "by_count")
        lines += table("Their photos, each answered alone", pools, "alone_by_count", "photos_alone")
        lines += table(f"Test products of {MOST} photos of which only the first so many are there", pools, "missing")
    return "\n".join(lines)


def table(title: str, pools: dict[str, Any], key: str, total: str = "") -> list[str]:
    first = next(iter(pools.values()))[key]
    heads = [f"{n} ({of_n['n']:,})" for n, of_n in first.items()]
    rows = [
        f"| {kind} | {' | '.join(map(alone if total else shown, [*row[key].values(), *([row[total]] if total else [])]))} |"
        for kind, row in pools.items()
    ]
    heads += ["all"] if total else []
    return [f"{title}:", "", f"| pool | {' | '.join(heads)} |", "|---" * (len(heads) + 1) + "|", *rows, ""]


def alone(found: dict[str, float]) -> str:
    """Show a share of photos: those of one product are not independent, so Wilson's interval would be too narrow."""
    return f"{found['value']:.1%}"


def shown(found: dict[str, float]) -> str:
    return f"{found['value']:.1%} ({found['low']:.1%} - {found['high']:.1%})"


def draw(results: dict[str, Any], path: Path) -> None:
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    panels = [(binding, "by_count", "photos of the product") for binding in results]
    panels.append((next(iter(results)), "missing", f"photos left of {MOST}"))
    figure, axes = plt.subplots(1, len(panels), figsize=(4.6 * len(panels), 4.2), sharey=True, layout="constrained")
    for axis, (binding, key, label) in zip(axes, panels, strict=True):
        for place, (kind, row) in enumerate(results[binding]["pools"].items()):
            counts = np.array(list(row[key]))
            value, low, high = (
                np.array([100 * found[of] for found in row[key].values()]) for of in ("value", "low", "high")
            )
            axis.errorbar(
                counts + 0.07 * (place - 2), value, [value - low, high - value], marker="o", markersize=4, lw=1.4,
                elinewidth=0.8, label=kind, color=f"C{place}",
            )  # fmt: skip
        if key == "by_count":
            single = results[binding]["pools"]["scores"]["alone_by_count"]
            axis.plot(
                counts,
                [100 * found["value"] for found in single.values()],
                "--",
                color="0.45",
                lw=1.2,
                label="photos alone",
            )
        axis.set(
            title=f"bound {binding}" if key == "by_count" else f"missing photos, bound {binding}",
            xlabel=label,
            xticks=counts,
        )
        axis.grid(axis="y", alpha=0.3)
    axes[0].set_ylabel("test products right, %")
    axes[0].legend(frameon=False, fontsize=9)
    figure.savefig(path, dpi=130)


def main() -> None:
    options = harness.arguments(__doc__)
    on = harness.machine()
    shop = shop_of(bound_catalog(), 3 if options.quick else 1)
    results = {"in bursts": figures_of(shop), "by chance": figures_of(shop.by_chance(seed=0))}
    stem = harness.RESULTS / ("products-quick" if options.quick else "products")
    values = {"date": date.today().isoformat(), "quick": options.quick, "machine": on, "results": results}
    stem.with_suffix(".json").write_text(json.dumps(values, indent=1) + "\n")
    text = page(results, on, options.quick)
    stem.with_suffix(".md").write_text(text)
    draw(results, stem.with_suffix(".png"))
    print(text)


if __name__ == "__main__":
    main()
