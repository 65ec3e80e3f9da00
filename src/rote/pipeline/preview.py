"""What a run will do and what it will take, told before it is done: its phases and questions, what to be warned of, and
the time and memory of its steps, from a few timed moments of the very model.
"""

import tempfile
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from rote.config.job import Config
from rote.encoding.example import encode
from rote.evaluation.generation import MAX_NEW_TOKENS
from rote.evaluation.questions import Question
from rote.facts.relation import load_shipped_relations
from rote.methods.cost import Pace, TableCost, count_cost, measure_memory, measure_peak, time_answers, time_update
from rote.methods.memorize_then_generalize import count_generalize_examples, count_memorize_examples
from rote.models.loading import count_parameters
from rote.pipeline.earlier import describe_earlier
from rote.pipeline.expectations import describe_expectations
from rote.pipeline.job import Job, JobRequest, open_job
from rote.pipeline.plan import TAUGHT, Plan
from rote.pipeline.stages import RECALL_SAMPLE
from rote.pipeline.tables import name_table
from rote.retention.subjects import list_others
from rote.runs.reporting import SilentReporter
from rote.runs.store import Store
from rote.training.parallel import count_processes

_ENOUGH_PROMPTS = 8
"""Between four training prompts, which were too few, and ten, which were enough (docs/real_models.md)."""
_SAID_ONCE_TAUGHT = 25
"""Tokens of an answer on average once facts are taught: a right one comes at once, a wrong one takes all it may."""
_SAID_BY_ROTE = 6
_SAMPLED_PROMPTS = 100
_NODES = 2
"""Tokens of a candidate of a choice that are read, on average; candidates share their beginnings."""


@dataclass(frozen=True)
class Estimate:
    """What the steps of a job take here: seconds by the label of the step, none of them where the memory (bytes; None
    where the system does not say) is more than there is."""

    seconds: Mapping[str, float]
    memory: int | None
    fits: bool = True

    def without(self, labels: Container[str]) -> "Estimate":
        """The same for the steps that are not done yet."""
        return replace(self, seconds={label: took for label, took in self.seconds.items() if label not in labels})

    def describe(self) -> list[str]:
        """The lines that a person reads."""
        memory = [f"memory:     about {self.memory / 1e9:.1f} GB"] if self.memory else []
        if not self.fits:
            return [f"{line} or more, which this machine does not have; nothing was timed" for line in memory]
        if not self.seconds:
            return []
        steps = ", ".join(f"{label} {_format_time(seconds)}" for label, seconds in self.seconds.items())
        return [f"time:       about {_format_time(sum(self.seconds.values()))} here: {steps}", *memory]


def _format_time(seconds: float) -> str:
    return f"{seconds / 60:.1f} min" if seconds >= 60 else f"{seconds:.0f} s"


def rehearse(request: JobRequest) -> tuple[list[TableCost], Estimate]:
    """What a job costs and takes, without doing it: nothing is trained, written or kept.

    The cost is that of the first stage, and of none where a method trains nothing or the model is too large for this
    machine.
    """
    needed, there = _count_bytes(request), measure_memory()
    if there is not None and needed > there:
        return [], Estimate({}, needed, fits=False)
    with tempfile.TemporaryDirectory() as place:
        job = open_job(request, Store(Path(place)), SilentReporter())
        job.prepare(rehearsal=True)
        model, table = job.work.language_model, request.plan.table
        return [count_cost(model, table, stage) for stage in job.teaching.stages[:1]], estimate(job)


def _count_bytes(request: JobRequest) -> int:
    """The weights; where all of them are trained their gradients and the two moments of AdamW too. All in float32."""
    copies = 4 if request.config.tuning == "full" else 1
    return 4 * copies * count_parameters(request.config.model, request.loading)


def estimate(job: Job) -> Estimate:
    """What the steps of a job that is ready to begin take, by some answers and an update of each stage that are timed.
    No weight is changed. Nothing is estimated where all is trained, or for a model that is spread over processes."""
    trained = [job.stages.is_counted(number) for number, _ in enumerate(job.teaching.stages, start=1)]
    if count_processes() > 1 or all(trained):
        return Estimate({}, None)
    language_model, questions = job.work.language_model, job.build_questions()
    picked = questions[:: max(1, len(questions) // _SAMPLED_PROMPTS)]
    prompts = [encode(language_model.tokenizer, question.text).prompt_ids for question in picked]
    pace = time_answers(language_model, prompts)
    updates = [time_update(language_model, stage, job.retention) for stage in job.teaching.stages]
    steps = _list_steps(job, questions, _Asking(pace, sum(map(len, prompts)) / len(prompts)), updates)
    return Estimate({label: seconds for label, seconds in steps if seconds}, measure_peak())


@dataclass(frozen=True)
class _Asking:
    """The pace of a model and how long a prompt is on average, in tokens."""

    pace: Pace
    length: float

    def answer(self, prompts: float, tokens: float) -> float:
        """Seconds for so many prompts, with so many tokens said to each."""
        return self.pace.answer(prompts, self.length, tokens)

    def examine(self, questions: Sequence[Question], tokens: float) -> float:
        """Seconds for questions; those about known facts and by key token are answered soon at any moment."""
        at_once = sum(question.fact_set == "known" or question.prompt_set == "key" for question in questions)
        choices = [len(question.candidates) for question in questions if question.candidates]
        chosen = sum(self.pace.answer(1, self.length + _NODES * candidates, 0) for candidates in choices)
        return self.answer(at_once, _SAID_ONCE_TAUGHT) + self.answer(len(questions) - at_once, tokens) + chosen


def _list_steps(
    job: Job, questions: Sequence[Question], asking: _Asking, updates: Sequence[float]
) -> Iterator[tuple[str, float]]:
    plan, config, stages = job.work.plan, job.work.config, job.teaching.stages
    before = plan.sample_before(questions)
    believed = asking.answer((1 + config.knowledge.samples) * config.knowledge.prompts, config.knowledge.tokens)
    believed *= bool(config.knowledge.samples)
    taught = len({question.fact for question in questions if question.fact_set in TAUGHT})
    written = 0 if config.retain.file else config.retain.texts
    yield "write retained texts", asking.pace.answer(written, 1, config.retain.tokens)
    yield "find known facts", asking.answer(sum(map(len, plan.known.values())), config.knowledge.tokens)
    yield "examine: before", asking.examine(before, MAX_NEW_TOKENS)
    yield "beliefs: before", believed * (len(plan.unseen_facts) + taught)
    for number, (stage, update) in enumerate(zip(stages, updates, strict=True), start=1):
        recall = asking.answer(min(len(plan.table), RECALL_SAMPLE), _SAID_BY_ROTE)
        yield stage.name, stage.epochs * (stage.steps_per_epoch * update + recall)
        yield f"examine: {stage.name}", asking.examine(questions, _SAID_ONCE_TAUGHT)
        yield f"beliefs: {stage.name}", believed * len(plan.unseen_facts) * (number == len(stages))


def describe_plan(request: JobRequest, out: Path) -> str:
    """What a run would do, in a few lines. Loads no weights."""
    plan, config = request.plan, request.config
    table = plan.table
    keys = dict.fromkeys(plan.table.relations, "[X]")
    questions = plan.build_questions(plan.list_candidates(), keys, chat=False)
    return "\n".join(
        (
            f"table:      {len(table)} facts of {', '.join(table.relations)} ({name_table(config.table)})",
            f"model:      {config.model}",
            *describe_earlier(plan.earlier, config),
            *_describe_method(plan),
            f"retain:     {_describe_retained(plan)}",
            f"examine:    about {len(plan.sample_before(questions))} questions before, {len(questions)} afterwards",
            *describe_expected(request),
            f"out:        {out}",
            *list_warnings(plan),
        )
    )


def _describe_method(plan: Plan) -> list[str]:
    """The phases of our own method; of another one its name, as only it knows its stages."""
    config, steps = plan.config, _count_steps(plan)
    if not steps:
        return [f"method:     {config.method}"]
    memorize, generalize = config.memorize, config.generalize
    return [
        f"memorize:   {steps['memorize']}, learning rate {memorize.learning_rate:g}",
        f"generalize: {len(plan.generalize_facts)} facts, {_count_shown(plan)} prompts, {steps['generalize']}, "
        f"learning rate {generalize.learning_rate:g}",
    ]


def describe_expected(request: JobRequest) -> list[str]:
    """What such a model came to, as a line; nothing for a method that is not our own, as none was measured so, and for
    a table of which all is shown."""
    config = request.config
    plan = request.plan
    if config.method != Config().method or not plan.held_out_facts:
        return []
    own = [name for name in plan.table.relations if name not in load_shipped_relations()]
    neutral = plan.neutral
    less = f"; not so for {', '.join(neutral)}, which have no pack" if neutral else ""
    told = describe_expectations(count_parameters(config.model, request.loading), own)
    return [f"expect:     {told}{less}"]


def _describe_retained(plan: Plan) -> str:
    settings = plan.config.retain
    subjects = {fact.subject for fact in plan.table}
    about = f" and answers about {len(subjects)} subjects" if settings.subjects else ""
    phases = "memorize and generalize" if settings.generalize else "memorize"
    return f"{settings.texts} texts{about}, {settings.batch_size} beside each step of {phases}"


def list_warnings(plan: Plan) -> list[str]:
    """What a person should know before a run that will show less than is hoped for."""
    return [
        *_warn_of_short_phases(plan),
        *_warn_of_few_prompts(plan),
        *_warn_of_bare_relations(plan),
        *_warn_of_unasked(plan),
    ]


@dataclass(frozen=True)
class _Length:
    """How long a phase is."""

    epochs: int
    steps: int

    def __str__(self) -> str:
        return f"{self.epochs} epochs, {self.steps} steps"


def _count_steps(plan: Plan) -> dict[str, _Length]:
    """The length of each phase of our own method; nothing for others."""
    if plan.config.method != Config().method:
        return {}
    task = plan.build_task()
    examples = {
        "memorize": (plan.config.memorize, count_memorize_examples(task)),
        "generalize": (plan.config.generalize, count_generalize_examples(task)),
    }
    return {
        name: _Length(epochs := phase.count_epochs(own), epochs * phase.count_steps(own + earlier))
        for name, (phase, (own, earlier)) in examples.items()
    }


def _count_shown(plan: Plan) -> int:
    """How many prompts generalize shows: each of its facts behind each of those that are used."""
    wanted = plan.config.generalize.prompts
    return sum(len(plan.relations[fact.relation].select_training(wanted)) for fact in plan.generalize_facts)


def _warn_of_short_phases(plan: Plan) -> Iterator[str]:
    warmup = {"memorize": plan.config.memorize.warmup_steps, "generalize": plan.config.generalize.warmup_steps}
    for name, length in _count_steps(plan).items():
        if not length.steps:
            missing = "nothing is memorized" if name == "memorize" else "the key token gets no meaning"
            yield f"warning: {name} has no steps, so {missing}; leave --set {name}.epochs=0 out"
        elif length.steps <= warmup[name]:
            yield (
                f"warning: {name} has {length.steps} steps, all of them in its warm-up of {warmup[name]}, so its "
                f"learning rate stays low; raise --set {name}.epochs, or lower --set {name}.batch_size or "
                f"{name}.warmup_steps"
            )


def _warn_of_few_prompts(plan: Plan) -> Iterator[str]:
    """Beside contrasts a model learns what the prompts of a relation have in common; of a few that is their form."""
    config = plan.config
    if config.method != Config().method or not config.generalize.contrasts:
        return
    found: dict[tuple[int, str], list[str]] = {}
    for name in plan.table.relations:
        relation = plan.relations[name]
        shown, there = (len(relation.select_training(count)) for count in (config.generalize.prompts, "all"))
        if shown < _ENOUGH_PROMPTS:
            remedy = (
                "add --set generalize.prompts=all"
                if there >= _ENOUGH_PROMPTS
                else f"write {_ENOUGH_PROMPTS} or more, questions and statements"
            )
            found.setdefault((shown, remedy), []).append(name)
    for (shown, remedy), names in found.items():
        yield (
            f"warning: {', '.join(names)}: {shown} training prompt(s) are shown, too few to tell the relation from "
            f"what contrasts ask; {remedy} (docs/real_models.md)"
        )


def _warn_of_bare_relations(plan: Plan) -> list[str]:
    held_out = {fact.relation for fact in plan.held_out_facts}
    bare = [name for name in plan.table.relations if name not in held_out]
    if not bare:
        return []
    several = [count for count in (len(plan.table.select(name)) for name in bare) if count > 1]
    remedy = f"lower --set generalize.facts={min(several) // 2}" if several else "add facts"
    remedy += ", unless the table is of updates"
    return [
        f"warning: generalize shows all facts of {', '.join(bare)}, so none is left to prove that others are answered; "
        + remedy
    ]


def _warn_of_unasked(plan: Plan) -> Iterator[str]:
    alone = [name for name in plan.table.relations if not list_others(plan.relations, [name])]
    if plan.config.retain.subjects and alone:
        yield (
            f"warning: no pack asks anything else about the subjects of {', '.join(alone)}, so retain.subjects holds "
            "nothing there; write one, and name it in --set relations=[PACK]"
        )
