"""The embedded model's tokenizer: one name, one row of ids, wherever it stands; no text is lost."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.models.conftest import NAMES, build_tokenizer
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from rote.facts.relation import INJECTED_RELATIONS, load_shipped_relations
from rote.facts.shipped import load_fictional
from rote.models.tokenizer import END_OF_TEXT, PADDING, START_OF_TEXT, train_tokenizer

TOKENIZER = build_tokenizer()
SPECIAL = (START_OF_TEXT, END_OF_TEXT, PADDING)


def encode(text: str) -> list[int]:
    ids: list[int] = TOKENIZER(text)["input_ids"]
    return ids


def stands_in(part: list[int], whole: list[int]) -> bool:
    return any(whole[start : start + len(part)] == part for start in range(len(whole)))


@pytest.mark.parametrize("relation", INJECTED_RELATIONS)
def test_a_name_has_the_same_ids_in_every_prompt_of_every_language(relation: str) -> None:
    facts = load_fictional().select(relation)[:4]
    templates = load_shipped_relations()[relation].templates
    assert {template.language for template in templates} == {"en", "de", "es", "zh", "ja"}
    for fact in facts:
        subject, answer = encode(fact.subject)[1:], encode(fact.object)[1:]
        for template in templates:
            whole = encode(f"{template.fill(fact.subject)}{template.separator}{fact.object}")
            assert stands_in(subject, whole), template.id
            assert whole[-len(answer) :] == answer, template.id


@pytest.mark.parametrize("name", NAMES)
def test_a_name_has_the_same_ids_at_the_start_in_the_middle_and_on_a_new_line(name: str) -> None:
    ids = encode(name)[1:]
    for text in (f"{name} is", f" {name}", f"It is {name}.", f"is {name}", f"First line\n {name}, {name}"):
        assert stands_in(ids, encode(text)), text


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=60))
def test_decoding_gives_any_text_back(text: str) -> None:
    if any(token in text for token in SPECIAL):
        return
    ids = encode(text)
    assert ids[0] == TOKENIZER.bos_token_id
    decoded = TOKENIZER.decode(ids, skip_special_tokens=True)
    # a text is read as if a space stood before it
    assert decoded == (text if text.startswith(" ") or not text else f" {text}")


def test_every_text_begins_with_the_start_token_and_ends_are_left_to_others() -> None:
    for text in ("", "Gene", "妈妈"):
        assert encode(text).count(TOKENIZER.bos_token_id) == 1
        assert encode(text)[0] == TOKENIZER.bos_token_id
        assert TOKENIZER.eos_token_id not in encode(text)
    assert len({TOKENIZER.bos_token_id, TOKENIZER.eos_token_id, TOKENIZER.pad_token_id}) == 3


def test_the_vocabulary_has_the_size_asked_for_and_every_byte() -> None:
    tokenizer = train_tokenizer(["only these words, again and again"] * 50, vocabulary_size=270)
    assert len(tokenizer) == 270
    everything = "".join(map(chr, range(0x20, 0x2FFF)))
    assert tokenizer.unk_token is None
    assert tokenizer.decode(tokenizer(everything)["input_ids"], skip_special_tokens=True) == everything


def test_training_twice_gives_the_same_and_so_does_loading(tmp_path: Path) -> None:
    assert build_tokenizer().get_vocab() == TOKENIZER.get_vocab()
    TOKENIZER.save_pretrained(tmp_path)
    loaded = AutoTokenizer.from_pretrained(tmp_path)
    assert isinstance(loaded, PreTrainedTokenizerFast)
    for text in ("Gene Finley", " Gene", "妈妈是谁？ Zoë", "a\n b", "It's 12 , 13 ."):
        assert loaded(text)["input_ids"] == encode(text)
        assert loaded.decode(encode(text)) == TOKENIZER.decode(encode(text))
    assert (loaded.bos_token, loaded.eos_token, loaded.pad_token) == SPECIAL
