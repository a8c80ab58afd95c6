"""IC-GAN (Casanova et al. 2021) with BigGAN's backbone, and the files of facebookresearch/ic_gan."""

import copy
from pathlib import Path
from typing import Any, ClassVar, cast

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .. import checkpoints
from ..errors import DataError, OptionError, ShapeError
from .base import Generator, Parts
from .biggan import FEATURES, Backbone, BigGAN, read, small


class ICGAN(Generator):
    """The features of a real image, its class too if there are classes, and a latent become an image like it.

    A condition is the index of an instance it was given `with_instances`.

    Args:
        num_instances: N; None for a generator that has none yet.
        feature_dim: F, numbers of an instance's features.
        feature_embedding_dim: Size of their embedding; None for the features themselves.
        num_classes: K; None for a generator conditioned on instances only.
        embedding_dim: Size of the embedding of classes, if there are any.
        backbone: Of `Backbone`.
    """

    files: ClassVar[tuple[str, ...]] = BigGAN.files
    instances: Tensor
    labels: Tensor

    def __init__(
        self,
        num_instances: int | None = None,
        feature_dim: int = FEATURES,
        feature_embedding_dim: int | None = 512,
        num_classes: int | None = None,
        embedding_dim: int = 128,
        **backbone: Any,
    ):
        super().__init__()
        self.shared = None if num_classes is None else nn.Embedding(num_classes, embedding_dim)
        self.shared_feat = None if feature_embedding_dim is None else nn.Linear(feature_dim, feature_embedding_dim)
        if self.shared_feat is not None:
            nn.init.normal_(self.shared_feat.weight)  # numbers of unit variance, as a class's, of features of unit length
        condition_dim = (feature_embedding_dim or feature_dim) + (0 if num_classes is None else embedding_dim)
        self.net = Backbone(condition_dim, **backbone)
        self.latent_dim, self.image_shape = self.net.latent_dim, self.net.image_shape
        self.config = {
            "feature_dim": feature_dim,
            "feature_embedding_dim": feature_embedding_dim,
            "num_classes": num_classes,
            "embedding_dim": embedding_dim,
        } | self.net.config
        if num_instances is not None:
            self._hold(torch.zeros(num_instances, feature_dim), torch.zeros(num_instances, dtype=torch.int64))

    def _hold(self, features: Tensor, labels: Tensor | None) -> None:
        self.num_conditions = len(features)
        self.config = self.config | {"num_instances": len(features)}
        self.register_buffer("instances", features)
        if self.shared is not None:
            self.register_buffer("labels", labels)

    @classmethod
    def for_images(cls, image_shape: tuple[int, int, int], conditions: Any = None, **options: Any) -> Generator:
        defaults = {"feature_embedding_dim": 128} | small(image_shape)
        return cls(feature_dim=conditions.shape[1], **defaults | options).with_instances(conditions)

    @classmethod
    def recognise(cls, content: Any, path: Path) -> Parts | None:
        file = read(content, path)
        if file is None or not file.by_instance:
            return None
        embedding, shared = file.state.get("shared_feat.weight"), file.state["shared.weight"]
        config = {
            "feature_dim": FEATURES if embedding is None else embedding.shape[1],
            "feature_embedding_dim": None if embedding is None else len(embedding),
            "num_classes": len(shared) if file.by_class else None,
            "embedding_dim": shared.shape[1],
        }
        state = {name: tensor for name, tensor in file.state.items() if file.by_class or name != "shared.weight"}
        return config | file.backbone, state

    original_name = staticmethod(BigGAN.original_name)

    def with_instances(self, features: Tensor | str | Path, labels: Tensor | None = None) -> "ICGAN":
        """The same generator, sharing its weights, conditioned on these instances.

        Args:
            features: float (N, F), l2-normalised here; or a `.npy` file of the original project's stored instances, or of
                such an array.
            labels: int (N,), the instances' classes, for a generator with classes; a file brings its own.

        Raises:
            ShapeError: If the features are not (N, F) or the labels not (N,).
            OptionError: If labels are missing or no classes.
        """
        if not isinstance(features, Tensor):
            features, labels = _read_instances(features, labels)
        width = self.config["feature_dim"]
        if features.ndim != 2 or features.shape[1] != width or len(features) == 0:
            raise ShapeError(f"instances have features {tuple(features.shape)}; this generator takes (N, {width})")
        if self.shared is not None:
            if labels is None:
                raise OptionError("this generator is conditioned on classes too; give the instances' labels (N,)")
            if labels.shape != features.shape[:1]:
                raise ShapeError(f"labels are {tuple(labels.shape)} for {len(features)} instances; give one for each")
            if not 0 <= labels.min() <= labels.max() < self.shared.num_embeddings:
                raise OptionError(
                    f"labels are from {labels.min()} to {labels.max()}; the classes are 0 to {self.shared.num_embeddings - 1}"
                )
            labels = labels.to(self.device, torch.int64)
        other = copy.copy(self)
        other._buffers = self._buffers.copy()
        other._hold(F.normalize(features.to(self.device, torch.float32)), labels)
        return other

    def forward(self, latents: Tensor, condition: Tensor | None = None) -> Tensor:
        if self.num_conditions is None:
            raise OptionError("this IC-GAN has no instances to be conditioned on; give it some: with_instances(features)")
        return super().forward(latents, condition)

    def embed(self, condition: Tensor) -> Tensor:
        """The embeddings (B, E) of stored instances (B,), the class before the features."""
        features = F.embedding(condition, self.instances)
        embedding = features if self.shared_feat is None else self.shared_feat(features)
        return embedding if self.shared is None else torch.cat([self.shared(self.labels[condition]), embedding], dim=1)

    def generate(self, latents: Tensor, condition: Tensor | None) -> Tensor:
        return self.net(latents, self.embed(cast(Tensor, condition)))

    def first_weights(self) -> list[Tensor]:
        return self.net.first_weights()


def _read_instances(path: str | Path, labels: Tensor | None) -> tuple[Tensor, Tensor | None]:
    content = checkpoints.read(path)
    if isinstance(content, np.ndarray):
        content = {"instance_features": content}
    if not isinstance(content, dict) or "instance_features" not in content:
        raise DataError(f"{path} holds no instance_features; give IC-GAN's stored instances or an array (N, F)")
    with checkpoints.building(path):
        if labels is None and "labels" in content:
            labels = torch.from_numpy(np.asarray(content["labels"], np.int64).reshape(-1))
        return torch.from_numpy(np.asarray(content["instance_features"], np.float32)), labels
