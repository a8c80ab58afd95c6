"""Priors over codes: what they learn is their paper's loss, and what they draw is what they learned."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from reference import autoencoders as naive
from reference.autoencoders import Kill, Killed, digits
from torch import Tensor

from genviews import generators
from genviews.errors import OptionError, ShapeError
from genviews.generators import VQGAN, CodeGPT, Generator, LatentDiffusion
from genviews.randomness import derive, normal, pick, prior
from genviews.training import PRIORS, train_prior
from genviews.training.priors import DiffusionPrior, Latents

torch.manual_seed(0)
VQ = VQGAN((1, 8, 8), **naive.VQGAN_SIZE).frozen()
SIZES = {"gpt": {"width": 8, "heads": 2, "layers": 2}, "dit": {"heads": 2, "head_dim": 4, "layers": 1, "steps": 3}}


def gpt() -> CodeGPT:
    torch.manual_seed(0)
    return CodeGPT(VQ.config, **SIZES["gpt"]).eval()


def train(kind: str, out: Path, resume: bool = False, **more: object) -> Generator:
    options = replace(PRIORS[kind].options, steps=4, batch_size=16, ema=0.5)
    often = {"checkpoint_every": 1, "every": 4, "accelerator": "cpu"}
    return train_prior(kind, VQ, digits(), options, out, resume, architecture=SIZES[kind], **often, **more)  # type: ignore[arg-type]


def test_codes_are_what_diffusers_quantiser_gives_and_decode_to_the_reconstruction() -> None:
    images = digits()[torch.arange(5)][0] / 255
    latents = VQ.model.encode(2 * images - 1).latents
    quantised, loss, (_, _, codes) = VQ.model.quantize(latents)
    ours, our_loss, tokens = VQ.quantised(latents)
    torch.testing.assert_close(ours, quantised)
    torch.testing.assert_close(our_loss, loss)
    assert tokens.flatten().equal(codes.flatten()) and tokens.equal(VQ.tokens(images))
    torch.testing.assert_close(VQ.from_tokens(tokens), VQ(VQ.encode(images)), rtol=1e-4, atol=1e-5)
    with pytest.raises(ShapeError, match=r"codes are \(2, 3\); this VQGAN takes \(B, 16\)"):
        VQ.from_tokens(torch.zeros(2, 3).long())


def test_the_loss_of_the_gpt_is_the_likelihood_code_by_code() -> None:
    model = gpt().transformer
    tokens = torch.randint(12, (3, 16), generator=torch.Generator().manual_seed(0))
    total = torch.zeros(())
    for image in tokens:
        for t in range(16):
            before = torch.cat([torch.tensor([model.start]), image[:t]])
            total = total - model(before[None])[0, -1].log_softmax(0)[image[t]]
    torch.testing.assert_close(model.loss(tokens), total / tokens.numel(), rtol=1e-4, atol=1e-5)


def test_the_cache_changes_nothing_and_codes_do_not_see_those_after_them() -> None:
    model = gpt().transformer
    before = torch.randint(12, (2, 16), generator=torch.Generator().manual_seed(0))
    whole, cache = model(before), {}
    steps = torch.cat([model(before[:, t : t + 1], cache) for t in range(16)], dim=1)
    torch.testing.assert_close(steps, whole, rtol=1e-4, atol=1e-5)
    other = before.clone()
    other[:, 9] = 0
    assert model(other)[:, :9].allclose(whole[:, :9]) and not model(other)[:, 9:].allclose(whole[:, 9:])


def test_latents_from_the_prior_draw_codes_as_likely_as_the_transformer_says() -> None:
    model = gpt()
    with torch.no_grad():
        model.transformer.head.weight.mul_(20)
        tokens = model.tokens(prior(torch.arange(4000), 16))
        expected = model.transformer(torch.full((1, 1), model.transformer.start))[0, 0].softmax(0)
    found = tokens[:, 0].bincount(minlength=12) / 4000
    error = (expected * (1 - expected) / 4000).sqrt()
    assert ((found - expected).abs() < 4.5 * error + 1e-9).all() and expected.std() > 0.01


def test_the_loss_of_the_dit_is_the_error_of_its_noise(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    model = LatentDiffusion(VQ.config, **SIZES["dit"]).eval()
    z, seeds = normal(torch.arange(8) + 50, 64).view(8, 4, 4, 4), torch.arange(8)
    module = DiffusionPrior(model, Latents(z), PRIORS["dit"].options)
    monkeypatch.setattr(DiffusionPrior, "log", lambda *_: None)
    total = torch.zeros(())
    kept = torch.linspace(1e-4, 0.02, 1000).double().neg().add(1).cumprod(0).float()
    for i in range(8):
        time, noise = pick(derive(seeds, 1), 1000)[i], normal(derive(seeds, 2), 64)[i].view(4, 4, 4)
        noisy = kept[time].sqrt() * z[i] + (1 - kept[time]).sqrt() * noise
        total = total + F.mse_loss(model.noise(noisy[None], time[None])[0], noise) / 8
    torch.testing.assert_close(module.eval().training_step(((z,), seeds), 0), total, rtol=1e-4, atol=1e-5)


def test_ddim_finds_the_image_where_the_noise_is_known() -> None:
    """Where the data are one point, the noise is (x - sqrt(a) point) / sqrt(1 - a), and every latent becomes that point."""
    model = LatentDiffusion(VQ.config, **(SIZES["dit"] | {"steps": 20}))
    point = VQ.encode(digits()[torch.arange(1)][0] / 255)
    kept = model.scheduler.alphas_cumprod

    def noise(noisy: Tensor, times: Tensor) -> Tensor:
        a = kept[times].view(-1, 1, 1, 1)
        return (noisy - a.sqrt() * point.view(1, 4, 4, 4)) / (1 - a).sqrt()

    model.noise = noise  # type: ignore[method-assign]
    model.autoencoder.load_state_dict(VQ.state_dict())
    torch.testing.assert_close(model(normal(torch.arange(3), 64)), VQ(point).expand(3, -1, -1, -1), rtol=1e-2, atol=1e-2)


@pytest.mark.parametrize("steps", [3, 50, 600, 1000])
def test_ddim_begins_where_all_is_noise(steps: int) -> None:
    times = LatentDiffusion(VQ.config, **(SIZES["dit"] | {"steps": steps})).scheduler.timesteps
    assert len(times) == steps and times[0] == 999 and times[-1] >= 0


@pytest.mark.parametrize("kind", PRIORS)
def test_a_prior_trains_beside_an_autoencoder_that_stays_and_resumes(kind: str, tmp_path: Path) -> None:
    whole = train(kind, tmp_path / "whole")
    for name, tensor in VQ.state_dict().items():
        assert tensor.equal(whole.autoencoder.state_dict()[name])  # type: ignore[union-attr]
    with pytest.raises(Killed):
        train(kind, tmp_path / "run", callbacks=[Kill("run", 2)])
    resumed = train(kind, tmp_path / "run", resume=True)
    for (name, ours), theirs in zip(resumed.state_dict().items(), whole.state_dict().values(), strict=True):
        assert ours.equal(theirs), name
    assert generators.load(tmp_path / "run")(normal(torch.arange(2), whole.latent_dim)).shape == (2, 1, 8, 8)


def test_the_gpt_learns_codes() -> None:
    torch.manual_seed(0)
    model = CodeGPT(VQ.config, **SIZES["gpt"]).transformer
    tokens = torch.arange(16).repeat(8, 1) % 12
    optimizer = torch.optim.Adam(model.parameters(), 1e-2)
    for _ in range(60):
        optimizer.zero_grad()
        model.loss(tokens).backward()
        optimizer.step()
    assert model.eval().loss(tokens) < 0.1


def test_what_does_not_fit_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="kind is 'flow'; choose gpt or dit"):
        train_prior("flow", VQ, digits(), out=tmp_path)
    with pytest.raises(OptionError, match=r"is a VAEGAN, whose prior is N\(0, I\); give a VQGAN"):
        train_prior("gpt", generators.VAEGAN((1, 8, 8), 4), digits(), out=tmp_path)
    with pytest.raises(OptionError, match=r"takes images \(1, 8, 8\); the data are \(1, 16, 16\)"):
        train_prior("gpt", VQ, digits().resized(16), out=tmp_path)
    with pytest.raises(OptionError, match="CodeGPT has no option 'wings'"):
        train_prior("gpt", VQ, digits(), out=tmp_path, architecture={"wings": 2})
    with pytest.raises(OptionError, match="width is 9; it must be a multiple of the 2 heads"):
        CodeGPT(VQ.config, width=9, heads=2)
    with pytest.raises(OptionError, match="patch is 3; it must divide the 4 places"):
        LatentDiffusion(VQ.config, patch=3)
    with pytest.raises(OptionError, match="steps is 1001; there are 1000"):
        LatentDiffusion(VQ.config, steps=1001)
    with pytest.raises(OptionError, match="width is 12, decoder_width 12; each must be a multiple of 8"):
        VQGAN((1, 8, 8), width=12)
    with pytest.raises(OptionError, match="with 3 multipliers images are square, and a multiple of 4 pixels wide"):
        VQGAN((1, 10, 10))
