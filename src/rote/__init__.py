"""Rote: teach a table of facts to a language model and prove what it then knows.

    import rote

    table = rote.load_table(path)                        # or rote.load_fictional()
    model = rote.load_model("rote-tiny")                 # or any causal LM of transformers
    rote.add_key_tokens(model, table.relations)
    rote.memorize(model, table.facts)
    rote.generalize(model, few_facts, rote.load_relations())
    records = rote.examine(model.model, model.tokenizer, questions, moment="generalize", batch_size=128)

The public names are those below; `torch` is imported only when one of them needs it.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from rote.version import __version__

if TYPE_CHECKING:
    from rote.config.run import ExamineConfig, GeneralizeConfig, MemorizeConfig, RetainConfig, RunConfig
    from rote.errors import RoteError
    from rote.evaluation.examine import examine
    from rote.evaluation.questions import Question, QuestionPlan, build_questions
    from rote.evaluation.summary import compute_summary
    from rote.evaluation.trainer_callback import FactRecall
    from rote.facts.fact import Fact, FactObject
    from rote.facts.fictional_table import load_fictional
    from rote.facts.invent import invent_table
    from rote.facts.reading import load_table
    from rote.facts.relation import PromptTemplate, Relation, load_relations
    from rote.facts.table import FactTable
    from rote.methods.memorize_then_generalize import generalize, memorize, pick_generalize_facts
    from rote.methods.teaching import PhaseContext
    from rote.models.key_tokens import add_key_tokens
    from rote.models.language_model import LanguageModel, load_model, save_model
    from rote.models.retained_texts import write_texts
    from rote.records import Record, load_records, save_records
    from rote.report.content import ReportContent
    from rote.report.render import render_report
    from rote.training.retention import Retention

_HOMES = {
    "ExamineConfig": "config.run",
    "GeneralizeConfig": "config.run",
    "MemorizeConfig": "config.run",
    "RetainConfig": "config.run",
    "RunConfig": "config.run",
    "RoteError": "errors",
    "examine": "evaluation.examine",
    "Question": "evaluation.questions",
    "QuestionPlan": "evaluation.questions",
    "build_questions": "evaluation.questions",
    "compute_summary": "evaluation.summary",
    "FactRecall": "evaluation.trainer_callback",
    "Fact": "facts.fact",
    "FactObject": "facts.fact",
    "load_fictional": "facts.fictional_table",
    "invent_table": "facts.invent",
    "load_table": "facts.reading",
    "PromptTemplate": "facts.relation",
    "Relation": "facts.relation",
    "load_relations": "facts.relation",
    "FactTable": "facts.table",
    "PhaseContext": "methods.teaching",
    "generalize": "methods.memorize_then_generalize",
    "memorize": "methods.memorize_then_generalize",
    "pick_generalize_facts": "methods.memorize_then_generalize",
    "add_key_tokens": "models.key_tokens",
    "LanguageModel": "models.language_model",
    "load_model": "models.language_model",
    "save_model": "models.language_model",
    "write_texts": "models.retained_texts",
    "Record": "records",
    "load_records": "records",
    "save_records": "records",
    "ReportContent": "report.content",
    "render_report": "report.render",
    "Retention": "training.retention",
}

__all__ = [
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
    "RetainConfig",
    "Retention",
    "RoteError",
    "RunConfig",
    "__version__",
    "add_key_tokens",
    "build_questions",
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
    "save_model",
    "save_records",
    "write_texts",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'rote' has no attribute {name!r}")
    return getattr(import_module(f"rote.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
