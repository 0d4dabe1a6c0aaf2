"""A seeded report over a drawn tree, with drawn thumbnails."""

from __future__ import annotations

from dataclasses import replace
from math import exp, log10
from typing import TYPE_CHECKING, Any

import numpy as np

from shelfwise.classifiers.certainty import threshold_for
from shelfwise.columns import Columns
from shelfwise.evaluate.metrics import curves_of
from shelfwise.evaluate.report.assemble import report_data
from shelfwise.evaluate.report.data import FactGroup, ReportData
from shelfwise.metrics.abstention import abstention
from shelfwise.metrics.answers import Answers
from shelfwise.metrics.classification import score
from shelfwise.metrics.intervals import Estimate, Proportion, wilson_interval
from shelfwise.metrics.paired import compare
from shelfwise.page.thumbnails import thumbnail
from shelfwise.taxonomy import Node, Taxonomy

if TYPE_CHECKING:
    from collections.abc import Sequence

SHELVES = {
    "Fruit": "Apple Avocado Banana Kiwi Lemon Lime Mango Melon Nectarine Orange Papaya Peach Pear Pineapple Plum",
    "Packages": "Juice Milk Oatghurt Oat-Milk Sour-Cream Sour-Milk Soy-Milk Soyghurt Yoghurt",
    "Vegetables": "Asparagus Aubergine Cabbage Carrots Cucumber Garlic Ginger Leek Mushroom Onion Pepper Potato Tomato",
}


def grocery_like_tree(fine: int = 81) -> Taxonomy:
    """Grow a tree like that of the Grocery Store Dataset: 3 tops, 37 coarse, `fine` leaves."""
    nodes = [Node(top, top, None) for top in SHELVES]
    coarse = [(top, name.replace("-", " ")) for top, names in SHELVES.items() for name in names.split()]
    nodes += [Node(name, name, top) for top, name in coarse]
    kinds = ("Royal Gala", "Granny Smith", "Golden", "Vine", "Arla Ecological Medium Fat", "Small", "Large")
    for i in range(fine):
        _, name = coarse[i % len(coarse)]
        nodes.append(Node(f"{name}-{i}", f"{kinds[(i * 5) % len(kinds)]} {name} {i // len(coarse) + 1}", name))
    return Taxonomy(nodes, ("top", "coarse", "fine"))


def lifelike_answers(taxonomy: Taxonomy, p: int, seed: int = 0, strength: float = 3.4, noise: float = 1.3) -> Answers:
    """Draw uneven supports, mistakes that mostly stay within the branch, and a bundle that is a little too sure."""
    rng = np.random.default_rng(seed)
    leaves = taxonomy.leaves
    c = len(leaves)
    truth = rng.choice(c, p, p=rng.dirichlet(np.full(c, 3.0))).astype(np.int32)
    prototypes = np.zeros((c, 24))
    for level, spread in enumerate((0.8, 0.8, 0.6)):
        nodes, column_of = taxonomy.level(leaves, min(level, taxonomy.depth - 1))
        prototypes += spread * rng.normal(size=(len(nodes), 24))[column_of]
    seen = prototypes[truth] + rng.normal(size=(p, 24)) * noise
    score = -strength * ((seen[:, None, :] - prototypes[None]) ** 2).mean(axis=2) * 3
    probabilities = np.exp(score - score.max(axis=1, keepdims=True))
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    ids = [f"p{row:05d}" for row in range(p)]
    return Answers.from_probabilities(ids, truth, probabilities.astype(np.float32), Columns(tuple(leaves), taxonomy))


def drawn_photo(product_id: str) -> str:
    """Draw a colored disc on a pale ground, the same for the same product."""
    rng = np.random.default_rng(int.from_bytes(product_id.encode()[-6:], "little"))
    y, x = np.mgrid[:120, :120]
    pixels = np.empty((120, 120, 3), dtype=np.uint8)
    pixels[:] = rng.integers(190, 245, 3, dtype=np.uint8)
    for _ in range(3):
        cx, cy, r = rng.integers(35, 85), rng.integers(35, 85), rng.integers(15, 38)
        pixels[(x - cx) ** 2 + (y - cy) ** 2 < r * r] = rng.integers(30, 230, 3, dtype=np.uint8)
    return thumbnail(pixels)


def grocery_like_report(p: int = 2485) -> ReportData:
    """Assemble the report that the screenshots show."""
    taxonomy = grocery_like_tree()
    answers = lifelike_answers(taxonomy, p)
    expected = score(lifelike_answers(taxonomy, 2640, seed=1, strength=6.0), resamples=0)
    lifted = {**expected.figures, "top1": replace(expected.figures["top1"], value=0.984)}
    levels = {**expected.levels, "fine": {**expected.levels["fine"], "top1": lifted["top1"]}}
    return report_data(
        answers,
        taxonomy,
        score(answers, resamples=200),
        title="Grocery, lite0+1+2, ridge",
        subtitle="grocery.bundle on the test split of grocery.catalog, products from other stores",
        date="2026-05-04 14:32",
        command="shelfwise evaluate grocery.bundle grocery.catalog --split test --out report.html",
        photo=drawn_photo,
        leave_one_out=replace(expected, figures=lifted, levels=levels),
        metrics=drawn_metrics(answers),
        learned=drawn_learned(),
        facts=drawn_facts(
            ("Lambda", "0.012"), ("Temperature", "1.31, fitted on validation"), ("Learning took", "0.7 s")
        ),
    )


def drawn_metrics(answers: Answers) -> dict[str, Any]:
    """Compute what metrics.json holds beside the scores: stops, photos, another bundle."""
    top1 = score(answers, resamples=100).figures["top1"].to_dict()
    other = lifelike_answers(answers.columns.taxonomy, len(answers), noise=1.45)
    scores = score(other, resamples=0)
    against = {
        "name": "lite0-only.bundle",
        "hierarchical_f1": scores.figures["hierarchical_f1"].value,
        "levels": {level: figures["top1"].value for level, figures in scores.levels.items()},
        "lead": compare(answers, other, resamples=100).to_dict(),
    }
    counts = {"1": 0.6, "2": 0.3, "3": 0.08, "4": 0.02}
    return {
        "products": len(answers),
        "top1": top1,
        "risk_coverage": curves_of(answers, resamples=100),
        "abstention": drawn_abstention(answers),
        "photos": {"top1": {"value": top1["value"] - 0.04}},
        "by_photo_count": {
            count: {
                "products": int(share * len(answers)),
                "top1": share_of(top1["value"] + 0.03 * int(count), int(share * len(answers)) + 1),
                "alone": {"value": top1["value"] - 0.02},
            }
            for count, share in counts.items()
        },
        "against": [against],
    }


def drawn_learned() -> dict[str, Any]:
    """Return facts of a bundle with two members, one that was left away, and specialists."""
    ridge = {"weight": 0.72, "top1": 0.831, "log_loss": 0.574, "log_loss_of_others": 0.668}
    mlp = {"weight": 0.28, "top1": 0.809, "log_loss": 0.668, "log_loss_of_others": 0.574}
    ways = {
        name: {
            "top1": top1,
            "levels": {"top": 0.985, "coarse": 0.9, "fine": top1},
            "log_loss": 1.5 - top1,
            "numbers": numbers,
            "seconds": 2.5,
        }
        for name, top1, numbers in (("flat", 0.83, 294_000), ("levels", 0.836, 294_000), ("hard", 0.82, 590_000))
    }
    groups = [
        {"categories": 30, "products": 900, "branches": ["Fruit"], "band": "own", "specialist": {"temperature": 1.0}},
        {
            "categories": 51,
            "products": 1740,
            "branches": ["Packages", "Vegetables"],
            "band": "none",
            "specialist": None,
            "why_none": "too often taken for other branches",
        },
    ]
    confused = {"categories": ["Apple-0", "Pear-12"], "products": 70, "specialist": {"temperature": 1.0}}
    return {
        "members": [
            {"name": "ridge", "contribution": ridge, "hierarchy": "levels", "compared": ways},
            {"name": "mlp", "contribution": mlp, "hierarchy": "bands", "groups": [*groups, confused]},
        ],
        "ensemble": {
            "products": 2617,
            "log_loss": 0.541,
            "left_away": [
                {"name": "logistic", "weight": 0.0, "top1": 0.8, "log_loss": 0.7, "log_loss_of_others": 0.541}
            ],
        },
        "network": drawn_network(),
    }


def drawn_network(epochs: int = 14, best: int = 10) -> dict[str, Any]:
    """Return the facts of a network that was trained on photos of three sides, at a rate that was searched."""
    curve = [
        {
            "epoch": epoch, "loss": 0.55 + 3.9 * exp(-0.35 * epoch), "held_loss": 0.62 + 3.6 * exp(-0.3 * epoch),
            "held_accuracy": 0.88 - 0.5 * exp(-0.3 * epoch) - 0.004 * max(0, epoch - best), "rate": 5e-4 * (1 - epoch / epochs),
            "side_px": 128 if epoch < 6 else 224 if epoch < 10 else 256, "seconds": 40.0 * epoch,
        }
        for epoch in range(1, epochs + 1)
    ]  # fmt: skip
    rates = [1e-7 * 10 ** (8 * k / 99) for k in range(80)]
    losses = [4.4 - 1.6 / (1 + exp(-3 * (log10(r) + 3.5))) + 3 * max(0.0, log10(r) + 1.3) ** 2 for r in rates]
    search = {"rates": rates, "losses": losses, "rate": rates[45]}
    return {"curve": curve, "best_epoch": best, "epochs": epochs, "rate_search": search}


def drawn_abstention(answers: Answers, max_error: float = 0.05, held_out: int = 2000) -> dict[str, Any]:
    """Set a threshold on other products, and stop the answers there."""
    others = lifelike_answers(answers.columns.taxonomy, held_out, seed=4)
    return abstention(answers, threshold_for(others, max_error), resamples=100)


def share_of(value: float, n: int) -> dict[str, float]:
    """Return a share with Wilson's interval."""
    value = min(1.0, value)
    return Estimate(value, *wilson_interval(Proportion(value, n))).to_dict()


def drawn_facts(*learning: Sequence[str]) -> tuple[FactGroup, ...]:
    """Return facts of three kinds."""
    bundle = (("Bundle", "grocery.bundle"), ("Head", "ridge"), ("Backbones", "lite0, lite1, lite2"), ("Format", "1"))
    data = (("Catalog", "grocery.catalog, version 4"), ("Split", "test"), ("Products", "2,485"), ("Photos", "2,485"))
    return (
        FactGroup("Bundle", bundle),
        FactGroup("Data", data),
        FactGroup("Learning", tuple((label, value) for label, value in learning)),
    )
