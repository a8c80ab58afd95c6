"""Judges tell related images from unrelated ones, on a scale where 0 is unrelated and 1 is a view of the same image."""

from pathlib import Path

import pytest
import timm
import torch
import torchvision
from torch import nn
from torchmetrics.image.lpip import LearnedPerceptualImagePatchSimilarity

from genviews import augmentations, generators
from genviews.errors import OptionError
from genviews.latents import Gaussian, Identity, Resample
from genviews.training import PretrainOptions, judges

FLOW = generators.load("digits-flow")
SEEDS = torch.arange(128)
ANCHORS = FLOW(FLOW.sample_latents(128, rng=SEEDS)).detach()
AUGMENT = augmentations.create("mnist", 16)


def test_the_samples_judge_grades_larger_shifts_as_less_consistent(tmp_path: Path) -> None:
    judge = judges.by_samples(FLOW, PretrainOptions(steps=60, batch_size=64), tmp_path)
    score = judges.calibrate(judge, ANCHORS, AUGMENT, SEEDS)
    z = FLOW.sample_latents(128, rng=SEEDS)
    transforms = (Identity(), Gaussian(0.3), Gaussian(1.0), Resample())
    scores = [score(ANCHORS, FLOW(transform(z, SEEDS + 1000)).detach()).item() for transform in transforms]
    assert scores[0] > scores[1] > scores[2] > scores[3]
    assert scores[0] > 1  # the very image is nearer than an augmented view of it
    assert abs(scores[3]) < 0.3

    again = judges.by_samples(FLOW, PretrainOptions(steps=60, batch_size=64), tmp_path)
    torch.testing.assert_close(again(ANCHORS, ANCHORS.roll(1, 0)), judge(ANCHORS, ANCHORS.roll(1, 0)), rtol=0, atol=0)


def test_the_scale_is_set_by_unrelated_images_and_augmented_views() -> None:
    judge = judges.by_features(nn.Flatten())
    score = judges.calibrate(judge, ANCHORS, AUGMENT, SEEDS)
    assert score(ANCHORS, ANCHORS.roll(1, 0)).item() == pytest.approx(0, abs=1e-6)
    # two augmented views, as `calibrate` makes them
    views = [AUGMENT(ANCHORS, judges.derive(SEEDS, key)) for key in (1, 2)]
    assert score(*views).item() == pytest.approx(1, abs=1e-5)


def test_the_samples_judge_leaves_the_generator_alone() -> None:
    before = [p.clone() for p in FLOW.parameters()]
    judges.create("samples", FLOW, PretrainOptions(steps=2, batch_size=16))
    assert all(torch.equal(p, q) for p, q in zip(FLOW.parameters(), before, strict=True))


def test_names() -> None:
    assert judges.create("none", FLOW, PretrainOptions()) is None
    with pytest.raises(OptionError, match="judge 'resnet1' is unknown; choose samples"):
        judges.create("resnet1", FLOW, PretrainOptions())


def test_lpips_is_torchmetrics_own_distance(monkeypatch: pytest.MonkeyPatch) -> None:
    """With AlexNet's weights random, since the published ones are a download; LPIPS's own come with torchmetrics."""
    torch.manual_seed(0)
    weights = torchvision.models.alexnet().state_dict()
    monkeypatch.setattr("torchvision.models._api.load_state_dict_from_url", lambda *_, **__: weights)
    judge, metric = judges.by_lpips(), LearnedPerceptualImagePatchSimilarity("alex", normalize=True)
    first, second = torch.rand(2, 3, 3, 64, 64).unbind()
    expected = torch.stack([metric(a[None], b[None]) for a, b in zip(first, second, strict=True)])
    torch.testing.assert_close(judge(first, second), -expected)
    assert judge(ANCHORS[:4], ANCHORS[:4]).abs().max() == 0
    assert (judge(ANCHORS[:4], ANCHORS[4:8]) < 0).all()


def test_a_timm_model_judges_by_the_cosine_of_its_features(monkeypatch: pytest.MonkeyPatch) -> None:
    create = timm.create_model
    monkeypatch.setattr(timm, "create_model", lambda name, pretrained, **options: create(name, **options))
    torch.manual_seed(0)
    judge = judges.by_timm("test_resnet")
    torch.manual_seed(0)
    model = create("test_resnet", num_classes=0).eval()
    cfg = timm.data.resolve_model_data_config(model)
    images = torch.rand(4, 3, *cfg["input_size"][1:])
    mean, std = (torch.tensor(cfg[key]).view(-1, 1, 1) for key in ("mean", "std"))
    features = model((images - mean) / std)
    torch.testing.assert_close(judge(images[:2], images[2:]), torch.cosine_similarity(features[:2], features[2:]))
    assert judge(ANCHORS[:2], ANCHORS[:2]).allclose(torch.ones(2))
