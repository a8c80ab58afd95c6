"""Conditional GANs: the condition enters, an instance's neighbourhood is what it says, and what is saved is conditional."""

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from genviews import encoders, generators
from genviews.data import ArrayImages
from genviews.encoders import Encoder, save
from genviews.errors import DataError, OptionError, ShapeError
from genviews.generators import ICGAN, BigGAN, Generator, wrap
from genviews.training import DEFAULTS, GANOptions, InfoGANOptions, InstanceOptions, PretrainOptions, instances, train_generator
from genviews.training.instances import instance_features, spread
from genviews.training.samples import sheet
from genviews.views import ClassViews, InstanceViews


def planted(count: int = 300) -> ArrayImages:
    """Noisy 8 x 8 images in the colour of their class."""
    labels = torch.arange(count) % 3
    noise = torch.randint(0, 80, (count, 3, 8, 8), generator=torch.Generator().manual_seed(0))
    return ArrayImages((noise + 150 * torch.eye(3)[labels][:, :, None, None]).byte(), labels, ("red", "green", "blue"))


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an untrained encoder."""
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("encoder")
    save(Encoder("conv-small", 3, 16), folder)
    return folder


def colours(generator: Generator, condition: Tensor) -> Tensor:
    latents = generator.sample_latents(len(condition), rng=torch.arange(len(condition)))
    return generator(latents, condition).mean((2, 3))


def brief(family: str, out: Path, gan: GANOptions, conditions: InstanceOptions | None = None) -> Generator:
    options = replace(DEFAULTS[family], steps=80, lr=4e-3, ema=0.9)
    tiny: dict[str, Any] = {"architecture": {"channels": (16, 16), "latent_dim": 4}, "discriminator": {"width": 8}}
    return train_generator(family, planted(), options, out, gan=gan, instances=conditions, **tiny)


def test_the_class_enters(tmp_path: Path) -> None:
    trained = brief("biggan", tmp_path, GANOptions("hinge", r1=0.0))
    found = generators.load(tmp_path)
    classes = torch.arange(60) % 3
    assert type(found) is BigGAN and found.num_conditions == 3
    torch.testing.assert_close(colours(found, classes), colours(trained, classes), rtol=0, atol=0)
    assert (colours(found, classes).argmax(1) == classes).float().mean() > 0.9


def test_the_instance_enters_and_some_are_stored(encoder: Path, tmp_path: Path) -> None:
    brief("icgan", tmp_path, GANOptions(), InstanceOptions(encoder, neighbours=10, stored=30))
    found = generators.load(tmp_path)
    assert isinstance(found, ICGAN) and found.num_conditions is not None and 15 < found.num_conditions <= 30
    features = torch.nn.functional.normalize(instance_features(planted(), encoder, tmp_path))
    chosen = (found.instances @ features.T).argmax(1)
    torch.testing.assert_close(found.instances, features[chosen])
    classes, made = planted().labels[chosen], colours(found, torch.arange(found.num_conditions)).argmax(1)
    assert len(classes.unique()) == 3 and (made == classes).float().mean() > 0.9


def test_neighbourhoods_are_those_of_a_naive_search() -> None:
    images = planted(40)
    features = torch.randn(40, 5, generator=torch.Generator().manual_seed(1))
    views = InstanceViews(images, features, 4)
    assert len(views) == 160
    seen: dict[int, list[Tensor]] = {}
    for sample in range(160):
        picture, condition = (part[0] for part in views[torch.tensor([sample])])
        seen.setdefault(int(condition), []).append(picture)
    for n in range(40):
        cosines = [float(features[n] @ other / features[n].norm() / other.norm()) for other in features]
        order = sorted(range(40), key=lambda i: -cosines[i])[:4]
        assert order[0] == n and torch.stack(seen[n]).equal(images.images[order])
    fetched = views[torch.tensor([9, 0])]
    assert views(*fetched).labels.tolist() == [2, 0] and views(*fetched).first.max() <= 1


def test_wrong_images_and_features_are_refused() -> None:
    images = planted(6)
    assert ClassViews(images).conditions == 3
    with pytest.raises(DataError, match="without a label, which is their condition"):
        ClassViews(replace(images, labels=torch.tensor([0, 1, 2, -1, 0, 0])))
    with pytest.raises(ShapeError, match=r"features are \(5, 2\) for 6 images"):
        InstanceViews(images, torch.rand(5, 2), 2)
    with pytest.raises(DataError, match="7 neighbours were asked for among 6 samples"):
        InstanceViews(images, torch.rand(6, 2), 7)
    with pytest.raises(OptionError, match="stored is 0"):
        InstanceOptions(stored=0)


def test_stored_instances_are_spread_over_the_clusters() -> None:
    features = 10 * torch.eye(4).repeat_interleave(torch.tensor([300, 5, 5, 5]), 0)
    features = features + torch.randn(features.shape, generator=torch.Generator().manual_seed(0))
    chosen = spread(features, 12)
    assert len(chosen) <= 12 and features[chosen].argmax(1).unique().tolist() == [0, 1, 2, 3]
    assert spread(features[:7], 7).tolist() == list(range(7))


def test_an_encoder_is_pretrained_where_there_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(instances, "PretrainOptions", partial(PretrainOptions, steps=2, batch_size=16))
    features = instance_features(planted(), None, tmp_path)
    assert features.shape == (300, encoders.load(tmp_path).num_features)
    torch.testing.assert_close(instance_features(planted(), tmp_path, tmp_path / "unused"), features, rtol=0, atol=0)


class Labelled(torch.nn.Module):
    """A pixel for the condition, one for the latent."""

    def forward(self, latents: Tensor, condition: Tensor) -> Tensor:
        return torch.stack([condition / 50, latents[:, 0].sigmoid()], 1)


@pytest.mark.parametrize(("count", "rows"), [(3, 3), (50, 10)])
def test_a_sheet_has_a_row_a_condition(count: int, rows: int) -> None:
    generator = wrap(Labelled(), latent_dim=2, image_shape=(1, 1, 2), output_range=(0, 1), num_conditions=count)
    condition, latent = sheet(generator).reshape(rows, 8, 2).unbind(2)
    assert condition.equal(condition[:, :1].expand_as(condition)) and len(condition[:, 0].unique()) > 0.7 * rows
    assert latent.equal(latent[:1].expand_as(latent)) and len(latent[0].unique()) > 4


@pytest.mark.parametrize(
    ("family", "options", "message"),
    [
        ("biggan", {"architecture": {"wings": 2}}, "a BigGAN cannot be built of .*unexpected keyword argument 'wings'"),
        ("biggan_deep", {"architecture": {"wings": 2}}, "BigGANDeep has no option 'wings'"),
        ("biggan", {"architecture": {"num_classes": 2}}, "multiple values for keyword argument 'num_classes'"),
        ("biggan", {"architecture": {"channels": (8,) * 4}}, r"makes images \(3, 32, 32\); the data are \(3, 8, 8\)"),
        ("biggan", {"discriminator": {"width": 0}}, "a ProjectionDiscriminator cannot be built of {'width': 0}"),
        ("biggan", {"every": 0}, "every is 0; it must be positive"),
        ("biggan", {"gan": InfoGANOptions(codes=2)}, "BigGAN is conditional, an InfoGAN is not"),
    ],
)
def test_impossible_options_are_refused(family: str, options: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(OptionError, match=message):
        train_generator(family, planted(), out=tmp_path, **options)
