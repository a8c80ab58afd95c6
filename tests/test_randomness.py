import numpy as np
import pytest
import torch
from scipy import stats

from genviews.errors import OptionError
from genviews.randomness import as_seeds, derive, normal, sample_seeds, shuffled, uniform

SEEDS = sample_seeds(0, torch.arange(20_000))


def splitmix64(state: int, step: int = 0x9E3779B97F4A7C15) -> int:
    """SplitMix64's output for a state (Steele et al. 2014, Figure 15), in Python's integers."""
    mask = (1 << 64) - 1
    z = (state + step) & mask
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & mask
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & mask
    return z ^ (z >> 31)


def test_the_numbers_of_seed_0_are_those_of_splitmix64() -> None:
    expected = [splitmix64(0x9E3779B97F4A7C15 * i) >> 40 for i in range(1000)]
    assert (uniform(torch.tensor([0]), 1000)[0].double() * 2**24).long().tolist() == expected


@pytest.mark.parametrize("key", [-1, 0, 7, 2**40])
def test_derived_seeds_are_two_rounds_of_splitmix64(key: int) -> None:
    expected = [splitmix64(splitmix64(seed % 2**64), (key + 1) * 0xD1B54A32D192ED03) for seed in SEEDS[:100].tolist()]
    assert [seed % 2**64 for seed in derive(SEEDS[:100], key).tolist()] == expected


@pytest.mark.parametrize("count", [1, 7])
def test_uniform(count: int) -> None:
    numbers = uniform(SEEDS, count)
    assert numbers.shape == (20_000, count) and numbers.dtype == torch.float32
    assert numbers.min() >= 0 and numbers.max() < 1
    assert all(stats.kstest(column, "uniform").pvalue > 1e-3 for column in numbers.T.numpy())


def test_normal() -> None:
    numbers = normal(SEEDS, 5)
    assert numbers.dtype == torch.float32
    assert all(stats.kstest(column, "norm").pvalue > 1e-3 for column in numbers.T.numpy())
    assert numbers.abs().max() > 4  # 100,000 numbers: the tails are there


@pytest.mark.parametrize("truncation", [0.5, 2.0])
def test_truncated_normal_is_scipys(truncation: float) -> None:
    numbers = normal(SEEDS, 3, truncation)
    assert numbers.abs().max() <= truncation
    expected = stats.truncnorm(-truncation, truncation)
    assert all(stats.kstest(column, expected.cdf).pvalue > 1e-3 for column in numbers.T.numpy())


@pytest.mark.parametrize("draw", [uniform, normal])
def test_columns_and_neighbouring_seeds_are_uncorrelated(draw) -> None:
    for seeds in (SEEDS, torch.arange(20_000)):  # raw consecutive integers will do as seeds
        numbers = draw(seeds, 4).numpy()
        together = np.hstack([numbers[:-1], numbers[1:]])
        assert np.abs(np.corrcoef(together, rowvar=False) - np.eye(8)).max() < 4 / np.sqrt(20_000)


@pytest.mark.parametrize("draw", [uniform, normal])
def test_a_samples_numbers_depend_on_its_seed_alone(draw) -> None:
    whole = draw(SEEDS[:10], 6)
    assert draw(SEEDS[:10].flip(0), 6).flip(0).equal(whole)
    assert torch.cat([draw(part, 6) for part in SEEDS[:10].split(3)]).equal(whole)
    assert draw(SEEDS[:10], 2).equal(whole[:, :2])


def test_the_seed_of_a_sample_depends_on_run_and_index_alone() -> None:
    assert sample_seeds(5, torch.tensor([7, 3])).equal(sample_seeds(5, torch.arange(10))[[7, 3]])
    seeds = torch.cat([sample_seeds(run, torch.arange(1000)) for run in (-1, 0, 1, 2, 2**40)])
    assert len(seeds.unique()) == 5000


def test_derived_streams_are_uncorrelated_with_each_other_and_with_their_origin() -> None:
    streams = [SEEDS, *(derive(SEEDS, key) for key in (-1, 0, 1, 2, 1000)), derive(derive(SEEDS, 0), 0)]
    assert len(torch.cat(streams).unique()) == 7 * 20_000
    numbers = np.hstack([normal(seeds, 1).numpy() for seeds in streams])
    assert np.abs(np.corrcoef(numbers, rowvar=False) - np.eye(7)).max() < 4 / np.sqrt(20_000)
    assert derive(SEEDS, 3).equal(derive(SEEDS, 3))


def test_as_seeds_draws_from_a_generator_and_passes_seeds_on() -> None:
    def drawn() -> torch.Tensor:
        return as_seeds(torch.Generator().manual_seed(4), 5)

    assert drawn().equal(drawn()) and drawn().dtype == torch.int64 and len(drawn().unique()) == 5
    assert as_seeds(SEEDS[:5], 5).equal(SEEDS[:5]) and as_seeds(SEEDS[:5], 5, "cpu").equal(SEEDS[:5])
    assert not as_seeds(None, 5).equal(as_seeds(None, 5))


@pytest.mark.parametrize(
    "rng", [torch.arange(3), torch.arange(4)[:, None], torch.tensor(4), torch.rand(4), torch.arange(4).int()]
)
def test_what_are_no_seeds_of_these_samples_is_refused(rng: torch.Tensor) -> None:
    with pytest.raises(OptionError, match=r"for 4 samples; pass int64 seeds \(4,\)"):
        as_seeds(rng, 4)


def test_an_order_has_every_integer_once_and_is_its_seeds() -> None:
    order = shuffled(1000, 3)
    assert order.sort().values.equal(torch.arange(1000)) and order.equal(shuffled(1000, 3))
    assert not order.equal(shuffled(1000, 4)) and not order.equal(torch.arange(1000))
