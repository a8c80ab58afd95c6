"""Each contrastive loss against its definition, one pair at a time in float64, and what holds for all of them."""

import math
from collections.abc import Callable

import pytest
import torch
from reference import losses as naive
from torch import Tensor

from genviews import losses
from genviews.errors import OptionError, ShapeError

Loss = Callable[[Tensor, Tensor, Tensor], Tensor]

LABELS = torch.tensor([2, 0, 2, 1, 0, 2, 3])
SAME_CLASS = (LABELS[:, None] == LABELS).tolist()
ITSELF = torch.eye(7).bool().tolist()
MASK = torch.rand(7, 7, generator=torch.Generator().manual_seed(5)) < 0.4
MASK[3] = False


def supervised(labels: Tensor | None, temperature: float, symmetric: bool = True) -> Loss:
    return lambda first, second, queue: losses.supervised_contrastive(
        torch.stack([first, second, queue[:7]], 1), labels, temperature, symmetric
    )


def naive_supervised(positive: list[list[bool]], temperature: float, symmetric: bool = True) -> Loss:
    return lambda first, second, queue: naive.supervised_contrastive(
        torch.stack([first, second, queue[:7]], 1), positive, temperature, symmetric
    )


def nnclr(first: Tensor, second: Tensor, queue: Tensor) -> Tensor:
    pairs = ((losses.nearest_neighbours(first, queue), second), (losses.nearest_neighbours(second, queue), first))
    return sum(losses.info_nce(*pair, 0.2, negatives="cross") for pair in pairs) / 2


DEFINITIONS: dict[str, tuple[Loss, Loss]] = {
    "classes": (supervised(LABELS, 0.1), naive_supervised(SAME_CLASS, 0.1)),
    "classes, anchors of one view": (supervised(LABELS, 0.5, False), naive_supervised(SAME_CLASS, 0.5, False)),
    "no classes": (supervised(None, 0.3), naive_supervised(ITSELF, 0.3)),
    "positives one by one": (supervised(MASK, 0.2), naive_supervised(MASK.tolist(), 0.2)),
    "queue": (losses.queue_info_nce, lambda q, k, n: naive.per_query(q, k, n, naive.exponential(0.2))),
    "queue, cold": (
        lambda q, k, n: losses.queue_info_nce(q, k, n, 0.07),
        lambda q, k, n: naive.per_query(q, k, n, naive.exponential(0.07)),
    ),
    "queue as it is": (
        lambda q, k, n: losses.queue_info_nce(q, k, n, 0.5, normalise=False),
        lambda q, k, n: naive.per_query(q, k, n, naive.exponential(0.5, torch.dot)),
    ),
    "t-SimCLR": (
        lambda first, second, _: losses.student_t_info_nce(first, second),
        lambda first, second, _: naive.joint(first, second, naive.student_t(8.0, 5.0)),
    ),
    "t-SimCLR, Cauchy": (
        lambda first, second, _: losses.student_t_info_nce(first, second, 0.5, 1.0),
        lambda first, second, _: naive.joint(first, second, naive.student_t(0.5, 1.0)),
    ),
    "t-MoCo": (losses.student_t_queue, lambda q, k, n: naive.per_query(q, k, n, naive.student_t(5.0, 10.0))),
    "t-MoCo, Cauchy": (
        lambda q, k, n: losses.student_t_queue(q, k, n, 0.5, 1.0),
        lambda q, k, n: naive.per_query(q, k, n, naive.student_t(0.5, 1.0)),
    ),
    "t-SimCLR's attraction": (
        lambda first, second, _: losses.student_t_distance(first, second, 2.0, 3.0),
        lambda first, second, _: (
            -torch.stack([naive.student_t(2.0, 3.0)(a, b).log() for a, b in zip(first, second, strict=True)]).mean()
        ),
    ),
    "ViewMaker": (
        lambda first, second, _: losses.viewmaker_loss(first, second),
        lambda first, second, _: naive.viewmaker(first, second, 0.07),
    ),
    "SimSiam": (lambda p, z, _: losses.negative_cosine(p, z), lambda p, z, _: naive.negative_cosine(p, z)),
    "NNCLR": (nnclr, lambda first, second, queue: naive.nnclr(first, second, queue, 0.2)),
}
ANY_SCALE = [name for name in DEFINITIONS if not name.startswith("t-") and name != "queue as it is"]


def inputs(seed: int) -> list[Tensor]:
    """Two views of 7 samples and a queue of 9, of dimension 5."""
    rows = torch.randn(23, 5, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return [part.clone().requires_grad_() for part in rows.split([7, 7, 9])]


def gradients(loss: Tensor, of: list[Tensor]) -> tuple[Tensor, ...]:
    return torch.autograd.grad(loss, of, allow_unused=True, materialize_grads=True)


@pytest.mark.parametrize("name", DEFINITIONS)
def test_value_and_gradient_are_those_of_the_definition(name: str) -> None:
    ours, theirs = DEFINITIONS[name]
    tensors = inputs(0)
    loss, expected = ours(*(x.float() for x in tensors)), theirs(*tensors)
    torch.testing.assert_close(loss, expected.float(), rtol=1e-5, atol=1e-6)
    for found, right in zip(gradients(loss, tensors), gradients(expected, tensors), strict=True):
        torch.testing.assert_close(found, right, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("name", DEFINITIONS)
def test_identical_rows_have_finite_gradients(name: str) -> None:
    tensors = [torch.ones(len(x), 5, requires_grad=True) for x in inputs(0)]
    loss = DEFINITIONS[name][0](*tensors)
    assert loss.isfinite() and all(gradient.isfinite().all() for gradient in gradients(loss, tensors))


@pytest.mark.parametrize("name", DEFINITIONS)
def test_autocast_computes_in_float32(name: str) -> None:
    tensors = [x.detach().float() for x in inputs(1)]
    with torch.autocast("cpu", torch.bfloat16):
        inside = DEFINITIONS[name][0](*tensors)
    torch.testing.assert_close(inside, DEFINITIONS[name][0](*tensors), rtol=0, atol=0)
    assert DEFINITIONS[name][0](*(x.bfloat16() for x in tensors)).dtype == torch.float32


@pytest.mark.parametrize("name", ANY_SCALE)
def test_the_scale_of_an_embedding_does_not_matter(name: str) -> None:
    tensors = [x.detach().float() for x in inputs(2)]
    scaled = [x * torch.linspace(0.5, 2, len(x))[:, None] for x in tensors]
    torch.testing.assert_close(DEFINITIONS[name][0](*scaled), DEFINITIONS[name][0](*tensors))


@pytest.mark.parametrize("name", ["t-SimCLR", "t-MoCo"])
def test_a_common_offset_does_not_matter_to_distances(name: str) -> None:
    tensors = [x.detach().float() for x in inputs(2)]
    torch.testing.assert_close(DEFINITIONS[name][0](*(x + 5 for x in tensors)), DEFINITIONS[name][0](*tensors))


@pytest.mark.parametrize("name", [name for name in DEFINITIONS if "classes" not in name and "positives" not in name])
def test_the_order_of_the_samples_does_not_matter(name: str) -> None:
    first, second, queue = (x.detach().float() for x in inputs(3))
    loss = DEFINITIONS[name][0](first, second, queue)
    torch.testing.assert_close(DEFINITIONS[name][0](first.flip(0), second.flip(0), queue.flip(0)), loss)


def test_classes_do_not_depend_on_order_or_on_their_names() -> None:
    embeddings = torch.randn(7, 2, 5, generator=torch.Generator().manual_seed(0))
    loss = losses.supervised_contrastive(embeddings, LABELS)
    torch.testing.assert_close(losses.supervised_contrastive(embeddings.flip(0, 1), 10 - LABELS.flip(0)), loss)


def test_without_information_each_loss_is_the_logarithm_of_its_candidates() -> None:
    pair, queue = torch.ones(6, 4), torch.ones(9, 4)
    for loss, candidates in (
        (losses.supervised_contrastive(torch.stack([pair, pair], 1), torch.arange(6) // 2), 11),
        (losses.student_t_info_nce(pair, pair), 12 * 11),
        (losses.queue_info_nce(pair, pair, queue), 10),
        (losses.student_t_queue(pair, pair, queue), 10),
    ):
        assert loss.item() == pytest.approx(math.log(candidates), rel=1e-5)


def test_two_views_without_classes_are_info_nce() -> None:
    first, second, _ = (x.detach().float() for x in inputs(4))
    for symmetric in (True, False):
        loss = losses.supervised_contrastive(torch.stack([first, second], 1), None, 0.2, symmetric)
        torch.testing.assert_close(loss, losses.info_nce(first, second, 0.2, symmetric=symmetric))


def test_many_degrees_of_freedom_are_a_gaussian_kernel() -> None:
    first, second, queue = (torch.nn.functional.normalize(x.detach().float(), dim=1) for x in inputs(5))
    loss = losses.student_t_queue(first, second, queue, temperature=0.2, df=1e6)
    torch.testing.assert_close(loss, losses.queue_info_nce(first, second, queue, temperature=0.2), rtol=1e-3, atol=0)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda x: losses.supervised_contrastive(x), ShapeError, r"takes \(B, V, D\) with B of at least 2, got \(4, 3\)"),
        (lambda x: losses.supervised_contrastive(x[None]), ShapeError, r"got \(1, 4, 3\)"),
        (lambda x: losses.supervised_contrastive(x[:, None], torch.ones(3)), ShapeError, r"labels are \(3,\) for a batch of 4"),
        (
            lambda x: losses.supervised_contrastive(x[:, None], temperature=0),
            OptionError,
            "temperature is 0; it must",
        ),
        (lambda x: losses.queue_info_nce(x, x[:2], x), ShapeError, r"queue_info_nce takes two .* \(4, 3\) and \(2, 3\)"),
        (lambda x: losses.queue_info_nce(x, x, x[:, :2]), ShapeError, r"\(4, 3\) and \(4, 2\)"),
        (lambda x: losses.queue_info_nce(x, x, x[:0]), ShapeError, r"at least one row of \(K, D\), got \(4, 3\) and \(0, 3\)"),
        (lambda x: losses.queue_info_nce(x, x, x, -1.0), OptionError, "temperature is -1.0"),
        (lambda x: losses.student_t_info_nce(x, x[0]), ShapeError, "student_t_info_nce takes two"),
        (lambda x: losses.student_t_info_nce(x[:1], x[:1]), ShapeError, "batch of 1"),
        (lambda x: losses.student_t_info_nce(x, x, df=0), OptionError, "df is 0"),
        (lambda x: losses.student_t_queue(x, x, x[:, :2]), ShapeError, "student_t_queue compares"),
        (lambda x: losses.student_t_queue(x, x, x, 0.0), OptionError, "temperature is 0.0"),
        (lambda x: losses.negative_cosine(x, x[:2]), ShapeError, "negative_cosine takes two"),
        (lambda x: losses.student_t_distance(x, x[:2]), ShapeError, "student_t_distance takes two"),
        (lambda x: losses.student_t_distance(x, x, df=-1), OptionError, "df is -1"),
        (lambda x: losses.viewmaker_loss(x, x[:2]), ShapeError, "viewmaker_loss takes two"),
        (lambda x: losses.viewmaker_loss(x, x, 0), OptionError, "temperature is 0"),
        (lambda x: losses.nearest_neighbours(x, x[0]), ShapeError, "nearest_neighbours compares"),
    ],
)
def test_bad_input_is_refused(call: Callable[[Tensor], Tensor], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call(torch.ones(4, 3))
