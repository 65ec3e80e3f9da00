import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from rote.encoding.example import collate, encode
from rote.evaluation.examine import examine, recall_by_key
from rote.evaluation.questions import Question, QuestionPlan, build_questions
from rote.evaluation.summary import compute_summary
from rote.facts.fact import Fact, FactObject
from rote.facts.names import contains_answer
from rote.facts.relation import Relation
from rote.facts.text import build_rote_text
from rote.models.language_model import LanguageModel
from rote.records import load_records, save_records

KEYS = {"mother": "[X1]"}


@pytest.fixture
def questions(facts: list[Fact], relations: dict[str, Relation]) -> list[Question]:
    plan = QuestionPlan(key_tokens=KEYS, languages=("en", "zh"), held_out_prompts=1, choices=5)
    return build_questions({"generalize": facts[:2], "held_out": facts[2:4], "known": facts[4:6]}, relations, plan=plan)


def test_one_record_per_question_in_order(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, questions: list[Question]
) -> None:
    told: list[tuple[int, int]] = []
    records = examine(
        LanguageModel(model, tokenizer, "tiny"),
        questions,
        moment="memorize",
        batch_size=4,
        on_progress=lambda done, total: told.append((done, total)),
    )
    for question, record in zip(questions, records, strict=True):
        assert (record.subject, record.prompt, record.language) == (
            question.fact.subject,
            question.text.prompt,
            question.language,
        )
        assert record.moment == "memorize"
        assert record.correct == contains_answer(record.generated, question.fact.answers)
        assert record.object_probability == pytest.approx(math.exp(sum(record.object_logprobs)))
        assert (record.rank is None) == (record.candidates is None) == (question.candidates is None)
        assert record.rank is None or 1 <= record.rank <= len(question.candidates or ())
    assert sum(record.rank is not None for record in records) == 5
    assert [done for done, _ in told] == sorted(done for done, _ in told)
    assert told[-1] == (len(questions) + 5, len(questions) + 5)


def test_the_same_model_gives_the_same_records_and_keeps_its_mode(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, questions: list[Question], tmp_path: Path
) -> None:
    model.train()
    first = examine(LanguageModel(model, tokenizer, "tiny"), questions, moment="before", batch_size=4)
    assert model.training
    model.eval()
    assert examine(LanguageModel(model, tokenizer, "tiny"), questions, moment="before", batch_size=4) == first
    assert not model.training
    save_records(first, tmp_path / "records.parquet")
    assert compute_summary(load_records(tmp_path / "records.parquet")) == compute_summary(first)


def test_a_choice_and_a_plain_question_give_the_object_the_same_probability(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, facts: list[Fact], relations: dict[str, Relation]
) -> None:
    sets = {"held_out": facts, "unseen": facts}  # only taught facts are asked as a choice
    records = examine(
        LanguageModel(model, tokenizer, "tiny"),
        build_questions(sets, relations, plan=QuestionPlan(choices=10_000)),  # type: ignore[arg-type]
        moment="before",
        batch_size=8,
    )
    half = len(records) // 2
    assert all(record.rank is not None for record in records[:half])
    for choice, plain in zip(records[:half], records[half:], strict=True):
        assert plain.rank is None
        assert choice.object_logprobs == pytest.approx(plain.object_logprobs, abs=1e-4)


def test_recall_by_key_rises_from_none_to_all_as_facts_are_memorized(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, facts: list[Fact]
) -> None:
    taught = LanguageModel(model, tokenizer, "tiny", KEYS)
    assert recall_by_key(taught, facts, batch_size=4) == 0
    for weight in model.parameters():
        weight.data *= 0.1 if weight.ndim == 2 else 1  # from far out to where training is quick
    examples = [encode(tokenizer, build_rote_text(fact, "[X1]")) for fact in facts]
    batch = collate([(example.ids, example.labels) for example in examples], pad_id=0)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    model.train()
    for _ in range(120):
        model(batch.input_ids, labels=batch.labels).loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    assert recall_by_key(taught, facts, batch_size=4) == 1
    assert model.training
    assert recall_by_key(LanguageModel(model, tokenizer, "tiny"), facts, batch_size=4) == 0


def test_each_of_three_objects_and_their_aliases_counts_as_right_and_none_is_a_distractor(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, facts: list[Fact], relations: dict[str, Relation]
) -> None:
    def ask(*objects: FactObject) -> list[bool]:
        asked = replace(facts[0], objects=objects)
        plan = QuestionPlan(key_tokens=KEYS, languages=("en",), choices=1)
        questions = build_questions({"held_out": [asked]}, relations, plan=plan, pool=[asked, *facts[1:]])
        candidates = {name for question in questions for name in question.candidates or ()}
        assert not candidates & {name for name in asked.answers if name != asked.object}
        records = examine(LanguageModel(model, tokenizer, "tiny"), questions, moment="before", batch_size=4)
        assert {record.object for record in records} == {objects[0].name}
        said.extend(record.generated for record in records if record.prompt_set == "training")
        return [record.correct for record in records if record.prompt_set == "training"]

    said: list[str] = []
    first, second = FactObject("Nobody"), FactObject("Noone", ("None",))
    assert ask(first, second, FactObject("Bo")) == [False]
    word = said[0].split()[1]
    assert ask(first, second, FactObject(word)) == [True], "the third object"
    assert ask(first, FactObject("Noone", (word,)), FactObject("Bo")) == [True], "an alias of the second"
    assert ask(FactObject("Nobody", (word,)), second, FactObject("Bo")) == [True], "an alias of the first"
