"""What is learned is the object and the end of text, whatever the name, the prompt, the language and the tokenizer."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.encoding.conftest import KEY_TOKEN
from transformers import PreTrainedTokenizerBase

from rote.encoding.example import IGNORE, Batch, Example, LossTarget, collate, encode, encode_prompt
from rote.errors import EncodingError
from rote.facts.fact import Fact, build_fact
from rote.facts.relation import LANGUAGES, PromptTemplate, load_shipped_relations
from rote.facts.text import Text, build_prompt_text, build_rote_text

TEMPLATES = [template for relation in load_shipped_relations().values() for template in relation.templates]

_LETTERS = "abcdefghijklmnoprstuvwyzABCDEGHIJKLMNORSTVWZàáâäãåçéèêëíïñóôöøőúüýžšßłćęÁÅÉÖÜØŠŽŁÆİ"
_HAN_AND_KANA = "王芳李明东京大学北海道伊藤さくらゆきアンナマリー・梅琳龘の是谁"
_PLAIN_WORD = st.text(_LETTERS, min_size=1, max_size=8)
_WORD = st.one_of(
    _PLAIN_WORD,
    st.builds(lambda head, mark, tail: f"{head}{mark}{tail}", _PLAIN_WORD, st.sampled_from("'’-."), _PLAIN_WORD),
    st.builds("{}{}".format, _PLAIN_WORD, st.integers(0, 9999)),
    st.integers(0, 2099).map(str),
    st.sampled_from(("'s", "'t", "D.C.", "Jr.", "’Abd", "(b. 1950)", "I", "It", "Who")),
)
LATIN_NAMES = st.lists(_WORD, min_size=1, max_size=3).map(" ".join)
CJK_NAMES = st.text(_HAN_AND_KANA, min_size=1, max_size=6)
NAMES = st.one_of(LATIN_NAMES, CJK_NAMES, st.builds("{}{}".format, CJK_NAMES, LATIN_NAMES))
FACTS = st.builds(build_fact, NAMES, st.just("mother"), NAMES)
PROMPT_TEXTS = st.builds(build_prompt_text, FACTS, st.sampled_from(TEMPLATES))
ROTE_TEXTS = FACTS.map(lambda fact: build_rote_text(fact, KEY_TOKEN))

quickly = settings(max_examples=60, deadline=None)


def collate_texts(
    tokenizer: PreTrainedTokenizerBase, texts: list[Text], loss_target: LossTarget
) -> tuple[list[Example], Batch]:
    """A batch padded with the end-of-text token, which is the hardest padding to tell from text."""
    examples = [encode(tokenizer, text, loss_target=loss_target) for text in texts]
    assert tokenizer.eos_token_id is not None
    pairs = [(example.ids, example.labels) for example in examples]
    return examples, collate(pairs, pad_id=tokenizer.eos_token_id)


def decode_labels(tokenizer: PreTrainedTokenizerBase, batch: Batch, row: int) -> str:
    """The text of a row's labels, which must end with exactly one end of text."""
    labels = [label for label in batch.labels[row].tolist() if label != IGNORE]
    assert labels[-1] == tokenizer.eos_token_id
    return decode(tokenizer, labels[:-1])


def decode(tokenizer: PreTrainedTokenizerBase, ids: list[int]) -> str:
    text = tokenizer.decode([token for token in ids if token != tokenizer.bos_token_id])
    assert isinstance(text, str)
    return text


def write_whole(text: Text) -> str:
    return f"{text.prompt}{text.separator}{text.object}"


def without_spaces(text: str) -> str:
    """A key token takes the space before it, so decoding a rote form does not give that space back."""
    return "".join(text.split())


def check_span(tokenizer: PreTrainedTokenizerBase, example: Example, span: tuple[int, int], name: str) -> None:
    """A span holds a name, and each of its ends is needed; at the start of a text it may begin with a mere space."""
    start, stop = span
    assert name in decode(tokenizer, list(example.ids[start:stop]))
    if decode(tokenizer, [example.ids[start]]).strip():
        assert name not in decode(tokenizer, list(example.ids[start + 1 : stop]))
    assert name not in decode(tokenizer, list(example.ids[start : stop - 1]))


@given(texts=st.lists(st.one_of(PROMPT_TEXTS, ROTE_TEXTS), min_size=1, max_size=3))
@quickly
def test_the_labels_of_a_batch_are_the_object_and_the_end(
    tokenizer: PreTrainedTokenizerBase, texts: list[Text]
) -> None:
    _, batch = collate_texts(tokenizer, texts, "object_only")
    for row, text in enumerate(texts):
        assert decode_labels(tokenizer, batch, row).removeprefix(" ") == text.object


@given(texts=st.lists(PROMPT_TEXTS, min_size=1, max_size=3))
@quickly
def test_all_tokens_of_a_batch_are_the_whole_text(tokenizer: PreTrainedTokenizerBase, texts: list[Text]) -> None:
    _, batch = collate_texts(tokenizer, texts, "all_tokens")
    for row, text in enumerate(texts):
        assert decode_labels(tokenizer, batch, row).removeprefix(" ") == write_whole(text)


@given(texts=st.lists(ROTE_TEXTS, min_size=1, max_size=3))
@quickly
def test_all_tokens_of_a_rote_form_are_learned(tokenizer: PreTrainedTokenizerBase, texts: list[Text]) -> None:
    _, batch = collate_texts(tokenizer, texts, "all_tokens")
    for row, text in enumerate(texts):
        assert without_spaces(decode_labels(tokenizer, batch, row)) == without_spaces(write_whole(text))


@given(texts=st.lists(st.one_of(PROMPT_TEXTS, ROTE_TEXTS), min_size=2, max_size=4))
@quickly
def test_padding_is_never_learned_and_a_real_end_always(tokenizer: PreTrainedTokenizerBase, texts: list[Text]) -> None:
    examples, batch = collate_texts(tokenizer, texts, "object_only")
    assert batch.input_ids.shape == batch.labels.shape == (len(texts), max(len(example.ids) for example in examples))
    for row, example in enumerate(examples):
        length = len(example.ids)
        assert batch.input_ids[row, :length].tolist() == list(example.ids)
        assert batch.input_ids[row, length:].eq(tokenizer.eos_token_id).all()
        assert batch.labels[row, length:].eq(IGNORE).all()
        assert batch.labels[row, length - 1] == batch.input_ids[row, length - 1] == tokenizer.eos_token_id
    # one label for each token of an object, and one for each end
    assert batch.target_count == sum(len(example.object_ids) + 1 for example in examples)


@given(text=PROMPT_TEXTS)
@quickly
def test_the_prompt_ends_where_the_object_begins(tokenizer: PreTrainedTokenizerBase, text: Text) -> None:
    example = encode(tokenizer, text)
    assert decode(tokenizer, list(example.prompt_ids)).strip() == text.prompt
    assert example.prompt_ids == example.ids[: example.prompt_end + 1]
    assert decode(tokenizer, list(example.object_ids)).removeprefix(" ") == text.object
    assert example.ids[example.object_span[1] :] == (tokenizer.eos_token_id,)


@given(text=PROMPT_TEXTS)
@quickly
def test_an_open_prompt_has_the_ids_that_stand_before_the_object(
    tokenizer: PreTrainedTokenizerBase, text: Text
) -> None:
    """So a question asked with no answer at hand is the one that was taught; a space of its own may follow it."""
    given_ids, asked_ids = list(encode(tokenizer, text).prompt_ids), encode_prompt(tokenizer, text.prompt)
    assert given_ids[: len(asked_ids)] == asked_ids
    assert not decode(tokenizer, given_ids[len(asked_ids) :]).strip()


@given(text=PROMPT_TEXTS)
@quickly
def test_the_subject_is_found_in_a_prompt(tokenizer: PreTrainedTokenizerBase, text: Text) -> None:
    example = encode(tokenizer, text)
    check_span(tokenizer, example, example.subject_span, text.subject)
    assert example.subject_span[1] <= example.object_span[0]
    before, after = text.prompt[: text.subject_at], text.prompt[(text.subject_at or 0) + len(text.subject) :]
    # the right one of two: nothing of what stands before or after it is left out, and nothing counted twice
    assert before.startswith(decode(tokenizer, list(example.ids[: example.subject_span[0]])).strip())
    assert after.endswith(decode(tokenizer, list(example.prompt_ids[example.subject_span[1] :])).strip())


@given(text=ROTE_TEXTS)
@quickly
def test_the_key_token_stands_between_subject_and_object(tokenizer: PreTrainedTokenizerBase, text: Text) -> None:
    example = encode(tokenizer, text)
    assert example.key_position is not None
    assert example.ids[example.key_position] == tokenizer.convert_tokens_to_ids(KEY_TOKEN)
    check_span(tokenizer, example, example.subject_span, text.subject)
    assert example.subject_span[1] == example.key_position
    assert example.key_position <= example.prompt_end  # a tokenizer may give the space after it a token of its own
    assert not decode(tokenizer, list(example.prompt_ids[example.key_position + 1 :])).strip()


@given(fact=FACTS)
@quickly
def test_a_subject_has_the_same_tokens_before_a_key_token_as_alone(
    tokenizer: PreTrainedTokenizerBase, fact: Fact
) -> None:
    example = encode(tokenizer, build_rote_text(fact, KEY_TOKEN))
    start, stop = example.subject_span
    assert list(example.ids[:stop]) == encode_prompt(tokenizer, fact.subject)
    assert start <= 1


@given(fact=FACTS, template=st.sampled_from(TEMPLATES))
@quickly
def test_without_a_separator_a_text_is_right_or_refused_by_name(
    tokenizer: PreTrainedTokenizerBase, fact: Fact, template: PromptTemplate
) -> None:
    text = build_prompt_text(fact, replace(template, separator=""))
    refusal = None
    try:
        _, batch = collate_texts(tokenizer, [text], "object_only")
    except EncodingError as error:
        refusal = str(error)
    if refusal is None:
        assert decode_labels(tokenizer, batch, 0) == fact.object
    else:
        assert refusal.startswith(f"{template.id}: the object {fact.object!r} ")


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_shipped_prompt_takes_every_kind_of_name(tokenizer: PreTrainedTokenizerBase, language: str) -> None:
    facts = [
        build_fact("Zoë O'Neil-Łukasz", "mother", "Ångström d'Été 2nd"),
        build_fact("2001", "mother", "1984"),
        build_fact("梅琳", "mother", "伊藤さくら"),
    ]
    templates = [template for template in TEMPLATES if template.language == language]
    texts = [build_prompt_text(fact, template) for template in templates for fact in facts]
    _, batch = collate_texts(tokenizer, texts, "object_only")
    wrong = [
        text.origin
        for row, text in enumerate(texts)
        if decode_labels(tokenizer, batch, row).removeprefix(" ") != text.object
    ]
    assert wrong == []
    assert len(templates) >= 100
