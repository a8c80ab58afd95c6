"""The report of an encoder out of distribution: its accuracy on each domain held out."""

from pathlib import Path
from typing import Any

import numpy as np

from .figures import error_bars
from .page import Cell, Figure, Number, Section, Table, again, made, plot, write_page

NEEDED = ("encoder", "data", "protocol", "domains", "average", "std", "date", "version", "device")
"""What results.json of an evaluation out of distribution holds."""

PROTOCOLS = {
    "linear": "A linear head, on the frozen features of {encoder}",
    "finetune": "{encoder}, fine-tuned with a linear head",
}


def write(run: Path, results: dict[str, Any]) -> Path:
    """The page of an encoder out of distribution; see `write_report`."""
    page, domains = run / "report.html", results["domains"]
    trials = len(domains[0]["trials"])
    top1 = {row["domain"]: 100 * np.array([trial["top1"] for trial in row["trials"]]) for row in domains}
    bars = plot(error_bars(top1, xlabel="top-1, %"), "the accuracy on each domain held out")
    lines = [(row["domain"], row["mean"], row["std"], f"{row['trials'][0]['n']:,}") for row in domains]
    lines.append(("average", results["average"], results["std"], ""))
    cells = [
        [Cell(name), Cell(f"{100 * mean:.2f} ± {100 * std:.2f}", strong=name == "average"), Cell(images)]
        for name, mean, std, images in lines
    ]
    head = ["held out", "top-1, %", "test images"]
    write_page(
        page,
        f"Out of distribution on {Path(results['data']).name}",
        PROTOCOLS[results["protocol"]].format(encoder=results["encoder"]) + ", learns from all domains but one, which tests it.",
        [
            Section(
                "Domain by domain",
                figures=[Figure([bars], "A dot a trial, the mean, and one standard deviation to each side.")],
                tables=[Table(head, cells, f"Mean ± std over {trials} splits of the training domains.")],
            ),
            again(run, "evaluate ood"),
        ],
        kicker="genviews · ood",
        facts=made(results),
        numbers=[Number(f"{100 * results['average']:.1f}", "% on average", f"over {len(domains)} domains held out")],
    )
    return page
