"""Doing an experiment: its jobs, one after the other, and what they show as text."""

import re
import shlex
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import groupby

from rote.errors import ConfigError, ModelError, RoteError, TableError, TemplateError
from rote.experiments.claims import format_ours, judge_claims
from rote.experiments.experiment import Experiment, list_experiments, plan_runs
from rote.experiments.figures import Jobs
from rote.experiments.tables import format_table
from rote.models.embedded import EMBEDDED_NAME
from rote.models.loading import count_parameters
from rote.pipeline.job import ROOMS, name_job, run_job
from rote.runs.manifest import compute_code_hash
from rote.runs.reporting import Reporter
from rote.runs.store import JobResult, Store

_SIZE = re.compile(r"(\d+(?:\.\d+)?)([bm])(?![a-z])", re.IGNORECASE)
"""The parameters in a model's name, as in `Qwen2.5-1.5B`."""
_BYTES = 16
"""A parameter in training: itself, its gradient and two moments of AdamW, in float32."""


def describe_commands(model: str, names: Sequence[str], *, seeds: int, changes: tuple[str, ...] = ()) -> Iterator[str]:
    """The command of each named experiment with a model, and about what it takes. Raises `ModelError` where the size of
    the model is not known."""
    parameters, named = _count_or_read(model), shlex.quote(model)
    same = "".join(f" --set {shlex.quote(change)}" for change in changes)
    yield (
        f"# {model}: {parameters / 1e6:,.0f} M parameters. To train all of them takes about "
        f"{_BYTES * parameters / 1e9:.1f} GB and what the activations need; --set tuning=layers or lora takes less."
    )
    yield (
        f"# Hours are for {seeds} seed(s), tables of the declared size and two CPU cores (those of rote-tiny times "
        "the parameters); a GPU takes a small part of them, and so does a smaller table: "
        "--set 'table.relations=[mother]' --set table.count=50."
    )
    experiments = list_experiments()
    refusals = {name: _find_refusal(experiments[name], changes) for name in names}
    if all(refusals.values()):
        raise next(error for error in refusals.values() if error)
    for name in names:
        experiment = experiments[name]
        if refusals[name]:
            yield f"# {name}: {refusals[name]}"
            continue
        told = f"{experiment.title}; about {_estimate(experiment, parameters, seeds) / 60:,.1f} h"
        yield f"rote reproduce {name} --model {named} --seeds {seeds}{same}  # {told}"
    yield f"rote results --model {named}{same} --out ."
    yield "rote results --add FOLDER  # what was written so on another machine"


def _find_refusal(experiment: Experiment, changes: tuple[str, ...]) -> RoteError | None:
    """What speaks against doing an experiment with another model and these settings. The model may be too large to be
    here, so the settings are tried on the embedded one."""
    if experiment.names_models:
        return ConfigError(f"{experiment.title!r} is about models of its own; leave --model out")
    if not changes:  # as it is declared it can be done
        return None
    try:
        for _ in plan_runs(experiment, seeds=1, changes=changes):
            pass
    except (ConfigError, TableError, TemplateError) as error:
        return error
    return None


def _estimate(experiment: Experiment, parameters: int, seeds: int) -> float:
    """Minutes: the declared ones are those of `rote-tiny` on two CPU cores, and time grows with the parameters."""
    return experiment.minutes * seeds * parameters / count_parameters(EMBEDDED_NAME)


def _count_or_read(model: str) -> int:
    """The parameters of a model that is here, or those its name says."""
    try:
        return count_parameters(model)
    except ModelError as error:
        found = _SIZE.search(model.rsplit("/", 1)[-1])
        if not found:
            raise ModelError(f"{error}; nor does its name say its size, as Qwen2.5-1.5B does") from error
        return round(float(found[1]) * (1e9 if found[2].lower() == "b" else 1e6))


def run_experiment(
    experiment: Experiment, *, model: str, seeds: int, store: Store, reporter: Reporter, changes: tuple[str, ...] = ()
) -> Jobs:
    """Do the jobs that are not finished; returns all of them by run.

    Raises what would stop any of them before the first one is begun.
    """
    plan = list(plan_runs(experiment, seeds=seeds, model=model, changes=changes))
    jobs: dict[str, list[JobResult]] = {}
    for planned in plan:
        jobs.setdefault(planned.name, []).append(run_job(planned.request, store, reporter=reporter))
    return jobs


def describe_runs(
    experiment: Experiment, *, model: str, seeds: int, store: Store, changes: tuple[str, ...] = ()
) -> Iterator[str]:
    """A line for each job: its name, what it does, and whether that is finished or still to do; then their number."""
    code, states = compute_code_hash(ROOMS), Counter[str]()
    for planned in plan_runs(experiment, seeds=seeds, model=model, changes=changes):
        name = name_job(planned.request)
        found = store.find_code(name)
        state = "finished" if found == code else "stale, to do again" if found else "to do"
        config, facts = planned.request.config, len(planned.request.plan.table)
        states[state] += 1
        yield f"{name}  seed {planned.seed}  {planned.name}: {config.method}, {facts} facts, {state}"
    counts = ", ".join(f"{number} {state}" for state, number in states.items())
    minutes = _estimate(experiment, count_parameters(experiment.base.get("model", model)), seeds)
    yield (
        f"{states.total()} jobs: {counts}; all {states.total()} take about {minutes:,.0f} min with a table of the "
        "declared size on two CPU cores"
    )


def load_finished(
    experiment: Experiment, *, model: str, seeds: int | None, store: Store, changes: tuple[str, ...] = ()
) -> Jobs | None:
    """The jobs of those seeds for which every run is finished by this version of the code; None where there are none.
    Without `seeds`, the first so many, they are looked for up to the first of which no run is finished."""
    code, complete = compute_code_hash(ROOMS), list[dict[str, str]]()
    plan = plan_runs(experiment, seeds=seeds, model=model, changes=changes)
    for _, runs in groupby(plan, key=lambda planned: planned.seed):
        names = {planned.name: name_job(planned.request) for planned in runs}
        finished = [store.is_finished(name, code) for name in names.values()]
        if all(finished):
            complete.append(names)
        elif seeds is None and not any(finished):
            break
    if not complete:
        return None
    return {run: [store.load(names[run]) for names in complete] for run in experiment.runs}


def format_experiment(name: str, experiment: Experiment, jobs: Jobs, *, model: str) -> Iterator[str]:
    """The title, the table and the verdict on every claim."""
    seeds = min(len(members) for members in jobs.values())
    yield f"{experiment.title}: {experiment.description}"
    yield f"{model}, {seeds} seed(s); generation accuracy unless said otherwise [95% interval] (questions)"
    yield ""
    yield from format_table(experiment, jobs)
    yield ""
    for row in judge_claims(name, experiment, jobs, model=model):
        yield f"{row['claim']}: {format_ours(row)}, wanted {row['bound']}: {row['verdict']}"
