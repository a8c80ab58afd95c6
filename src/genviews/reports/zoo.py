"""The report of a zoo of encoders: their ranking against their accuracy, and what the best are worth together."""

from pathlib import Path
from typing import Any

import numpy as np

from .figures import error_bars, labelled
from .page import Cell, Figure, Number, Section, Table, again, made, plot, write_page

NEEDED = (
    "data",
    "encoders",
    "folds",
    "scores",
    "accuracy",
    "tau",
    "single",
    "ensemble",
    "selection",
    "date",
    "version",
    "device",
)
"""What results.json of a zoo holds."""

RULES = {"single": "the best alone", "ensemble": "the best together", "selection": "their selected features"}


def as_text(results: dict[str, Any]) -> str:
    """The ranking and what it is worth, as a terminal shows it and as Markdown."""
    head = ["| encoder | features | score | discriminability | stability | top-1, % |", "|---|---:|---:|---:|---:|---:|"]
    lines = [f"| {' | '.join(line)} |" for line in _ranking(results)]
    worth = [f"{title:<24}{100 * results[rule]:.2f} %" for rule, title in RULES.items()]
    return "\n".join([*head, *lines, "", *worth, f"{'Kendall tau':<24}{results['tau']:.2f}"])


def write(run: Path, results: dict[str, Any]) -> Path:
    """The page of a zoo; see `write_report`."""
    page, folds = run / "report.html", results["folds"]
    points = {name: (scores["score"], 100 * results["accuracy"][name]) for name, scores in results["scores"].items()}
    against = labelled(points, xlabel="score, nats a number", ylabel="top-1 on the domain held out, %")
    top1 = {title: 100 * np.array([fold[rule] for fold in folds]) for rule, title in RULES.items()}
    top1["mean of all encoders"] = 100 * np.array([np.mean([*fold["accuracy"].values()]) for fold in folds])
    top1["best in hindsight"] = 100 * np.array([max(fold["accuracy"].values()) for fold in folds])
    kept = {
        name: 100 * np.array([fold["kept"][name] for fold in folds if name in fold["kept"]])
        for name in results["scores"]
        if any(name in fold["kept"] for fold in folds)
    }
    ranking = [
        [Cell(text, strong=row == 0 and column == 0) for column, text in enumerate(line)]
        for row, line in enumerate(_ranking(results))
    ]
    rows = [
        [
            Cell(fold["domain"]),
            Cell(", ".join(fold["chosen"])),
            *(Cell(f"{100 * fold[rule]:.2f}") for rule in RULES),
            Cell(f"{fold['tau']:.2f}"),
        ]
        for fold in folds
    ]
    write_page(
        page,
        f"A zoo of {len(results['encoders'])} encoders on {Path(results['data']).name}",
        "For each domain held out, the others rank the encoders and select features of the best; a linear head on them is tested "
        "on the domain, of which nothing was seen before.",
        [
            Section(
                "The ranking",
                figures=[
                    Figure(
                        [plot(against, "the score of each encoder against its accuracy")],
                        f"Means over the domains held out. Kendall's tau, of each domain alone, averages {results['tau']:.2f}.",
                    )
                ],
                tables=[
                    Table(
                        ["encoder", "features", "score", "discriminability", "stability", "top-1, %"],
                        ranking,
                        "Score = discriminability, the log likelihood of a label, + stability, the log density of a feature, on "
                        "a domain that is left out of those that are seen. Means over the domains held out.",
                    )
                ],
            ),
            Section(
                "What it is worth",
                figures=[
                    Figure(
                        [
                            plot(error_bars(top1, xlabel="top-1, %"), "the accuracy of each choice"),
                            plot(
                                error_bars(kept, xlabel="features selected, %"), "the share of features selected of each encoder"
                            ),
                        ],
                        "A dot a domain held out, the mean, and one standard deviation to each side. Right: of each encoder, "
                        "where it was among the best, the share of its features that was selected.",
                    )
                ],
                tables=[Table(["held out", "the best", *RULES.values(), "tau"], rows, "Top-1 in per cent.")],
            ),
            again(run, "evaluate zoo"),
        ],
        kicker="genviews · zoo",
        facts=made(results),
        numbers=[
            *(
                Number(f"{100 * results[rule]:.1f}", title, "top-1, %", accent=rule == "selection")
                for rule, title in RULES.items()
            ),
            Number(f"{results['tau']:.2f}", "Kendall's tau", "between score and accuracy"),
        ],
    )
    return page


def _ranking(results: dict[str, Any]) -> list[list[str]]:
    """A line an encoder, from the best score to the worst."""
    found = []
    for name, scores in results["scores"].items():
        about = results["encoders"][name]
        title = name if about["weights"] != "random" else f"{name} (random weights)"
        numbers = [f"{scores[part]:.3f}" for part in ("score", "discriminability", "stability")]
        found.append([title, str(about["features"]), *numbers, f"{100 * results['accuracy'][name]:.2f}"])
    return found
