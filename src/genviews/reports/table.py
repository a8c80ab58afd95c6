"""The report of a paper's table: our numbers beside the paper's, and whether its ordering appears."""

import csv
import io
from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

from .figures import error_bars
from .orderings import orderings, summary
from .page import Cell, Figure, Listing, Panel, Section, Table, picture, plot, write_page
from .scores import Scores, aligned, mean_std, signed

NEEDED = (
    "name",
    "title",
    "source",
    "scale",
    "command",
    "date",
    "version",
    "device",
    "seconds",
    "rows",
    "probes",
    "cells",
    "paper",
)
"""What results.json of a table holds."""

ORDER = ("in the paper's order", "column", "paper", "here, paired by seed", "p", "verdict")

ROWS = "A dot a seed, the mean, and one standard deviation to each side; behind five seeds or more, their density."


def as_csv(results: dict[str, Any]) -> str:
    """Every cell: row, seed, column, value (in percent where it is a fraction), and the paper's number."""
    with io.StringIO(newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["row", "seed", "column", "value", "paper"])
        for cell in results["cells"]:
            paper = results["paper"].get(cell["row"], {}).get(cell["probe"], "")
            unit = 1 if cell["probe"] in results.get("not_percent", ()) else 100
            writer.writerow([cell["row"], cell["seed"], cell["probe"], f"{unit * cell['value']:.4f}", paper])
        return file.getvalue()


def as_text(results: dict[str, Any]) -> str:
    """The table as a terminal shows it, with the paper's numbers, and one sentence on its ordering."""
    scores = Scores.read(results, Path("results.json"))
    return "\n".join([aligned([*_lines(results, scores)]), _summary(results, scores)]).rstrip()


def as_markdown(results: dict[str, Any]) -> str:
    """The table, its orderings, and what it was made with, as a section of a document."""
    scores = Scores.read(results, Path("results.json"))
    head, *body = _lines(results, scores)
    blocks = [f"## {results['title']}", f"{results['source']}.", " ".join(_made(results)), _pipes(head, body)]
    if compared := [*_order(results, scores)]:
        blocks += [_summary(results, scores), _pipes(ORDER, compared)]
    notes = "\n".join(f"- {note}" for note in results.get("notes", ()))
    return "\n\n".join([*blocks, notes]).rstrip() + "\n"


def write(run: Path, results: dict[str, Any]) -> Path:
    """The page of a table, finished or still going; see `write_report`."""
    scores = Scores.read(results, run / "results.json")
    head, *body = _lines(results, scores)
    compared = [*_order(results, scores)]
    plots = [
        plot(error_bars(measured, xlabel=_titled(scores, probe)), f"{title} of each row", label=title)
        for probe, title in scores.probes.items()
        if (measured := {t: v for row, t in scores.rows.items() if len(v := scores.percent(row, probe))})
    ]
    order = [Table(ORDER, _cells(compared), "Neighbours in the paper's ranking; “ahead” where it gives no numbers.")]
    sections = [
        Section("The table", tables=[Table(head, _cells(body), "Mean ± std over seeds" + (", %." if head[0] else "."))]),
        Section("Row by row", figures=[Figure(plots, ROWS)]),
        Section("Pictures", figures=[Figure(_pictures(run, scores), results.get("pictured", ""), rows=True)]),
        Section("Does the paper's ordering appear?", [_summary(results, scores)], tables=order if compared else []),
        Section("Notes", results.get("notes", ())),
        Section("Run it again", listings=[Listing("command", results["command"])] if results["command"] else []),
    ]
    page = run / "report.html"
    lead = f"{results['source']}. Here at scale “{results['scale']}”."
    write_page(page, results["title"], lead, sections, kicker=f"genviews · {results['name']}", facts=_made(results)[1:])
    return page


def _cells(lines: Sequence[Sequence[str]]) -> list[list[Cell]]:
    return [[Cell(cell) for cell in line] for line in lines]


def _pictures(run: Path, scores: Scores) -> list[Panel]:
    paths = {title: run / "images" / f"{row}.png" for row, title in scores.rows.items()}
    return [picture(path, f"Images of {title}", label=title, width=830) for title, path in paths.items() if path.exists()]


def _lines(results: dict[str, Any], scores: Scores) -> Iterator[list[str]]:
    """The head and a line a row; beside each column that the paper has, its numbers."""
    reported = {probe for row in results["paper"].values() for probe in row}
    head = ["" if scores.not_percent else "%"]
    for probe in scores.probes:
        title = _titled(scores, probe) if scores.not_percent else scores.probes[probe]
        head += [title, "paper"] if probe in reported else [title]
    yield head
    for row, title in scores.rows.items():
        line = [title]
        for probe in scores.probes:
            line.append(mean_std(scores.percent(row, probe), digits=2))
            if probe in reported:
                line.append(f"{value:.2f}" if (value := results["paper"].get(row, {}).get(probe)) else "")
        yield line


def _titled(scores: Scores, probe: str) -> str:
    """A column's title with its unit."""
    return scores.probes[probe] if probe in scores.not_percent else f"{scores.probes[probe]}, %"


def _summary(results: dict[str, Any], scores: Scores) -> str:
    return summary(scores, results["paper"], results.get("claims", ()))


def _order(results: dict[str, Any], scores: Scores) -> Iterator[list[str]]:
    for pair in orderings(scores, results["paper"], results.get("claims", ())):
        yield [
            f"{scores.rows[pair.better]} {'>' if scores.sign(pair.probe) > 0 else '<'} {scores.rows[pair.worse]}",
            scores.probes[pair.probe],
            "ahead" if pair.paper is None else signed(pair.paper, 2),
            mean_std(pair.ours, sign=True, digits=2),
            "" if pair.p is None else f"{pair.p:.3f}",
            pair.verdict,
        ]


def _made(results: dict[str, Any]) -> list[str]:
    config = results.get("config", {})
    seeds = len({cell["seed"] for cell in results["cells"]})
    planned = len(results["rows"]) * config.get("seeds", seeds)
    done = len({(cell["row"], cell["seed"]) for cell in results["cells"]})
    facts = [
        f"`{results['command']}`" if results["command"] else "",
        f"Scale {results['scale']}, {seeds} seed{'s' if seeds != 1 else ''}.",
        f"{timedelta(seconds=round(results['seconds']))} of computing in all, {results['device']}, {results['date'][:10]}.",
    ]
    return [fact for fact in [*facts, f"{done} of {planned} cells so far." if done < planned else ""] if fact]


def _pipes(head: Sequence[str], body: Sequence[Sequence[str]]) -> str:
    rule = ["---"] + ["---:"] * (len(head) - 1)
    return "\n".join("| " + " | ".join(line) + " |" for line in (head, rule, *body))
