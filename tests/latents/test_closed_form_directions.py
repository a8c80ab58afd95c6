"""GANSpace, SeFa and DeepSpectral: recorded outputs of the originals, naive versions, and generators whose answer is known."""

from pathlib import Path

import numpy as np
import pytest
import torch
from reference.closed_form import factorised, finite_differences, regressed_components
from torch import Tensor, nn

from genviews import generators
from genviews.errors import NonFiniteError, OptionError, ShapeError
from genviews.generators import MLPGAN, BigGAN
from genviews.latents import Spectrum, activation, deep_spectral, ganspace, sefa
from genviews.latents.deep_spectral import jacobian
from genviews.latents.ganspace import moments


def recorded(shared: Path, name: str) -> dict[str, Tensor]:
    with np.load(shared / "fixtures" / name / "io.npz") as file:
        return {key: torch.from_numpy(file[key]) for key in file.files}


def assert_same_up_to_sign(ours: Tensor, theirs: Tensor, atol: float = 1e-4) -> None:
    assert len(theirs) > 0
    cosines = (ours[: len(theirs)].double() * theirs.double()).sum(1)
    torch.testing.assert_close(cosines.abs(), torch.ones(len(theirs), dtype=torch.float64), atol=atol, rtol=0)


@pytest.mark.parametrize(("kind", "rows"), [("pca", 3000), ("ipca", 2000)])
def test_ganspace_agrees_with_the_original(kind: str, rows: int, shared: Path) -> None:
    there = recorded(shared, "ganspace")
    w = there["w"][:rows]
    found = ganspace(zip(w.split(700), w.split(700), strict=True), 32)
    mean, _ = moments(w.split(700))
    assert_same_up_to_sign(found.vectors, there[f"out_{kind}_comp"])
    torch.testing.assert_close(mean.float(), there[f"out_{kind}_mean"].flatten(), atol=1e-6, rtol=1e-6)
    bessel = (rows / (rows - 1)) ** 0.5 if kind == "ipca" else 1.0  # scikit-learn's explained variance is over n - 1
    torch.testing.assert_close(found.values[:10].sqrt().float() * bessel, there[f"out_{kind}_stdev"], atol=1e-6, rtol=1e-6)
    torch.testing.assert_close(
        (found.values / found.values.sum())[:10].float(), there[f"out_{kind}_var_ratio"], atol=1e-6, rtol=0
    )


def test_moments_do_not_depend_on_the_batches() -> None:
    x = 100 + torch.randn(50, 6, generator=torch.Generator().manual_seed(0)).double()
    for size in (50, 7, 1):
        mean, covariance = moments(x.split(size))
        torch.testing.assert_close(mean, x.mean(0))
        torch.testing.assert_close(covariance, torch.cov(x.T, correction=0))


def test_components_of_activations_are_regressed_to_latents() -> None:
    rng = np.random.default_rng(0)
    latents = rng.normal(size=(400, 5))
    activations = np.tanh(latents @ rng.normal(size=(5, 9)) * np.linspace(0.1, 1, 9)) + 3
    pairs = torch.from_numpy(np.concatenate([latents, activations], 1)).float()
    found = ganspace(((batch[:, :5], batch[:, 5:]) for batch in pairs.split(64)), 5)
    assert found.vectors.shape == (5, 5)
    assert_same_up_to_sign(found.vectors, torch.from_numpy(regressed_components(latents, activations, 5)))


def test_too_many_activations_are_refused() -> None:
    with pytest.raises(OptionError, match="a covariance of 9003 numbers is too large"):
        ganspace([(torch.zeros(2, 3), torch.zeros(2, 9000))], 3)


@pytest.mark.parametrize("layers", ["", "_l0_1"])
def test_sefa_agrees_with_the_original(layers: str, shared: Path) -> None:
    there = recorded(shared, "sefa")
    found = sefa([there[f"style_weight{i}"] for i in range(2 if layers else 3)])
    values, order = there[f"out_sg2_vals{layers}"].sort(descending=True)
    assert_same_up_to_sign(found.vectors, there[f"out_sg2_dirs{layers}"][order])
    torch.testing.assert_close(found.values.float(), values, atol=1e-5, rtol=1e-5)


def test_sefa_of_a_convolution_and_without_normalising_agree_with_the_originals(shared: Path) -> None:
    there = recorded(shared, "sefa")
    found = sefa([there["pggan_weight"].movedim(1, -1).flatten(0, -2)])
    values, order = there["out_pggan_vals"].sort(descending=True)
    assert_same_up_to_sign(found.vectors, there["out_pggan_dirs"][order])
    torch.testing.assert_close(found.values.float(), values, atol=1e-5, rtol=1e-5)
    plain = sefa([there[f"style_weight{i}"] for i in range(3)], normalise=False)
    assert_same_up_to_sign(plain.vectors, there["out_ros_V"].T)


@pytest.mark.parametrize("normalise", [True, False])
def test_sefa_is_the_sum_over_outputs(normalise: bool) -> None:
    rng = np.random.default_rng(0)
    weights = [rng.normal(size=(outputs, 6)).astype(np.float32) for outputs in (7, 4)]
    found = sefa([torch.from_numpy(weight) for weight in weights], normalise)
    vectors, values = factorised(weights, normalise)
    assert_same_up_to_sign(found.vectors, torch.from_numpy(vectors))
    torch.testing.assert_close(found.values, torch.from_numpy(values))


@pytest.mark.parametrize("weights", [[], [torch.zeros(3, 4, 1)], [torch.zeros(3, 4), torch.zeros(3, 5)]])
def test_weights_that_are_no_matrices_of_one_width_are_refused(weights: list[Tensor]) -> None:
    with pytest.raises(ShapeError, match=r"give matrices \(outputs, D\) of one D"):
        sefa(weights)


def test_the_methods_agree_on_a_linear_generator() -> None:
    """Of G(z) = A z all are the right singular vectors of A: z is isotropic, J is A, and A meets z first."""
    matrix = torch.randn(16, 4, generator=torch.Generator().manual_seed(1)) * torch.tensor([4.0, 2.0, 1.0, 0.5])
    linear = nn.Linear(4, 16, bias=False)
    linear.weight.data.copy_(matrix)
    generator = generators.wrap(linear, latent_dim=4, image_shape=(1, 4, 4), output_range=(0, 1))
    _, strengths, right = torch.linalg.svd(matrix, full_matrices=False)
    image = activation(generator, "image")
    z = generator.sample_latents(4000, rng=torch.arange(4000))
    for spectrum in (deep_spectral(image, z[:3], chunk=3), sefa([matrix], normalise=False)):
        assert_same_up_to_sign(spectrum.vectors, right)
        torch.testing.assert_close(spectrum.values.float(), strengths**2, rtol=1e-4, atol=1e-4)
    sampled = ganspace([(z, image(z))], 4)
    assert_same_up_to_sign(sampled.vectors, right, atol=5e-3)
    torch.testing.assert_close(sampled.values.float(), strengths**2, rtol=0.1, atol=0)


@pytest.mark.parametrize("layer", ["image", "net.0", "net.1"])
def test_the_jacobian_is_the_limit_of_differences(layer: str) -> None:
    generator = MLPGAN((5, 7, 16)).double().frozen()
    found = activation(generator, layer)
    points = generator.sample_latents(3, rng=torch.arange(3)).double()
    gram = np.zeros((5, 5))
    for point in points:
        expected = finite_differences(lambda x: found(torch.from_numpy(x)[None])[0].numpy(), point.numpy())
        np.testing.assert_allclose(jacobian(found, point[None], chunk=2).numpy().T, expected, atol=1e-7)
        gram += expected.T @ expected / 3
    spectrum = deep_spectral(found, points)
    np.testing.assert_allclose((spectrum.vectors.T * spectrum.values) @ spectrum.vectors, gram, atol=1e-7)
    assert spectrum.values.diff().max() <= 0


def test_the_jacobian_is_under_each_latents_own_condition() -> None:
    generator = BigGAN(3, 4, channels=[2, 2], attention=[], latent_dim=6, image_channels=1).frozen()
    image = activation(generator, "image")
    z, classes = generator.sample_latents(2, rng=torch.arange(2)), torch.tensor([2, 0])
    grams = [
        torch.autograd.functional.jacobian(lambda x, i=i: image(x[None], classes[i : i + 1])[0], z[i]).double() for i in range(2)
    ]
    expected = sum(rows.T @ rows for rows in grams) / 2
    spectrum = deep_spectral(image, z, classes)
    torch.testing.assert_close(spectrum.vectors.T * spectrum.values @ spectrum.vectors, expected, rtol=1e-4, atol=1e-8)


def test_an_activation_is_what_the_module_makes() -> None:
    generator = MLPGAN((5, 7, 16)).frozen()
    z = torch.randn(3, 5)
    assert activation(generator, "net.1")(z).equal(generator.net[:2](z))
    assert activation(generator, "image")(z).equal(generator(z).flatten(1))
    assert activation(generator, "latent")(z) is z
    assert not generator.net[1]._forward_hooks


def test_layers_that_do_not_exist_or_are_passed_by_are_refused() -> None:
    generator = generators.load("fashion-stylegan2")
    with pytest.raises(OptionError, match=r"layer is 'sinthesis'; choose latent, image or a module .* such as synthesis"):
        activation(generator, "sinthesis")
    seen = generator.in_space("w")
    with pytest.raises(OptionError, match=r"layer 'generator\.mapping' makes nothing of each latent"):
        activation(seen, "generator.mapping")(seen.sample_latents(2, rng=torch.arange(2)))


def test_no_more_directions_are_given_than_there_are() -> None:
    spectrum = Spectrum(torch.eye(5), torch.tensor([3.0, 2.0, 1.0, 1e-15, 0.0], dtype=torch.float64))
    directions = spectrum.directions(2, "w")
    assert (directions.count, directions.dim, directions.space) == (2, 5, "w")
    assert directions.displacement(torch.tensor([[0.0, 2.0]])).equal(torch.tensor([[0.0, 2.0, 0, 0, 0]]))
    assert spectrum.directions().count == 3
    assert Spectrum(torch.eye(70), torch.ones(70)).directions().count == 64
    for count in (0, 4):
        with pytest.raises(OptionError, match=f"count is {count}; in the 5 dimensions of w there are 3 such directions"):
            spectrum.directions(count, "w")
    with pytest.raises(OptionError, match="in the 5 dimensions of z there are 0 such directions"):
        Spectrum(torch.eye(5), torch.zeros(5)).directions()


def test_numbers_that_are_not_finite_are_refused() -> None:
    with pytest.raises(NonFiniteError, match="the generator makes NaN or infinite numbers"):
        deep_spectral(lambda z, _: z.sqrt(), torch.zeros(1, 3))
