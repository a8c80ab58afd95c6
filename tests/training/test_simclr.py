"""SimCLR learns, from every source of views, and its step is the paper's."""

import csv
from pathlib import Path

import pytest
import torch
from reference.weights import weights
from torch import nn

from genviews import augmentations, data, encoders, generators, latents, views
from genviews.data import ArrayImages, Splits
from genviews.errors import DataError
from genviews.evaluation import knn, linear
from genviews.losses import info_nce
from genviews.randomness import derive, shuffled
from genviews.training import PretrainOptions, SimCLR, pretrain
from genviews.training.online import OnlineProbes
from genviews.training.schedule import warmup_cosine
from genviews.views import GeneratedViews, RealViews, RenderedViews

DIGITS = data.load("digits")
QUICK = PretrainOptions(steps=60, batch_size=128)


def test_the_step_is_info_nce_of_two_augmented_views() -> None:
    options = PretrainOptions()
    source = RealViews(DIGITS.train)
    augment = options.augment(source.image_shape)
    module = SimCLR(options.encoder(source.image_shape).eval(), source, augment, options, temperature=0.3)
    module.log = lambda *_: None  # type: ignore[method-assign]
    seeds = torch.arange(9)
    images = source(*source[torch.arange(9)])[0]
    first, second = (module.projector(module.encoder(augment(images, derive(seeds, key)))) for key in (1, 2))
    loss = module.training_step((source[torch.arange(9)], seeds), 0)
    torch.testing.assert_close(loss, info_nce(first, second, 0.3))


def test_pretraining_beats_the_untrained_encoder_on_held_out_digits() -> None:
    trained = pretrain(RealViews(DIGITS.train), PretrainOptions(steps=80, batch_size=128))
    torch.manual_seed(0)
    untrained = QUICK.encoder((1, 8, 8))
    few = [linear(encoder, DIGITS, labels_per_class=3).top1 for encoder in (untrained, trained)]
    assert few[1] > few[0] + 0.05
    assert not trained.training


def test_rendered_and_on_the_fly_pairs_teach_alike(tmp_path: Path) -> None:
    """The store holds the pairs that GeneratedViews makes, up to the rounding to 8 bits."""
    flow = generators.load("digits-flow")
    store = views.render(flow, latents.Gaussian(0.2), tmp_path / "pairs", pairs=256, seed=5, progress=False)
    sources = (RenderedViews(store), GeneratedViews(flow, latents.Gaussian(0.2), 256, seed=5))
    for first, second in zip(*(source(*source[torch.arange(256)])[:2] for source in sources), strict=True):
        assert (first - second.clamp(0, 1)).abs().max() < 0.6 / 255
    accuracies = [knn(pretrain(source, QUICK), DIGITS).top1 for source in sources]
    assert abs(accuracies[0] - accuracies[1]) < 0.03


def test_a_store_of_latents_is_rendered_in_the_step(tmp_path: Path) -> None:
    flow = generators.load("digits-flow")
    raw = views.render(flow, latents.Gaussian(0.2), tmp_path / "raw", pairs=32, progress=False)
    lean = views.render(flow, latents.Gaussian(0.2), tmp_path / "lean", pairs=32, codec="latents", progress=False)
    rows = torch.tensor([3, 31, 0])
    from_disk, rendered = RenderedViews(raw), RenderedViews(lean, flow)
    for first, second in zip(from_disk(*from_disk[rows])[:2], rendered(*rendered[rows])[:2], strict=True):
        assert (first - second.clamp(0, 1)).abs().max() < 0.6 / 255


def test_the_exported_encoder_is_the_trained_one(tmp_path: Path) -> None:
    trained = pretrain(RealViews(DIGITS.train), PretrainOptions(steps=3, batch_size=64), tmp_path)
    images = torch.rand(5, 1, 8, 8)
    torch.testing.assert_close(encoders.load(tmp_path)(images), trained(images), rtol=0, atol=0)


def test_watched_it_logs_the_accuracy_within_the_training_part(tmp_path: Path) -> None:
    options = PretrainOptions(steps=4, batch_size=64)
    trained = pretrain(RealViews(DIGITS.train), options, tmp_path, watch=DIGITS.train, log_every=2)
    rows = list(csv.DictReader((tmp_path / "metrics.csv").open()))
    order = shuffled(len(DIGITS.train), 0)
    asked = torch.arange(len(order)) % 5 == 0
    bank, queries = order[~asked], order[asked]
    expected = knn(trained, Splits(DIGITS.train.subset(bank), DIGITS.train.subset(queries))).top1
    assert float(rows[1]["knn"]) == pytest.approx(expected)
    unlabelled = ArrayImages(DIGITS.train.images, torch.full_like(DIGITS.train.labels, -1), ())
    with pytest.raises(DataError, match="needs labels"):
        pretrain(RealViews(DIGITS.train), options, watch=unlabelled)


def test_watched_images_are_of_all_classes_however_they_are_ordered() -> None:
    for labels in (torch.arange(12_000) % 10, torch.arange(12_000) // 1200):
        watch = OnlineProbes(ArrayImages(torch.zeros(12_000, 1, 1, 1, dtype=torch.uint8), labels, ()), 1)
        assert labels[watch.watched[watch.query]].bincount().min() > 60


def test_the_seed_is_the_run() -> None:
    def learned(seed: int) -> torch.Tensor:
        encoder = pretrain(RealViews(DIGITS.train), PretrainOptions(steps=3, batch_size=64, seed=seed))
        return weights(encoder)

    torch.manual_seed(123)
    first = learned(0)
    assert learned(0).equal(first)
    assert not learned(1).equal(first)


def test_colour_images_take_simclrs_augmentation_grey_ones_the_affine() -> None:
    assert PretrainOptions().augment((3, 32, 32)).recipe == augmentations.RECIPES["simclr"]
    assert PretrainOptions().augment((1, 8, 8)).recipe == augmentations.RECIPES["mnist"]
    assert PretrainOptions().augment((1, 8, 8))(torch.rand(2, 1, 8, 8)).shape == (2, 1, 16, 16)
    assert PretrainOptions(augmentation="weak", image_size=20).augment((1, 8, 8)).recipe == augmentations.RECIPES["weak"]


def test_the_schedule_warms_up_and_falls_along_a_cosine() -> None:
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], 2.0)
    scheduler = warmup_cosine(optimizer, steps=12, warmup=2, final=0.5)["scheduler"]
    rates = []
    for _ in range(13):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    assert rates[:3] == [1.0, 2.0, 2.0]
    assert rates[7] == pytest.approx(2 * 0.75)
    assert rates[12] == pytest.approx(1.0)
