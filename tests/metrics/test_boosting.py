import numpy as np
import pytest
import torch
from sklearn.ensemble import GradientBoostingClassifier
from torch import Tensor

from genviews.metrics import boosting
from genviews.metrics.boosting import Bins, boost


def labelled(n: int, classes: int, seed: int = 1, dim: int = 4) -> tuple[Tensor, Tensor]:
    rng = torch.Generator().manual_seed(seed)
    labels = torch.randint(classes, (n,), generator=rng)
    x = torch.randn(n, dim, generator=rng)
    x[:, 0] += 0.4 * labels
    x[:, 1] -= 0.5 * (labels == 1)
    return x, labels


def peer(x: Tensor, labels: Tensor, stages: int, seed: int = 0) -> GradientBoostingClassifier:
    return GradientBoostingClassifier(n_estimators=stages, random_state=seed).fit(x.numpy(), labels.numpy())


@pytest.mark.parametrize("classes", [2, 3])
def test_the_first_trees_are_scikit_learns(classes: int) -> None:
    x, labels = labelled(2000, classes)  # so many that no two splits are equal
    model = peer(x[:1500], labels[:1500], 4)
    scores, importance = boost(x, labels[:1500], stages=4)
    expected = torch.from_numpy(model.decision_function(x.numpy())).reshape(2000, -1)
    ours = scores[:, 1:] if classes == 2 else scores - scores.mean(1, keepdim=True) + expected.mean(1, keepdim=True)
    torch.testing.assert_close(ours.double(), expected, atol=1e-5, rtol=0)
    np.testing.assert_allclose(importance.numpy(), model.feature_importances_, atol=1e-6)


def test_all_trees_weigh_and_predict_as_scikit_learns_do_but_for_equal_splits_which_it_draws() -> None:
    x, labels = labelled(2000, 3)
    x = (20 * x).round() / 20  # fewer values than bins
    scores, importance = boost(x, labels[:1500])
    models = [peer(x[:1500], labels[:1500], 100, seed) for seed in (0, 1)]
    np.testing.assert_allclose(importance.numpy(), models[0].feature_importances_, atol=0.01)
    first, second = (torch.from_numpy(model.predict(x.numpy())) for model in models)
    assert (first == scores.argmax(1)).float().mean() > (first == second).float().mean() - 0.015 > 0.9


def test_coarse_bins_give_nearly_the_importances_of_all_splits(monkeypatch: pytest.MonkeyPatch) -> None:
    x, labels = labelled(2000, 3)
    _, exact = boost(x, labels, stages=30)
    monkeypatch.setattr(boosting, "EXACT", 0)
    _, coarse = boost(x, labels, stages=30)
    assert 0 < (coarse - exact).abs().max() < 0.02


def test_bins_hold_every_row_once_and_equal_values_together() -> None:
    x = torch.stack([torch.arange(100.0).flip(0), torch.arange(100) // 30, torch.zeros(100)], 1)
    bins = Bins.of(x, 7)
    sizes = bins.offsets.diff().view(3, 7)
    assert sizes[0].tolist() == [14, 14, 14, 15, 14, 14, 15]
    assert sizes[1].tolist() == [30, 30, 30, 10, 0, 0, 0]
    assert sizes[2].tolist() == [100, 0, 0, 0, 0, 0, 0]
    assert bins.rows.view(3, 100).sort(1).values.eq(torch.arange(100)).all()
    assert bins.low[1, :4].tolist() == bins.high[1, :4].tolist() == [0, 1, 2, 3]
    total = bins.cumulative(x)
    assert total[0, 0, 0] == sum(range(14)) and total[:, -1, 0].eq(4950).all()


def test_features_without_a_split_weigh_nothing() -> None:
    x, labels = labelled(200, 3)
    x[:, 2] = 7
    assert boost(x, labels, stages=5)[1][2] == 0
    scores, importance = boost(torch.ones(200, 4), labels, stages=5)
    assert importance.eq(0).all() and scores.isfinite().all()
