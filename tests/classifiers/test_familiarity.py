import numpy as np
import pytest

from shelfwise.classifiers.familiarity import KEPT_SCORES, Familiarity
from shelfwise.classifiers.stored import Tensors
from shelfwise.errors import BundleError
from shelfwise.train.familiar import scores_of_left_out, scores_of_others

rng = np.random.default_rng(0)
MEANS = rng.normal(size=(5, 12)).astype(np.float32)


def test_familiarity_is_the_share_of_held_out_products_that_look_as_strange():
    known = Familiarity.of_means(MEANS, np.array([0.2, 0.4, 0.4, 0.9], dtype=np.float32))
    x, log_best = rng.normal(size=(50, 12)).astype(np.float32), np.log(rng.random(50)).astype(np.float32)
    center = MEANS.mean(axis=0)
    for row, found in enumerate(known.of(x, log_best)):
        cosines = [
            (x[row] - center) @ (m - center) / np.linalg.norm(x[row] - center) / np.linalg.norm(m - center)
            for m in MEANS
        ]
        score = max(0.0, max(cosines)) * np.sqrt(np.exp(log_best[row]))
        assert found == pytest.approx((1 + sum(held <= score for held in (0.2, 0.4, 0.4, 0.9))) / 5)


def test_products_like_the_held_out_ones_get_a_low_score_as_rarely_as_it_says():
    """A conformal p-value: over draws, at most a share s of known products gets s or less."""
    found = []
    for _ in range(300):
        drawn = rng.normal(size=(60, 12)).astype(np.float32) + MEANS[rng.integers(0, 5, 60)]
        log_best = np.log(rng.random(60)).astype(np.float32)
        held_out = scores_of_others(drawn[:50], MEANS, log_best[:50, None])
        found.append(Familiarity.of_means(MEANS, held_out).of(drawn[50:], log_best[50:]))
    for share in (0.05, 0.2, 0.5):
        assert np.mean(np.concatenate(found) <= share) <= share + 0.02


def test_a_row_is_left_out_of_its_category_s_mean_with_its_group():
    x, column = rng.normal(size=(30, 12)).astype(np.float32), np.arange(30, dtype=np.int32) % 3
    group = np.arange(30) // 6
    told = np.log(rng.dirichlet(np.ones(3), 30)).astype(np.float32)
    means = np.stack([x[column == c].mean(axis=0) for c in range(3)])
    rows = np.flatnonzero(np.isin(group, [1, 4]))
    found = scores_of_left_out(x, column, group, means, rows, told[rows])
    center = means.mean(axis=0)
    for place, row in enumerate(rows):
        own = means.copy()
        own[column[row]] = x[(column == column[row]) & (group != group[row])].mean(axis=0)
        cosine = max(
            ((x[row] - center) @ (m - center)) / np.linalg.norm(x[row] - center) / np.linalg.norm(m - center)
            for m in own
        )
        assert found[place] == pytest.approx(max(0, cosine) * np.exp(told[row].max() / 2), rel=1e-4, abs=1e-6)


def test_of_many_scores_evenly_spaced_ones_are_kept():
    scores = rng.random(10_000).astype(np.float32)
    kept = Familiarity.of_means(MEANS, scores).held_out
    assert len(kept) == KEPT_SCORES
    assert (kept[0], kept[-1]) == (scores.min(), scores.max())
    np.testing.assert_allclose(np.quantile(scores, [0.1, 0.5, 0.9]), np.quantile(kept, [0.1, 0.5, 0.9]), atol=2e-3)


def test_it_is_read_as_it_was_stored_and_refused_where_it_was_changed():
    known = Familiarity.of_means(MEANS, rng.random(20).astype(np.float32))
    values, tensors = known.stored()
    again = Familiarity.restored(values, Tensors(tensors), 12)
    x, log_best = rng.normal(size=(9, 12)).astype(np.float32), np.zeros(9, dtype=np.float32)
    np.testing.assert_array_equal(known.of(x, log_best), again.of(x, log_best))
    with pytest.raises(BundleError, match="directions"):
        Familiarity.restored(values | {"directions": 4}, Tensors(tensors), 12)
    with pytest.raises(BundleError, match="ascend"):
        Familiarity.restored(values, Tensors(tensors | {"held_out": tensors["held_out"][::-1].copy()}), 12)
