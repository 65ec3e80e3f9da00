"""The figures of experiments as files for a paper: SVG or PDF, one for each column of a table (extra `figures`)."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from rote.errors import RunError
from rote.figures import Figure
from rote.report.dots import DotPanel
from rote.results.entries import Entry
from rote.results.table_files import name_file
from rote.runs.files import replace_file

FigureFormat = Literal["svg", "pdf"]
_WIDTH, _ROW, _MARGIN = 5.0, 0.32, 0.9
"""Inches."""


def import_canvas() -> tuple[Any, Any]:
    """matplotlib's `rc_context` and `Figure`. Raises `RunError` where it is not installed."""
    try:
        from matplotlib import rc_context
        from matplotlib.figure import Figure as Canvas
    except ImportError as error:
        raise RunError("--format svg and pdf need matplotlib: pip install -e '.[figures]'") from error
    return rc_context, Canvas


def write_figures(folder: Path, entries: Sequence[Entry], form: FigureFormat) -> list[Path]:
    """Draw every panel into `folder`, as `EXPERIMENT-MODEL-NUMBER-COLUMN`: a row per run with its 95% interval, the
    paper's figure as an open diamond; returns the paths. Raises `RunError` where matplotlib is not installed."""
    rc_context, canvas_class = import_canvas()
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    settings: Any = {"svg.fonttype": "none", "svg.hashsalt": "rote", "pdf.fonttype": 42}  # text stays text
    with rc_context(settings):
        for entry in entries:
            for number, panel in enumerate(entry.panels, start=1):
                canvas = canvas_class(figsize=(_WIDTH, _MARGIN + _ROW * len(panel.rows)), layout="constrained")
                _draw(canvas.subplots(), panel)
                path = folder / f"{name_file(*entry.key, str(number), panel.title)}.{form}"
                with replace_file(path) as draft:
                    canvas.savefig(draft, format=form, metadata={"Date" if form == "svg" else "CreationDate": None})
                written.append(path)
    return written


def _draw(axes: Any, panel: DotPanel) -> None:
    """Ours as dots with their intervals, from top to bottom as the runs are declared."""
    places = range(len(panel.rows))
    measured = [(place, row.figure) for place, row in zip(places, panel.rows, strict=True) if row.figure]
    printed = [(place, row.paper) for place, row in zip(places, panel.rows, strict=True) if row.paper is not None]
    if measured:
        _draw_ours(axes, measured)
    if printed:
        axes.plot([value for _, value in printed], [place for place, _ in printed], "kD", mfc="none", label="paper")
        axes.legend(frameon=False, fontsize="small")
    axes.set_yticks(list(places), [row.run.replace("$", r"\$") for row in panel.rows])
    axes.set_ylim(len(panel.rows) - 0.5, -0.5)
    axes.set_xlim(-0.02, 1.02)
    axes.set_title(panel.title.replace("$", r"\$"), fontsize="medium", loc="left")
    axes.grid(axis="x", alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)


def _draw_ours(axes: Any, measured: Sequence[tuple[int, Figure]]) -> None:
    values = [figure.value for _, figure in measured]
    low = [figure.value - figure.low for _, figure in measured]
    high = [figure.high - figure.value for _, figure in measured]
    places = [place for place, _ in measured]
    axes.errorbar(values, places, xerr=[low, high], fmt="ko", capsize=3, label="ours")
