"""What was measured, as JSON, as a page and as a picture; nothing of them is written by hand."""

import json
import math
import os
import platform
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path

from markupsafe import Markup

from benchmarks.pairs import Row, merge
from rote.report.drawing import draw_line, draw_mark, draw_text, draw_whisker, wrap_svg

_PACKAGES = ("torch", "transformers", "trl", "accelerate", "lm_eval")
_MOST = 2.0
"""The highest cost that is drawn."""
_LABELS, _PLOT, _MARGIN, _ROW = 450.0, 420.0, 40.0, 24.0
_STYLE = """
svg { font: 12px sans-serif; background: #fff; } .end { text-anchor: end; } .middle { text-anchor: middle; }
.grid { stroke: #ddd; } .one { stroke: #444; } .whisker { stroke: #1f5fa8; stroke-width: 1.6; } .mark { fill: #1f5fa8; }
.band { fill: #eee; } .line0 { stroke: #1f5fa8; } .line1 { stroke: #b3541e; }
.line2 { stroke: #3b7d4f; } .line3 { stroke: #7a4a9e; }
"""


def describe_environment() -> str:
    """Hardware and versions, in a line."""
    versions = ", ".join(f"{name} {version(name)}" for name in _PACKAGES)
    return (
        f"{_read_processor()}, {os.cpu_count()} cores, 1 thread, float32; "
        f"{platform.system()}, Python {platform.python_version()}, {versions}"
    )


def _read_processor() -> str:
    """The processor's name as Linux tells it, or what Python knows of it."""
    path = Path("/proc/cpuinfo")
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def save(rows: Sequence[Row], folder: Path, works: Mapping[str, str]) -> list[Row]:
    """Write new rows beside the old ones that stay, with the page and the picture; returns them all."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "results.json"
    old = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else []
    rows = merge(old, rows)
    path.write_text("[\n" + ",\n".join(json.dumps(row) for row in rows) + "\n]\n", encoding="utf-8")
    (folder / "RESULTS.md").write_text(render_page(rows, works), encoding="utf-8")
    (folder / "ratios.svg").write_text(draw_ratios(rows), encoding="utf-8")
    (folder / "scaling.svg").write_text(draw_scaling(rows), encoding="utf-8")
    return rows


def render_page(rows: Sequence[Row], works: Mapping[str, str]) -> str:
    """The page: what was measured on what, the ratios, and what the work of each benchmark is."""
    parts = ["# Benchmarks", _INTRODUCTION]
    for environment in dict.fromkeys(row["environment"] for row in rows):
        here = [row for row in rows if row["environment"] == environment]
        parts += [f"## On {environment}", render_tables(here)]
    measured = {row["benchmark"] for row in rows}
    parts += ["## The work", *(f"- **{name}**: {work}" for name, work in works.items() if name in measured)]
    return "\n\n".join(parts) + "\n"


_INTRODUCTION = """Written by `python -m benchmarks`. A ratio is Rote's work per second of the processor over the
peer's: above 1 Rote is faster. It is the median of alternating rounds, with the smallest and the largest in brackets.
Times of the wall follow what else the machine is doing; its load is that of the last minute when a benchmark ended.

![Ratios](ratios.svg)

What a fact costs, by how many there are, in units of what it costs among 1,000 on the same machine; grey is 20 % around
it.

![Scaling](scaling.svg)"""


def render_tables(rows: Sequence[Row]) -> str:
    """The ratios, and the costs per fact, as tables."""
    ratios = [row for row in rows if "ratio" in row]
    costs = [row for row in rows if "facts" in row]
    tables = []
    if ratios:
        head = ("benchmark", "model", "peer", "ratio", "rounds", "by the wall", "load")
        tables.append(_render_table(head, [_show_ratio(row) for row in ratios]))
    if costs:
        head = ("model", "facts", "encode, ms per fact", "memorize, ms per fact and epoch", "steps timed", "MB", "load")
        tables.append(_render_table(head, [_show_cost(row) for row in costs]))
    return "\n\n".join(tables)


def _render_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    return "\n".join("| " + " | ".join(cells) + " |" for cells in (head, ["---"] * len(head), *rows))


def _show_ratio(row: Row) -> list[str]:
    interval = f"{row['ratio']:.2f} [{row['low']:.2f}, {row['high']:.2f}]"
    wall, load = f"{row['wall_ratio']:.2f}", f"{row['load']:.1f}"
    return [row["benchmark"], row["model"], row["peer"], interval, str(row["pairs"]), wall, load]


def _show_cost(row: Row) -> list[str]:
    costs = [f"{row[key]:.2f}" for key in ("encode_ms", "memorize_ms")]
    return [row["model"], f"{row['facts']:,}", *costs, str(row["steps"]), str(row["memory_mb"]), f"{row['load']:.1f}"]


def draw_ratios(rows: Sequence[Row]) -> str:
    """A dot with its range for each ratio, on an axis of powers of two with a line at 1."""
    ratios = [row for row in rows if "ratio" in row]
    powers = range(
        math.floor(math.log2(min((row["low"] for row in ratios), default=0.5))),
        math.ceil(math.log2(max((row["high"] for row in ratios), default=2))) + 1,
    )
    bottom = _MARGIN + _ROW * len(ratios)

    def place(ratio: float) -> float:
        return _LABELS + _PLOT * (math.log2(ratio) - powers[0]) / (powers[-1] - powers[0])

    parts = [Markup("<style>{}</style>").format(_STYLE)]
    parts.append(draw_text(place(1), _MARGIN - 16, "Rote is faster →", css="tick"))
    for power in powers:
        x = place(2.0**power)
        parts.append(draw_line((x, _MARGIN - 8), (x, bottom), css="grid" if power else "one"))
        parts.append(draw_text(x, bottom + 18, f"{2.0**power:g}", css="tick middle"))
    for number, row in enumerate(ratios):
        y = _MARGIN + (number + 0.5) * _ROW
        label = f"{row['benchmark']}, {row['peer']}" + ("" if row["model"] == "rote-tiny" else f", {row['model']}")
        parts.append(draw_text(_LABELS - 14, y + 4, label, css="label end"))
        parts += [
            draw_whisker(place(row["low"]), place(row["high"]), y),
            draw_mark("generalize", place(row["ratio"]), y),
        ]
    return _finish(parts, _LABELS + _PLOT + _MARGIN, bottom + _MARGIN, title="Ratios")


def draw_scaling(rows: Sequence[Row]) -> str:
    """A line for each kind of cost and each model: against the number of facts, on an axis of powers of ten."""
    costs = [row for row in rows if "facts" in row]
    powers = range(2, 6)
    left, top, height = 60.0, _MARGIN, 200.0

    def place(facts: int, share: float) -> tuple[float, float]:
        x = left + _PLOT * (math.log10(facts) - powers[0]) / (powers[-1] - powers[0])
        return x, top + height * (1 - min(share, _MOST) / _MOST)

    parts = [Markup("<style>{}</style>").format(_STYLE)]
    (begin, high), (end, low) = place(100, 1.2), place(100_000, 0.8)
    parts.append(
        Markup('<rect class="band" x="{}" y="{}" width="{}" height="{}"/>').format(begin, high, end - begin, low - high)
    )
    for power in powers:
        x, y = place(10**power, 0)
        parts.append(draw_text(x, y + 18, f"{10**power:,} facts", css="tick middle"))
    for share in (0.0, 0.5, 1.0, 1.5, 2.0):
        parts.append(draw_text(left - 8, place(100, share)[1] + 4, f"{share:g}", css="tick end"))
    for number, (line, label) in enumerate(_list_lines(costs)):
        points = [place(facts, share) for facts, share in line]
        shade = ("#1f5fa8", "#b3541e", "#3b7d4f", "#7a4a9e")[number % 4]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        parts.append(Markup('<polyline fill="none" stroke="{}" stroke-width="1.6" points="{}"/>').format(shade, path))
        parts.append(draw_text(end + 10, top + 14 + 18 * number, label, css="label"))
        parts.append(
            draw_line((end - 12, top + 10 + 18 * number), (end + 6, top + 10 + 18 * number), css=f"line{number % 4}")
        )
    return _finish(parts, end + 240, top + height + _MARGIN, title="Cost of a fact by the number of facts")


def _list_lines(costs: Sequence[Row]) -> Iterator[tuple[list[tuple[int, float]], str]]:
    """Of each model and kind of cost the cost of a fact in units of that among 1,000, by the number of facts."""
    for environment, model in dict.fromkeys((row["environment"], row["model"]) for row in costs):
        own = {row["facts"]: row for row in costs if (row["environment"], row["model"]) == (environment, model)}
        for key, label in (("encode_ms", "encoding"), ("memorize_ms", "an epoch of memorize")):
            if 1_000 in own:
                yield [(facts, row[key] / own[1_000][key]) for facts, row in sorted(own.items())], f"{label}, {model}"


def _finish(parts: Sequence[Markup], width: float, height: float, *, title: str) -> str:
    svg = wrap_svg(parts, width, height, css="ratios", title=title)
    return str(svg).replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1) + "\n"  # a file of its own needs it
