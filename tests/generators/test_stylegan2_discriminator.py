from pathlib import Path

import numpy as np
import pytest
import torch
from reference import stylegan2 as reference

from genviews.errors import CheckpointError, OptionError, ShapeError
from genviews.generators import stylegan2_files
from genviews.generators.stylegan2_discriminator import StyleGAN2Discriminator

PATH = Path("a.file")


@pytest.fixture(autouse=True)
def seed() -> None:
    torch.manual_seed(0)


@pytest.mark.parametrize(
    ("name", "image"), [("stylegan2_rosinality/checkpoint.pt", "out_image_z"), ("stylegan2_ada/checkpoint.pkl", "out_image")]
)
def test_agrees_with_the_original_code(name: str, image: str, shared: Path) -> None:
    path = shared / "fixtures" / name
    io = np.load(path.with_name("io.npz"))
    condition = torch.from_numpy(io["c"]).argmax(1) if "c" in io else None
    logits = StyleGAN2Discriminator.load(path)((torch.from_numpy(io[image]) + 1) / 2, condition)
    np.testing.assert_allclose(logits.detach(), io["out_d_logits"][:, 0], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("clamp", [None, 0.7])
@pytest.mark.parametrize("classes", [0, 3])
@pytest.mark.parametrize("taps", [(1, 3, 3, 1), (1, 2, 4)], ids=str)
def test_any_ada_file(clamp: float | None, classes: int, taps: tuple[float, ...]) -> None:
    state, module = reference.ada_discriminator_module(clamp, classes, group=3, taps=taps)
    parts = stylegan2_files.discriminator({"D": module}, PATH)
    assert parts is not None
    discriminator = StyleGAN2Discriminator(**parts[0])
    discriminator.load_state_dict(parts[1])
    images, condition = torch.rand(6, 1, 16, 16), torch.tensor([0, 1, 2, 2, 1, 0]) if classes else None
    expected = reference.ada_discriminator(state, 2 * images - 1, condition, 3, clamp)
    torch.testing.assert_close(discriminator(images, condition), expected, rtol=1e-4, atol=1e-5)


def test_batches_that_the_group_does_not_divide() -> None:
    discriminator = StyleGAN2Discriminator((1, 8, 8), (4, 4))
    images = torch.rand(6, 1, 8, 8)
    assert discriminator(images).shape == (6,)  # two groups of three: 0, 2, 4 and 1, 3, 5
    torch.testing.assert_close(discriminator(images)[::2], discriminator(images[::2]))
    torch.testing.assert_close(discriminator(images[:1]), discriminator(images[:1].expand(4, -1, -1, -1))[:1])
    assert not torch.allclose(discriminator(images)[:1], discriminator(images[:1]))


def test_the_gradient_penalty_has_a_gradient() -> None:
    discriminator = StyleGAN2Discriminator((1, 8, 8), (4, 4)).double()
    images = torch.rand(4, 1, 8, 8, dtype=torch.float64, requires_grad=True)

    def penalty() -> torch.Tensor:
        (gradient,) = torch.autograd.grad(discriminator(images).sum(), images, create_graph=True)
        return gradient.square().sum((1, 2, 3)).mean()

    weight = discriminator.blocks[0].conv1.weight
    (derivative,) = torch.autograd.grad(penalty(), weight)
    direction = torch.randn_like(weight)
    values = []
    for step in (1e-6, -2e-6):
        with torch.no_grad():
            weight += step * direction
        values.append(float(penalty().detach()))
    torch.testing.assert_close(float((derivative * direction).sum()), (values[0] - values[1]) / 2e-6, rtol=1e-4, atol=1e-8)


def test_what_does_not_fit_is_refused(tmp_path: Path) -> None:
    torch.save({"g_ema": reference.rosinality_state()}, tmp_path / "g.pt")
    with pytest.raises(CheckpointError, match=r"g\.pt has no discriminator of StyleGAN2"):
        StyleGAN2Discriminator.load(tmp_path / "g.pt")
    _, module = reference.ada_discriminator_module()
    module.state["_modules"]["b16"].state["architecture"] = "skip"
    with pytest.raises(CheckpointError, match=r"a\.file has a discriminator of architecture skip"):
        stylegan2_files.discriminator({"D": module}, PATH)
    with pytest.raises(ShapeError, match="takes no condition"):
        StyleGAN2Discriminator((1, 8, 8), (4, 4))(torch.rand(2, 1, 8, 8), torch.zeros(2).long())
    with pytest.raises(ShapeError, match="takes a condition"):
        StyleGAN2Discriminator((1, 8, 8), (4, 4), num_conditions=3)(torch.rand(2, 1, 8, 8))
    with pytest.raises(OptionError, match="square, of 8, 16"):
        StyleGAN2Discriminator((1, 8, 9))
