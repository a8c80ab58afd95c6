"""What every family promises, on a tiny generator of each."""

from pathlib import Path

import pytest
import torch
from reference.generators import EXAMPLES, name_of
from torch import Tensor

from genviews.errors import GenviewsError, OptionError, ShapeError
from genviews.generators import FAMILIES, VAE, VQGAN, Flow, Generator, LatentDiffusion, load, save

families = pytest.mark.parametrize("generator", EXAMPLES, ids=name_of)


def inputs(generator: Generator, n: int, first: int = 0) -> tuple[Tensor, ...]:
    """Latents, and conditions where they are needed."""
    seeds = torch.arange(first, first + n)
    latents = generator.sample_latents(n, rng=seeds)
    return (latents,) if generator.num_conditions is None else (latents, seeds % generator.num_conditions)


@pytest.fixture(autouse=True)
def eval_mode() -> None:
    for example in EXAMPLES:
        example.frozen()


def test_there_is_an_example_of_every_family() -> None:
    assert {type(example) for example in EXAMPLES} == set(FAMILIES.values())


@families
def test_a_saved_generator_gives_the_same_images_to_the_byte(generator: Generator, tmp_path: Path) -> None:
    save(generator, tmp_path / "G")
    loaded = load(tmp_path / "G", channels_last=False)
    assert type(loaded) is type(generator)
    for fact in ("latent_dim", "image_shape", "num_conditions"):
        assert getattr(loaded, fact) == getattr(generator, fact)
    assert not loaded.training and not any(p.requires_grad for p in loaded.parameters())
    assert torch.equal(loaded(*inputs(generator, 4)), generator(*inputs(generator, 4)))
    save(loaded, tmp_path / "again")
    for name in ("model.safetensors", "model.json"):
        assert (tmp_path / "G" / name).read_bytes() == (tmp_path / "again" / name).read_bytes()


@families
def test_images_belong_to_their_latents(generator: Generator) -> None:
    images = generator(*inputs(generator, 5))
    assert images.shape == (5, *generator.image_shape) and images.dtype == torch.float32 and images.isfinite().all()
    assert images.std(dim=0).max() > 0
    torch.testing.assert_close(images, generator(*inputs(generator, 5)), rtol=0, atol=0)
    torch.testing.assert_close(images[3:], generator(*inputs(generator, 2, first=3)), rtol=1e-4, atol=1e-5)


@families
def test_latents_and_conditions_of_another_shape_are_refused(generator: Generator) -> None:
    latents, *_ = inputs(generator, 2)
    with pytest.raises(ShapeError, match=rf"takes latents \(B, {generator.latent_dim}\), got \(2, 99\)"):
        generator(torch.randn(2, 99))
    if generator.num_conditions is not None:
        with pytest.raises(ShapeError, match=f"takes a condition .* below {generator.num_conditions}"):
            generator(latents)
        for wrong in ([-1, 0], [0, generator.num_conditions]):
            with pytest.raises(OptionError, match=f"from {wrong[0]} to {wrong[1]}; .* 0 to {generator.num_conditions - 1}"):
                generator(latents, torch.tensor(wrong))
        with pytest.raises(ShapeError, match=r"is torch.float32 \(2,\), expected \(2,\) of integers"):
            generator(latents, torch.zeros(2))
    elif generator.default_condition is None:
        with pytest.raises(ShapeError, match="no condition"):
            generator(latents, torch.zeros(2).long())


@families
def test_the_jacobian_vector_product_is_a_difference_quotient(generator: Generator) -> None:
    precise = load_like(generator).double()
    latents, *condition = inputs(generator, 2)
    latents, direction = latents.double(), generator.sample_latents(2, rng=torch.arange(2) + 9).double()

    def render(z: Tensor) -> Tensor:
        return precise(z, *condition)

    if generator.discrete:
        assert render(latents + 1e-12 * direction).allclose(render(latents), rtol=1e-5)
        assert not render(latents + 10 * direction).allclose(render(latents), rtol=1e-1)
        return
    images, derivative = torch.func.jvp(render, (latents,), (direction,))
    step = 1e-7
    quotient = (render(latents + step * direction) - render(latents - step * direction)) / (2 * step)
    assert quotient.abs().max() > 0
    torch.testing.assert_close(derivative, quotient, rtol=1e-4, atol=1e-6 * float(quotient.abs().max()) + 1e-9)
    latents.requires_grad_()
    weights = torch.linspace(-1, 1, images.numel(), dtype=torch.float64).reshape(images.shape)
    (gradient,) = torch.autograd.grad((render(latents) * weights).sum(), latents)
    torch.testing.assert_close((gradient * direction).sum(), (derivative * weights).sum(), rtol=1e-6, atol=1e-9)


def load_like(generator: Generator) -> Generator:
    twin = type(generator)(**generator.config)
    twin.load_state_dict(generator.state_dict())
    return twin.frozen()


@families
def test_a_compiled_generator_gives_the_same_images(generator: Generator) -> None:
    torch._dynamo.reset()
    compiled = torch.compile(generator, backend="aot_eager")
    torch.testing.assert_close(compiled(*inputs(generator, 3)), generator(*inputs(generator, 3)), rtol=1e-4, atol=1e-5)


@families
def test_bf16_and_channels_last_are_near(generator: Generator, tmp_path: Path) -> None:
    save(generator, tmp_path)
    images = generator(*inputs(generator, 4))
    spread = images.std()
    fast = load(tmp_path)(*inputs(generator, 4))
    torch.testing.assert_close(fast, images, rtol=1e-4, atol=1e-4 * float(spread))
    half = load(tmp_path, bf16=True)(*inputs(generator, 4))
    assert half.dtype == torch.float32
    assert (half - images).square().mean().sqrt() < 0.01 + 0.1 * spread


@families
def test_truncation_shares_the_weights_and_makes_images_more_alike(generator: Generator) -> None:
    calm = generator.truncated(0.1)
    assert next(calm.parameters()) is next(generator.parameters()) and generator.truncation != 0.1

    if isinstance(generator, LatentDiffusion):
        pytest.skip("what an untrained network takes for noise says nothing of variety")

    def variety(g: Generator) -> Tensor:
        latents, *condition = inputs(g, 64)
        return g(latents, *(torch.zeros_like(c) for c in condition)).std(dim=0).mean()

    assert variety(calm) < variety(generator)


@families
def test_what_can_be_encoded(generator: Generator) -> None:
    images = generator(*inputs(generator, 3)).clamp(0.02, 0.98)
    if isinstance(generator, Flow | VAE | VQGAN):
        assert generator.encode(images).shape == (3, generator.latent_dim)
    else:
        with pytest.raises(GenviewsError, match="no encoder; invert images by optimisation"):
            generator.encode(images)
    if isinstance(generator, Flow):
        torch.testing.assert_close(generator(generator.encode(images)), images, rtol=0, atol=1e-3)
        assert generator.log_prob(images).shape == (3,)
    else:
        with pytest.raises(GenviewsError, match="no likelihood; a flow does"):
            generator.log_prob(images)
