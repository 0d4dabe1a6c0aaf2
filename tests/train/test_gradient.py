"""Heads learned by gradient: against scikit-learn's optimum, their own learning curves, and labels that mean nothing."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from drawn_training_rows import drawn_rows, of_random_labels
from sklearn.linear_model import LogisticRegression

from shelfwise.backbones.products import embedded_layout
from shelfwise.catalog import Catalog
from shelfwise.catalog.inventory import take_inventory
from shelfwise.errors import MissingExtraError, OptionError
from shelfwise.options import TrainOptions
from shelfwise.shelves.vectors import Vectors
from shelfwise.statistics.calibration import log_loss
from shelfwise.train.heads import learners, networks
from shelfwise.train.heads.gradient import InMemory, descend, learn_by_gradient, shuffled_chunks
from shelfwise.train.heads.learners import head_learner
from shelfwise.train.heads.networks import Descent, ScikitNetwork, TorchNetwork, network
from shelfwise.train.rows import Numbers, TrainingRows

EVERY = np.arange(240)


@pytest.fixture
def torch() -> None:
    pytest.importorskip("torch", reason="the extra [torch] is not installed")


def adamw(**settings: Any) -> Descent:
    return Descent(optimizer="adamw", **settings)


def learned(rows: TrainingRows, how: Descent, learn: Numbers = EVERY, held: Numbers | None = None) -> Any:
    return descend(InMemory(rows.x), rows.column, rows.categories, learn, held, how)


@pytest.mark.usefixtures("torch")
def test_a_linear_head_comes_to_the_optimum_that_scikit_learn_finds():
    rows = drawn_rows(spread=2.0)
    found = learned(rows, adamw(epochs=150, learning_rate=0.01, decay=0.0)).head
    optimum = LogisticRegression(C=np.inf, max_iter=2000, tol=1e-8).fit(rows.x, rows.column)
    least = log_loss(optimum.decision_function(rows.x), rows.column, 1.0)
    assert least <= log_loss(found.scores(rows.x), rows.column, 1.0) < least + 0.003
    assert np.mean(found.scores(rows.x).argmax(axis=1) == optimum.predict(rows.x)) > 0.98


@pytest.mark.usefixtures("torch")
@pytest.mark.parametrize(("optimizer", "rate"), [("adamw", 0.003), ("adadelta", None)])
def test_hidden_layers_learn_what_no_linear_head_can(optimizer: Any, rate: float | None):
    rng = np.random.default_rng(0)
    x = rng.uniform(-1, 1, (240, 2)).astype(np.float32)
    rows = drawn_rows()
    rows = TrainingRows(x, (x[:, 0] * x[:, 1] > 0).astype(np.int32), 2, rows.groups)
    linear = learned(rows, adamw(epochs=40)).head
    deep = learned(
        rows, Descent(layers=(64, 32), dropout=0.2, epochs=60, optimizer=optimizer, learning_rate=rate, batch=16)
    ).head
    assert np.mean(linear.scores(x).argmax(axis=1) == rows.column) < 0.7
    assert np.mean(deep.scores(x).argmax(axis=1) == rows.column) > 0.9


@pytest.mark.parametrize("dropout", [0.0, 0.5])
def test_the_best_epoch_is_kept_and_learning_stops_four_epochs_after_it(dropout: float):
    if dropout:
        pytest.importorskip("torch", reason="the extra [torch] is not installed")
    rows = drawn_rows(spread=3.0)
    found = learned(rows, adamw(layers=(64,), dropout=dropout, learning_rate=0.02), EVERY[:160], EVERY[160:])
    held_out = [epoch["held_out"] for epoch in found.curve]
    assert found.epoch == int(np.argmin(held_out)) + 1
    assert len(found.curve) == found.epoch + 4 < 50
    scores = found.head.scores(rows.x[160:])
    best = min(log_loss(scores, rows.column[160:], temperature) for temperature in np.geomspace(0.1, 100, 2000))
    assert best == pytest.approx(min(held_out), abs=2e-3)


@pytest.mark.parametrize("dropout", [0.0, 0.5])
def test_the_same_seed_gives_the_same_bits_and_another_does_not(dropout: float):
    if dropout:
        pytest.importorskip("torch", reason="the extra [torch] is not installed")
    rows = drawn_rows()
    once, again, other = (
        learned(rows, adamw(layers=(16,), dropout=dropout, epochs=3, seed=seed)).head.scores(rows.x).tobytes()
        for seed in (0, 0, 1)
    )
    assert once == again != other


@pytest.mark.parametrize("dropout", [0.0, 0.5])
def test_rows_on_another_scale_are_learned_alike(dropout: float):
    if dropout:
        pytest.importorskip("torch", reason="the extra [torch] is not installed")
    rows, how = drawn_rows(), adamw(layers=(16,), dropout=dropout, epochs=5)
    moved = TrainingRows(rows.x * 1000 + 77, rows.column, rows.categories, rows.groups)
    scores, same = (learned(r, how).head.scores(r.x) for r in (rows, moved))
    np.testing.assert_allclose(scores, same, rtol=0.05, atol=0.05)


@pytest.mark.usefixtures("torch")
def test_both_networks_learn_the_same_kind_of_head():
    rows, how = drawn_rows(), adamw(layers=(32,), learning_rate=0.01)
    widths = (6, 32, 4)
    right = []
    for made in (ScikitNetwork(widths, how), TorchNetwork(widths, how)):
        losses = [made.learn(rows.x, rows.column) for _ in range(30)]
        assert losses[-1] < losses[0]
        assert [weight.shape for weight, _ in made.layers()] == list(pairwise(widths))
        (w1, b1), (w2, b2) = made.layers()
        right.append(np.mean((np.maximum(rows.x @ w1 + b1, 0) @ w2 + b2).argmax(axis=1) == rows.column))
    assert right[0] == pytest.approx(right[1], abs=0.06)


def test_two_categories_are_learned_by_scikit_learn_too():
    rows = drawn_rows(categories=2, spread=0.3)
    found = learned(rows, adamw(layers=(8,), epochs=30, learning_rate=0.01)).head
    assert np.mean(found.scores(rows.x).argmax(axis=1) == rows.column) > 0.95
    logistic = head_learner("logistic", TrainOptions(head="logistic"))(rows)
    assert np.mean(logistic.head.scores(rows.x).argmax(axis=1) == rows.column) > 0.95


def test_every_chunk_is_shuffled_and_every_row_comes_once_an_epoch(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("shelfwise.train.heads.gradient._RUN", 5)
    monkeypatch.setattr("shelfwise.train.heads.gradient._RUNS", 3)
    rows, chance = np.arange(0, 202, 2), np.random.default_rng(0)
    once, again = (np.concatenate(list(shuffled_chunks(rows, chance))) for _ in range(2))
    assert sorted(once) == sorted(again) == list(rows)
    assert list(once) != list(again)
    chunks = list(shuffled_chunks(rows, chance))
    assert max(len(chunk) for chunk in chunks) == 15
    assert any(list(np.diff(chunk)) != [2] * (len(chunk) - 1) for chunk in chunks)


@pytest.mark.usefixtures("torch")
def test_no_more_rows_than_a_chunk_are_read_at_once(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("shelfwise.train.heads.gradient._RUN", 8)
    monkeypatch.setattr("shelfwise.train.heads.gradient._RUNS", 2)
    rows = drawn_rows()

    class Counted(InMemory):
        most = 0

        def read(self, asked: Numbers, /) -> Any:
            self.most = max(self.most, len(asked))
            return super().read(asked)

    source = Counted(rows.x)
    descend(source, rows.column, rows.categories, EVERY, None, adamw(epochs=2))
    assert source.most == 16


@pytest.mark.usefixtures("torch")
def test_a_loss_that_is_no_number_names_the_epoch_and_the_learning_rate():
    rows = drawn_rows()
    with pytest.raises(OptionError, match=r"in epoch \d+ at learning rate 1e\+30: give a lower --learning-rate"):
        learned(rows, adamw(layers=(8,), dropout=0.5, learning_rate=1e30))


def test_what_needs_torch_names_the_line_to_type_without_it(monkeypatch: pytest.MonkeyPatch):
    def missing(name: str) -> Any:
        raise ImportError(name)

    monkeypatch.setattr(networks.importlib, "import_module", missing)
    options = TrainOptions(head="mlp", layers="8", epochs=2)
    with pytest.raises(
        MissingExtraError,
        match=r"this needs torch .*--dropout 0 does without.* pip install 'shelfwise\[torch\]'",
    ):
        head_learner("mlp", options)(drawn_rows())
    plain = TrainOptions(head="mlp", layers="8", epochs=2, optimizer="adamw", dropout=0.0)
    assert head_learner("mlp", plain)(drawn_rows()).facts["layers"] == [8]


@pytest.mark.usefixtures("torch")
def test_the_size_decides_who_learns(monkeypatch: pytest.MonkeyPatch):
    assert isinstance(network((6, 8, 4), 240, adamw(layers=(8,))), ScikitNetwork)
    assert isinstance(network((6, 8, 4), 10**10, adamw(layers=(8,))), TorchNetwork)
    rows, options = drawn_rows(), TrainOptions(head="logistic", epochs=3, optimizer="adamw")
    assert "penalty" in head_learner("logistic", options)(rows).facts
    monkeypatch.setattr(learners, "_SCIKIT", 10)
    assert head_learner("logistic", options)(rows).facts["layers"] == []


@pytest.mark.parametrize(("dropout", "head"), [(0.0, "mlp"), (0.5, "mlp"), (0.0, "logistic")])
def test_held_out_answers_about_labels_that_mean_nothing_are_chance(dropout: float, head: str):
    if dropout:
        pytest.importorskip("torch", reason="the extra [torch] is not installed")
    rows = of_random_labels()
    network_alone = {"layers": "64", "dropout": dropout} if head == "mlp" else {}
    options = TrainOptions(head=head, optimizer="adamw", epochs=15, learning_rate=0.01, **network_alone)
    found = head_learner(head, options)(rows)
    said = np.asarray(found.held_out("leave_one_out", np.arange(len(rows)))).argmax(axis=1)
    assert np.mean(said == rows.column) < 0.35
    assert np.mean(found.head.scores(rows.x).argmax(axis=1) == rows.column) > np.mean(said == rows.column) + 0.05


def test_held_out_answers_are_those_of_a_head_learned_without_the_fold():
    rows, how = drawn_rows(), adamw(layers=(16,), epochs=6)
    found = learn_by_gradient(rows, how)
    from shelfwise.train.heads.folds import fold_of

    fold = fold_of(rows.groups, "leave_look_alikes_out")
    asked = np.flatnonzero(fold == 2)
    without = learned(rows, adamw(layers=(16,), epochs=found.facts["epochs"]), np.flatnonzero(fold != 2)).head
    assert found.held_out("leave_look_alikes_out", asked).tobytes() == without.scores(rows.x[asked]).tobytes()
    for pair in np.unique(rows.groups.leave_look_alikes_out):
        assert len(set(fold[rows.groups.leave_look_alikes_out == pair])) == 1


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"layers": "4096,x"}, "--layers 4096,x: widths joined by commas, e.g. 1024 or 4096,4096"),
        ({"layers": ""}, "--layers"),
        ({"layers": "0"}, "--layers 0: widths of at least 1"),
        ({"head": "forest"}, r"--head forest: one of ridge, logistic, mlp, or several of them joined by \+"),
        ({"head": "ridge+ridge"}, "--head"),
        ({"head": "ridge+"}, "--head"),
        ({"dropout": 1.0}, "--dropout 1.0: a share from 0 to below 1"),
        ({"bags": 0}, "--bags 0: at least 1"),
        ({"epochs": 0}, "--epochs 0: at least 1"),
        ({"learning_rate": 0.0}, "--learning-rate 0.0: a positive number"),
    ],
)
def test_options_that_cannot_be_used_are_refused_in_plain_words(options: dict[str, Any], told: str):
    with pytest.raises(OptionError, match=told):
        TrainOptions(**options)


def test_rows_read_from_a_catalog_as_they_are_asked_for_give_the_same_head(embedded_catalog: Path):
    catalog = Catalog(embedded_catalog)
    layout = embedded_layout(catalog)
    vectors = Vectors(catalog, take_inventory(catalog), layout)
    learn, how = np.flatnonzero(vectors.has), adamw(layers=(8,), epochs=2)
    categories = catalog.products(["category"]).column("category").to_pylist()
    column = np.array([sorted(set(categories)).index(category) for category in categories], np.int32)
    x = vectors.read(np.arange(len(column)))
    count = len(set(categories))
    read = descend(vectors, column, count, learn, None, how).head
    held = descend(InMemory(x), column, count, learn, None, how).head
    assert read.scores(x).tobytes() == held.scores(x).tobytes()
