"""Data sets with known factors: the interface, and what opens them."""

import itertools
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch

from genviews.data import FactorDataset, Subset, factors, load
from genviews.errors import DataError, OptionError

SIZES = (3, 2, 4)


def small() -> FactorDataset:
    """24 images whose pixels are their own index."""
    pixels = torch.arange(24, dtype=torch.uint8)[:, None, None, None].expand(24, 1, 2, 2)
    return FactorDataset(("a", "b", "c"), SIZES, (1, 2, 2), pixels.__getitem__)


def test_indices_are_the_rows_of_the_product_of_the_factors() -> None:
    data, rows = small(), torch.tensor(list(itertools.product(*map(range, SIZES))))
    assert len(data) == 24
    assert data.factors(torch.arange(24)).equal(rows) and data.index(rows).equal(torch.arange(24))
    assert data.images(rows)[:, 0, 0, 0].tolist() == list(range(24))
    shuffled = torch.randperm(24, generator=torch.Generator().manual_seed(0))
    assert data.index(rows[shuffled].to(torch.uint8)).equal(shuffled) and data.factors(shuffled).equal(rows[shuffled])


def test_it_is_a_set_of_images_without_labels() -> None:
    images, labels = small()[torch.tensor([5, 0, 23, 5])]
    assert images[:, 0, 1, 1].tolist() == [5, 0, 23, 5] and images.dtype == torch.uint8
    assert labels.tolist() == [-1] * 4 and small().labels.tolist() == [-1] * 24 and small().class_names == ()
    assert small()[torch.tensor([], dtype=torch.int64)][0].shape == (0, 1, 2, 2)


def test_samples_are_uniform_and_those_of_a_seed_the_same() -> None:
    drawn, images = small().sample(24_000, torch.Generator().manual_seed(0))
    assert images[:, 0, 0, 0].long().equal(small().index(drawn))
    counts = small().index(drawn).bincount(minlength=24)
    assert ((counts - 1000) ** 2 / 1000).sum() < 23 + 4 * 46**0.5
    seeds = torch.arange(100) - 50
    whole, part = small().sample(100, seeds)[0], small().sample(30, seeds[40:70])[0]
    assert part.equal(whole[40:70]) and small().sample(5, torch.Generator().manual_seed(0))[0].equal(drawn[:5])


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (torch.tensor([[0, 0, 0], [0, 2, 0]]), r"factors\[1\] has b 2; it must be 0 to 1"),
        (torch.tensor([[-1, 0, 0]]), r"factors\[0\] has a -1; it must be 0 to 2"),
        (torch.tensor([[0, 0]]), r"factors are torch.int64 \(1, 2\); they must be int64 \(n, 3\)"),
        (torch.tensor([0, 0, 0]), r"\(3,\); they must be int64 \(n, 3\)"),
        (torch.zeros(1, 3), r"factors are torch.float32"),
    ],
)
def test_factors_it_does_not_have_are_refused(wrong: torch.Tensor, message: str) -> None:
    with pytest.raises(DataError, match=message):
        small().images(wrong)


@pytest.mark.parametrize("index", [-1, 24])
def test_images_it_does_not_have_are_refused(index: int) -> None:
    with pytest.raises(DataError, match=f"there is no image {index}; indices must be 0 to 23"):
        small().factors(torch.tensor([3, index]))
    with pytest.raises(DataError, match=f"there is no image {index}"):
        small()[torch.tensor([index])]


@pytest.mark.parametrize("name", ["shapes3d", "dsprites", "noisy-dsprites"])
@pytest.mark.parametrize("size", [None, 32])
def test_names(name: str, size: int | None) -> None:
    data = pickle.loads(pickle.dumps(factors(name, size)))
    drawn, images = data.sample(3, torch.Generator().manual_seed(0))
    assert images.shape == (3, *data.image_shape) and data.image_shape[1:] == (size or 64, size or 64)
    assert drawn.shape == (3, len(data.factor_names)) and images.equal(factors(name, size).images(drawn))


def test_load_holds_out_a_fixed_fifth() -> None:
    train, test = load("shapes3d", 16)
    assert isinstance(train, Subset) and train.image_shape == (3, 16, 16)
    assert (len(train), len(test)) == (384_000, 96_000) and load("shapes3d").test.indices.equal(test.indices)
    assert torch.cat([train.indices, test.indices]).sort().values.equal(torch.arange(480_000))
    held_out = factors("shapes3d").factors(test.indices).double()
    assert (held_out.mean(0) - (torch.tensor(factors("shapes3d").factor_sizes) - 1) / 2).abs().max() < 0.05
    images, labels = train[torch.tensor([7, 300_000])]
    assert images.equal(factors("shapes3d", 16)[train.indices[[7, 300_000]]][0]) and labels.tolist() == [-1, -1]


@pytest.mark.parametrize("opens", [factors, load])
def test_unknown_names_are_refused(opens: object, tmp_path: Path) -> None:
    for name in ("shapes", tmp_path / "missing.h5", tmp_path / "missing.npz"):
        with pytest.raises(OptionError, match=r"data '.*' is neither .*shapes3d, dsprites, noisy-dsprites"):
            opens(name)  # type: ignore[operator]
    with pytest.raises(OptionError, match="image_size is 0"):
        factors("dsprites", 0)


def test_the_sprites_at_hand(shared: Path) -> None:
    path = shared / "data" / "sprites_64.npz"
    data = factors(path)
    assert data.factor_names == ("body", "bottomwear", "topwear", "hair", "action_direction")
    assert data.factor_sizes == (6, 6, 6, 6, 9) and data.image_shape == (3, 64, 64)
    with np.load(path) as file:
        indices = torch.tensor([0, 11, 5000, 11663])
        expected = torch.from_numpy(file["images"][indices.numpy()]).permute(0, 3, 1, 2)
        assert data.images(torch.from_numpy(file["factors"][indices.numpy()])).equal(expected)
    assert len(load(path, 32).train) == 9331 and load(path, 32).train.image_shape == (3, 32, 32)
