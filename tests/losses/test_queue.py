"""The queue: first in, first out, whatever the sizes of what is pushed."""

from collections import deque

import pytest
import torch
import torch.nn.functional as F
from reference import losses as naive

from genviews.errors import OptionError, ShapeError
from genviews.losses import Queue, nearest_neighbours, queue_info_nce, student_t_queue


def rows(seed: int, count: int) -> torch.Tensor:
    return torch.randn(count, 3, generator=torch.Generator().manual_seed(seed))


def test_it_starts_with_random_directions_of_its_seed() -> None:
    keys = Queue(500, 3, seed=1).keys
    torch.testing.assert_close(keys.norm(dim=1), torch.ones(500))
    assert keys.mean(0).abs().max() < 0.1
    assert torch.equal(Queue(10, 3, seed=1).keys, keys[:10])
    assert not torch.equal(Queue(500, 3, seed=2).keys, keys)


def test_the_oldest_leave_first() -> None:
    queue, expected = Queue(8, 3), deque(torch.zeros(0, 3), maxlen=8)
    for step, count in enumerate((3, 4, 5, 8, 19, 0, 1)):  # wrapping round, all at once, more than there is room for
        keys = rows(step, count)
        queue.push(keys)
        expected.extend(keys)
        oldest_first = queue.keys.roll(-int(queue.position), 0)[-len(expected) :]
        assert torch.equal(oldest_first, torch.stack([*expected]))


def test_pushing_at_once_is_pushing_one_by_one() -> None:
    at_once, one_by_one = Queue(8, 3), Queue(8, 3)
    for keys in (rows(0, 5), rows(1, 11)):
        at_once.push(keys)
        for key in keys:
            one_by_one.push(key[None])
    assert torch.equal(at_once.keys, one_by_one.keys) and at_once.position == one_by_one.position


def test_its_state_is_kept() -> None:
    queue, restored = Queue(8, 3), Queue(8, 3, seed=1)
    queue.push(rows(0, 5))
    restored.load_state_dict(queue.state_dict())
    for each in (queue, restored):
        each.push(rows(1, 5))
    assert torch.equal(queue.keys, restored.keys) and restored.position == 2


@pytest.mark.parametrize("loss", [lambda *x: queue_info_nce(*x, normalise=False), queue_info_nce, student_t_queue])
def test_a_push_leaves_the_gradient_of_an_earlier_loss_alone(loss) -> None:
    queries = rows(0, 4).requires_grad_()
    queue = Queue(8, 3)
    (expected,) = torch.autograd.grad(loss(queries, rows(1, 4), queue.keys), queries)
    value = loss(queries, rows(1, 4), queue.keys)
    queue.push(queries)
    assert not queue.keys.requires_grad
    assert torch.equal(torch.autograd.grad(value, queries)[0], expected)


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ShapeError, match=r"a queue \(8, 3\) does not take \(2, 4\)"):
        Queue(8, 3).push(torch.ones(2, 4))
    with pytest.raises(OptionError, match="size is 0"):
        Queue(0, 3)


def test_the_nearest_is_normalised_and_has_no_gradient() -> None:
    embeddings, support = rows(0, 6).requires_grad_(), rows(1, 9) * torch.linspace(0.1, 10, 9)[:, None]
    found = nearest_neighbours(embeddings, support.requires_grad_())
    assert not found.requires_grad
    torch.testing.assert_close(found, naive.nearest_neighbours(embeddings.double(), support.double()).float())
    torch.testing.assert_close(nearest_neighbours(support * 3, support), F.normalize(support.detach(), dim=1))
