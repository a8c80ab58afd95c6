"""Generated views take the place of a view, or attract both, in every method."""

from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from PIL import Image
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


# What draws an expert view e and a generated one g together in each method m, which has embedded them.


def embedded(name: str, m: Any, images: Tensor, view: int) -> Any:
    """Of the first view, the second, or a generated one (2)."""
    if name == "byol":
        return m.predictor(m.projector(m.encoder(images))), m.target(images).detach()
    if view == 1 and name in ("moco", "feature-transformation", "t-moco"):
        return m.target(images).detach()
    return m.projector(m.encoder(images))


def angle(temperature: float) -> Any:
    return lambda m, e, g: -F.cosine_similarity(e, g).mean() / temperature


def kernel(temperature: float, df: float) -> Any:
    return lambda m, e, g: ((df + 1) / 2 * (1 + (e - g).square().sum(1) / temperature / df).log()).mean()


def nnclr(m: Any, e: Tensor, g: Tensor) -> Tensor:
    nearest = m.queue.keys[torch.cdist(F.normalize(e.detach(), dim=1), m.queue.keys).argmin(1)]
    return -F.cosine_similarity(nearest, m.predictor(g)).mean() / 0.1


def simsiam(m: Any, e: Tensor, g: Tensor) -> Tensor:
    both = F.cosine_similarity(m.predictor(e), g.detach()) + F.cosine_similarity(m.predictor(g), e.detach())
    return -both.mean() / 2


def byol(m: Any, e: tuple[Tensor, Tensor], g: tuple[Tensor, Tensor]) -> Tensor:
    pairs = ((e[0], g[1]), (g[0], e[1]))
    return sum((F.normalize(p, dim=1) - F.normalize(z, dim=1)).square().sum(1).mean() for p, z in pairs)


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


@pytest.mark.parametrize("name", ASSIMILATING)
def test_a2_adds_the_attraction_of_generated_views(name: str) -> None:
    module, views = small(name).eval(), pair()
    if hasattr(module, "target"):
        for parameter in module.target.parameters():
            parameter.mul_(1.1)
    loss, alone = module.loss(views, SEEDS), module.loss(views._replace(generated=None), SEEDS)
    assert views.generated is not None
    experts = [embedded(name, module, images, view) for view, images in enumerate((views.first, views.second))]
    generated = [embedded(name, module, images, 2) for images in views.generated.unbind(1)]
    expected = alone + ALPHA * sum(ATTRACTIONS[name](module, e, g) for e in experts for g in generated) / 4
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


@pytest.mark.parametrize(("name", "assimilate"), [("moco", "a1"), *((name, "a2") for name in METHODS)])
def test_every_method_trains_with_generated_views(name: str, assimilate: str) -> None:
    module = small(name, RealViews(DIGITS) if name == "viewmaker" else VIEWS, assimilate, steps=3)
    before = [p.detach().clone() for p in module.encoder.parameters()]
    fit(module, module.views, steps=3, batch_size=16)
    assert not any(old.equal(new) for old, new in zip(before, module.encoder.parameters(), strict=True))


def test_the_run_folder_has_a_picture_of_the_views(tmp_path: Path) -> None:
    recipe = PretrainOptions(steps=1, batch_size=8, assimilate="a2")
    pretrain(VIEWS, recipe, tmp_path)
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
