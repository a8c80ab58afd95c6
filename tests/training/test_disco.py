"""DisCo: the step is the authors', directions of known factors are found, and runs resume and divide."""

import json
import socket
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from lightning.pytorch.callbacks import Callback
from reference.disco import WORLD, Blobs, Quarters, blobs, run, small, step, worker
from scipy.stats import kstest
from torch import Tensor, nn

from genviews import encoders, generators, latents
from genviews.encoders import Encoder
from genviews.errors import OptionError
from genviews.generators import StyleGAN2
from genviews.latents import Directions
from genviews.losses import variation
from genviews.randomness import sample_seeds
from genviews.training.disco import DiscoLearner, DiscoOptions, disco
from genviews.training.discovery import discover
from genviews.training.fit import Seeds, fit
from genviews.views.sources import draw_conditions


def untrained(num_conditions: int | None = None, **options: Any) -> DiscoLearner:
    torch.manual_seed(0)
    o = small(**options)
    directions = Directions(4, o.count, o.kind, seed=2)
    learner = DiscoLearner(blobs(num_conditions), directions, Encoder("disco", 1, 16, o.codes, width=8), o)
    learner.log = lambda *_, **__: None  # type: ignore[method-assign]
    return learner


def drawn(learner: DiscoLearner, seeds: Tensor, number: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    """The loss of a step, and the direction (n,) and the shift (n,) of its samples."""
    calls: list[tuple[Tensor, Tensor]] = []
    hook = learner.directions.register_forward_pre_hook(lambda _, inputs: calls.append(inputs))
    loss = learner.training_step(((), seeds), number)
    hook.remove()
    index, shift = map(torch.cat, zip(*calls, strict=True))
    return loss, index, shift


def seeds_of(learner: DiscoLearner, number: int = 0) -> Tensor:
    return sample_seeds(5, number * learner.options.samples + torch.arange(learner.options.samples))


def gradient(loss: Tensor, part: nn.Module) -> Tensor:
    return torch.cat([x.flatten() for x in torch.autograd.grad(loss, list(part.parameters()), retain_graph=True)])


@pytest.mark.parametrize(
    ("num_conditions", "options"),
    [
        (None, {}),
        (3, {"form": "code", "flip_threshold": 0.8, "distribution": "normal"}),
        (None, {"form": "infonce", "temperature": 0.3, "kind": "orthonormal", "entropy": 0.5}),
    ],
)
def test_the_step_is_the_authors(num_conditions: int | None, options: dict[str, Any]) -> None:
    learner = untrained(num_conditions, **options)
    seeds = seeds_of(learner)
    loss, index, shift = drawn(learner, seeds)
    expected = step(
        learner,
        learner.generator.sample_latents(len(seeds), rng=seeds),
        draw_conditions(learner.generator, seeds),
        index,
        shift,
    )
    torch.testing.assert_close(loss, expected, rtol=1e-5, atol=1e-5)
    for part in (learner.directions, learner.encoder):
        ours, theirs = (gradient(x, part) for x in (loss, expected))
        assert (ours - theirs).norm() < 1e-4 * theirs.norm()


def test_queries_share_a_direction_that_no_negative_has() -> None:
    learner = untrained()
    common, others = [], []
    with torch.no_grad():
        for number in range(40):
            index = drawn(learner, seeds_of(learner, number), number)[1]
            assert (index[:10] == index[0]).all() and (index[10:] != index[0]).all()
            common.append(int(index[0]))
            others.append(index[10:])
    counts, rest = torch.tensor(common).bincount(), torch.cat(others).bincount()
    assert len(counts) == len(rest) == 4 and counts.min() >= 4 and rest.min() > 70  # of 10 and 100


def test_shifts_have_their_distribution_and_leave_the_condition_free() -> None:
    seeds = sample_seeds(0, torch.arange(4000))
    uniform, normal = (untrained(3, distribution=name).shifts(seeds) for name in ("uniform", "normal"))
    assert kstest(uniform.numpy(), "uniform", (-3, 6)).pvalue > 0.01
    assert not ((normal > 0) & (normal < 0.5)).any() and (normal == 0.5).any()
    assert kstest(normal[(normal < 0)].abs().numpy(), "halfnorm", (0, 3)).pvalue > 0.01
    conditions = draw_conditions(blobs(3), seeds)
    assert conditions is not None
    for condition in range(3):
        assert kstest(uniform[conditions == condition].numpy(), "uniform", (-3, 6)).pvalue > 0.01


def test_concatenated_representations_are_contrasted() -> None:
    learner = untrained(contrasted="concatenation")
    seeds, index = seeds_of(learner), torch.zeros(20, dtype=torch.int64)
    z = learner.generator.sample_latents(20, rng=seeds)
    moved = z + learner.directions(index, learner.shifts(seeds))
    first, second = (learner.encoder(learner.generator(x)) for x in (moved, z))
    both = torch.cat([first, second], 1)
    torch.testing.assert_close(learner.contrasted(seeds, index), both / both.norm(dim=1, keepdim=True))
    assert learner.training_step(((), seeds), 0).isfinite()


@pytest.mark.parametrize("contrasted", ["variation", "concatenation"])
def test_classification_names_the_direction_of_every_sample(contrasted: str) -> None:
    learner = untrained(contrasted=contrasted, objective="classification")
    assert learner.classifier is not None
    seeds = seeds_of(learner)
    loss, index, _ = drawn(learner, seeds)
    assert index.unique().tolist() == [0, 1, 2, 3]
    logits = learner.classifier(learner.contrasted(seeds, index))
    expected = -torch.stack([row.softmax(0)[label].log() for row, label in zip(logits, index, strict=True)]).mean()
    torch.testing.assert_close(loss, expected)
    loss.backward()
    assert learner.directions.weight.grad is not None and learner.directions.weight.grad.any(1).all()


def alignment(directions: Directions) -> Tensor:
    """How well each of Blobs' factors (4,) is hit: the largest cosine to a direction."""
    found = F.normalize(directions(torch.arange(4), torch.ones(4)), dim=1)
    return (found @ Blobs().rotation).abs().amax(0)


@pytest.mark.parametrize("form", ["paper", "code"])
def test_under_disentangled_codes_the_directions_become_the_factors(form: Any) -> None:
    options = small(kind="orthonormal", form=form, shift=1.5, lr=0.03, steps=100, pretrained="quarters")
    directions = Directions(4, 4, "orthonormal")
    assert alignment(directions).mean() < 0.8
    learner = DiscoLearner(blobs(), directions, Quarters(), options)  # type: ignore[arg-type]
    fit(learner, Seeds(options.steps * options.samples), steps=options.steps, batch_size=options.samples, accelerator="cpu")
    assert alignment(directions).min() > 0.97


@torch.no_grad()
def separation(directions: Directions, encoder: nn.Module) -> Tensor:
    """By how much the variations along a direction are more alike than those along two."""
    z = blobs().sample_latents(50, rng=torch.arange(50))
    moved = [blobs()(z + directions(torch.full((50,), k), torch.full((50,), 2.0))) for k in range(4)]
    means = torch.stack([variation(encoder(images), encoder(blobs()(z))).mean(0) for images in moved])
    alike = means @ means.T
    return alike.diagonal().mean() - alike[~torch.eye(4).bool()].mean()


def test_together_they_tell_directions_apart() -> None:
    options = small(lr=3e-3, steps=60)
    ends = [disco(blobs(), replaced, accelerator="cpu") for replaced in (small(lr=1e-9, steps=1), options)]
    before, after = (separation(*end) for end in ends)
    assert after > before + 0.2


def test_a_pretrained_encoder_stays_as_it_is(tmp_path: Path) -> None:
    kept = Encoder("conv-small", 1, 16, outputs=6, width=4)
    for layer in kept.backbone:
        if isinstance(layer, nn.BatchNorm2d):
            nn.init.uniform_(layer.running_var, 0.5, 2)
    encoders.save(kept, tmp_path / "kept")
    options = small(steps=2, pretrained=str(tmp_path / "kept"))
    modes = []

    class Watch(Callback):
        def on_train_batch_start(self, trainer: object, module: nn.Module, *_: object) -> None:
            modes.append([part.training for part in module.encoder.modules()])

    directions, encoder = disco(blobs(), options, tmp_path / "run", accelerator="cpu", checkpoint_every=1, callbacks=[Watch()])
    assert len(modes) == 2 and not any(map(any, modes))
    for name, tensor in kept.backbone.state_dict().items():
        assert tensor.equal(encoder.backbone.state_dict()[name]), name
    assert not directions.weight.equal(Directions(4, 4).weight)
    checkpoint = torch.load(tmp_path / "run" / "checkpoints" / "last.ckpt", weights_only=True)
    assert list(checkpoint["state_dict"]) == ["directions.weight"]


class Killed(Exception):
    pass


class Kill(Callback):
    def on_train_batch_end(self, trainer: object, *_: object) -> None:
        if trainer.global_step == 4:  # type: ignore[attr-defined]
            raise Killed


@pytest.mark.parametrize("objective", ["contrast", "classification"])
def test_killed_it_resumes_to_the_same_bytes(objective: Any, tmp_path: Path) -> None:
    options = small(steps=6, objective=objective, architecture={"width": 2})
    often: dict[str, Any] = {"checkpoint_every": 3, "log_every": 2, "accelerator": "cpu"}
    discover(blobs(), "disco", options, tmp_path / "whole", **often)
    torch.manual_seed(7)
    with pytest.raises(Killed):
        discover(blobs(), "disco", options, tmp_path / "killed", **often, callbacks=[Kill()])
    assert not (tmp_path / "killed" / "model.json").exists()
    torch.manual_seed(8)
    discover(blobs(), "disco", options, tmp_path / "killed", resume=True, **often)
    for name in ("model.safetensors", "model.json", "encoder/model.safetensors", "encoder/model.json", "metrics.csv"):
        assert (tmp_path / "killed" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes(), name
    again, encoder = discover(blobs(), "disco", options, tmp_path / "killed", resume=True)
    assert again.config == latents.load(tmp_path / "whole").config and encoder.num_features == 6
    results = json.loads((tmp_path / "whole" / "results.json").read_text())
    assert results["method"] == "disco" and results["options"]["objective"] == objective


@pytest.fixture(scope="module")
def ranks(tmp_path_factory: pytest.TempPathFactory) -> list[Any]:
    folder = tmp_path_factory.mktemp("ranks")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    torch.multiprocessing.spawn(worker, (port, str(folder)), nprocs=WORLD)
    return [torch.load(folder / f"{rank}.pt") for rank in range(WORLD)]


def test_two_processes_learn_what_one_does(ranks: list[Any]) -> None:
    alone, start = run(), run(lr=1e-30)
    for rank in ranks:
        for name in ("weight", "backbone.0.weight", "backbone.4.weight", "backbone.11.weight"):
            assert (rank["run"][name] - alone[name]).norm() < 0.01 * (alone[name] - start[name]).norm(), name


def test_roles_that_do_not_divide_among_processes_are_refused(ranks: list[Any]) -> None:
    for rank in ranks:
        assert rank["refused"] == (
            "batch_size 3, positives 5 and negatives 10 do not divide among 2 devices; each must be a multiple of 2"
        )


def test_a_compiled_generator_teaches_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    compile, seen = nn.Module.compile, []

    def traced(module: nn.Module, **options: Any) -> None:
        seen.append(options)
        compile(module, backend="aot_eager")  # for the others take a C++ compiler

    monkeypatch.setattr(nn.Module, "compile", traced)
    generator = blobs()
    (eager, _), (compiled, _) = (disco(generator, small(steps=3), accelerator="cpu", compiled=flag) for flag in (False, True))
    assert seen == [{"mode": None}] and generator._compiled_call_impl is None
    torch.testing.assert_close(compiled.weight, eager.weight, rtol=1e-5, atol=1e-6)


def test_in_mixed_precision_it_learns_too() -> None:
    directions, _ = disco(blobs(), small(steps=2, lr=0.01), accelerator="cpu", precision="bf16-mixed")
    assert directions.weight.isfinite().all()
    assert (directions.weight - Directions(4, 4).weight).abs().max() > 1e-3


@pytest.mark.parametrize(("space", "dim"), [(None, 6), ("z", 5), ("w+", 36)])
def test_every_space_of_a_generator_has_directions(space: str | None, dim: int) -> None:
    generator = StyleGAN2((3, 16, 16), latent_dim=5, mapping=(6,), channels=(4, 4, 4), num_conditions=2).frozen()
    directions, encoder = disco(generator, small(steps=1, space=space), accelerator="cpu")
    assert (directions.dim, directions.space) == (dim, space or "w")
    assert encoder(torch.rand(2, 3, 16, 16)).shape == (2, 6)


def test_images_of_any_size_are_encoded() -> None:
    generator = generators.wrap(nn.Linear(4, 28 * 24), latent_dim=4, image_shape=(1, 28, 24))
    _, encoder = disco(generator, small(steps=1), accelerator="cpu")
    assert encoder.image_size == 32
    _, encoder = disco(generator, small(steps=1, architecture={"width": 8, "image_size": 16}), accelerator="cpu")
    assert encoder.image_size == 16


def test_impossible_options_are_refused() -> None:
    for options, message in [
        ({"count": 1}, "count is 1; to contrast directions takes at least 2"),
        ({"negatives": 0}, "negatives is 0; it must be positive"),
        ({"entropy": -1}, "entropy is -1; it is a weight"),
        ({"objective": "regression"}, "objective is 'regression'; choose contrast or classification"),
        ({"form": "bce"}, "form is 'bce'; choose paper or code or infonce"),
        ({"kind": "linear"}, "kind is 'linear'; choose unit"),
    ]:
        with pytest.raises(OptionError, match=message):
            DiscoOptions(**options)
    with pytest.raises(OptionError, match="Wrapped has no latent space 'w'; it has z"):
        disco(blobs(), small(space="w"))
    with pytest.raises(OptionError, match="count is 5; a latent space of 4 dimensions"):
        disco(blobs(), small(count=5, kind="orthonormal"))
    with pytest.raises(OptionError, match="method is 'dicso'; choose disco"):
        discover(blobs(), "dicso")
