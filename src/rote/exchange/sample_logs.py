"""What another tool measured, question by question: one value for each task, metric and question."""

import json
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Score = tuple[str, str]
"""A task, and a metric of it."""


@dataclass(frozen=True, slots=True)
class Sample:
    """The value of one metric for one question."""

    value: float
    cluster: Hashable
    """Questions of one cluster are not independent of each other."""
    prompt: str
    """What was asked, or its hash: whether two logs asked the same."""


@dataclass(frozen=True)
class SampleLog:
    """What one model was found to do."""

    tool: Literal["lm-eval", "Inspect"]
    scores: Mapping[Score, Mapping[str, Sample]]
    """By question: lm-eval's hash of the document, or Inspect's name of the sample."""
    skipped: tuple[Score, ...] = ()
    """What is no number for every question, so that nothing can be averaged."""


def name_tool(path: Path) -> Literal["lm-eval", "Inspect"] | None:
    """Whose log a path holds, by its name and what lies there; None where it is none of them."""
    if path.suffix == ".eval":
        return "Inspect"
    if path.suffix == ".json":
        return "Inspect" if not path.with_suffix(".parquet").exists() and _is_inspect(path) else None
    if not path.is_dir() or (path / "identity.json").exists():
        return None
    return "lm-eval" if any(_is_lm_eval(file.name) for file in path.rglob("*.json*")) else None


def load_sample_log(path: Path, cluster: tuple[str, ...] = ()) -> SampleLog:
    """Read the log of either tool; `cluster` names the fields of a document, or the metadata, that make a cluster.

    Raises `RunError` where it is damaged or holds no samples.
    """
    from rote.exchange.reading_inspect import read_inspect
    from rote.exchange.reading_lm_eval import read_lm_eval

    return read_inspect(path, cluster) if name_tool(path) == "Inspect" else read_lm_eval(path, cluster)


def _is_lm_eval(name: str) -> bool:
    return name.startswith(("samples_", "results_"))


def _is_inspect(path: Path) -> bool:
    """Whether a JSON file is a log of Inspect; one that is damaged is so by how it begins."""
    try:
        with path.open("rb") as file:
            begin = file.read(4096)
    except OSError:
        return False
    try:
        return bool({"eval", "status"} <= json.loads(begin).keys())
    except (ValueError, AttributeError, RecursionError):
        return b'"status"' in begin and b'"eval"' in begin
