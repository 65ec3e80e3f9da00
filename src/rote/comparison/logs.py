"""Two logs of lm-evaluation-harness or Inspect beside one another: what the second model does less what the first does.

Questions are matched, so the interval is that of paired differences, and those of one cluster count as dependent.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rote.errors import ConfigError, RunError
from rote.evaluation.statistics import SHARE, Values, compute_average, compute_difference, compute_mean
from rote.exchange.sample_logs import Sample, SampleLog, Score, load_sample_log, name_tool
from rote.experiments.tables import format_rows
from rote.figures import Figure, build_figure_row, format_figure

_MATCHED_BY = {"lm-eval": "the hash of the document", "Inspect": "the name of the sample"}

_HEAD = (
    *("task", "metric", "first", "second", "second - first"),
    *("matched", "clusters", "only in the first", "only in the second"),
)


@dataclass(frozen=True)
class Difference:
    """One metric of one task, over the questions that both logs have."""

    task: str
    metric: str
    first: Figure
    second: Figure
    difference: Figure
    """The second less the first."""
    clusters: int
    only_first: int
    """Questions that the second log lacks."""
    only_second: int
    asked_otherwise: int
    """Matched questions whose prompt was another one."""

    @property
    def matched(self) -> int:
        """Questions that both logs have."""
        return self.difference.n

    def build_row(self) -> dict[str, Any]:
        """The figures as JSON has them."""
        return {
            "task": self.task,
            "metric": self.metric,
            "first": build_figure_row(self.first),
            "second": build_figure_row(self.second),
            "difference": build_figure_row(self.difference),
            "matched": self.matched,
            "clusters": self.clusters,
            "only_first": self.only_first,
            "only_second": self.only_second,
            "asked_otherwise": self.asked_otherwise,
        }


def has_logs(paths: Sequence[Path]) -> bool:
    """Whether any path holds another tool's log."""
    return any(name_tool(path) for path in paths)


def load_logs(paths: Sequence[Path], cluster: tuple[str, ...] = ()) -> tuple[SampleLog, SampleLog]:
    """Read two logs of one tool. Raises `ConfigError` where they are not, and `RunError` where one is damaged."""
    tools = {str(path): name_tool(path) for path in paths}
    if len(paths) != 2:
        named = ", ".join(map(str, paths))
        raise ConfigError(f"logs of other tools are compared two at a time, and these are {len(paths)}: {named}")
    if len(set(tools.values())) > 1:
        told = ", ".join(f"{path} is {f'of {tool}' if tool else 'no log'}" for path, tool in tools.items())
        raise ConfigError(f"two logs of one tool can be compared: {told}")
    first, second = (load_sample_log(path, cluster) for path in paths)
    return first, second


def compare_logs(first: SampleLog, second: SampleLog) -> list[Difference]:
    """Every metric that both logs have, of the questions that both have; metrics without any are left out.

    Raises `RunError` where no question is in both.
    """
    shared = [score for score in first.scores if score in second.scores]
    rows = [_compare(score, first.scores[score], second.scores[score]) for score in shared]
    found = [row for row in rows if row]
    if not found:
        have = " and ".join(_list_tasks(log) for log in (first, second))
        raise RunError(f"the two logs have no question of one task and metric in common; they have {have}")
    return found


def format_logs(names: Sequence[str], logs: tuple[SampleLog, SampleLog], rows: Sequence[Difference]) -> Iterator[str]:
    """A table with a row for each task and metric, and what else there is to say of them."""
    yield from (f"{place}: {name}" for place, name in zip(("first", "second"), names, strict=True))
    yield from format_rows(_HEAD, (_format_row(row) for row in rows))
    yield f"matched by {_MATCHED_BY[logs[0].tool]}; figures are over matched questions, 95% intervals over clusters"
    for row in rows:
        if row.asked_otherwise:
            yield f"warning: {row.task}, {row.metric}: {row.asked_otherwise} of them were asked by another prompt"
    left_out = list_left_out(logs, rows)
    if left_out:
        told = "; ".join(f"{task}, {metric}" for task, metric in left_out)
        yield f"left out, as no question of it is in both or it is no number: {told}"


def list_left_out(logs: tuple[SampleLog, SampleLog], rows: Sequence[Difference]) -> list[Score]:
    """What one of the logs has and no row shows."""
    shown = {(row.task, row.metric) for row in rows}
    return [
        score for score in dict.fromkeys(s for log in logs for s in (*log.scores, *log.skipped)) if score not in shown
    ]


def _compare(score: Score, first: Mapping[str, Sample], second: Mapping[str, Sample]) -> Difference | None:
    both = [name for name in first if name in second]
    if not both:
        return None
    by_log = [{name: samples[name].cluster for name in both} for samples in (first, second)]
    clusters = min(by_log, key=lambda found: len(set(found.values())))  # one log alone may say what belongs together
    columns = [_gather(samples, clusters) for samples in (first, second)]
    shares = all(_is_share(samples[name].value) for samples in (first, second) for name in both)
    means = [compute_mean(values) if shares else _compute_plain(values) for values in columns]
    return Difference(
        task=score[0],
        metric=score[1],
        first=means[0],
        second=means[1],
        difference=compute_difference(columns[1], columns[0], shares=shares),
        clusters=len(set(clusters.values())),
        only_first=len(first) - len(both),
        only_second=len(second) - len(both),
        asked_otherwise=sum(first[name].prompt != second[name].prompt for name in both),
    )


def _gather(samples: Mapping[str, Sample], clusters: Mapping[str, Any]) -> Values:
    values: Values = {}
    for name, cluster in clusters.items():
        values.setdefault(cluster, []).append(samples[name].value)
    return values


def _is_share(value: float) -> bool:
    return SHARE[0] <= value <= SHARE[1]


def _compute_plain(values: Values) -> Figure:
    mean = compute_average(values)
    return Figure(mean, mean, mean, sum(map(len, values.values())))


def _format_row(row: Difference) -> tuple[str, ...]:
    figures = (format_figure(row.first), format_figure(row.second), format_figure(row.difference, "+z.3f"))
    counts = (row.matched, row.clusters, row.only_first, row.only_second)
    return (row.task, row.metric, *figures, *map(str, counts))


def _list_tasks(log: SampleLog) -> str:
    return ", ".join(f"{task} ({metric})" for task, metric in log.scores) or "none"
