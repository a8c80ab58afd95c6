"""The navigator: Algorithm 1's step and gradients, the enforced constraint, and where training stops."""

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, normalize

from genviews import generators, latents
from genviews.errors import OptionError
from genviews.latents import distance
from genviews.randomness import derive, sample_seeds
from genviews.training import COPGen, NavigatorOptions, train_navigator, untrained
from genviews.views.sources import draw_conditions

FLOW = generators.load("digits-flow")
QUICK = {"steps": 6, "batch_size": 16, "check_every": 2, "judge": "none", "lr": 1e-2}


def pixels(first: Tensor, second: Tensor) -> Tensor:
    """A judge: minus the squared distance."""
    return -(first - second).square().mean((1, 2, 3))


def build(options: NavigatorOptions) -> COPGen:
    torch.manual_seed(0)
    shape = FLOW.image_shape
    module = COPGen(FLOW, untrained(FLOW, options), options.encoder(shape).eval(), options.augment(shape), options)
    module.log_dict = lambda *_: None  # type: ignore[method-assign]
    return module


def test_the_step_is_algorithm_1() -> None:
    """Written out: K anchors against the other anchors and all positives; f goes down the loss, T up."""
    options = NavigatorOptions(temperature=0.2, **QUICK)
    module, seeds, count = build(options), torch.arange(10), 10
    z = FLOW.sample_latents(count, rng=seeds)
    moved = z + module.navigator.walk(z)
    anchors = normalize(module.estimator(module.augment(FLOW(z).detach(), derive(seeds, 1))), dim=1)
    positives = normalize(module.estimator(module.augment(FLOW(moved), derive(seeds, 2))), dim=1)
    logits = anchors @ torch.cat([positives, anchors]).T / 0.2
    logits[torch.arange(count), count + torch.arange(count)] = -torch.inf
    expected = cross_entropy(logits, torch.arange(count))
    loss = module.training_step(((seeds,), seeds), 0)
    torch.testing.assert_close(loss, expected)

    learned = [*module.navigator.parameters(), *module.estimator.parameters()]
    before = [p.detach().clone() for p in learned]
    gradients = torch.autograd.grad(expected, learned)
    loss.backward()
    module.configure_optimizers().step()
    for parameter, start, gradient, up in zip(learned, before, gradients, [True] * 4 + [False] * 99, strict=False):
        moved_with = ((parameter.detach() - start) * gradient).sum()
        assert moved_with > 0 if up else moved_with < 0
    assert all(p.grad is None for p in FLOW.parameters())


def test_supervised_it_contrasts_classes_each_twice_in_the_batch() -> None:
    """In a generator of conditions, labels are the conditions: SupCon over anchors and positives, in the same roles."""
    flow = generators.load("digits-flow")
    conditional = generators.wrap(
        Tinted(flow), latent_dim=flow.latent_dim, image_shape=flow.image_shape, num_conditions=20, output_range=(0, 1)
    )
    options = NavigatorOptions(temperature=0.2, supervised=True, **QUICK)
    seeds, shape = torch.arange(8), flow.image_shape
    torch.manual_seed(0)
    navigator, encoder = untrained(conditional, options), options.encoder(shape).eval()
    module = COPGen(conditional, navigator, encoder, options.augment(shape), options)
    module.log_dict = lambda *_: None  # type: ignore[method-assign]
    labels = draw_conditions(conditional, seeds, paired=True)
    assert labels is not None and len(labels.unique()) == 4 and labels[0::2].equal(labels[1::2])
    z = conditional.sample_latents(8, rng=seeds)
    views = [conditional(z, labels).detach(), conditional(navigator(z), labels)]
    views = [module.augment(images, derive(seeds, key)) for key, images in enumerate(views, 1)]
    rows = normalize(module.estimator(torch.cat(views)), dim=1)
    logits, same = rows @ rows.T / 0.2, labels.repeat(2)[:, None] == labels.repeat(2)
    terms = []
    for i in range(16):
        others = [k for k in range(16) if k != i]
        log_prob = logits[i] - torch.logsumexp(logits[i, others], 0)
        terms.append(-log_prob[[k for k in others if same[i, k]]].mean())
    expected = torch.stack(terms).mean()
    torch.testing.assert_close(module.training_step(((seeds,), seeds), 0), expected)


def test_supervised_without_conditions_is_refused() -> None:
    with pytest.raises(OptionError, match="generator has no conditions"):
        train_navigator(FLOW, NavigatorOptions(supervised=True, **QUICK))


def test_one_navigator_serves_all_conditions() -> None:
    flow = generators.load("digits-flow")
    conditional = generators.wrap(
        Tinted(flow), latent_dim=flow.latent_dim, image_shape=flow.image_shape, num_conditions=20, output_range=(0, 1)
    )
    for supervised in (False, True):
        options = NavigatorOptions(supervised=supervised, tolerance=0.01, **QUICK)
        run = train_navigator(conditional, options, judge=pixels)
        assert run.steps == 6 and run.navigator.dim == flow.latent_dim


class Tinted(nn.Module):
    """A flow whose images are as dark as their condition says."""

    def __init__(self, flow: generators.Generator):
        super().__init__()
        self.flow = flow

    def forward(self, latents: Tensor, condition: Tensor) -> Tensor:
        return self.flow(latents) * (0.05 + condition[:, None, None, None] / 20)


def test_it_lowers_the_mutual_information_that_f_estimates(tmp_path: Path) -> None:
    """Against the same estimator, the trained navigator's positives score worse than the untrained one's."""
    options = NavigatorOptions(steps=40, batch_size=64, judge="none", lr=1e-3)
    run = train_navigator(FLOW, options, out=tmp_path)
    module = build(options)
    assert json.loads((tmp_path / "run.json").read_text()) == {"steps": 40, "best_step": 40, "reason": "all steps were done"}
    seeds = sample_seeds(9, torch.arange(256))
    losses = []
    for navigator in (untrained(FLOW, options), run.navigator):
        module.navigator = navigator
        losses.append(module.training_step(((seeds,), seeds), 0).item())
    assert losses[1] > losses[0]


def test_project_keeps_every_displacement_in_the_ball() -> None:
    run = train_navigator(FLOW, NavigatorOptions(delta=0.1, on_violation="project", **QUICK))
    z = FLOW.sample_latents(500, rng=torch.arange(500))
    assert distance(z, run.navigator(z)).max() <= 0.1 * (1 + 1e-5)
    assert run.steps == 6


def test_stop_returns_the_last_navigator_inside() -> None:
    options = NavigatorOptions(delta=0.32, init_std=0.2, **(QUICK | {"steps": 200}))
    run = train_navigator(FLOW, options)
    assert 0 <= run.best_step < run.steps < 200
    assert run.reason == "d(z, z') exceeded delta = 0.32"
    z = FLOW.sample_latents(16, rng=sample_seeds(0, run.best_step * 16 + torch.arange(16)))  # what it was checked on
    assert distance(z, run.navigator(z)).max() <= 0.32


def test_a_delta_below_the_first_displacement_is_refused() -> None:
    with pytest.raises(OptionError, match=r"exceeded delta = 0.01 before the first step; lower init_std"):
        train_navigator(FLOW, NavigatorOptions(delta=0.01, **QUICK))


def test_training_stops_where_consistency_drops_and_keeps_the_best(tmp_path: Path) -> None:
    options = NavigatorOptions(tolerance=0.95, **(QUICK | {"steps": 100, "lr": 1e-3}))
    run = train_navigator(FLOW, options, judge=pixels, out=tmp_path)
    assert run.steps < 100
    assert run.best_step == run.steps - 2
    assert "semantic consistency fell to" in run.reason
    rows = list(csv.DictReader((tmp_path / "metrics.csv").open()))
    assert [int(row["step"]) for row in rows] == list(range(2, run.steps + 1, 2))
    assert float(rows[-1]["consistency"]) < float(rows[0]["consistency"])
    assert {"estimator_loss", "navigator_loss", "shift_mean", "shift_std", "distance", "consistency"} <= rows[0].keys()
    loaded = latents.load(tmp_path)
    z = FLOW.sample_latents(4, rng=torch.arange(4))
    torch.testing.assert_close(loaded(z), run.navigator(z), rtol=0, atol=0)


def test_the_evolution_shows_the_same_anchors_at_every_check(tmp_path: Path) -> None:
    run = train_navigator(FLOW, NavigatorOptions(**QUICK), out=tmp_path)
    evolution = np.load(tmp_path / "evolution.npz")
    assert evolution["evolution_steps"].tolist() == [0, 2, 4, 6]
    z = FLOW.sample_latents(512, rng=sample_seeds(0, -1 - torch.arange(512)))[:8]
    for images, latent in ((evolution["evolution_anchors"], z), (evolution["evolution"][-1], run.navigator(z))):
        assert np.abs(images / 255 - FLOW(latent).detach().clamp(0, 1).numpy()).max() <= 0.51 / 255


def test_a_finished_run_is_read_back(tmp_path: Path) -> None:
    first = train_navigator(FLOW, NavigatorOptions(**QUICK), out=tmp_path)
    again = train_navigator(FLOW, NavigatorOptions(**QUICK), out=tmp_path, resume=True)
    assert (again.steps, again.best_step, again.reason) == (first.steps, first.best_step, first.reason)
    z = FLOW.sample_latents(4, rng=torch.arange(4))
    torch.testing.assert_close(again.navigator(z), first.navigator(z), rtol=0, atol=0)


def test_interrupted_it_resumes_to_the_same_navigator(tmp_path: Path) -> None:
    class Interrupt(Exception):
        pass

    calls = 0

    def interrupting(first: Tensor, second: Tensor) -> Tensor:
        nonlocal calls
        calls += 1
        if calls == 10:
            raise Interrupt
        return pixels(first, second)

    options = NavigatorOptions(tolerance=0.0, **QUICK)
    whole = train_navigator(FLOW, options, judge=pixels, out=tmp_path / "whole", checkpoint_every=1)
    with pytest.raises(Interrupt):
        train_navigator(FLOW, options, judge=interrupting, out=tmp_path / "broken", checkpoint_every=1)
    assert not (tmp_path / "broken" / "run.json").exists()
    resumed = train_navigator(FLOW, options, judge=pixels, out=tmp_path / "broken", resume=True, checkpoint_every=1)
    for name in ("model.safetensors", "metrics.csv"):
        assert (tmp_path / "broken" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes(), name
    assert resumed.steps == whole.steps
    evolutions = [np.load(tmp_path / name / "evolution.npz")["evolution"] for name in ("whole", "broken")]
    assert np.array_equal(*evolutions)


@pytest.mark.parametrize("stop", ["consistency", "delta"])
def test_killed_after_the_stop_it_resumes_to_the_same_navigator(tmp_path: Path, stop: str) -> None:
    """The checkpoint knows that training had stopped, and what it kept."""
    options = NavigatorOptions(steps=100, batch_size=16, check_every=2, judge="none", lr=1e-3, tolerance=0.95)
    if stop == "delta":
        options = replace(options, tolerance=0.0, delta=0.16)
    whole = train_navigator(FLOW, options, judge=pixels, out=tmp_path, checkpoint_every=1)
    assert whole.steps < 100 and whole.best_step > 0
    (tmp_path / "run.json").unlink()
    again = train_navigator(FLOW, options, judge=pixels, out=tmp_path, resume=True, checkpoint_every=1)
    assert (again.best_step, again.reason, again.steps) == (whole.best_step, whole.reason, whole.steps)
    z = FLOW.sample_latents(4, rng=torch.arange(4))
    torch.testing.assert_close(again.navigator(z), whole.navigator(z), rtol=0, atol=0)


def test_a_judge_that_sees_nothing_is_refused() -> None:
    with pytest.raises(OptionError, match="choose another"):
        train_navigator(FLOW, NavigatorOptions(**QUICK), judge=lambda first, second: torch.ones(len(first)))


def test_a_wrapped_generator_and_a_linear_navigator_work() -> None:
    torch.manual_seed(0)
    G = generators.wrap(nn.Linear(5, 3 * 64), latent_dim=5, image_shape=(3, 8, 8))
    run = train_navigator(G, NavigatorOptions(linear=True, **QUICK))
    z = G.sample_latents(3, rng=torch.arange(3))
    torch.testing.assert_close(run.navigator(z), z + z @ run.navigator.walk[0].weight.T + run.navigator.walk[0].bias)
