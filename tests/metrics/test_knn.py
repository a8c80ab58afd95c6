from pathlib import Path

import numpy as np
import pytest
import torch
from reference.probes import knn_predictions
from sklearn.neighbors import KNeighborsClassifier

from genviews.errors import DataError, OptionError
from genviews.metrics import knn
from genviews.metrics.knn import nearest

CENTRES = torch.randn(8, 6, generator=torch.Generator().manual_seed(99))
LABELS = torch.arange(160) % 8


def samples(seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    return CENTRES[LABELS] + 1.5 * torch.randn(160, 6, generator=torch.Generator().manual_seed(seed)), LABELS


TRAIN, TEST = samples(0), samples(1)


@pytest.mark.parametrize("k", [1, 5, 20, 160])
@pytest.mark.parametrize("temperature", [None, 0.07, 0.005])
def test_votes_are_those_of_the_naive_loop(k: int, temperature: float | None) -> None:
    result = knn(TRAIN, TEST, k, temperature)
    predictions = knn_predictions(TRAIN, TEST[0], k, temperature)
    for count, accuracy in ((1, result.top1), (5, result.top5)):
        hits = [int(label) in best[:count] for label, best in zip(TEST[1], predictions, strict=True)]
        assert accuracy == pytest.approx(sum(hits) / len(hits))


def test_one_neighbour_is_scikit_learns() -> None:
    peer = KNeighborsClassifier(1, metric="cosine", algorithm="brute").fit(*TRAIN)
    assert knn(TRAIN, TEST, k=1).top1 == pytest.approx(peer.score(*TEST))


@pytest.mark.parametrize("k", [1, 7])
def test_euclidean_neighbours_are_scikit_learns(k: int) -> None:
    lengths = torch.logspace(-1, 1, 160)[:, None]
    train = TRAIN[0] * lengths, LABELS
    peer = KNeighborsClassifier(k, algorithm="brute").fit(*train)
    found = nearest(train[0], TEST[0], k, chunk=(50, 30), measure="euclidean")
    distances, indices = peer.kneighbors(TEST[0])
    np.testing.assert_array_equal(found[1], indices)
    np.testing.assert_allclose(-found[0], distances, rtol=1e-5)
    if k == 1:
        assert knn(train, TEST, k, measure="euclidean").top1 == pytest.approx(peer.score(*TEST))


def test_a_euclidean_tie_goes_to_the_nearer_class() -> None:
    train = torch.tensor([[1.0], [200.0], [30.0], [40.0]]), torch.tensor([1, 1, 0, 0])
    assert knn(train, (torch.zeros(1, 1), torch.tensor([1])), k=4, measure="euclidean").top1 == 1.0


def test_an_unknown_measure_is_refused() -> None:
    with pytest.raises(OptionError, match="measure is 'l1'; choose cosine or euclidean"):
        knn(TRAIN, TEST, measure="l1")  # type: ignore[arg-type]


def test_a_tie_goes_to_the_nearer_class() -> None:
    angles = torch.tensor([0.1, 0.2, -0.3, -0.4])
    train = torch.stack([angles.cos(), angles.sin()], 1), torch.tensor([1, 1, 0, 0])
    assert knn(train, (torch.tensor([[1.0, 0.0]]), torch.tensor([1])), k=4).top1 == 1.0


def test_more_votes_win_over_nearer_ones() -> None:
    angles = torch.tensor([0.0, 0.0, 3.0, 3.0, 3.0])
    train = torch.stack([angles.cos(), angles.sin()], 1), torch.tensor([0, 0, 1, 1, 1])
    query = torch.tensor([[1.0, 0.0]]), torch.tensor([1])
    assert knn(train, query, k=5).top1 == 1.0
    assert knn(train, query, k=5, temperature=0.1).top1 == 0.0


def test_a_class_without_a_vote_is_not_among_the_five_best() -> None:
    assert knn(TRAIN, TEST, k=1).top5 == knn(TRAIN, TEST, k=1).top1


def test_length_of_the_features_does_not_matter() -> None:
    lengths = torch.logspace(-3, 3, 160)[:, None]
    assert knn((TRAIN[0] * lengths, LABELS), (TEST[0] * lengths.flip(0), LABELS)) == knn(TRAIN, TEST)


@pytest.mark.parametrize("chunk", [(1, 1), (7, 50), (10**9, 3), (1024, 4096)])
def test_neighbours_found_in_chunks_are_those_of_all_similarities(chunk: tuple[int, int]) -> None:
    keys, queries = (samples / samples.norm(dim=1, keepdim=True) for samples, _ in (TRAIN, TEST))
    expected = (queries @ keys.T).sort(1, descending=True)
    similarity, neighbours = nearest(TRAIN[0], TEST[0], 20, chunk)
    torch.testing.assert_close(similarity, expected.values[:, :20])
    assert neighbours.equal(expected.indices[:, :20])


def test_impossible_options_are_refused() -> None:
    with pytest.raises(DataError, match="161 neighbours were asked for among 160 samples"):
        knn(TRAIN, TEST, k=161)
    with pytest.raises(OptionError, match="k is 0"):
        knn(TRAIN, TEST, k=0)
    with pytest.raises(OptionError, match="temperature is 0"):
        knn(TRAIN, TEST, temperature=0)


def test_mnist_pixels(shared: Path) -> None:
    data = np.load(shared / "data" / "mnist.npz")
    train, test = (
        (torch.tensor(data[f"images_{part}"][:n]).flatten(1) / 255, torch.tensor(data[f"labels_{part}"][:n]).long())
        for part, n in (("train", 8000), ("test", 1000))
    )
    peer = KNeighborsClassifier(1, metric="cosine", algorithm="brute").fit(*train)
    result = knn(train, test, k=1)
    assert result.top1 == pytest.approx(peer.score(*test), abs=1e-3)
    assert result.top1 > 0.9
