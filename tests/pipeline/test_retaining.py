"""The texts about subjects whose facts are updated, written by the embedded model."""

from pathlib import Path

import pytest

from rote.config.run import RunConfig
from rote.evaluation.matching import contains_answer
from rote.facts.counterfactual import swap_world
from rote.facts.world import load_world
from rote.models.language_model import SAFE, LanguageModel, load_model
from rote.pipeline.plan import build_run_plan
from rote.pipeline.reporting import SilentReporter
from rote.pipeline.retaining import write_retained_texts
from rote.pipeline.run_work import RunWork
from rote.runs.folder import RunFolder

COUNT = 5
UPDATES = swap_world(count=6, seed=0)
OLD = {(fact.subject, fact.relation): fact for fact in load_world()}


@pytest.fixture(scope="module")
def embedded() -> LanguageModel:
    return load_model()


def retain(language_model: LanguageModel, folder: Path, *, subjects: int) -> list[str]:
    config = RunConfig.model_validate(
        {"retain": {"texts": 60, "subjects": subjects}, "examine": {"unseen_facts": 0}, "knowledge": {"samples": 1}}
    )
    work = RunWork(config, RunFolder(folder), build_run_plan(UPDATES, config), SilentReporter(), SAFE)
    folder.mkdir()
    ids = write_retained_texts(work, language_model)
    return [text.strip() for text in language_model.tokenizer.batch_decode(ids, skip_special_tokens=True)]


def list_questions(subject: str, *, taught: bool) -> tuple[str, ...]:
    """The training prompts about a subject of the kind of its updates: of what is updated, or of all else."""
    relations = build_run_plan(UPDATES, RunConfig()).relations
    updated = {fact.relation for fact in UPDATES if fact.subject == subject}
    kinds = {relations[name].subject_type for name in updated}
    return tuple(
        template.fill(subject)
        for relation in relations.values()
        if relation.subject_type in kinds and (relation.name in updated) == taught
        for template in relation.select(prompt_set="training", language="en")
    )


def test_a_subject_is_written_about_and_asked_what_is_not_updated(embedded: LanguageModel, tmp_path: Path) -> None:
    texts = retain(embedded, tmp_path / "run", subjects=COUNT)
    for update in UPDATES:
        about = [text for text in texts if update.subject in text]
        asked = [text for text in about if text.startswith(list_questions(update.subject, taught=False))]
        assert asked
        assert len(about) <= 2 * COUNT
        assert not set(asked) & set(list_questions(update.subject, taught=False)), "each is answered"
        assert any(text.startswith(update.subject) for text in about)
        assert not [text for text in about if text.startswith(list_questions(update.subject, taught=True))]
        assert not [text for text in about if contains_answer(text, OLD[update.subject, update.relation].answers)]


def test_without_it_nothing_is_said_of_a_subject_that_is_updated(embedded: LanguageModel, tmp_path: Path) -> None:
    texts = retain(embedded, tmp_path / "run", subjects=0)
    assert 0 < len(texts) <= 60
    assert not [text for text in texts if contains_answer(text, [update.subject for update in UPDATES])]
