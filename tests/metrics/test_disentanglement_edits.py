import math

import pytest
import torch
from torch import Tensor

from genviews.errors import DataError, OptionError
from genviews.metrics import manipulation_disentanglement


def edited(flips: list[tuple[float, float]], n: int = 100, attributes: int = 3) -> tuple[Tensor, Tensor]:
    """Predictions before, and after at each strength, of which so large shares of the target and of each other flip."""
    before = torch.randint(2, (n, attributes), generator=torch.Generator().manual_seed(0)).float()
    after = before.repeat(len(flips), 1, 1)
    for strength, (target, others) in enumerate(flips):
        after[strength, : round(target * n), 0] = 1 - before[: round(target * n), 0]
        after[strength, : round(others * n), 1:] = 1 - before[: round(others * n), 1:]
    return before, after


def test_the_curve_is_one_minus_the_change_of_others_over_the_change_of_the_target() -> None:
    result = manipulation_disentanglement(*edited([(0.5, 0.1), (1.0, 0.3)]), target=0)
    assert result.accuracy == [0.5, 1.0]
    assert result.disentanglement == pytest.approx([0.9, 0.7])
    assert result.score == pytest.approx(0.5 * (1 + 0.9) / 2 + 0.5 * (0.9 + 0.7) / 2)


def test_a_perfect_edit_scores_one_and_a_useless_one_nothing() -> None:
    assert manipulation_disentanglement(*edited([(0.4, 0), (1, 0)]), target=0).score == pytest.approx(1)
    assert manipulation_disentanglement(*edited([(0, 0.2), (0, 0.9)]), target=0).score == 0


def test_nothing_counts_beyond_the_accuracy_reached_and_the_order_of_strengths_does_not_matter() -> None:
    flips = [(0.6, 0.0), (0.2, 0.0), (0.4, 0.0)]
    assert manipulation_disentanglement(*edited(flips), target=0).score == pytest.approx(0.6)


def test_probabilities_count_by_the_side_of_a_half() -> None:
    before, after = edited([(0.5, 0.1), (1.0, 0.3)])
    expected = manipulation_disentanglement(before, after, target=0)
    assert manipulation_disentanglement(0.2 + 0.6 * before, 0.4 + 0.2 * after, target=0) == expected


def test_what_cannot_be_scored_is_refused() -> None:
    before, after = edited([(0.5, 0.1)])
    for first, second in ((before[1:], after), (before, after[0]), (before[:, :1], after[..., :1]), (before, after[:0])):
        with pytest.raises(DataError, match=r"give \(N, A\) and \(S, N, A\)"):
            manipulation_disentanglement(first, second, target=0)
    for bad in (math.nan, 1.5):
        with pytest.raises(DataError, match="give probabilities"):
            manipulation_disentanglement(before, after * bad, target=0)
    with pytest.raises(OptionError, match="target is 3; the attributes are 0 to 2"):
        manipulation_disentanglement(before, after, target=3)
