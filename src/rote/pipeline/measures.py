"""What is asked of a model at each moment of a job, kept by the state of the model and by what is asked."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rote.analysis.representations import measure_representations, project_representations, summarise_layers
from rote.config.job import Config
from rote.evaluation.examine import examine, find_known
from rote.evaluation.harness import score_tasks
from rote.evaluation.knowledge import ask_beliefs
from rote.evaluation.questions import Question
from rote.evaluation.scoring import score_passages
from rote.evaluation.summary import SummaryRow, compute_summary
from rote.facts.fact import Fact
from rote.facts.names import has_words, normalize, normalize_name
from rote.facts.sampling import sample_by_relation
from rote.models.chat_template import has_chat_template
from rote.models.language_model import LanguageModel
from rote.models.loading import SAFE, LoadOptions, load_model
from rote.pipeline.plan import Plan, build_plan, hash_plan
from rote.pipeline.stages import Work, make_once
from rote.records import Record, load_records, save_records
from rote.runs.files import is_kept, keep_file, replace_file
from rote.runs.manifest import compute_code_hash, compute_content_hash
from rote.runs.reporting import Reporter
from rote.runs.store import hash_content
from rote.training.parallel import by_first

_ROOMS = ("facts", "encoding", "models", "evaluation", "analysis")
"""The code that decides what a model is found to say."""
_PICTURED = 12
"""Held-out facts of each relation in the picture of hidden states."""


def choose_known(work: Work, retained: Sequence[str]) -> list[Fact]:
    """The facts that this model knows, of each kind as many as are wanted, found by asking it.

    Facts about subjects that a retained text names are left out, so that what is measured to be kept was not shown
    again; but for those of subjects that are taught, which are kept by being shown.
    """
    named = _find_named(work.plan, retained)
    candidates = {
        kind: [fact for fact in facts if kind == "near" or fact.subject not in named]
        for kind, facts in work.plan.known.items()
    }
    if not any(candidates.values()):
        return []
    asked = {kind: [[fact.id, *fact.answers] for fact in facts] for kind, facts in candidates.items()}
    counts = [work.plan.count_known(kind) for kind in candidates]
    name = hash_content([work.model_hash, asked, counts, hash_plan(work.plan), compute_code_hash(_ROOMS)])
    known = make_once(work.store.content("texts", name), lambda: _ask_known(work, candidates))
    chosen = [fact for kind, facts in candidates.items() for fact in facts if fact.id in known[kind]]
    return list(dict.fromkeys(chosen))


def _find_named(plan: Plan, retained: Sequence[str]) -> set[str]:
    """The subjects of what may be known that a retained text names."""
    text = normalize("\n".join(retained))
    subjects = {fact.subject for facts in plan.known.values() for fact in facts}
    return {subject for subject in subjects if has_words(normalize_name(subject), text)}


def _ask_known(work: Work, candidates: Mapping[str, Sequence[Fact]]) -> dict[str, list[str]]:
    model, relations, batch_size = work.language_model, work.plan.relations, work.config.examine.batch_size
    with work.step("find known facts"):
        return {
            kind: [
                fact.id
                for fact in find_known(
                    model, facts, relations, count=work.plan.count_known(kind), batch_size=batch_size
                )
            ]
            for kind, facts in candidates.items()
        }


class Measures:
    """The measures of one job, moment by moment. `reach` brings the weights in memory to where they are asked."""

    def __init__(self, work: Work, questions: Sequence[Question]) -> None:
        self._work = work
        self._questions = questions
        self.records: list[Record] = []
        self.taken: dict[str, dict[str, Any]] = {"beliefs": {}, "passages": {}, "tasks": {}}
        """What else was measured, by kind and moment."""
        self.representations: list[dict[str, Any]] = []
        self.points: list[dict[str, Any]] = []

    def examine(self, moment: str, state: str, reach: Callable[[], None], questions: Sequence[Question] = ()) -> None:
        """Ask every question, or read the answers where the same model was asked the same before."""
        work, asked = self._work, questions or self._questions
        name = hash_content([state, moment, [asdict(question) for question in asked], compute_code_hash(_ROOMS)])
        path = work.store.answers(name)
        if not by_first(lambda: is_kept(path)):
            reach()
            with work.step(f"examine: {moment}") as advance:
                records = examine(
                    work.language_model,
                    asked,
                    moment=moment,
                    batch_size=work.config.examine.batch_size,
                    on_progress=lambda done, total: advance(done, total, ""),
                )
                by_first(lambda: _keep_records(path, records))
        self.records += load_records(path)
        if work.config.representations:
            self._compare_states(moment, name, reach)

    def look(self, moment: str, state: str, reach: Callable[[], None], *, first: bool) -> None:
        """All that is measured at the first and the last moment alone."""
        effects, knowledge = self._work.config.side_effects, self._work.config.knowledge
        believed = self._list_believed(first=first) if knowledge.samples else []
        if believed:
            asked = [
                knowledge.model_dump(),
                [[fact.id, *fact.answers] for fact in believed],
                hash_plan(self._work.plan),
            ]
            self._take("beliefs", moment, [state, asked], reach, lambda: self._ask_beliefs(believed))
        if effects.text is not None:
            self._take("passages", moment, [state, compute_content_hash(Path(effects.text))], reach, self._read_text)
        if effects.tasks:
            folder = compute_content_hash(Path(effects.task_folder)) if effects.task_folder else ""
            done = [effects.tasks, folder, effects.task_limit]
            self._take("tasks", moment, [state, done], reach, self._do_tasks)

    def _take(
        self, kind: str, moment: str, content: Sequence[Any], reach: Callable[[], None], measure: Callable[[], Any]
    ) -> None:
        def measure_here() -> Any:
            reach()
            with self._work.step(f"{kind}: {moment}"):
                return measure()

        name = hash_content([kind, content, self._work.config.seed, compute_code_hash(_ROOMS)])
        self.taken[kind][moment] = make_once(self._work.store.content("answers", name), measure_here)

    def _list_believed(self, *, first: bool) -> list[Fact]:
        """The taught facts that are asked about, before they are taught, and subjects that do not exist."""
        asked = self._work.plan.select_asked()
        taught = [*asked["generalize"], *asked["held_out"]] if first else []
        return [*taught, *self._work.plan.unseen_facts]

    def _ask_beliefs(self, facts: Sequence[Fact]) -> list[dict[str, Any]]:
        config = self._work.config
        beliefs = ask_beliefs(
            self._work.language_model,
            facts,
            self._work.plan.relations,
            config.knowledge,
            batch_size=config.examine.batch_size,
            seed=config.seed,
        )
        return [asdict(belief) for belief in beliefs]

    def _read_text(self) -> list[float]:
        model = self._work.language_model
        lines = Path(self._work.config.side_effects.text or "").read_text(encoding="utf-8").splitlines()
        return score_passages(model.model, model.tokenizer, lines)

    def _do_tasks(self) -> dict[str, Any]:
        model = self._work.language_model
        return score_tasks(model.model, model.tokenizer, self._work.config.side_effects)

    def _compare_states(self, moment: str, name: str, reach: Callable[[], None]) -> None:
        """Similarities at every layer, and the plane of a picture at the middle one."""

        def compare() -> dict[str, Any]:
            reach()
            with self._work.step(f"hidden states: {moment}"):
                return _measure_states(self._work.language_model, self._work.plan)

        states = make_once(self._work.store.content("answers", hash_content(["states", name])), compare)
        self.representations += [{"moment": moment, **row} for row in states["rows"]]
        self.points += [{"moment": moment, **point} for point in states["points"]]


def _measure_states(language_model: LanguageModel, plan: Plan) -> dict[str, Any]:
    facts, relations, seed = plan.held_out_facts, plan.relations, plan.config.seed
    rows = measure_representations(language_model, facts, relations, seed=seed)
    shown = sample_by_relation(facts, count=_PICTURED, seed=seed)
    middle = (1 + max(row.layer for row in rows)) // 2
    points = project_representations(language_model, shown, relations, layer=middle, seed=seed)
    return {
        "rows": [asdict(row) for row in [*rows, *summarise_layers(rows)]],
        "points": [asdict(point) for point in points],
    }


def examine_model(
    model: str,
    config: Config,
    *,
    reporter: Reporter,
    records_file: Path | None = None,
    loading: LoadOptions = SAFE,
) -> list[SummaryRow]:
    """Ask a model about every fact of a table and some of the real world, without teaching it; returns the summary.

    A model that Rote taught is asked by its key tokens too and its records carry the moment `generalize`; any other
    model's carry `before`. Its folder says which facts were shown in generalize; to any other model all are held-out.
    Unseen facts are those of a job with the same seed; of the real world's facts it need know none.
    """
    untouched = build_plan(config)  # what is wrong with the table is said before the model is loaded
    language_model = load_model(model, loading)
    plan = untouched.split(language_model.shown)
    keys: Mapping[str, str] = language_model.key_tokens
    chat = has_chat_template(language_model.source, language_model.tokenizer.chat_template)
    with reporter.step("examine") as advance:
        records = examine(
            language_model,
            plan.build_questions(plan.list_candidates(), keys, chat=chat),
            moment="generalize" if keys else "before",
            batch_size=config.examine.batch_size,
            on_progress=lambda done, total: advance(done, total, ""),
        )
    if records_file:
        _write_records(records_file, records)
    return compute_summary(records)


def _keep_records(path: Path, records: Sequence[Record]) -> None:
    with keep_file(path) as draft:
        save_records(records, draft)


def _write_records(path: Path, records: Sequence[Record]) -> None:
    with replace_file(path) as draft:
        save_records(records, draft)
