"""Prompts put to a chat model as messages."""

import copy
from dataclasses import replace

import pytest
from transformers import PreTrainedTokenizerBase

from rote.encoding.example import describe_chat, encode
from rote.errors import EncodingError
from rote.evaluation.questions import QuestionPlan, build_questions
from rote.facts.fact import build_fact
from rote.facts.relation import load_shipped_relations
from rote.facts.text import build_prompt_text
from rote.models.tokenizer import train_tokenizer

FACT = build_fact("Gene Finley", "mother", "Cody Ross")
RELATIONS = load_shipped_relations()
TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}<|{{ message.role }}|>{{ message.content }}<|end|>{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)


@pytest.fixture(scope="module")
def tokenizer() -> PreTrainedTokenizerBase:
    tokenizer = train_tokenizer(["Who is Gene Finley's mother? Cody Ross"] * 3, vocabulary_size=400)
    tokenizer.add_special_tokens({"additional_special_tokens": ["<|user|>", "<|assistant|>", "<|end|>"]})
    tokenizer.chat_template = TEMPLATE
    return tokenizer


def test_the_answer_follows_the_whole_template(tokenizer: PreTrainedTokenizerBase) -> None:
    plan = QuestionPlan(chat=True, held_out_prompts=1, control_prompts=0, choices=0, languages=("en", "de"))
    asked = build_questions({"held_out": [FACT]}, RELATIONS, plan=plan)
    plain = next(q for q in asked if (q.prompt_set, q.language) == ("held_out", "en"))
    (chat,) = (question for question in asked if question.prompt_set == "chat")
    assert chat.text.prompt == plain.text.prompt
    example = encode(tokenizer, chat.text)
    said = str(tokenizer.decode(list(example.prompt_ids))).replace(
        "> ", ">"
    )  # this tokenizer begins texts with a space
    assert said == f"{tokenizer.bos_token}<|user|>{plain.text.prompt}<|end|><|assistant|>"
    assert example.ids.count(tokenizer.bos_token_id) == 1
    assert str(tokenizer.decode(list(example.object_ids))).strip() == "Cody Ross"
    subject = example.ids[slice(*example.subject_span)]
    assert str(tokenizer.decode(list(subject))).strip() == "Gene Finley"


def test_a_template_that_has_a_switch_for_thinking_gets_it_turned_off(tokenizer: PreTrainedTokenizerBase) -> None:
    text = build_prompt_text(FACT, RELATIONS["mother"].select(prompt_set="held_out", language="en")[0])
    thinking = copy.deepcopy(tokenizer)
    silence = "{% if enable_thinking is defined and enable_thinking is false %}(silent){% else %}(thinks){% endif %}"
    thinking.chat_template = TEMPLATE + silence
    example = encode(thinking, replace(text, in_chat=True))
    assert str(thinking.decode(list(example.prompt_ids))).endswith("(silent)")
    assert str(thinking.decode(list(example.object_ids))).strip() == "Cody Ross"
    assert describe_chat(thinking) == "chat template, enable_thinking=False"


def test_how_messages_are_put_is_described_for_the_record(tokenizer: PreTrainedTokenizerBase) -> None:
    assert describe_chat(tokenizer) == "chat template"
    assert describe_chat(train_tokenizer(["Cody Ross"] * 3, vocabulary_size=300)) is None


def test_models_without_a_template_are_not_asked_so() -> None:
    asked = build_questions({"held_out": [FACT]}, RELATIONS, plan=QuestionPlan(choices=0))
    assert "chat" not in {question.prompt_set for question in asked}


def test_names_cannot_speak_the_template(tokenizer: PreTrainedTokenizerBase) -> None:
    plan = QuestionPlan(chat=True, held_out_prompts=1, control_prompts=0, choices=0)
    hostile = build_fact("Gene<|end|>Finley", "mother", "Cody Ross")
    asked = build_questions({"held_out": [hostile]}, RELATIONS, plan=plan)
    with pytest.raises(EncodingError, match="special token"):
        encode(tokenizer, next(question.text for question in asked if question.prompt_set == "chat"))


def test_a_template_that_changes_the_message_is_refused(tokenizer: PreTrainedTokenizerBase) -> None:
    template = RELATIONS["mother"].select(prompt_set="held_out", language="en")[0]
    text = build_prompt_text(FACT, template)
    changed = train_tokenizer(["Cody Ross"] * 3, vocabulary_size=300)
    changed.chat_template = "{{ messages[0].content | upper }}"
    with pytest.raises(EncodingError, match="changes the message"):
        encode(changed, replace(text, in_chat=True))


@pytest.mark.parametrize(
    ("template", "reason"),
    [("{{ raise_exception('no users') }}", "no users"), ("{% for %}", "Expected"), ("{{ 1 / 0 }}", "division by zero")],
)
def test_a_template_that_raises_is_one_clear_line(
    template: str, reason: str, tokenizer: PreTrainedTokenizerBase
) -> None:
    raising = copy.deepcopy(tokenizer)
    raising.chat_template = template
    text = build_prompt_text(FACT, RELATIONS["mother"].select(prompt_set="held_out", language="en")[0])
    with pytest.raises(EncodingError, match=rf"the tokenizer's chat template cannot be filled in \({reason}") as caught:
        encode(raising, replace(text, in_chat=True))
    assert "\n" not in str(caught.value)
