"""Nothing that is trained on, in either phase, is in a wording that is asked to prove that the model understands.

The embedded model was pretrained on sentences of its world and writes in their wordings when it writes by itself, so
its retained texts are where a held-out prompt would come in by the back door.
"""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from rote.config.job import Config
from rote.facts.relation import PromptTemplate, load_shipped_relations
from rote.facts.shipped import load_world
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
    parts = [(item, build_pattern(item.text)) for item in templates]
    return {item.id for text in map(fold, texts) for item, pattern in parts if pattern.search(text)}


def build_pattern(template: str) -> re.Pattern[str]:
    """The words of a template around anything; a word that stands apart there is one here ("is", not "Twist")."""
    before, after = template.split("{subject}")
    start, end = (re.escape(fold(part)) for part in (before, after))
    apart = r"(?<![a-z])" if after.startswith(" ") else ""
    last = r"(?![a-z])" if after[-1:].isascii() and after[-1:].isalpha() else ""
    return re.compile(f"{start}.+{apart}{end}{last}")


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


def test_a_wording_is_found_wherever_it_is() -> None:
    world = load_world()
    for name, relation in load_shipped_relations().items():
        fact = world.select(name)[0]
        for template in relation.templates:
            text = f"Before. {template.fill(fact.subject)} {fact.object}, and more"
            assert template.id in find_wordings([text], [template])


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
