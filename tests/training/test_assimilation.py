"""Generated views take the place of a view, or attract both, in every method."""

from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from reference.pretraining import SMALL, NoisyViews
from torch import Tensor

from genviews import augmentations, data
from genviews.encoders import Encoder
from genviews.errors import OptionError
from genviews.losses import info_nce, multiview, supervised_contrastive
from genviews.randomness import derive, sample_seeds
from genviews.training import METHODS, PretrainOptions, fit, pretrain
from genviews.views import Pair, RealViews

DIGITS = data.load("digits").train
VIEWS = NoisyViews(DIGITS)
SEEDS = sample_seeds(0, torch.arange(6))
ASSIMILATING = [name for name in METHODS if name != "viewmaker"]  # which generates its views
ALPHA = 0.7


def small(name: str, views: Any = VIEWS, assimilate: Any = "a2", steps: int = 4, **objective: Any) -> Any:
    torch.manual_seed(0)
    recipe = PretrainOptions(method=name, steps=steps, batch_size=16, projector_dim=12, assimilate=assimilate, alpha=ALPHA)
    encoder = Encoder("conv-small", 1, 16, width=8)
    return METHODS[name](encoder, views, recipe.augment((1, 8, 8)), recipe, **SMALL.get(name, {}) | objective)


def pair() -> Pair:
    images = torch.rand(4, 6, 1, 16, 16, generator=torch.Generator().manual_seed(0))
    return Pair(images[0], images[1], torch.tensor([0, 1, 0, 2, 1, 3]), images[2:].transpose(0, 1).contiguous())


# What each method's own pairs of views attract each other by. m is the method, e an expert view and g a generated one.


def angle(temperature: float) -> Any:
    return lambda m, e, g: -F.cosine_similarity(m.projector(m.encoder(e)), m.projector(m.encoder(g))).mean() / temperature


def kernel(temperature: float, df: float) -> Any:
    def attraction(m: Any, e: Tensor, g: Tensor) -> Tensor:
        squared = (m.projector(m.encoder(e)) - m.projector(m.encoder(g))).square().sum(1)
        return -(1 + squared / temperature / df).pow(-(df + 1) / 2).log().mean()

    return attraction


def nnclr(m: Any, e: Tensor, g: Tensor) -> Tensor:
    anchors, positives = F.normalize(m.projector(m.encoder(e)), dim=1), m.predictor(m.projector(m.encoder(g)))
    nearest = m.queue.keys[torch.cdist(anchors, F.normalize(m.queue.keys, dim=1)).argmin(1)]
    return -F.cosine_similarity(nearest, positives).mean() / 0.1


def byol(m: Any, e: Tensor, g: Tensor) -> Tensor:
    def directed(x: Tensor, other: Tensor) -> Tensor:
        p, z = F.normalize(m.predictor(m.online(x)), dim=1), F.normalize(m.target(other).detach(), dim=1)
        return (p - z).square().sum(1).mean()

    return directed(e, g) + directed(g, e)


def simsiam(m: Any, e: Tensor, g: Tensor) -> Tensor:
    e, g = m.projector(m.encoder(e)), m.projector(m.encoder(g))
    toward_g = F.cosine_similarity(m.predictor(e), g.detach()).mean()
    return -(toward_g + F.cosine_similarity(m.predictor(g), e.detach()).mean()) / 2


ATTRACTIONS: dict[str, Any] = {
    "simclr": angle(0.2),
    "supcon": angle(0.1),
    "nnclr": nnclr,
    "feature-transformation": angle(0.2),
    "moco": angle(0.2),
    "byol": byol,
    "simsiam": simsiam,
    "t-simclr": kernel(8.0, 5.0),
    "t-moco": kernel(5.0, 10.0),
}
QUEUED = ("moco", "feature-transformation", "t-moco")


def separate(module: Any, name: str, views: Pair) -> Tensor:
    """Those whose experts share a pass of BatchNorm need it in eval mode to be embedded apart."""
    total = torch.zeros(())
    assert views.generated is not None
    for g in views.generated.unbind(1):
        for number, e in enumerate(views[:2]):
            assert isinstance(e, Tensor)
            if name in QUEUED and number:  # whose second view is a key
                keys = module.target(e).detach()
                total = total + ATTRACTIONS[name](_Keyed(module, keys), e, g)
            else:
                total = total + ATTRACTIONS[name](module, e, g)
    return ALPHA * total / 2 / views.generated.shape[1]


class _Keyed:
    """A method whose first embedding is a key."""

    def __init__(self, module: Any, keys: Tensor):
        self.projector, self.embeddings = lambda x: x, iter([keys])
        self.encoder = lambda images: next(self.embeddings, None) if self.pending() else module.online(images)
        self.used = False

    def pending(self) -> bool:
        self.used, first = True, not self.used
        return first


@pytest.mark.parametrize("name", ASSIMILATING)
def test_a2_adds_the_attraction_of_generated_views(name: str) -> None:
    module, views = small(name).eval(), pair()
    if hasattr(module, "target"):
        for parameter in module.target.parameters():
            parameter.mul_(1.1)
    loss, alone = module.loss(views, SEEDS), module.loss(views._replace(generated=None), SEEDS)
    expected = alone + separate(module, name, views)
    torch.testing.assert_close(loss, expected, rtol=1e-5, atol=1e-6)
    trained = [p for p in module.parameters() if p.requires_grad]
    found, right = (torch.autograd.grad(value, trained) for value in (loss, expected))
    torch.testing.assert_close(found, right, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("negatives", ["cross", "both", "all"])
def test_simclr_has_all_forms_of_the_loss(negatives: str) -> None:
    module, views = small("simclr", negatives=negatives, temperature=0.5).eval(), pair()
    first, second = (module.embed(images) for images in (views.first, views.second))
    assert views.generated is not None
    generated = torch.stack([module.embed(images) for images in views.generated.unbind(1)], 1)
    form: Any = {"cross": "infonce", "both": "simclr", "all": "full"}[negatives]
    loss = module.loss(views, SEEDS)
    torch.testing.assert_close(loss, multiview(first, second, generated, 0.5, ALPHA, form))
    if negatives == "all":
        expected = supervised_contrastive(torch.cat([torch.stack([first, second], 1), generated], 1), None, 0.5)
    else:
        expected = info_nce(first, second, 0.5, negatives) + module.attraction(first, second, views)  # type: ignore[arg-type]
    torch.testing.assert_close(loss, expected)


def test_a1_puts_a_generated_view_in_the_place_of_the_second() -> None:
    module, views = small("simclr", assimilate="a1"), pair()
    first, second, labels, generated = module.augmented(views, SEEDS)
    assert generated is None and labels is views.labels and views.generated is not None
    assert first.equal(module.augment(views.first, derive(SEEDS, 1)))
    weak = augmentations.create("weak", 16)
    candidates = [weak(images, derive(SEEDS, 2)) for images in views.generated.unbind(1)]
    chosen = torch.stack([torch.tensor([row.equal(other[i]) for other in candidates]) for i, row in enumerate(second)])
    assert (chosen.sum(1) == 1).all() and chosen.any(0).all()  # now the one and now the other


def test_a2_augments_each_generated_view_in_its_own_way() -> None:
    module, views = small("simclr"), pair()
    same = views._replace(generated=views.first[:, None].expand(-1, 2, -1, -1, -1))
    first, second, _, generated = module.augmented(same, SEEDS)
    assert first.equal(module.augment(views.first, derive(SEEDS, 1)))
    assert second.equal(module.augment(views.second, derive(SEEDS, 2)))
    assert generated.shape == (6, 2, 1, 16, 16) and not generated[:, 0].equal(generated[:, 1])


@pytest.mark.parametrize("assimilate", ["a1", "a2"])
@pytest.mark.parametrize("name", METHODS)
def test_every_method_trains_with_generated_views(name: str, assimilate: str) -> None:
    module = small(name, RealViews(DIGITS) if name == "viewmaker" else VIEWS, assimilate, steps=3)
    before = [p.detach().clone() for p in module.encoder.parameters()]
    history = fit(module, module.views, steps=3, batch_size=16, log_every=1)
    assert all(row["loss"] == row["loss"] for row in history.rows)
    assert not any(old.equal(new) for old, new in zip(before, module.encoder.parameters(), strict=True))


def test_attraction_brings_generated_views_nearer() -> None:
    """Noise that T_x does not make, so that without them the encoder has no reason to overlook it."""

    def likeness(module: Any) -> float:
        images = VIEWS(*VIEWS[torch.arange(200)], seeds=torch.arange(200))
        assert images.generated is not None
        with torch.no_grad():
            first, second = (module.eval().embed(F.interpolate(x, (16, 16))) for x in (images.first, images.generated[:, 0]))
        first, second = F.normalize(first, dim=1), F.normalize(second, dim=1)
        return float((first * second).sum(1).mean() - (first @ second.T).mean())

    drawn, without = small("simclr", steps=40), small("simclr", RealViews(DIGITS), None, steps=40)
    for module in (drawn, without):
        fit(module, module.views, steps=40, batch_size=64)
    assert likeness(drawn) > likeness(without) + 0.02


def test_the_run_folder_has_a_picture_of_the_views(tmp_path: Path) -> None:
    recipe = PretrainOptions(steps=1, batch_size=8, assimilate="a2")
    pretrain(VIEWS, recipe, tmp_path)
    from PIL import Image

    picture = Image.open(tmp_path / "images" / "views.png")
    assert picture.size == (5 * 17 + 1, 8 * 17 + 1)  # an image, two views and two generated ones


@pytest.mark.parametrize(
    ("views", "options", "message"),
    [
        (VIEWS, {}, r"assimilate is None, but the views have generated ones; choose a1 \(replace one\) or a2"),
        (RealViews(DIGITS), {"assimilate": "a1"}, "assimilate is 'a1', but the views have no generated ones; name learned views"),
        (
            RealViews(DIGITS),
            {"assimilate": "a3"},
            r"assimilate is 'a3'; choose a1 \(replace a view\), a2 \(attract both\) or None",
        ),
        (VIEWS, {"assimilate": "a2", "alpha": 0}, "alpha is 0; it must be positive"),
        (VIEWS, {"assimilate": "a2", "generated_augmentation": "mild"}, "there is no augmentation 'mild'; there are simclr"),
        (VIEWS, {"assimilate": "a2", "method": "viewmaker"}, "the source has generated ones already; name images or another"),
    ],
)
def test_what_does_not_fit_is_refused(views: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        pretrain(views, PretrainOptions(steps=1, batch_size=16, **options))
