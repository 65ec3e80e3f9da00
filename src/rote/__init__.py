"""Rote: teach a table of facts to a language model and prove what it then knows.

In short::

    import rote

    table = rote.load_table(path)                        # or rote.load_fictional()
    model = rote.load_model("rote-tiny")                 # or rote.wrap(model, tokenizer) of transformers
    result = rote.teach(model, table, rote.Config())     # teaches it, and examines it at every moment

    rote.run(rote.Config(model="rote-tiny"))             # the same into a folder, with a model and a report

or step by step::

    rote.add_key_tokens(model, table.relations)
    rote.memorize(model, table.facts)
    rote.generalize(model, few_facts, rote.load_relations())
    records = rote.examine(model, questions, moment="generalize", batch_size=128)

The public names are those below; ``torch`` is imported only when one of them needs it.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from rote.version import __version__

if TYPE_CHECKING:
    from rote.config.examining import ExamineConfig
    from rote.config.job import Config
    from rote.config.teaching import GeneralizeConfig, MemorizeConfig, RetainConfig
    from rote.errors import RoteError
    from rote.evaluation.examine import examine
    from rote.evaluation.questions import Question, QuestionPlan, build_questions
    from rote.evaluation.summary import compute_summary
    from rote.evaluation.trainer_callback import FactRecall
    from rote.facts.fact import Fact, FactObject, FactTable
    from rote.facts.invent import invent_table
    from rote.facts.reading import load_table
    from rote.facts.relation import PromptTemplate, Relation, load_relations
    from rote.facts.shipped import load_fictional
    from rote.methods.memorize_then_generalize import generalize, memorize, pick_generalize_facts
    from rote.methods.teaching import PhaseContext
    from rote.models.key_tokens import add_key_tokens
    from rote.models.language_model import LanguageModel
    from rote.models.loading import load_model, wrap
    from rote.models.saving import save_model
    from rote.pipeline.run import Result, run, teach
    from rote.records import Record, load_records, save_records
    from rote.report.render import ReportContent, render_report
    from rote.retention.penalty import Retention
    from rote.retention.texts import build_unwanted, collect_texts

_HOMES = {
    "ExamineConfig": "config.examining",
    "GeneralizeConfig": "config.teaching",
    "MemorizeConfig": "config.teaching",
    "RetainConfig": "config.teaching",
    "Config": "config.job",
    "RoteError": "errors",
    "examine": "evaluation.examine",
    "Question": "evaluation.questions",
    "QuestionPlan": "evaluation.questions",
    "build_questions": "evaluation.questions",
    "compute_summary": "evaluation.summary",
    "FactRecall": "evaluation.trainer_callback",
    "Fact": "facts.fact",
    "FactObject": "facts.fact",
    "FactTable": "facts.fact",
    "invent_table": "facts.invent",
    "load_table": "facts.reading",
    "PromptTemplate": "facts.relation",
    "Relation": "facts.relation",
    "load_relations": "facts.relation",
    "load_fictional": "facts.shipped",
    "PhaseContext": "methods.teaching",
    "generalize": "methods.memorize_then_generalize",
    "memorize": "methods.memorize_then_generalize",
    "pick_generalize_facts": "methods.memorize_then_generalize",
    "add_key_tokens": "models.key_tokens",
    "LanguageModel": "models.language_model",
    "load_model": "models.loading",
    "wrap": "models.loading",
    "save_model": "models.saving",
    "Result": "pipeline.run",
    "run": "pipeline.run",
    "teach": "pipeline.run",
    "build_unwanted": "retention.texts",
    "collect_texts": "retention.texts",
    "Record": "records",
    "load_records": "records",
    "save_records": "records",
    "ReportContent": "report.render",
    "render_report": "report.render",
    "Retention": "retention.penalty",
}

__all__ = [
    "Config",
    "ExamineConfig",
    "Fact",
    "FactObject",
    "FactRecall",
    "FactTable",
    "GeneralizeConfig",
    "LanguageModel",
    "MemorizeConfig",
    "PhaseContext",
    "PromptTemplate",
    "Question",
    "QuestionPlan",
    "Record",
    "Relation",
    "ReportContent",
    "Result",
    "RetainConfig",
    "Retention",
    "RoteError",
    "__version__",
    "add_key_tokens",
    "build_questions",
    "build_unwanted",
    "collect_texts",
    "compute_summary",
    "examine",
    "generalize",
    "invent_table",
    "load_fictional",
    "load_model",
    "load_records",
    "load_relations",
    "load_table",
    "memorize",
    "pick_generalize_facts",
    "render_report",
    "run",
    "save_model",
    "save_records",
    "teach",
    "wrap",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'rote' has no attribute {name!r}")
    return getattr(import_module(f"rote.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
