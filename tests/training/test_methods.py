"""Every method's loss is its paper's, its state moves with the steps, and it learns."""

import math
import socket
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import lightning as L
import pytest
import scipy.stats
import torch
import torch.nn.functional as F
from lightning.pytorch.callbacks import Callback
from reference.pretraining import BATCH, RUNS, SMALL, STEPS, WORLD, plain, train, worker
from reference.weights import weights
from scipy.stats import kstest
from torch import Tensor

from genviews import data
from genviews.encoders import Encoder
from genviews.errors import DataError, OptionError
from genviews.evaluation import linear
from genviews.randomness import derive, sample_seeds, uniform
from genviews.training import METHODS, PretrainOptions, fit, pretrain
from genviews.training.feature_transformation import beta
from genviews.training.method import Method
from genviews.views import Pair, RealViews

DIGITS = data.load("digits")
VIEWS = RealViews(DIGITS.train)
LABELS = torch.tensor([0, 1, 0, 2, 1, 3])
SEEDS = sample_seeds(0, torch.arange(6))
QUEUED, COPIED = ("nnclr", "moco", "feature-transformation", "t-moco"), ("moco", "feature-transformation", "t-moco", "byol")


def small(name: str, steps: int = 4, **objective: Any) -> Any:
    torch.manual_seed(0)
    recipe = PretrainOptions(method=name, steps=steps, batch_size=16, projector_dim=12)
    encoder = Encoder("conv-small", 1, 16, width=8)
    tiny = SMALL["viewmaker"] if name == "viewmaker" else {}
    return METHODS[name](encoder, VIEWS, recipe.augment((1, 8, 8)), recipe, **tiny | objective)


def two_views() -> Pair:
    first, second = torch.rand(2, 6, 1, 16, 16, generator=torch.Generator().manual_seed(0))
    return Pair(first, second, LABELS)


# The papers' losses, a pair at a time. m is the method, x1 and x2 the views.


def embed_both(m: Any, x1: Tensor, x2: Tensor) -> Tensor:
    return m.projector(m.encoder(torch.cat([x1, x2])))


def supcon(m: Any, x1: Tensor, x2: Tensor) -> Tensor:
    z, labels = F.normalize(embed_both(m, x1, x2), dim=1), LABELS.repeat(2)
    total = torch.zeros(())
    for i in range(12):
        others = [a for a in range(12) if a != i]
        denominator = sum((z[i] @ z[a] / 0.1).exp() for a in others)
        positives = [p for p in others if labels[p] == labels[i]]
        total = total - sum(((z[i] @ z[p] / 0.1).exp() / denominator).log() for p in positives) / len(positives)
    return total / 12


def simclr(m: Any, x1: Tensor, x2: Tensor) -> Tensor:
    z = F.normalize(embed_both(m, x1, x2), dim=1)
    similarities = (z @ z.T / 0.2).exp() * (1 - torch.eye(12))
    return -torch.stack([(similarities[i, (i + 6) % 12] / similarities[i].sum()).log() for i in range(12)]).mean()


def t_simclr(m: Any, x1: Tensor, x2: Tensor) -> Tensor:
    z = embed_both(m, x1, x2)
    kernel = (1 + (z[:, None] - z).square().sum(2) / (8 * 5)) ** -3 * (1 - torch.eye(12))
    return -torch.stack([(kernel[i, (i + 6) % 12] / kernel.sum()).log() for i in range(12)]).mean()


def nnclr(m: Any, x1: Tensor, x2: Tensor) -> Tensor:
    z1, z2 = m.projector(m.encoder(x1)), m.projector(m.encoder(x2))

    def directed(z: Tensor, p: Tensor) -> Tensor:
        near = torch.stack([min(m.queue.keys, key=lambda q: float((F.normalize(row.detach(), dim=0) - q).norm())) for row in z])
        logits = (near @ F.normalize(p, dim=1).T / 0.1).exp()
        terms = [(logits[i, i] / logits[i].sum()).log() + (logits[i, i] / logits[:, i].sum()).log() for i in range(6)]
        return -torch.stack(terms).mean() / 2

    return directed(z1, m.predictor(z2)) / 2 + directed(z2, m.predictor(z1)) / 2


def queries_and_keys(m: Any, x1: Tensor, x2: Tensor) -> tuple[Tensor, Tensor]:
    return m.projector(m.encoder(x1)), m.target(x2).detach()


def moco(m: Any, x1: Tensor, x2: Tensor) -> Tensor:
    q, k = (F.normalize(x, dim=1) for x in queries_and_keys(m, x1, x2))
    logits = torch.cat([(q * k).sum(1, keepdim=True), q @ m.queue.keys.T], 1) / 0.2
    return F.cross_entropy(logits, torch.zeros(6, dtype=torch.long))


def t_moco(m: Any, x1: Tensor, x2: Tensor) -> Tensor:
    q, k = queries_and_keys(m, x1, x2)
    torch.testing.assert_close(q.square().mean(0), torch.ones(12), rtol=5e-2, atol=0)  # BatchNorm, not the length
    distances = torch.cat([(q - k).square().sum(1, keepdim=True), (q[:, None] - m.queue.keys).square().sum(2)], 1)
    kernel = (1 + distances / 50) ** -5.5
    return -(kernel[:, 0] / kernel.sum(1)).log().mean()


def feature_transformation(m: Any, x1: Tensor, x2: Tensor) -> Tensor:
    q, k = (F.normalize(x, dim=1) for x in queries_and_keys(m, x1, x2))
    push = 1 + beta(derive(SEEDS, 4), 12, 2.0)
    q, k = push * q + (1 - push) * k, push * k + (1 - push) * q
    rows = SEEDS[0] + torch.arange(len(m.queue.keys))
    mix, other = beta(derive(rows, 6), 12, 1.6), uniform(derive(rows, 5), 1)[:, 0].argsort()
    negatives = mix * m.queue.keys + (1 - mix) * m.queue.keys[other]
    logits = torch.cat([(q * k).sum(1, keepdim=True), q @ negatives.T], 1) / 0.2
    return F.cross_entropy(logits, torch.zeros(6, dtype=torch.long))


def byol(m: Any, x1: Tensor, x2: Tensor) -> Tensor:
    def directed(x: Tensor, other: Tensor) -> Tensor:
        prediction, target = m.predictor(m.projector(m.encoder(x))), m.target(other).detach()
        return (F.normalize(prediction, dim=1) - F.normalize(target, dim=1)).square().sum(1).mean()

    return directed(x1, x2) + directed(x2, x1)


def simsiam(m: Any, x1: Tensor, x2: Tensor) -> Tensor:
    z1, z2 = m.projector(m.encoder(x1)), m.projector(m.encoder(x2))
    p1, p2 = m.predictor(z1), m.predictor(z2)

    def distance(p: Tensor, z: Tensor) -> Tensor:
        return -(F.normalize(p, dim=1) * F.normalize(z.detach(), dim=1)).sum(1).mean()

    return distance(p1, z2) / 2 + distance(p2, z1) / 2


def viewmaker(m: Any, x1: Tensor, x2: Tensor) -> Tensor:
    z = F.normalize(embed_both(m, x1, x2), dim=1)
    similarities = (z @ z.T / 0.07).exp()
    return -torch.stack([(similarities[i, i + 6] / similarities[i].mean()).log() for i in range(6)]).mean()


PAPERS: dict[str, Callable[[Any, Tensor, Tensor], Tensor]] = {
    "simclr": simclr,
    "supcon": supcon,
    "nnclr": nnclr,
    "feature-transformation": feature_transformation,
    "moco": moco,
    "byol": byol,
    "simsiam": simsiam,
    "t-simclr": t_simclr,
    "t-moco": t_moco,
    "viewmaker": viewmaker,
}


def gradients(module: Method, loss: Tensor) -> list[Tensor]:
    """Of all that is trained but what makes the views; there must be one for each."""
    trained = [p for name, p in module.named_parameters() if p.requires_grad and not name.startswith("viewmaker.")]
    return list(torch.autograd.grad(loss, trained))


@pytest.mark.parametrize("name", METHODS)
def test_loss_and_gradient_are_the_papers(name: str) -> None:
    module, views = small(name, **({"queue": 20} if name in QUEUED else {})), two_views()
    if name in COPIED:
        for parameter in module.target.parameters():
            parameter.mul_(1.1)
    loss = module.loss(views, SEEDS)
    expected = PAPERS[name](module, *views[:2])
    torch.testing.assert_close(loss, expected, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(gradients(module, loss), gradients(module, expected), rtol=1e-3, atol=1e-5)


class Watch(Callback):
    """What `look` finds in the method before training and after each batch."""

    def __init__(self, look: Callable[[Any], Any]):
        self.look, self.seen = look, []

    def on_train_start(self, trainer: L.Trainer, module: Any) -> None:
        self.seen.append(self.look(module))

    def on_train_batch_end(self, trainer: L.Trainer, module: Any, *_: Any) -> None:
        self.seen.append(self.look(module))


@pytest.mark.parametrize("name", COPIED)
def test_the_copy_follows_each_step(name: str) -> None:
    module, watch = small(name, momentum=0.8), Watch(lambda m: (weights(m.online), weights(m.target)))
    fit(module, VIEWS, steps=4, batch_size=16, callbacks=[watch])
    expected = watch.seen[0][0]
    for step, (online, target) in enumerate(watch.seen[1:]):
        momentum = 1 - 0.2 * (math.cos(math.pi * step / 4) + 1) / 2 if name == "byol" else 0.8
        expected = momentum * expected + (1 - momentum) * online
        torch.testing.assert_close(target, expected, rtol=1e-5, atol=1e-6)
    assert not watch.seen[0][0].equal(watch.seen[4][1])


@pytest.mark.parametrize("name", QUEUED)
def test_keys_enter_the_queue_when_the_step_is_done(name: str) -> None:
    module, watch = small(name, queue=40), Watch(lambda m: m.queue.keys)
    fit(module, VIEWS, steps=3, batch_size=16, callbacks=[watch])
    changed = [(old != new).any(1).nonzero()[:, 0].tolist() for old, new in pairwise(watch.seen)]
    assert changed == [[*range(16)], [*range(16, 32)], [*range(8), *range(32, 40)]]


@pytest.mark.parametrize("name", QUEUED)
def test_the_loss_leaves_the_queue_and_remembers_keys_of_one_view(name: str) -> None:
    module, views = small(name), two_views()
    keys = module.projector(module.encoder(views.first)) if name == "nnclr" else module.target(views.second)
    if name == "feature-transformation":
        query, keys = (F.normalize(x, dim=1) for x in (module.online(views.first), keys))
        keys = keys + beta(derive(SEEDS, 4), 12, 2.0) * (keys - query)
    before = module.queue.keys
    module.loss(views, SEEDS)
    assert module.queue.keys.equal(before)
    torch.testing.assert_close(module.queue.fresh, [keys], rtol=1e-4, atol=1e-5)


def test_accumulated_batches_make_the_step_of_one_large_batch() -> None:
    """All of a step's queries see the same queue and the same copy."""
    one, two = plain("moco"), plain("moco", batch_size=BATCH // 2, accumulate=2)
    for module in (one, two):
        recipe = module.recipe
        fit(module, VIEWS, steps=STEPS, batch_size=recipe.batch_size, accumulate=recipe.accumulate)
    torch.testing.assert_close(two.state_dict(), one.state_dict(), rtol=1e-4, atol=1e-6)


@pytest.fixture(scope="module")
def ranks(tmp_path_factory: pytest.TempPathFactory) -> list[Any]:
    """What each of the processes ends with."""
    folder = tmp_path_factory.mktemp("ranks")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    torch.multiprocessing.spawn(worker, (port, str(folder)), nprocs=WORLD)
    return [torch.load(folder / f"{rank}.pt") for rank in range(WORLD)]


@pytest.mark.parametrize("name", RUNS)
def test_two_processes_train_what_one_does(name: str, ranks: list[Any]) -> None:
    alone, start = train(name), plain(name).state_dict()
    assert not any(alone[key].equal(start[key]) for key in alone)
    for ends, _ in ranks:  # Adam, ViewMaker's, divides a gradient by its own size, and so magnifies its rounding
        torch.testing.assert_close(ends[name], alone, rtol=1e-4, atol=1e-5 if "viewmaker" in name else 1e-6)


def test_each_process_encodes_keys_of_others(ranks: list[Any]) -> None:
    second, seen = (torch.stack(images).flatten(1, 4) for images in zip(*(views for _, views in ranks), strict=True))
    assert not seen[0].sort().values.equal(second[0].sort().values)
    assert seen.flatten().sort().values.equal(second.flatten().sort().values)


class Stop(Callback):
    """Interrupts before the fifth step."""

    def on_train_batch_start(self, trainer: L.Trainer, *_: Any) -> None:
        if trainer.global_step == 4:
            raise InterruptedError


@pytest.mark.parametrize("name", ("nnclr", "moco", "byol", "viewmaker"))
def test_resumed_it_ends_as_if_nothing_had_happened(name: str, tmp_path: Path) -> None:
    def run(out: str, **options: Any) -> Method:
        module = small(name, steps=6)
        fit(module, VIEWS, steps=6, batch_size=16, out=tmp_path / out, log_every=1, checkpoint_every=3, **options)
        return module

    whole = run("whole")
    with pytest.raises(InterruptedError):
        run("parts", callbacks=[Stop()])
    torch.testing.assert_close(run("parts", resume=True).state_dict(), whole.state_dict(), rtol=0, atol=0)
    assert (tmp_path / "parts" / "metrics.csv").read_bytes() == (tmp_path / "whole" / "metrics.csv").read_bytes()


@pytest.mark.parametrize("name", [name for name in METHODS if name != "simsiam"])
def test_it_learns_what_few_labels_need(name: str) -> None:
    module = small(name, steps=50)
    untrained = linear(module.encoder, DIGITS, labels_per_class=3).top1
    module.train()
    fit(module, VIEWS, steps=50, batch_size=64)
    assert linear(module.encoder, DIGITS, labels_per_class=3).top1 > untrained + 0.02


def test_simsiam_learns_to_predict_without_collapse() -> None:
    """The spread of l2-normalised embeddings is 1 / sqrt(D) where they fill the sphere, 0 where they are one (section 4.1)."""
    module = small("simsiam", steps=50)
    losses = [row["loss"] for row in fit(module, VIEWS, steps=50, batch_size=64).rows]
    images, _ = VIEWS[torch.arange(256)]
    embeddings = module.eval().projector(module.encoder(images.float() / 255))
    assert losses[-1] < losses[0] - 0.2
    assert F.normalize(embeddings, dim=1).std(0).mean() > 0.7 / math.sqrt(12)


@pytest.mark.parametrize("name", METHODS)
def test_it_runs_in_half_precision(name: str) -> None:
    history = fit(small(name), VIEWS, steps=3, batch_size=16, precision="bf16-mixed", log_every=1)
    single = fit(small(name), VIEWS, steps=3, batch_size=16, log_every=1)
    for half, full in zip(history.rows, single.rows, strict=True):
        assert half["loss"] == pytest.approx(full["loss"], rel=0.1, abs=0.05)
        assert half["loss"] != full["loss"]


@pytest.mark.parametrize(
    ("method", "objective", "message"),
    [
        ("simclr-3", {}, "method 'simclr-3' is unknown; choose simclr, supcon, nnclr, feature-transformation, moco, byol, "),
        ("supcon", {"queue": 1}, "SupCon has no option 'queue'; it has temperature"),
        ("nnclr", {"df": 1}, "NNCLR has no option 'df'; it has temperature, queue, hidden"),
        ("moco", {"df": 1}, "MoCo has no option 'df'; it has temperature, momentum, queue"),
        ("byol", {"temperature": 1}, "BYOL has no option 'temperature'; it has momentum, hidden"),
        ("simsiam", {"momentum": 1}, "SimSiam has no option 'momentum'; it has bottleneck"),
        ("t-simclr", {"queue": 1}, "TSimCLR has no option 'queue'; it has temperature, df"),
        ("t-moco", {"alpha": 1}, "TMoCo has no option 'alpha'; it has temperature, df, momentum, queue"),
        ("feature-transformation", {"df": 1}, "no option 'df'; it has temperature, momentum, queue, positives, negatives"),
        ("moco", {"momentum": 1.5}, r"momentum is 1\.5; .* in \[0, 1\]"),
        ("byol", {"momentum": -1}, "momentum is -1"),
        ("moco", {"queue": 0}, "size is 0; it must be positive"),
        ("nnclr", {"hidden": 0}, "hidden is 0; it must be positive"),
        ("simsiam", {"bottleneck": 0}, "bottleneck is 0; it must be positive"),
        ("simclr", {"negatives": "none"}, "negatives is 'none'; choose both, cross or, with assimilate a2, all"),
        ("simclr", {"negatives": "all"}, "negatives is 'all'; choose both, cross or, with assimilate a2, all"),
        ("viewmaker", {"budget": 0}, "budget is 0; it must be positive"),
        ("viewmaker", {"viewmaker_lr": 0}, "viewmaker_lr is 0; it must be positive"),
        ("viewmaker", {"twice": True}, "ViewMaker has no option 'twice'; it has temperature, budget, viewmaker_lr, widths"),
        ("feature-transformation", {"positives": 0}, "positives is 0; it must be positive"),
    ],
)
def test_impossible_options_are_refused(method: str, objective: dict[str, Any], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        pretrain(VIEWS, PretrainOptions(method=method, objective=objective, steps=1, batch_size=16))


@pytest.mark.parametrize("labels", [None, torch.tensor([0, 1, 0, -1, 1, 3])])
def test_supcon_needs_labels(labels: Tensor | None) -> None:
    with pytest.raises(DataError, match="views without a label; name labelled data or another method"):
        small("supcon").loss(two_views()._replace(labels=labels), SEEDS)


@pytest.mark.parametrize("alpha", [0.5, 1.6, 2.0])
def test_beta_numbers_are_distributed_so_and_belong_to_their_seeds(alpha: float) -> None:
    seeds = sample_seeds(0, torch.arange(400))
    numbers = beta(seeds, 50, alpha)
    assert kstest(numbers.flatten().numpy(), scipy.stats.beta(alpha, alpha).cdf).pvalue > 0.01
    assert beta(seeds[7:9], 50, alpha).equal(numbers[7:9])
