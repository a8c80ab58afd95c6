"""Does a paper's ordering of rows appear in our numbers, and with what confidence?"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations, pairwise

from scipy.stats import kendalltau, ttest_1samp

from .scores import Scores, Values


@dataclass(frozen=True)
class Comparison:
    """Two rows in the order in which the paper has them.

    Attributes:
        probe: Column.
        better, worse: Rows.
        paper: By how many points the paper's better row is ahead.
        ours: The same difference here, points, (seeds,), paired by seed.
        p: Of the hypothesis that it is not above 0, by the one-sided paired t-test; None for fewer than two seeds.
    """

    probe: str
    better: str
    worse: str
    paper: float
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


def compare(scores: Scores, probe: str, better: str, worse: str, paper: float) -> Comparison:
    """Two rows that the paper has `paper` points apart."""
    ours = scores.gain(better, probe, worse)
    spread = len(ours) > 1 and ours.std() > 0
    p = float(ttest_1samp(ours, 0, alternative="greater").pvalue) if spread else None
    return Comparison(probe, better, worse, paper, ours, p)


def orderings(scores: Scores, paper: Mapping[str, Mapping[str, float]], every: bool = False) -> list[Comparison]:
    """The rows of each column that both the paper and we have, in the paper's order: neighbours, or with `every` all pairs."""
    found = []
    for probe in scores.probes:
        ranked = sorted(
            (row for row in scores.rows if probe in paper.get(row, {}) and len(scores.percent(row, probe))),
            key=lambda row: -paper[row][probe],
        )
        for better, worse in combinations(ranked, 2) if every else pairwise(ranked):
            gap = paper[better][probe] - paper[worse][probe]
            if gap > 0 and len(scores.gain(better, probe, worse)):
                found.append(compare(scores, probe, better, worse, gap))
    return found


def summary(scores: Scores, paper: Mapping[str, Mapping[str, float]]) -> str:
    """One sentence on all pairs of rows, empty if the paper has no numbers to compare with."""
    pairs = orderings(scores, paper, every=True)
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
        f"Of {len(pairs)} pairs of rows, {agreeing} have the paper's order in the mean, {verdicts.count('holds')} beyond noise "
        f"(paired over seeds, one-sided p < 0.05), and {verdicts.count('contrary')} the contrary order beyond noise{rank}."
    )
