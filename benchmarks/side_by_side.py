"""Times of several ways to do one thing, measured in turns; what the benchmarks against peers share."""

import statistics
import time
from collections.abc import Callable

Way = Callable[[], object]


def seconds(way: Way, at_least: float = 0.0) -> float:
    """Seconds a call, over as many calls as take `at_least` seconds."""
    start, calls = time.perf_counter(), 0
    while calls == 0 or time.perf_counter() - start < at_least:
        way()
        calls += 1
    return (time.perf_counter() - start) / calls


def compare(ours: Way, peers: dict[str, Way], repeats: int, at_least: float = 0.0) -> None:
    """Prints each median in milliseconds and, for the peers, the median and the range of their times over ours."""
    ways = {"genviews": ours} | peers
    rounds = [{name: seconds(way, at_least) for name, way in ways.items()} for _ in range(repeats)]
    for name in ways:
        ratios = [times[name] / times["genviews"] for times in rounds]
        print(
            f"  {name:32} {1000 * statistics.median(times[name] for times in rounds):12,.2f} ms   "
            f"x{statistics.median(ratios):.2f} [{min(ratios):.2f}-{max(ratios):.2f}]",
            flush=True,
        )
