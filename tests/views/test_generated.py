import pytest
import torch
from torch import Tensor, nn

from genviews import generators, metrics
from genviews.data import extract
from genviews.errors import NonFiniteError, OptionError
from genviews.generators import wrap
from genviews.latents import Identity
from genviews.views import GeneratedImages, render

FLOW = generators.load("digits-flow")


def test_samples_are_the_anchors_of_a_store_for_any_batch(tmp_path) -> None:
    store = render(FLOW, Identity(), tmp_path, pairs=12, seed=3, progress=False)
    images = GeneratedImages(FLOW, 12, seed=3)
    assert len(images) == 12 and images.image_shape == (1, 8, 8)
    indices = torch.tensor([7, 0, 11])
    found, labels = images[indices]
    assert found.dtype == torch.uint8 and labels.tolist() == [-1] * 3 == images.labels[:3].tolist()
    assert (found.int() - store[indices].anchors.int()).abs().max() <= 1  # the last bits of a float depend on the batch
    other, _ = GeneratedImages(FLOW, 12, seed=4)[indices]
    assert not other.equal(found)


class Levels(nn.Module):
    """Images as bright as their condition says, of which some overshoot."""

    def forward(self, latents: Tensor, condition: Tensor) -> Tensor:
        return (condition[:, None] / 2 - 1.0).expand(-1, 4)


def test_conditions_are_drawn_for_each_sample_and_are_the_labels() -> None:
    generator = wrap(Levels(), latent_dim=2, image_shape=(1, 2, 2), num_conditions=6)
    images = GeneratedImages(generator, 600, seed=1)
    found, labels = images[torch.arange(600)]
    assert labels.equal(images.labels) and labels.bincount().min() > 60
    assert found[:, 0, 0, 0].equal(torch.tensor([0, 64, 128, 191, 255, 255], dtype=torch.uint8)[labels])
    assert images[torch.arange(5, 9)][1].equal(labels[5:9])
    assert GeneratedImages(generator, 7, condition=4).labels.tolist() == [4] * 7
    with pytest.raises(OptionError, match="condition is 6; the generator has 6 conditions"):
        GeneratedImages(generator, 7, condition=6)


def test_a_generator_in_training_is_sampled_in_eval_mode_and_goes_on_training() -> None:
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(3, 16), nn.BatchNorm1d(16), nn.Dropout(0.5), nn.Sigmoid())
    generator = wrap(module, latent_dim=3, image_shape=(1, 4, 4), output_range=(0, 1)).train().requires_grad_()
    before = {name: tensor.clone() for name, tensor in generator.state_dict().items()}
    images = GeneratedImages(generator, 30)
    first, _ = extract(nn.Flatten(), images, batch_size=30, progress=False)
    second, _ = extract(nn.Flatten(), images, batch_size=7, progress=False)
    assert (first - second).abs().max() <= 1.01 / 255
    assert all(part.training for part in generator.modules())
    assert all(tensor.equal(before[name]) for name, tensor in generator.state_dict().items())
    generator(generator.sample_latents(4)).sum().backward()  # nothing that was cached without gradients stays
    assert metrics.fid(first, second) < 0.01


def test_pixels_that_are_not_finite_are_named() -> None:
    module = nn.Linear(3, 4)
    generator = wrap(module, latent_dim=3, image_shape=(1, 2, 2))
    module.weight.data.fill_(torch.nan)
    with pytest.raises(NonFiniteError, match="sample 5 has NaN"):
        GeneratedImages(generator, 9)[torch.tensor([5, 6])]
