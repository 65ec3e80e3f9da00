"""Doing an experiment: its trials, one after the other, and what they show as text."""

from collections.abc import Iterator
from pathlib import Path

from rote.experiments.claims import format_ours, judge_claims
from rote.experiments.experiment import Experiment, plan_runs
from rote.experiments.figures import Trials
from rote.experiments.tables import format_table
from rote.pipeline.reporting import Reporter
from rote.pipeline.trial import check_trials, compute_trial_name, run_trial
from rote.pipeline.trial_store import TrialResult, TrialStore, load_trial


def run_experiment(
    experiment: Experiment, *, model: str, seeds: int, out: Path, reporter: Reporter, changes: tuple[str, ...] = ()
) -> Trials:
    """Do the trials that are not finished; returns all of them by run.

    Raises the errors of `find_method` and `check_model` before the first one is begun.
    """
    plan = list(plan_runs(experiment, seeds=seeds, model=model, changes=changes))
    check_trials([planned.config for planned in plan])
    trials: dict[str, list[TrialResult]] = {}
    for planned in plan:
        trials.setdefault(planned.name, []).append(run_trial(planned.config, TrialStore(out), reporter=reporter))
    return trials


def load_finished(
    experiment: Experiment, *, model: str, seeds: int, out: Path, changes: tuple[str, ...] = ()
) -> Trials | None:
    """The trials of those of the first `seeds` seeds for which every run is finished; None where there are none."""
    store = TrialStore(out)
    by_seed: dict[int, dict[str, str]] = {}
    for planned in plan_runs(experiment, seeds=seeds, model=model, changes=changes):
        by_seed.setdefault(planned.seed, {})[planned.name] = compute_trial_name(planned.config)
    complete = [names for names in by_seed.values() if all(store.outcome(name).is_file() for name in names.values())]
    if not complete:
        return None
    return {run: [load_trial(store, names[run]) for names in complete] for run in experiment.runs}


def format_experiment(name: str, experiment: Experiment, trials: Trials, *, model: str) -> Iterator[str]:
    """The title, the table and the verdict on every claim."""
    seeds = min(len(members) for members in trials.values())
    yield f"{experiment.title}: {experiment.description}"
    yield f"{model}, {seeds} seed(s); generation accuracy unless said otherwise [95% interval] (questions)"
    yield ""
    yield from format_table(experiment, trials)
    yield ""
    for row in judge_claims(name, experiment, trials, model=model):
        yield f"{row['claim']}: {format_ours(row)}, wanted {row['bound']}: {row['verdict']}"
