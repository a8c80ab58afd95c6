from dataclasses import asdict
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from genviews import metrics
from genviews.data import FactorDataset
from genviews.errors import NonFiniteError, OptionError, ShapeError
from genviews.evaluation import CodeTable, disentanglement
from genviews.generators import MLPVAE

SIZES = (4, 3, 5)


class Squares:
    """Images of 2x2 px: three pixels hold a factor each; counts what is read."""

    def __init__(self) -> None:
        self.read_images = 0

    def read(self, indices: Tensor) -> Tensor:
        self.read_images += len(indices)
        factors = torch.stack(torch.unravel_index(indices, SIZES), 1)
        return torch.cat([50 * factors, torch.full((len(factors), 1), 9)], 1).to(torch.uint8).view(-1, 1, 2, 2)

    def data(self) -> FactorDataset:
        return FactorDataset(("a", "b", "c"), SIZES, (1, 2, 2), self.read)


class Rotate(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.dropout = nn.Dropout(0.5)
        self.register_buffer("turn", torch.linalg.qr(torch.randn(4, 4, generator=torch.Generator().manual_seed(0))).Q)

    def forward(self, images: Tensor) -> Tensor:
        return self.dropout(images.flatten(1)) @ self.turn


FEW: dict[str, Any] = {"samples": 400, "seed": 3}


def test_a_perfect_encoder_scores_one_and_each_image_is_encoded_once() -> None:
    squares = Squares()
    every = ("mig", "dci", "factor_vae", "beta_vae", "modularity", "sap")
    result = disentanglement(lambda images: images.flatten(1), squares.data(), metrics=every, **FEW)
    assert result.dci is not None
    scores = [result.mig, result.dci.disentanglement, result.dci.informativeness, result.factor_vae]
    assert min(score or 0 for score in scores) > 0.97
    assert result.modularity == pytest.approx(0.75, abs=1e-3)  # the fourth pixel is constant
    assert (result.beta_vae or 0) > 0.9 and (result.sap or 0) > 0.2
    assert squares.read_images == result.images == 60
    assert (result.dimensions, result.constant, result.samples, result.seed) == (4, [3], 400, 3)


def test_a_module_works_in_eval_mode_and_only_the_metrics_asked_for_are_computed() -> None:
    encoder = Rotate().train()
    first, second = (disentanglement(encoder, Squares().data(), metrics=("mig", "modularity"), **FEW) for _ in range(2))
    assert first == second and encoder.dropout.training
    assert first.mig is not None and 0 < first.mig < 0.9
    assert {name for name, value in asdict(first).items() if value is None} == {"dci", "factor_vae", "beta_vae", "sap"}
    assert disentanglement(encoder, Squares().data(), metrics=("mig",), samples=400, seed=4).mig != first.mig


def test_a_generator_encodes() -> None:
    torch.manual_seed(0)
    vae = MLPVAE(image_shape=(1, 2, 2), latent_dim=3).frozen()
    data = Squares().data()
    factors = data.factors(torch.tensor([7, 3, 7]))
    torch.testing.assert_close(CodeTable(vae, data)(factors), vae.encode(data.images(factors).float() / 255))
    assert disentanglement(vae, data, metrics=("mig",), **FEW).dimensions == 3


def test_scores_are_those_of_the_metrics_on_the_codes() -> None:
    data, encoder = Squares().data(), Rotate()
    table = CodeTable(encoder, data)
    result = disentanglement(encoder, data, metrics=("factor_vae", "beta_vae"), **FEW)
    batches = {"train": 400, "test": 200, "seed": 3}
    assert result.factor_vae == metrics.factor_vae_score(table, SIZES, **batches)
    assert result.beta_vae == metrics.beta_vae_score(table, SIZES, **batches)


def test_what_cannot_be_scored_is_refused() -> None:
    data, unknown = Squares().data(), ("mig", "irs")
    with pytest.raises(OptionError, match="metric 'irs' is unknown; choose from mig, dci"):
        disentanglement(nn.Flatten(), data, metrics=unknown, **FEW)  # type: ignore[arg-type]
    with pytest.raises(OptionError, match="samples is 3; it must be 4 or more"):
        disentanglement(nn.Flatten(), data, samples=3)
    with pytest.raises(ShapeError, match=r"the images are \(1, 2, 2\), MLPVAE encodes \(3, 2, 2\)"):
        disentanglement(MLPVAE(image_shape=(3, 2, 2), latent_dim=3), data, **FEW)
    with pytest.raises(NonFiniteError, match="NaN"):
        disentanglement(lambda images: images.flatten(1) / 0, data, **FEW)
