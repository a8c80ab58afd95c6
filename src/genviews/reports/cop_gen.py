"""The report of a COP-Gen run: what the transforms make of an anchor, how the navigator learned, what the probes say."""

import math
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray

from .figures import curves, error_bars, intervals
from .page import Cell, Figure, Listing, Number, Panel, Section, Table, plot, sheet, write_page
from .run_folder import read_metrics, read_pictures
from .scores import Scores, Values, beyond_noise, interval, mean_std, signed

BASELINE, CONTROL, REFERENCE = "none", "untrained", "real"
"""The row to compare with, the row that tells what training the navigator adds, and the row that needs no generator."""

PLOTS = {
    "Losses": {"estimator_loss": "estimator", "navigator_loss": "navigator"},
    "How far the latent moves": {"distance": "distance", "shift_std": "shift std", "shift_mean": "shift mean"},
    "Semantic consistency": {"consistency": "with the anchor", "consistency_to_initial": "with the start"},
}
"""Title of a plot -> column of navigator/metrics.csv -> its label."""

STRIP = {"width": 830, "rows": 1}  # how a `sheet` fills a labelled row of the page


NEEDED = ("title", "command", "date", "version", "seconds", "device", "rows", "probes", "cells")
"""What results.json of a comparison holds."""


def write(run: Path, results: dict[str, Any]) -> Path:
    """The page of a COP-Gen run, finished or still going; see `write_report`."""
    scores = Scores.read(results, run / "results.json")
    navigator = results.get("navigator") or {}
    pictures = read_pictures(run / "images" / "pictures.npz")
    lead, numbers = _headline(scores)
    if "steps" in navigator:
        numbers.append(Number(f"{navigator['steps']:,}", "navigator steps", navigator.get("reason", "")))
    sections = [
        _samples(pictures),
        _pairs(scores.rows, pictures),
        _evolution(navigator, pictures),
        _navigator(navigator, read_metrics(run / "navigator" / "metrics.csv")),
        _probes(scores),
        _again(results),
        Section("Notes", results.get("notes", ())),
    ]
    page = run / "report.html"
    write_page(
        page, results["title"], lead, sections, kicker="genviews · COP-Gen", facts=_facts(results, scores), numbers=numbers
    )
    return page


def _headline(scores: Scores) -> tuple[str, list[Number]]:
    """The largest gain over the baseline, with how far to believe it."""
    gains = {
        (row, probe): gain
        for row in _compared(scores)
        for probe in scores.probes
        if len(gain := scores.gain(row, probe, BASELINE))
    }
    if not gains:
        return "No probe has compared a transform with the baseline yet.", []
    (row, probe), gain = max(gains.items(), key=lambda item: item[1].mean())
    title, baseline, seeds = scores.rows[row], scores.rows[BASELINE], f"{len(gain)} seed{'s' if len(gain) > 1 else ''}"
    if len(gain) == 1:
        verdict, why = "noise unknown", "With one seed there is no telling it from noise."
    else:
        low, high = map(signed, interval(gain))
        verdict, zero = ("beyond noise", "leaves out zero") if beyond_noise(gain) else ("within noise", "holds zero")
        why = f"That is {verdict}: the 95% interval of its mean, {low} to {high}, {zero}."
    lead = (
        f"The best of {len(gains)} comparisons with “{baseline}” is “{title}” under “{scores.probes[probe]}”: "
        f"{mean_std(gain, sign=True)} points of top-1 over {seeds}. {why}"
    )
    numbers = [Number(mean_std(gain, sign=True), f"points over “{baseline}”", f"{title}, {seeds}, {verdict}", beyond_noise(gain))]
    for shown in (row, BASELINE, REFERENCE):
        if len(top1 := scores.percent(shown, probe)):
            numbers.append(Number(f"{top1.mean():.1f}%", scores.rows[shown], scores.probes[probe]))
    return lead, numbers


def _compared(scores: Scores) -> list[str]:
    return [row for row in scores.rows if row not in (BASELINE, REFERENCE)]


def _facts(results: dict[str, Any], scores: Scores) -> list[str]:
    when, took = results["date"][:16].replace("T", " "), timedelta(seconds=round(results["seconds"]))
    facts = [when, f"took {took}", results["device"], f"genviews {results['version']}"]
    done, seeds = sum(map(len, scores.cells.values())), {seed for cell in scores.cells.values() for seed in cell}
    planned = len(scores.rows) * len(scores.probes) * max(1, len(seeds))
    return [*facts, f"{done} of {planned} probes so far"] if done < planned else facts


def _samples(pictures: dict[str, NDArray]) -> Section:
    titles = {"real": "Real", "generated": "Generated"}
    panels = [sheet(pictures[key], f"{title} images", label=title, rows=6) for key, title in titles.items() if key in pictures]
    return Section(
        "What the generator knows",
        figures=[Figure(panels, "Real images evenly spread over the training set, samples of the first seeds; none selected.")],
    )


def _pairs(rows: dict[str, str], pictures: dict[str, NDArray]) -> Section:
    panels = []
    for row, title in rows.items():
        if "anchors" in pictures and f"positives:{row}" in pictures:
            pairs = np.concatenate([pictures["anchors"], pictures[f"positives:{row}"]], axis=3)
            panels.append(sheet(pairs, f"Pairs of an anchor and its positive: {title}", label=title, **STRIP))
    caption = "Pairs of an anchor (left) and its positive (right), the same anchors in each row, before augmentation."
    return Section("One anchor, its positives", figures=[Figure(panels, caption, rows=True)])


def _evolution(navigator: dict[str, Any], pictures: dict[str, NDArray]) -> Section:
    panels = []
    if "evolution_anchors" in pictures:
        panels.append(sheet(pictures["evolution_anchors"], "Anchors", label="anchor", **STRIP))
    recorded = list(zip(pictures.get("evolution_steps", ()), pictures.get("evolution", ()), strict=False))
    for i in np.unique(np.linspace(0, len(recorded) - 1, min(len(recorded), 8)).round().astype(int)):
        step, positives = recorded[i]
        label = f"step {step:,}, kept" if step == navigator.get("best_step") else f"step {step:,}"
        panels.append(sheet(positives, f"Positives at step {step}", label=label, **STRIP))
    caption = "The positives of the same anchors while the navigator trains, from top to bottom: a column is one anchor."
    return Section("How the positives evolve", figures=[Figure(panels, caption, rows=True)])


def _navigator(navigator: dict[str, Any], metrics: dict[str, Values]) -> Section:
    fields = dict(navigator)
    stopped, kept, reason = fields.pop("steps", None), fields.pop("best_step", None), fields.pop("reason", "no reason recorded")
    text, marks = [], {}
    if stopped is not None:
        text.append(f"Stopped at step {stopped:,}: {reason.rstrip('.')}.")
    if kept is not None:
        text.append(f"The navigator of step {kept:,} is kept.")
        marks[f"kept at {kept:,}"] = kept
    if stopped is not None:
        marks[f"stopped at {stopped:,}"] = stopped
    panels = []
    for title, labels in PLOTS.items():
        lines = {label: metrics[column] for column, label in labels.items() if np.isfinite(metrics.get(column, ())).any()}
        if lines:
            panels.append(plot(curves(metrics["step"], lines, marks=marks), f"{title} by training step", label=title))
    caption = "The estimator lowers the contrastive loss, the navigator raises it by moving latents."
    fields = {key: value for key, value in fields.items() if value is not None}
    if fields:
        caption += " Recorded: " + ", ".join(f"{key.replace('_', ' ')} {value}" for key, value in fields.items()) + "."
    return Section("Where training stopped, and why", [" ".join(text)], [Figure(panels, caption)])


def _probes(scores: Scores) -> Section:
    title = "What the encoders learned"
    if not scores.cells:
        return Section(title, ["No probe has finished yet."])
    panels = [_probe_plot(scores, probe) for probe in scores.probes if any(probe == done for _, done in scores.cells)]
    caption = "Small dots are seeds; the large dot is their mean, with a bar of one standard deviation to each side."
    return Section(
        title,
        figures=[Figure(panels, caption), *_stds(scores)],
        tables=[_accuracies(scores), *(_gains(scores, baseline) for baseline in (BASELINE, CONTROL) if baseline in scores.rows)],
    )


def _probe_plot(scores: Scores, probe: str) -> Panel:
    values = {title: top1 for row, title in scores.rows.items() if len(top1 := scores.percent(row, probe))}
    alt = "; ".join(f"{title} {mean_std(top1)}" for title, top1 in values.items())
    return plot(error_bars(values, xlabel="top-1, %"), f"Top-1 in %: {alt}", label=scores.probes[probe])


def _stds(scores: Scores) -> list[Figure]:
    """Accuracy against the std of the Gaussian T_z, if rows differ in it; "none" is std 0."""
    stds = {row: float(row.removeprefix("gaussian:")) for row in scores.rows if re.fullmatch(r"gaussian:[\d.e-]+", row)}
    if len(stds) < 2:
        return []
    if BASELINE in scores.rows:
        stds[BASELINE] = 0.0
    rows = sorted(stds, key=stds.__getitem__)
    values = {title: [scores.percent(row, probe) for row in rows] for probe, title in scores.probes.items()}
    lines = {
        title: [(v.mean(), *(interval(v) if len(v) > 1 else (math.nan, math.nan))) for v in column]
        for title, column in values.items()
        if all(map(len, column))
    }
    if not lines:
        return []
    svg = intervals([stds[row] for row in rows], lines, xlabel="std of the Gaussian T_z")
    alt = "; ".join(
        f"{scores.rows[row]}: {', '.join(mean_std(column[i]) for column in values.values())}" for i, row in enumerate(rows)
    )
    caption = "Top-1 in % against the std: the mean over seeds and its 95% interval."
    return [Figure([plot(svg, alt)], caption)]


def _accuracies(scores: Scores) -> Table:
    means = {key: scores.percent(*key).mean() for key in scores.cells if key[0] != REFERENCE}
    best = {max((key for key in means if key[1] == probe), key=means.__getitem__, default=None) for probe in scores.probes}
    rows = []
    for row, title in scores.rows.items():
        cells = [
            Cell(mean_std(scores.percent(row, probe)), mean_std(scores.percent(row, probe, "top5")), (row, probe) in best)
            for probe in scores.probes
        ]
        counts = [len(scores.percent(row, probe)) for probe in scores.probes]
        seeds = " to ".join(map(str, sorted({min(counts), max(counts)})))
        rows.append([Cell(title), *cells, Cell(seeds)])
    caption = "Top-1 in %, below it top-5: mean ± standard deviation over seeds. Bold: the best without real images."
    return Table(["", *scores.probes.values(), "Seeds"], rows, caption)


def _gains(scores: Scores, baseline: str) -> Table:
    rows = []
    for row in _compared(scores):
        gains = [scores.gain(row, probe, baseline) for probe in scores.probes]
        rows.append([Cell(scores.rows[row]), *(Cell(mean_std(gain, sign=True), strong=beyond_noise(gain)) for gain in gains)])
    caption = (
        f"Points of top-1 over “{scores.rows[baseline]}”, paired by seed. "
        "Bold: beyond noise (the 95% interval of the mean leaves out zero)."
    )
    return Table(["", *scores.probes.values()], rows, caption)


def _again(results: dict[str, Any]) -> Section:
    listings = [Listing("Command", results["command"])]
    if "config" in results:
        config = yaml.safe_dump(results["config"], sort_keys=False, allow_unicode=True)
        listings.append(Listing("Configuration", config, folded=True))
    return Section("Run it again", listings=listings)
