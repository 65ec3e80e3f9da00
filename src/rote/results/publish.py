"""`RESULTS.md`, and `results.json`, `claims.json` and `results.html` in the folder `results`: what is finished, by
the records of its jobs, and what was published before and has not been done again since.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from rote.errors import ConfigError, ModelError, RoteError, RunError, TableError, TemplateError
from rote.experiments.claims import (
    ClaimRow,
    declare_again,
    format_bound,
    format_paper,
    format_size,
    get_figure,
    is_examined,
    write_parts,
)
from rote.experiments.experiment import list_experiments
from rote.experiments.reproduce import load_finished
from rote.models.embedded import EMBEDDED_NAME
from rote.models.loading import count_parameters
from rote.pipeline.job import ROOMS
from rote.report.results_page import ClaimLine, ClaimList, ExperimentSection, ResultsContent, render_results
from rote.results.claims_by_model import compare_models, list_models
from rote.results.entries import (
    Entry,
    Finished,
    begin_large,
    build_entry,
    is_declared_otherwise,
    list_settings,
    load_entries,
    merge_entries,
    save_entries,
    tell_replaced,
)
from rote.results.in_short import write_in_short
from rote.results.markdown import STALE, list_missing, write_page
from rote.results.run_entries import build_run_entries, is_published
from rote.runs.files import replace_file
from rote.runs.manifest import compute_code_hash, name_with_run
from rote.runs.store import Store

_KEPT = "results.json"


def write_results(
    folder: Path,
    *,
    store: Store,
    model: str,
    seeds: int | None = None,
    changes: tuple[str, ...] = (),
    others: Sequence[Path] = (),
    tell: Callable[[str], None] = lambda line: None,
) -> list[Entry]:
    """Write the files into `folder`; returns what they show, and tells what gave way to something else.

    What the folder has of other models, and of experiments that are not finished by this version of the code, is
    carried over, the latter as stale. So is what `others` have, which are such folders of other machines, or runs that
    have something of their own to publish. Raises `RunError` where there is nothing to show.
    """
    there = list(_load_others([place for place in others if not is_published(place)]))
    published = build_run_entries(others)
    if store.path.is_dir():
        count_parameters(model)  # a model that cannot be loaded is said once, and not looked for by each experiment
    finished = {item.name: item for item in _collect(store, model=model, seeds=seeds, changes=changes)}
    name = _name_published(model)
    code, path = compute_code_hash(ROOMS), folder / "results" / _KEPT
    kept = load_entries(path) if path.is_file() else []
    new = [*(build_entry(item, model=name, code=code) for item in finished.values()), *published]
    entries = _sort(_declare_again(merge_entries(kept, new, code=code, others=there)))
    if not (others or finished) and (changes or not any(entry.model == name for entry in entries)):
        raise RunError(_tell_missing(store, model))
    if not (others or store.path.is_dir()):
        tell(f"{store.path} is not there: this is what was published before, in the words of today")
    rows = [row for entry in entries for row in entry.claims]
    texts = {
        folder / "RESULTS.md": "\n".join(write_page(entries)) + "\n",
        path.with_name("claims.json"): json.dumps(rows, indent=1, ensure_ascii=False) + "\n",
        path.with_name("results.html"): render_results(build_content(entries)),
    }
    save_entries(path, entries)
    for place, text in texts.items():
        _write(place, text)
    for line in tell_replaced(kept, new, code=code, others=there):
        tell(line)
    return entries


def _name_published(model: str) -> str:
    """The name under which a model's results are known. Raises `ConfigError` for a folder that would take the embedded
    model's."""
    name = name_with_run(model)
    if name == EMBEDDED_NAME != model:
        raise ConfigError(f"--model {model}: is called as the embedded model is; give the folder another name")
    return name


def _tell_missing(store: Store, model: str) -> str:
    begin = f"rote reproduce NAME --store {store.path}"
    if not store.path.is_dir():
        return f"{store.path}: there is no such folder of jobs; name that of rote reproduce, or run: {begin}"
    found = ", ".join(store.list_models())
    return (
        f"{store.path}: no experiment is finished for {model} with these settings (it has jobs of "
        f"{found or 'no model'}); give the --model and --set of rote reproduce, or run: {begin}"
    )


def _load_others(folders: Sequence[Path]) -> Iterator[Entry]:
    for folder in folders:
        path = next((place for place in (folder / "results" / _KEPT, folder / _KEPT) if place.is_file()), None)
        if not folder.is_dir():
            raise RunError(f"{folder}: there is no such folder; name one of rote results, or of a run (--add)")
        if path is None and (folder / "jobs").is_dir():
            raise RunError(f"{folder}: is a folder of jobs; write its results first: rote results {folder} --out DIR")
        if path is None:
            raise RunError(
                f"{folder}: has no results/{_KEPT}, and is no run with an export, later tables or forgotten facts; "
                "name such a run, or the folder that rote results wrote into (--add)"
            )
        yield from load_entries(path)


def _write(path: Path, text: str) -> None:
    with replace_file(path) as draft:
        draft.write_text(text, encoding="utf-8")


def _collect(store: Store, *, model: str, seeds: int | None, changes: tuple[str, ...]) -> Iterator[Finished]:
    if not store.path.is_dir():  # to know the names of all jobs takes a minute
        return
    planned, refused = 0, list[RoteError]()
    for name, experiment in list_experiments().items():
        try:
            jobs = load_finished(experiment, model=model, seeds=seeds, store=store, changes=changes)
        except ModelError:  # a model of its own that is not here (any more)
            continue
        except (ConfigError, TableError, TemplateError) as error:  # not for this model or these settings
            refused.append(error)
            continue
        planned += 1
        if jobs:
            yield Finished(name, experiment, jobs, changes)
    if refused and not planned:
        raise refused[0]


def _declare_again(entries: Iterable[Entry]) -> Iterator[Entry]:
    """Entries whose title and claims say what their experiments declare today: claims with another bound, or of a name
    that is declared no more, are dropped, as a verdict on what is not claimed says nothing. One that does not have what
    is declared today is stale."""
    experiments = list_experiments()
    for entry in entries:
        experiment = experiments.get(entry.name)
        if not experiment:
            yield replace(entry, claims=[])
            continue
        made = {claim.name: claim for claim in experiment.claims}
        examined = is_examined(experiment, entry.model, list_settings(entry))
        kept = [
            declare_again(row, made[row["claim"]], examined=examined)
            for row in entry.claims
            if row["claim"] in made and row["bound"] == format_bound(made[row["claim"]])
        ]
        stale = entry.stale or is_declared_otherwise(entry, experiment)
        for row in kept:
            row["stale"] = stale
        yield replace(entry, title=experiment.heading, claims=kept, stale=stale)


def _sort(entries: Iterable[Entry]) -> list[Entry]:
    """In the order in which experiments are declared, the models of each as they come, the embedded one first; those
    that are declared no more come last."""
    order = list(list_experiments())

    def place(entry: Entry) -> tuple[int, bool]:
        number = order.index(entry.name) if entry.name in order else len(order)
        return number, entry.model != EMBEDDED_NAME

    return sorted(entries, key=place)


def build_content(entries: Sequence[Entry]) -> ResultsContent:
    """What the page is made from."""
    models = list_models(entries)
    return ResultsContent(
        models=tuple(models),
        sections=tuple(map(_build_section, entries)),
        missing=tuple(list_missing(entries)),
        in_short=tuple(write_in_short(entries)) if models else (),
        comparison=tuple(map(_write_plainly, compare_models(entries))) if len(models) > 1 else (),
    )


def _write_plainly(group: ClaimList) -> ClaimList:
    """The page is no Markdown."""
    return replace(group, items=tuple(item.replace("`", "") for item in group.items))


def _build_section(entry: Entry) -> ExperimentSection:
    return ExperimentSection(
        title=entry.heading,
        description=entry.description.replace("`", ""),  # the page is no Markdown
        seeds=entry.seeds,
        command=entry.command,
        stale=STALE if entry.stale else "",
        claims=tuple(_build_claim(row) for row in entry.claims),
        panels=tuple(entry.panels),
        planes=tuple(entry.planes),
        notes=tuple(note.replace("`", "").replace("**", "") for note in entry.notes),
        tables=tuple(entry.tables),
    )


def _build_claim(row: ClaimRow) -> ClaimLine:
    return ClaimLine(
        key=(row["experiment"], row["claim"]),
        model=row["model"],
        text=row["text"],
        paper=format_paper(row),
        ours=get_figure(row),
        made_of=write_parts(row),
        bound=row["bound"],
        size=format_size(row),
        verdict=row["verdict"],
        why=f"{begin_large(row['why'])}.".replace("`", "") if row["why"] else "",
    )
