"""`genviews report`."""

from pathlib import Path

from ..reports import write_report


def report(run: Path) -> None:
    """Writes the page of a run folder again.

    Examples:
      genviews report runs/quickstart

    Args:
        run: The folder, finished or not.
    """
    print(write_report(run))


COMMAND = report
