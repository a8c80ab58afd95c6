"""Two processes compute the loss and the gradient of one process with the whole batch."""

from pathlib import Path

import torch
from reference.processes import BATCH, WORLD, images, network, worker

from genviews.losses import gather, info_nce


def test_value_and_gradient_equal_the_single_process(tmp_path: Path) -> None:
    for symmetric in (True, False):
        name = f"{tmp_path}/{symmetric}"
        torch.multiprocessing.spawn(worker, (f"{name}-store", symmetric, name), nprocs=WORLD)
        model = network()
        order = torch.cat([torch.arange(rank, BATCH, WORLD) for rank in range(WORLD)])
        first, second = (model(x[order]) for x in images())
        loss = info_nce(first, second, 0.2, symmetric=symmetric)
        loss.backward()
        expected = [loss.detach(), *(p.grad for p in model.parameters())]
        for rank in range(WORLD):
            for ours, theirs in zip(torch.load(f"{name}{rank}.pt"), expected, strict=True):
                torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-7)


def test_a_single_process_gathers_nothing() -> None:
    embeddings = torch.ones(2, 3)
    assert gather(embeddings) is embeddings
