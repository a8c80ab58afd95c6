"""One self-contained HTML page: a lead, big numbers, and sections of tables, figures and listings."""

import base64
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from .figures import grid

_TILE = 56  # CSS pixels a tiny image is enlarged to, about


@dataclass(frozen=True)
class Number:
    """A number to read from across the room, what it is, and a remark."""

    value: str
    label: str
    remark: str = ""
    accent: bool = False


@dataclass(frozen=True)
class Cell:
    """A cell of a table: its text, smaller text below it, and whether it stands out."""

    text: str
    remark: str = ""
    strong: bool = False


@dataclass(frozen=True)
class Table:
    """A table whose first column names its rows."""

    head: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    caption: str


@dataclass(frozen=True)
class Panel:
    """One picture of a figure: HTML made by `sheet` or `plot`."""

    content: Markup
    label: str = ""


@dataclass(frozen=True)
class Figure:
    """Panels beside each other (below each other where they do not fit), or as labelled rows."""

    panels: Sequence[Panel]
    caption: str
    rows: bool = False


@dataclass(frozen=True)
class Listing:
    """Text to copy: a command, a configuration; folded away if long."""

    title: str
    text: str
    folded: bool = False


@dataclass(frozen=True)
class Section:
    """A heading, paragraphs, and what it shows, in this order: figures, tables, listings."""

    title: str
    text: Sequence[str] = ()
    figures: Sequence[Figure] = ()
    tables: Sequence[Table] = ()
    listings: Sequence[Listing] = ()


def sheet(images: Tensor | NDArray, alt: str, *, label: str = "", width: int = 480, rows: int | None = None) -> Panel:
    """A sheet of images as large as fits, tiny ones enlarged by a whole factor without smoothing.

    Args:
        images: (N, 1 or 3, H, W), uint8 or float in [0, 1].
        alt: What a reader who cannot see it is told.
        label: Shown above or beside it.
        width: CSS pixels it may fill.
        rows: How many rows to show; images beyond them are left out. None for all.
    """
    tile_height, tile_width = images.shape[-2:]
    scale = max(1, round(_TILE / tile_height))
    pad = max(1, tile_width // 16)
    columns = min(len(images), max(1, (width // scale + pad) // (tile_width + pad)))
    image = Image.fromarray(grid(images[: rows * columns if rows else None], columns, pad))
    with io.BytesIO() as file:
        image.save(file, format="PNG", optimize=True)
        return _embedded(file.getvalue(), "image/png", image.size, scale, alt, label)


def picture(path: Path, alt: str, *, label: str = "", width: int = 300) -> Panel:
    """A PNG or GIF file, enlarged by a whole factor to at most `width` CSS pixels if it is small."""
    with Image.open(path) as image:
        return _embedded(path.read_bytes(), Image.MIME[image.format or ""], image.size, max(1, width // image.width), alt, label)


def _embedded(data: bytes, mime: str, size: tuple[int, int], scale: int, alt: str, label: str) -> Panel:
    tag = Markup('<img class="{}" src="data:{};base64,{}" width="{}" height="{}" alt="{}">')
    width, height = (scale * length for length in size)
    return Panel(tag.format("tiny" if scale > 1 else "full", mime, base64.b64encode(data).decode(), width, height, alt), label)


def plot(svg: str, alt: str, *, label: str = "") -> Panel:
    """A plot made by `figures.curves` or `figures.error_bars`; `alt` is what a reader who cannot see it is told."""
    return Panel(Markup('<div class="plot" role="img" aria-label="{}">{}</div>').format(alt, Markup(svg)), label)


def again(run: Path, command: str) -> Section:
    """How a run is repeated: by `command` with its config.yaml; a section without content where that is missing."""
    config = run / "config.yaml"
    if not config.exists():
        return Section("Run it again")
    listing = Listing("config.yaml", config.read_text(encoding="utf-8"), folded=True)
    return Section("Run it again", [f"genviews {command} --config config.yaml --out ANOTHER_FOLDER"], listings=[listing])


def made(results: Mapping[str, Any]) -> list[str]:
    """When, on what and by which version results.json was made."""
    return [results["date"][:16].replace("T", " "), results["device"], f"genviews {results['version']}"]


def write_page(
    path: Path,
    title: str,
    lead: str,
    sections: Sequence[Section],
    *,
    kicker: str = "genviews",
    facts: Sequence[str] = (),
    numbers: Sequence[Number] = (),
) -> None:
    """Writes one HTML file that asks nothing of a network, light or dark as its reader's system is.

    Args:
        path: Where to.
        title: Plain text, as all text here is: it is escaped.
        lead: What was found, in a sentence or two.
        sections: From top to bottom; those without content are left out.
        kicker: A word above the title.
        facts: Date, device and the like: one line below the lead.
        numbers: The headline.
    """
    environment = Environment(
        loader=PackageLoader("genviews", "reports"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    page = environment.get_template("page.html.j2")
    shown = [s for s in sections if any(s.text) or any(f.panels for f in s.figures) or s.tables or s.listings]
    path.write_text(
        page.render(title=title, lead=lead, sections=shown, kicker=kicker, facts=facts, numbers=numbers), encoding="utf-8"
    )
