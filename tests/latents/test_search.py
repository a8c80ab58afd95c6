"""W-search: each anchor alone, in any batch; what is reached, and what is not."""

from dataclasses import fields, replace

import pytest
import torch
import torch.nn.functional as F
from reference import search as naive
from torch import Tensor, nn

from genviews import augmentations
from genviews.errors import NonFiniteError, OptionError, ShapeError
from genviews.generators import VQGAN, wrap
from genviews.generators.base import Generator
from genviews.latents import SearchOptions, expert_distances, fast_gradient_views, invert, w_search
from genviews.randomness import sample_seeds

D, N = 6, 5
SEEDS = sample_seeds(5, torch.arange(N))
OPTIONS = SearchOptions(views=4, boundary=0.3, lr=0.03, steps=120, tolerance=2e-3, batch_size=3)


@pytest.fixture(scope="module")
def generator() -> Generator:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        module = nn.Sequential(nn.Linear(D, 32), nn.Tanh(), nn.Linear(32, 64), nn.Tanh())
    return wrap(module.double(), latent_dim=D, image_shape=(1, 8, 8))


@pytest.fixture(scope="module")
def encoder() -> nn.Module:
    """With a layer that would tell training mode from eval mode."""
    with torch.random.fork_rng():
        torch.manual_seed(1)
        parts = nn.Flatten(), nn.Linear(64, 32), nn.BatchNorm1d(32), nn.Tanh(), nn.Dropout(0.5), nn.Linear(32, 16)
    parts[1].weight.data *= 6
    parts[1].bias.data = -parts[1].weight.data.sum(1) / 2  # so that grey is nothing
    return nn.Sequential(*parts).double()


@pytest.fixture(scope="module")
def latents() -> Tensor:
    return torch.randn(N, D, generator=torch.Generator().manual_seed(2), dtype=torch.float64)


def embed(generator: Generator, encoder: nn.Module, latents: Tensor) -> Tensor:
    encoder.eval()
    embeddings = F.normalize(encoder(generator(latents)), dim=1)
    encoder.train()
    return embeddings


def test_any_batch_gives_what_the_plain_loop_gives(generator: Generator, encoder: nn.Module, latents: Tensor) -> None:
    """In double precision, for the paths of views are chaotic."""
    o = SearchOptions(views=3, boundary=0.3, lr=0.03, steps=40, tolerance=2e-3, batch_size=2)
    found = w_search(generator, encoder, latents, options=o, seeds=SEEDS, progress=False)
    encoder.eval()
    alone = [naive.w_search(generator, encoder, *row, o) for row in zip(latents, SEEDS, strict=True)]
    encoder.train()
    steps = [step for _, step in alone]
    assert found.steps.tolist() == steps and min(steps) < max(steps), "anchors leave, and others join, at different steps"
    torch.testing.assert_close(found.latents, torch.stack([views for views, _ in alone]), rtol=0, atol=1e-4)
    backwards = w_search(generator, encoder, latents.flip(0), options=o, seeds=SEEDS.flip(0), progress=False)
    for field in fields(found):
        torch.testing.assert_close(getattr(backwards, field.name).flip(0), getattr(found, field.name), rtol=0, atol=1e-4)


def test_views_are_where_they_are_wanted(generator: Generator, encoder: nn.Module, latents: Tensor) -> None:
    found = w_search(generator, encoder, latents, options=OPTIONS, seeds=SEEDS, progress=False)
    assert found.converged.all() and (found.loss < 2e-3).all() and found.steps.max() < 120
    assert (found.distances - 0.3).abs().max() < 0.07 and found.spread.min() > 0.3
    views, anchors = (embed(generator, encoder, part.flatten(0, -2)) for part in (found.latents, latents))
    views = views.unflatten(0, (N, 4))
    torch.testing.assert_close(found.distances, (views - anchors[:, None]).norm(dim=2))
    pairs = [torch.pdist(rows).mean() for rows in views]
    torch.testing.assert_close(found.spread, torch.stack(pairs))
    assert all(part.training for part in encoder.modules()) and not found.latents.requires_grad


def test_a_boundary_out_of_reach_is_reported(encoder: nn.Module, latents: Tensor) -> None:
    """The first three anchors' images never change; the others' do."""

    class Stuck(nn.Module):
        def forward(self, z: Tensor) -> Tensor:
            return torch.where((z[:, :1] > 50), 0 * z, z).repeat(1, 11)[:, :64].tanh()

    stuck = wrap(Stuck(), latent_dim=D, image_shape=(1, 8, 8))
    latents = torch.cat([latents[:3] + 100, latents[3:]])
    found = w_search(stuck, encoder, latents, options=OPTIONS, progress=False)
    assert found.converged.tolist() == [False] * 3 + [True] * 2
    assert found.steps[:3].tolist() == [120] * 3 and found.distances[:3].abs().max() < 1e-6
    torch.testing.assert_close(found.loss[:3], torch.full((3,), 0.3**2 + 0.01 * 0.5, dtype=torch.float64))


def test_the_first_view_begins_at_the_anchor(generator: Generator, encoder: nn.Module, latents: Tensor) -> None:
    o = SearchOptions(views=3, boundary=0.3, lr=1e-9, steps=1, noise=0.05)
    found = w_search(generator, encoder, latents, options=o, seeds=SEEDS, progress=False)
    steps = found.latents - latents[:, None]
    assert steps[:, 0].abs().max() < 1e-8 and 0.03 < steps[:, 1:].std() < 0.07
    assert not steps[:, 1].allclose(steps[:, 2], atol=1e-3)


def test_distances_are_from_the_targets(generator: Generator, encoder: nn.Module, latents: Tensor) -> None:
    targets = embed(generator, encoder, latents + 0.05)
    found = w_search(generator, encoder, latents, options=OPTIONS, targets=3 * targets, progress=False)
    views = embed(generator, encoder, found.latents.flatten(0, 1)).unflatten(0, (N, 4))
    torch.testing.assert_close(found.distances, (views - targets[:, None]).norm(dim=2))
    assert found.converged.all()


def test_cosines(generator: Generator, encoder: nn.Module, latents: Tensor) -> None:
    o = SearchOptions(views=4, boundary=0.9, distance="cosine", lr=0.03, steps=120, tolerance=2e-3)
    found = w_search(generator, encoder, latents, options=o, progress=False)
    assert found.converged.all() and (1 - found.distances.square() / 2 - 0.9).abs().max() < 0.07
    assert o.repulsion == pytest.approx(5 / 3 * 0.2**0.5)


def test_expert_views_set_the_boundary() -> None:
    images = torch.rand(40, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    encoder = nn.Sequential(nn.Flatten(), nn.BatchNorm1d(64))
    seeds = sample_seeds(0, torch.arange(40))
    distances = expert_distances(encoder, images, augmentations.create("mnist"), seeds)
    assert distances.shape == (40,) and 0 < distances.min() < distances.max() < 2
    part = expert_distances(encoder, images[30:], augmentations.create("mnist"), seeds[30:])
    torch.testing.assert_close(part, distances[30:])
    assert expert_distances(encoder, images, augmentations.create("none"), seeds).max() < 1e-6
    assert SearchOptions().measured(distances).boundary == pytest.approx(float(distances.mean()))
    cosine = SearchOptions(distance="cosine").measured(distances).boundary
    assert cosine == pytest.approx(float((1 - distances**2 / 2).mean()))
    assert SearchOptions(boundary=0.3).measured(distances) == SearchOptions(boundary=0.3)


def test_one_signed_step_leads_away(generator: Generator, encoder: nn.Module, latents: Tensor) -> None:
    views = fast_gradient_views(generator, encoder, latents, 0.02, 3, SEEDS, noise=1e-3)
    assert views.shape == (N, 3, D) and not views.requires_grad
    assert ((views - latents[:, None]).abs() - 0.02).abs().max() < 0.01
    anchors = embed(generator, encoder, latents)[:, None]
    near, far = (
        (embed(generator, encoder, moved.flatten(0, 1)).unflatten(0, (N, 3)) - anchors).norm(dim=2)
        for moved in (latents[:, None] + 0.02 * torch.randn(N, 3, D).sign().double(), views)
    )
    assert far.mean() > 1.2 * near.mean()
    alone = torch.cat([fast_gradient_views(generator, encoder, latents[i, None], 0.02, 3, SEEDS[i, None]) for i in range(N)])
    torch.testing.assert_close(alone, views)
    assert not views[:, 0].allclose(views[:, 1], atol=0.01)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"views": 1}, "views is 1; .* take 2 or more"),
        ({"boundary": 2.5}, r"boundary is 2.5; .* distances in \(0, 2\)"),
        ({"boundary": 1.5, "distance": "cosine"}, r"boundary is 1.5; .* cosines in \(-1, 1\)"),
        ({"distance": "l1"}, "distance is 'l1'; choose norm or cosine"),
        ({"lr": 0.0}, "lr is 0.0; it must be positive"),
    ],
)
def test_impossible_options(options: dict, message: str) -> None:
    with pytest.raises(OptionError, match=message):
        SearchOptions(**options)


def test_bad_input(generator: Generator, encoder: nn.Module, latents: Tensor) -> None:
    with pytest.raises(OptionError, match=r"boundary is None; give one, or take options\.measured"):
        w_search(generator, encoder, latents, options=SearchOptions())
    with pytest.raises(ShapeError, match=r"got \(5, 6\) and targets \(3, 16\)"):
        w_search(generator, encoder, latents, options=OPTIONS, targets=torch.ones(3, 16))
    with pytest.raises(ShapeError, match=r"N > 0, and a target for each; got \(0, 6\)"):
        w_search(generator, encoder, latents[:0], options=OPTIONS)
    with pytest.raises(OptionError, match="for 5 samples"):
        w_search(generator, encoder, latents, options=OPTIONS, seeds=SEEDS[:3])


def test_views_that_are_no_numbers_are_refused(generator: Generator, encoder: nn.Module, latents: Tensor) -> None:
    targets = embed(generator, encoder, latents).detach()
    targets[2] = torch.nan
    with pytest.raises(NonFiniteError, match="anchor 2 has no finite views"):
        w_search(generator, encoder, latents, options=OPTIONS, targets=targets, progress=False)


def test_a_generator_of_codes_has_nothing_to_descend(encoder: nn.Module) -> None:
    codes = VQGAN((1, 8, 8), width=8, multipliers=(1, 1), codes=4, code_dim=4, attention=False).frozen()
    latents = codes.sample_latents(2)
    with pytest.raises(OptionError, match="the images of a VQGAN jump as its latents move"):
        w_search(codes, encoder, latents, options=OPTIONS, progress=False)
    with pytest.raises(OptionError, match="the images of a VQGAN jump as its latents move"):
        invert(codes, torch.rand(2, 1, 8, 8), method="optimise")


def test_the_signed_step_is_exact_where_training_is_not() -> None:
    torch.manual_seed(0)
    generator = wrap(nn.Sequential(nn.Linear(D, 64), nn.Tanh()), latent_dim=D, image_shape=(1, 8, 8))
    encoder, latents = nn.Sequential(nn.Flatten(), nn.Linear(64, 16)), torch.randn(4, D)
    plain = fast_gradient_views(generator, encoder, latents, 0.1, 2, SEEDS[:4])
    with torch.autocast("cpu", torch.bfloat16):
        assert fast_gradient_views(generator, encoder, latents, 0.1, 2, SEEDS[:4]).equal(plain)


def test_an_anchor_that_is_done_when_it_joins_leaves_at_once(generator: Generator, encoder: nn.Module, latents: Tensor) -> None:
    targets = embed(generator, encoder, latents.flip(0)).detach()
    begun = w_search(generator, encoder, latents, options=replace(OPTIONS, steps=1), targets=targets, progress=False).loss
    o = replace(OPTIONS, tolerance=float(begun.median()), steps=20, batch_size=2)
    found = w_search(generator, encoder, latents, options=o, targets=targets, seeds=SEEDS, progress=False)
    alone = [
        w_search(generator, encoder, z[None], options=o, targets=t[None], seeds=s[None], progress=False)
        for z, t, s in zip(latents, targets, SEEDS, strict=True)
    ]
    assert 0 < (found.steps == 0).sum() < N
    torch.testing.assert_close(found.latents, torch.cat([one.latents for one in alone]), rtol=1e-4, atol=1e-4)
