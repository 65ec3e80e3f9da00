"""Nothing that is trained on, in either phase, is in a wording that is asked to prove that the model understands.

The embedded model was pretrained on sentences of its world and writes in their wordings when it writes by itself, so
its retained texts are where a held-out prompt would come in by the back door.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from rote.config.job import Config
from rote.facts.relation import PromptTemplate
from rote.facts.wordings import Wordings
from rote.methods.registry import find_method
from rote.models.loading import load_model
from rote.pipeline import job as room
from rote.pipeline.job import Job, JobRequest, build_request
from rote.pipeline.plan import Plan
from rote.retention.texts import Unwanted
from rote.runs.reporting import SilentReporter
from rote.runs.store import Store

CONFIGS: dict[str, dict[str, Any]] = {
    "facts": {"table": {"count": 4}, "retain": {"texts": 20, "tokens": 20}},
    "updates": {
        "table": {"kind": "counterfactual", "relations": ["mother"], "count": 2},
        "generalize": {"facts": "all", "prompts": 4},
        "retain": {"texts": 0, "subjects": 3, "generalize": True},
    },
}


@pytest.fixture(autouse=True)
def _unasked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Which facts are known is found afterwards, and takes longer; whatever may be, their wordings are left out."""
    monkeypatch.setattr(room, "choose_known", lambda *_: [])


def build(name: str) -> JobRequest:
    return build_request(Config.model_validate(CONFIGS[name]))


def list_asked(plan: Plan) -> list[PromptTemplate]:
    """Every template that may be asked and is never to be shown, of what is taught and of what may be known."""
    facts = [*plan.table, *(fact for facts in plan.known.values() for fact in facts)]
    relations = [plan.relations[name] for name in dict.fromkeys(fact.relation for fact in facts)]
    templates = [template for relation in relations for template in relation.templates]
    languages = plan.config.examine.languages
    return [item for item in templates if item.prompt_set != "training" and item.language in languages]


def list_shown(plan: Plan) -> set[str]:
    """The prompts of phase 2. A control prompt is another relation's wording, of one that is taught as well perhaps."""
    taught = [plan.relations[name] for name in plan.table.relations]
    prompts = plan.config.generalize.prompts
    return {template.text for relation in taught for template in relation.select_training(prompts)}


def find_wordings(texts: Iterable[str], templates: Iterable[PromptTemplate]) -> set[str]:
    """The templates in whose wording a text is: what stands before and after the subject, in order."""
    parts = [(item, [fold(part) for part in item.text.split("{subject}")]) for item in templates]
    found = set()
    for text in map(fold, texts):
        for template, (before, after) in parts:
            start = text.find(before)
            if start >= 0 and text.find(after, start + len(before) + 1) >= 0:
                found.add(template.id)
    return found


def fold(text: str) -> str:
    return " ".join(text.casefold().split())


def list_training_texts(request: JobRequest, store: Path) -> tuple[list[str], list[str]]:
    """Every text of the stages and every retained one, as the tokenizer decodes them."""
    language_model = load_model(request.config.model)
    job = Job(request, Store(store), language_model, SilentReporter())
    job.prepare()
    decode: Any = language_model.tokenizer.batch_decode
    teaching = find_method(request.config.method)(language_model, request.plan.build_task())
    assert [stage.name for stage in teaching.stages] == ["memorize", "generalize"]
    return decode([example.ids for stage in teaching.stages for example in stage.examples]), decode(job.texts)


@pytest.mark.parametrize("name", CONFIGS)
def test_no_training_text_is_in_a_wording_that_is_asked(name: str, tmp_path: Path) -> None:
    request = build(name)
    templates = list_asked(request.plan)
    assert {item.prompt_set for item in templates} == {"held_out", "control"}
    assert {item.language for item in templates} == set(Config().examine.languages)
    taught, retained = list_training_texts(request, tmp_path)
    assert len(taught) > len(request.plan.table)
    assert len(retained) >= 5
    assert find_wordings(retained, templates) == set()
    shown = list_shown(request.plan)
    never = [item for item in templates if item.prompt_set == "held_out" or item.text not in shown]
    assert find_wordings(taught, never) == set()


@pytest.mark.parametrize("name", CONFIGS)
def test_left_to_itself_the_model_writes_in_those_wordings(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So the test above would fail if nothing were left out."""

    monkeypatch.setattr(room, "build_unwanted", lambda *_: Unwanted((), Wordings(())))
    request = build(name)
    _, retained = list_training_texts(request, tmp_path)
    assert find_wordings(retained, list_asked(request.plan))
