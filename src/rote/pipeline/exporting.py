"""From a finished run to what others use: tasks of lm-evaluation-harness, or a model without its key tokens."""

import re
from dataclasses import replace
from pathlib import Path

from transformers import AutoTokenizer, PreTrainedTokenizerBase

from rote.config.job import Config
from rote.config.loading import load_config
from rote.encoding.example import encode
from rote.errors import ModelError, RunError, first_line
from rote.evaluation.lm_eval_task import TaskItem, write_task
from rote.evaluation.questions import Question
from rote.facts.fact import Fact
from rote.facts.reading import load_table
from rote.facts.sampling import sample_facts
from rote.facts.text import build_prompt_text
from rote.models.language_model import LanguageModel
from rote.models.loading import LoadOptions, read_key_tokens, read_shown
from rote.models.saving import check_free, load_restored
from rote.models.saving import export_model as export_folder
from rote.pipeline.earlier import load_model_ledger
from rote.pipeline.plan import Plan, build_plan
from rote.records import FactSet, load_records
from rote.runs.files import replace_folder
from rote.runs.folder import RunFolder
from rote.runs.opening import check_packs
from rote.runs.shapes import Identity, read_shaped

_VERIFIED_FACTS = 50


def export_task(folder: RunFolder, out: Path) -> list[str]:
    """Write what a run asked about its facts, by prompts, as lm-eval tasks; returns their names.

    Raises `RunError` where `out` is taken, or the run kept adapters alone.
    """
    check_free(out)
    model = _find_model(folder)
    tokenizer = _load_tokenizer(model)
    keys = read_key_tokens(model)  # which questions are a choice depends on all that were asked
    questions = load_plan(folder).build_questions((), keys, chat=tokenizer.chat_template is not None)
    asked = [question for question in questions if question.fact_set in ("generalize", "held_out")]
    items = [_build_item(question, tokenizer) for question in asked if question.prompt_set in ("training", "held_out")]
    with replace_folder(out) as draft:
        return write_task(items, name_task(folder.path.name), draft)


def export_model(folder: RunFolder, out: Path) -> dict[str, float | int]:
    """Write the taught model with the vocabulary of the base model, which is loaded for it as the run loaded it.

    Returns the proof of a fresh process, as of a run. Raises `RunError` where `out` is taken or the run kept adapters
    alone, and `ModelError` where the base model is not there any more, or the fresh process answers otherwise.
    """
    model, plan, identity = _find_model(folder), load_plan(folder), read_shaped(folder.identity, Identity)
    asked = [
        build_prompt_text(fact, plan.relations[fact.relation].select_training(1)[0]).prompt
        for fact in sample_facts(plan.table.facts, count=_VERIFIED_FACTS, seed=0)
    ]
    options = LoadOptions(**identity["loading"])
    return export_folder(model, out, asked, base=identity["model"]["name"], options=options)


def load_without_keys(folder: RunFolder) -> LanguageModel:
    """The taught model of a run with the vocabulary of the base model, which is loaded for it as the run loaded it.

    Raises `RunError` where the run kept adapters alone, and `ModelError` where the base model is not there any more.
    """
    identity = read_shaped(folder.identity, Identity)
    options = LoadOptions(**identity["loading"])
    return load_restored(_find_model(folder), base=identity["model"]["name"], options=options)


def list_known(folder: RunFolder, plan: Plan) -> list[Fact]:
    """The shipped facts that the model of a run knew before it was taught, by the run's own answers."""
    known = {
        (record.relation, record.subject)
        for record in load_records(folder.records("before"))
        if record.fact_set == "known"
    }
    return [fact for facts in plan.known.values() for fact in facts if (fact.relation, fact.subject) in known]


def list_forgetting(folder: RunFolder, plan: Plan) -> dict[FactSet, list[Fact]]:
    """What `rote forget` was to take away, where relations of it are left, and the neighbours that it asked about."""
    records = load_records(folder.records("before"))
    asked = {(record.relation, record.subject) for record in records if record.fact_set == "neighbours"}
    return {
        "forgotten": [fact for fact in load_table(folder.forgotten) if fact.relation in plan.relations],
        "neighbours": [fact for fact in plan.table if (fact.relation, fact.subject) in asked],
    }


def name_task(name: str) -> str:
    """The name of a run as lm-eval allows it."""
    return "rote_" + re.sub(r"\W+", "_", name).strip("_").lower()


def load_plan(folder: RunFolder) -> Plan:
    """What the run asked, of the table in its folder and of the shipped facts.

    Raises `RunError` where a pack of its own is not as it was.
    """
    config = load_config(Config, folder.config)
    check_packs(folder, config.relations)
    effects = config.side_effects.model_copy(update={"facts": None})  # only what was taught is asked
    ledger = load_model_ledger(config)  # where the model that it began from is still there
    plan = build_plan(config.model_copy(update={"side_effects": effects}), load_table(folder.table), ledger=ledger)
    shown = read_shown(folder.model) if folder.model.is_dir() else frozenset()
    return plan.split(shown) if shown else plan


def _load_tokenizer(model: Path) -> PreTrainedTokenizerBase:
    try:
        tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(model)
    except Exception as error:  # what a damaged file raises is anything
        raise ModelError(
            f"{model}: its tokenizer cannot be loaded ({first_line(error)}); mend it with the command that began "
            "the run and --resume"
        ) from error
    return tokenizer


def _build_item(question: Question, tokenizer: PreTrainedTokenizerBase) -> TaskItem:
    fact, text = question.fact, question.text
    candidates = question.candidates or ()
    return TaskItem(
        context=text.prompt,
        answers=fact.answers,
        choices=tuple(f"{text.separator}{candidate}" for candidate in candidates),
        tokens=tuple(_count_tokens(question, candidate, tokenizer) for candidate in candidates),
        gold=candidates.index(fact.object) if candidates else 0,
        note={
            "relation": fact.relation,
            "subject": fact.subject,
            "fact_set": question.fact_set,
            "prompt_set": question.prompt_set,
            "language": question.language,
            **{f"row_{column}": value for column, value in fact.provenance.describe().items()},
        },
    )


def _count_tokens(question: Question, candidate: str, tokenizer: PreTrainedTokenizerBase) -> int:
    return len(encode(tokenizer, replace(question.text, object=candidate)).object_ids)


def _find_model(folder: RunFolder) -> Path:
    if not folder.model.is_dir():
        raise RunError(f"{folder.path}: has no model/; it kept its adapters alone (keep: adapter)")
    return folder.model
