"""Does a paper's ordering of rows appear in our numbers, and with what confidence?"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise

from scipy.stats import kendalltau, ttest_1samp

from .scores import Scores, Values

Claims = Sequence[Sequence[str]]
"""Two rows each, of which the paper says without numbers that the first is ahead."""


@dataclass(frozen=True)
class Comparison:
    """Two rows in the order in which the paper has them.

    Attributes:
        probe: Column.
        better, worse: Rows.
        paper: By how much, in percent or the unit of the column, the paper's better row is ahead; None if it only says so.
        ours: The same difference here, points, (seeds,), paired by seed.
        p: Of the hypothesis that it is not above 0, by the one-sided paired t-test; None for fewer than two seeds.
    """

    probe: str
    better: str
    worse: str
    paper: float | None
    ours: Values
    p: float | None

    @property
    def verdict(self) -> str:
        """What the seeds say."""
        if self.p is None:
            return "no telling"
        if self.p < 0.05:
            return "holds"
        if self.p > 0.95:
            return "contrary"
        return "within noise"


def compare(scores: Scores, probe: str, better: str, worse: str, paper: float | None) -> Comparison:
    """Two rows that the paper has `paper` points apart, or in this order."""
    ours = scores.gain(better, probe, worse)
    spread = len(ours) > 1 and ours.std() > 0
    p = float(ttest_1samp(ours, 0, alternative="greater").pvalue) if spread else None
    return Comparison(probe, better, worse, paper, ours, p)


def orderings(
    scores: Scores, paper: Mapping[str, Mapping[str, float]], claims: Claims = (), every: bool = False
) -> list[Comparison]:
    """The rows of each column that both the paper and we have, in the paper's order: neighbours, or with `every` all pairs.

    After them the pairs of `claims` that the paper has no two numbers of, in all columns.
    """
    found = []
    for probe in scores.probes:
        ranked = sorted(
            (row for row in scores.rows if probe in paper.get(row, {}) and len(scores.percent(row, probe))),
            key=lambda row: -scores.sign(probe) * paper[row][probe],
        )
        for better, worse in combinations(ranked, 2) if every else pairwise(ranked):
            gap = scores.sign(probe) * (paper[better][probe] - paper[worse][probe])
            if gap > 0 and len(scores.gain(better, probe, worse)):
                found.append(compare(scores, probe, better, worse, gap))
        for better, worse in claims:
            known = probe in paper.get(better, {}) and probe in paper.get(worse, {})
            if not known and len(scores.gain(better, probe, worse)):
                found.append(compare(scores, probe, better, worse, None))
    return found


def summary(scores: Scores, paper: Mapping[str, Mapping[str, float]], claims: Claims = ()) -> str:
    """One sentence on all pairs of rows, empty if the paper neither has numbers to compare with nor claims an order."""
    pairs = orderings(scores, paper, claims, every=True)
    if not pairs:
        return ""
    verdicts = [pair.verdict for pair in pairs]
    agreeing = sum(pair.ours.mean() > 0 for pair in pairs)
    taus = [
        f"{kendalltau([paper[row][probe] for row in rows], [scores.percent(row, probe).mean() for row in rows]).statistic:+.2f}"
        for probe in scores.probes
        if len(rows := [row for row in scores.rows if probe in paper.get(row, {}) and len(scores.percent(row, probe))]) > 2
    ]
    rank = f"; Kendall's tau with the paper {', '.join(taus)}" if taus else ""
    return (
        f"Of {len(pairs)} pair{'s' * (len(pairs) > 1)} of rows, {agreeing} have the paper's order in the mean, "
        f"{verdicts.count('holds')} beyond noise (paired over seeds, one-sided p < 0.05), and {verdicts.count('contrary')} "
        f"the contrary order beyond noise{rank}."
    )
