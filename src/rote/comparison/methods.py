"""Other methods beside a run: the same facts, questions and number of training tokens, with paired differences."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from rote.evaluation.statistics import compute_difference, compute_mean
from rote.experiments.experiment import Column
from rote.experiments.figures import collect_values
from rote.facts.relation import TRAINING_LANGUAGE
from rote.figures import build_figure_row
from rote.pipeline.job import JobRequest, check_settings, run_job
from rote.pipeline.report import write_report
from rote.pipeline.run import Result
from rote.records import NO_LANGUAGE
from rote.runs.folder import write_json
from rote.runs.reporting import Reporter
from rote.runs.store import JobResult, Store
from rote.training.parallel import by_first


def plan_others(request: JobRequest, methods: Sequence[str]) -> list[JobRequest]:
    """The jobs that teach the same table by other methods. Raises what would stop any of them."""
    return [_plan_other(request, method, None) for method in methods]


def compare_into(
    result: Result, request: JobRequest, methods: Sequence[str], store: Store, *, reporter: Reporter
) -> dict[str, Any]:
    """Do the jobs of other methods, and put the comparison into the folder of a run and its report."""
    comparison = compare_methods(request, methods, store, reporter=reporter)
    by_first(lambda: _write(result, comparison))
    return comparison


def _write(result: Result, comparison: dict[str, Any]) -> None:
    assert result.folder is not None
    write_json(result.folder.comparison, comparison)
    write_report(result.folder)


def compare_methods(request: JobRequest, methods: Sequence[str], store: Store, *, reporter: Reporter) -> dict[str, Any]:
    """Do the jobs of other methods and set them beside the one that is asked for; as `comparison.json` has it."""
    ours = run_job(request, store, reporter=reporter)
    tokens = ours.outcome["training_tokens"] or None
    jobs = {request.config.method: ours}
    for method in methods:
        jobs[method] = run_job(_plan_other(request, method, tokens), store, reporter=reporter)
    return {
        "methods": [
            {"name": method, "training_tokens": job.outcome["training_tokens"]} for method, job in jobs.items()
        ],
        "rows": [row for column in _list_columns(request.config.examine.languages) for row in _compare(column, jobs)],
    }


def _plan_other(request: JobRequest, method: str, tokens: int | None) -> JobRequest:
    changes: dict[str, Any] = {
        "method": method,
        "training_tokens": tokens,
        "method_settings": {},
    }  # those given are of the run's own
    config = request.config.model_copy(update=changes)
    check_settings(config)
    return JobRequest(replace(request.plan, config=config), request.loading)  # the same facts: nothing is read again


def _list_columns(languages: Sequence[str]) -> Iterator[Column]:
    """What is compared; English and the other languages apart."""
    held_out: dict[str, Any] = {"prompt_set": ("held_out",), "fact_set": ("held_out",)}
    others = tuple(language for language in languages if language != TRAINING_LANGUAGE)
    yield Column(name="key token, all facts", prompt_set=("key",), fact_set=("generalize", "held_out"))
    yield Column(name="training prompt, held-out facts", prompt_set=("training",), fact_set=("held_out",))
    yield Column(name="held-out prompts, held-out facts", language=(TRAINING_LANGUAGE,), **held_out)
    if others:
        yield Column(name="held-out prompts, held-out facts", language=others, **held_out)
    yield Column(name="control prompts (low is good), held-out facts", prompt_set=("control",), fact_set=("held_out",))
    yield Column(name="held-out prompts, facts known before", prompt_set=("held_out",), fact_set=("known",))


def _compare(column: Column, jobs: Mapping[str, JobResult]) -> list[dict[str, Any]]:
    """A row for each method that was asked: its figure, and the first method's less its own, over the same facts.

    The name of the questions says which languages they were asked in, as one figure pools them.
    """
    name = f"{column.name}{_name_languages(column, jobs)}"
    found = {method: collect_values(column, [job]) for method, job in jobs.items()}
    first = next(iter(found.values()))
    rows = []
    for number, (method, values) in enumerate(found.items()):
        if values:
            difference = compute_difference(first, values) if number and first else None
            rows.append(
                {
                    "questions": name,
                    "method": method,
                    **build_figure_row(compute_mean(values)),
                    "difference": build_figure_row(difference) if difference else None,
                }
            )
    return rows


def _name_languages(column: Column, jobs: Mapping[str, JobResult]) -> str:
    records = [record for job in jobs.values() for record in job.records if column.fits(record, record.moment, "")]
    languages = dict.fromkeys(record.language for record in records if record.language != NO_LANGUAGE)
    return f" ({', '.join(languages)})" if languages else ""
