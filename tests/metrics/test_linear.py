from pathlib import Path

import numpy as np
import pytest
import torch
from reference.probes import sgd_classifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.preprocessing import StandardScaler

from genviews.errors import DataError, OptionError
from genviews.metrics import few_label_probe, knn, linear, linear_probe
from genviews.metrics.classification import classify
from genviews.metrics.linear import L2_PATH, _sgd
from genviews.metrics.logistic import logistic_path
from genviews.randomness import derive, sample_seeds

Labelled = tuple[torch.Tensor, torch.Tensor]


def blobs(n: int, d: int = 8, classes: int = 6, distance: float = 1.0, seed: int = 0) -> Labelled:
    centres = torch.randn(classes, d, generator=torch.Generator().manual_seed(99))
    rng = torch.Generator().manual_seed(seed)
    labels = torch.arange(n) % classes
    return distance * centres[labels] + torch.randn(n, d, generator=rng), labels


TRAIN, TEST = blobs(600), blobs(900, seed=1)


@pytest.mark.parametrize("train", [TRAIN, blobs(18_000)])
def test_accuracy_is_scikit_learns_at_the_chosen_penalty(train: Labelled) -> None:
    result = linear_probe(train, TEST)
    scaler = StandardScaler().fit(train[0])
    peer = LogisticRegression(C=1 / (len(train[0]) * result.settings["l2"]), tol=1e-8, max_iter=10_000)
    peer.fit(scaler.transform(train[0]), train[1])
    right = peer.predict(scaler.transform(TEST[0])) == TEST[1].numpy()
    assert result.top1 == pytest.approx(right.mean(), abs=4 / 900)  # a thousandth above the least loss
    assert result.per_class == pytest.approx([right[TEST[1] == c].mean() for c in range(6)], abs=2 / 150)
    assert 0.6 < result.interval[0] < result.top1 < result.interval[1] < 0.95


def test_a_validation_part_of_its_own_chooses_and_then_joins_as_scikit_learn_would_have_it() -> None:
    train, validation, test = blobs(60, distance=0.5), blobs(90, distance=0.5, seed=2), blobs(900, distance=0.5, seed=1)
    both = torch.cat([train[0], validation[0]]), torch.cat([train[1], validation[1]])
    scaler = StandardScaler().fit(both[0])

    def fit(part: Labelled, l2: float) -> LogisticRegression:
        peer = LogisticRegression(C=1 / (len(part[0]) * l2), tol=1e-8, max_iter=10_000)
        return peer.fit(scaler.transform(part[0]), part[1])

    losses = {l2: log_loss(validation[1], fit(train, l2).predict_proba(scaler.transform(validation[0]))) for l2 in L2_PATH}
    result = linear_probe(train, test, validation=validation)
    chosen = result.settings["l2"]
    assert chosen == min(losses, key=losses.__getitem__) not in (L2_PATH[0], L2_PATH[-1])
    accuracy = fit(both, chosen).score(scaler.transform(test[0]), test[1])
    assert result.top1 == pytest.approx(accuracy, abs=4 / 900)
    shuffled = test[0], test[1][torch.randperm(900, generator=torch.Generator().manual_seed(0))]
    assert linear_probe(train, shuffled, validation=validation).settings == result.settings
    assert linear_probe(train, test, protocol="sgd", epochs=2, validation=validation) == linear_probe(
        both, test, protocol="sgd", epochs=2
    )
    with pytest.raises(DataError, match="validation holds class 6, of which train has no sample"):
        linear_probe(train, test, validation=(validation[0], validation[1] + 1))
    with pytest.raises(DataError, match="8 dimensions, validation features 7"):
        linear_probe(train, test, validation=(validation[0][:, :7], validation[1]))


def test_a_part_of_many_samples_chooses_as_all_of_them_would(monkeypatch: pytest.MonkeyPatch) -> None:
    train, test = (blobs(n, d=60, classes=20, distance=0.3, seed=n) for n in (30_000, 2_000))
    chosen = linear_probe(train, test)
    monkeypatch.setattr(linear, "class_fraction", lambda labels, fraction, seed: torch.arange(len(labels)))
    assert chosen == linear_probe(train, test)


def test_the_penalty_is_strong_for_noise_and_weak_for_clean_classes() -> None:
    noise = linear_probe(
        (torch.randn(200, 20, generator=torch.Generator().manual_seed(0)), torch.arange(200) % 4), blobs(40, 20, 4)
    )
    clean = linear_probe(blobs(600, distance=10.0), blobs(60, distance=10.0, seed=1))
    assert noise.settings["l2"] >= 1.0 > 1e-2 >= clean.settings["l2"]
    assert clean.top1 == 1.0


def test_scale_and_offset_of_a_feature_do_not_matter() -> None:
    scale, offset = torch.logspace(-3, 4, 8), torch.linspace(-2, 2, 8)
    moved = linear_probe((TRAIN[0] * scale + offset, TRAIN[1]), (TEST[0] * scale + offset, TEST[1]))
    assert moved.top1 == pytest.approx(linear_probe(TRAIN, TEST).top1, abs=2 / 900)


def test_constant_features_change_nothing() -> None:
    padded = [(torch.cat([x, torch.full((len(x), 3), 0.1)], 1), y) for x, y in (TRAIN, TEST)]
    assert linear_probe(*padded).top1 == pytest.approx(linear_probe(TRAIN, TEST).top1, abs=1 / 900)


def test_features_that_are_all_the_same_give_chance() -> None:
    result = linear_probe((torch.ones(60, 4), torch.arange(60) % 3), (torch.ones(30, 4), torch.arange(30) % 3))
    assert result.top1 == pytest.approx(1 / 3)


def test_labels_need_not_be_consecutive() -> None:
    names = torch.tensor([3, 4, 7, 8, 20, 21])
    spaced = linear_probe((TRAIN[0], names[TRAIN[1]]), (TEST[0], names[TEST[1]]))
    plain = linear_probe(TRAIN, TEST)
    assert (spaced.top1, spaced.top5) == (plain.top1, plain.top5)
    assert [a for a in spaced.per_class if a is not None] == plain.per_class


@pytest.mark.parametrize("samples", [6, 12, 30])
def test_a_handful_of_labels_in_many_dimensions_is_enough_to_run(samples: int) -> None:
    result = linear_probe(blobs(samples, d=100), blobs(120, d=100, seed=1))
    assert result.top1 > 0.9  # six classes at a distance of about fourteen standard deviations


def test_a_class_of_one_sample_is_kept_for_training() -> None:
    features, labels = blobs(601, distance=10.0)
    kept = labels > 0
    kept[-1] = True
    assert (labels[kept] == 0).sum() == 1
    result = linear_probe((features[kept], labels[kept]), blobs(60, distance=10.0, seed=1))
    assert result.per_class[0] == 1.0


@pytest.mark.parametrize("protocol", ["lbfgs", "sgd"])
def test_the_same_seed_gives_the_same_result(protocol: str) -> None:
    assert linear_probe(TRAIN, TEST, protocol=protocol, epochs=2) == linear_probe(TRAIN, TEST, protocol=protocol, epochs=2)


def test_sgd_is_torchs() -> None:
    features, labels = TRAIN
    weights = _sgd(features, labels, lr=0.5, epochs=3, batch_size=64, seed=5)
    seeds = sample_seeds(5, torch.arange(len(labels)))
    batches = [batch for epoch in range(3) for batch in derive(seeds, epoch).argsort().split(64)]
    expected = sgd_classifier(features, labels, 0.5, batches)
    torch.testing.assert_close(weights[:, :-1], expected.weight.detach(), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(weights[:, -1], expected.bias.detach(), rtol=1e-4, atol=1e-5)


def test_sgd_takes_raw_features_and_scales_the_learning_rate_with_the_batch() -> None:
    train, test = ((5 * features + 1, labels) for features, labels in (TRAIN, TEST))
    result = linear_probe(train, test, protocol="sgd", lr=0.3, epochs=5, batch_size=64)
    weights = _sgd(*train, lr=0.3 * 64 / 256, epochs=5, batch_size=64, seed=0)
    predicted = torch.addmm(weights[:, -1], test[0], weights[:, :-1].T).argmax(1)
    assert result.top1 == pytest.approx((predicted == test[1]).float().mean().item())
    standardised = linear_probe(train, test, protocol="sgd", lr=0.3, epochs=5, batch_size=64, standardise=True)
    assert standardised.top1 != result.top1
    assert result.settings == {"protocol": "sgd", "lr": 0.3}


def test_sgd_comes_near_the_optimum() -> None:
    assert linear_probe(TRAIN, TEST, protocol="sgd", lr=0.3).top1 == pytest.approx(linear_probe(TRAIN, TEST).top1, abs=0.02)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("protocol", ["lbfgs", "sgd"])
def test_features_may_be_on_a_gpu(protocol: str) -> None:
    train, test = ((features.cuda(), labels.cuda()) for features, labels in (TRAIN, TEST))
    for ours, theirs in (
        (linear_probe(train, test, protocol=protocol), linear_probe(TRAIN, TEST, protocol=protocol)),
        (few_label_probe(train, test, 3, draws=2), few_label_probe(TRAIN, TEST, 3, draws=2)),
        (knn(train, test), knn(TRAIN, TEST)),
    ):
        assert ours.top1 == pytest.approx(theirs.top1, abs=3 / 900)


def test_few_labels_are_worse_than_many_and_averaged_over_draws() -> None:
    few = few_label_probe(TRAIN, TEST, 3, draws=4, seed=2)
    single = [few_label_probe(TRAIN, TEST, 3, draws=1, seed=seed) for seed in range(2, 6)]
    assert few.top1 == pytest.approx(sum(result.top1 for result in single) / 4)
    assert few.top1 < linear_probe(TRAIN, TEST).top1 - 0.05
    assert few.spread > 0.0 == single[0].spread
    assert few.settings == {"per_class": 3, "draws": 4}


def test_impossible_options_are_refused() -> None:
    with pytest.raises(OptionError, match="protocol is 'adam'; use 'lbfgs' or 'sgd'"):
        linear_probe(TRAIN, TEST, protocol="adam")
    with pytest.raises(OptionError, match=r"validation is 1\.0"):
        linear_probe(TRAIN, TEST, validation=1.0)
    with pytest.raises(OptionError, match="draws is 0"):
        few_label_probe(TRAIN, TEST, 3, draws=0)
    with pytest.raises(DataError, match="101 labels a class"):
        few_label_probe(TRAIN, TEST, 101)


def test_mnist_pixels(shared: Path) -> None:
    data = np.load(shared / "data" / "mnist.npz")
    pixels = {part: torch.tensor(data[f"images_{part}"][:2000]).flatten(1) / 255 for part in ("train", "test")}
    labels = {part: torch.tensor(data[f"labels_{part}"][:2000]).long() for part in ("train", "test")}
    result = linear_probe((pixels["train"], labels["train"]), (pixels["test"], labels["test"]))
    assert 0.82 < result.top1 < 0.88
    assert result.top5 > 0.98


def test_without_a_refit_validation_chooses_and_is_not_learnt_from() -> None:
    parts = [(torch.randn(60, 5, generator=torch.Generator().manual_seed(seed)), torch.arange(60) % 3) for seed in range(3)]
    train, test, validation = parts
    result = linear_probe(train, test, validation=validation, refit=False, standardise=False)
    weights = next(logistic_path(*train, [float(str(result.settings["l2"]))], tolerance=1e-3))
    assert result.top1 == classify(test[0] @ weights[:, :-1].T + weights[:, -1], test[1]).top1
    refitted = linear_probe(train, test, validation=validation, standardise=False)
    assert refitted.settings == result.settings and refitted.top1 != result.top1
