"""Learned views, Table 1: how much a view tells of its image, and how far from it an encoder sees it."""

from ... import augmentations, devices
from ...evaluation import Kind, mutual_information
from ..cache import Cache
from ..table import Column, Row, Table
from .scales import SCALES
from .settings import Scale, Spec, embedder_and_distances, generator_and_images, opened

COLUMNS = {
    "mine": Column("MINE, nats", percent=False),
    "info_nce": Column("InfoNCE bound, nats", percent=False),
    "proxy": Column("inner product", percent=False),
    "distance": Column("distance", percent=False),
}


def measure(spec: Spec, scale: Scale, seed: int, cache: Cache) -> dict[str, float]:
    """What the first view of a kind shares with the second, in the eyes of the scale's embedder."""
    _, images, _ = generator_and_images(spec, scale, cache)
    embedder, _ = embedder_and_distances(scale, images, cache)
    views, _, _ = opened(spec, scale, cache)
    recipe = scale.encoder
    expert = augmentations.create(recipe.augmentation or "mnist", recipe.side(images.image_shape))
    kind = Kind(views) if spec.views else Kind(views, expert)
    found = mutual_information(embedder.to(devices.best()), {"kind": kind}, critic=scale.critic, seed=seed)
    return found["kind"].numbers()


TABLE = Table(
    title="What views tell of their images",
    source='"On assimilating learned views in contrastive learning", Table 1 and Figure 2: mutual information on CIFAR-10',
    columns=lambda scale: COLUMNS,
    rows=(
        Row("expert", "two expert views", Spec()),
        Row("search", "W-search", Spec(views="search")),
        *(Row(f"perturb-{s}", f"W-perturb, sigma = {s}", Spec(views="perturb", std=s)) for s in (0.05, 0.1, 0.2, 0.4, 0.8)),
    ),
    scales=SCALES,
    measure=measure,
    notes=(
        "The second view is the image itself, but for expert views. By embeddings of the encoder that W-search searched against.",
        "The kinds are the paper's, without numbers here. `genviews evaluate mutual-information` draws the same.",
    ),
)
