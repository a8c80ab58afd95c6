"""Two processes compute the loss and the gradient of one process with the whole batch."""

import pytest
import torch
from reference.gathered import BATCH, LOSSES, WORLD, network, value_and_gradients, worker
from torch import Tensor

from genviews.losses import gather


@pytest.fixture(scope="module")
def ranks(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, list[Tensor]]]:
    """What each rank computed: the value and the gradients of each loss."""
    folder = tmp_path_factory.mktemp("ranks")
    torch.multiprocessing.spawn(worker, (str(folder),), nprocs=WORLD)
    return [torch.load(folder / f"{rank}.pt") for rank in range(WORLD)]


@pytest.fixture(scope="module")
def single() -> dict[str, list[Tensor]]:
    order = torch.cat([torch.arange(rank, BATCH, WORLD) for rank in range(WORLD)])
    return value_and_gradients(network(), order)


@pytest.mark.parametrize("name", LOSSES)
def test_value_and_gradient_equal_the_single_process(name: str, ranks, single) -> None:
    value, *gradients = single[name]
    torch.testing.assert_close(sum(rank[name][0] for rank in ranks) / WORLD, value, rtol=1e-5, atol=1e-7)
    assert len(gradients) == 4 and all(gradient.any() for gradient in gradients)
    for rank in ranks:
        torch.testing.assert_close(rank[name][1:], gradients, rtol=1e-5, atol=1e-7)


def test_every_rank_holds_the_value_of_a_gathered_batch(ranks, single) -> None:
    names = "info_nce", "info_nce of one view", "supervised_contrastive", "student_t_info_nce", "nearest_neighbours", "multiview"
    for name in names:
        for rank in ranks:
            torch.testing.assert_close(rank[name][0], single[name][0], rtol=1e-5, atol=1e-7)


def test_a_single_process_gathers_nothing() -> None:
    embeddings = torch.ones(2, 3)
    assert gather(embeddings) is embeddings
