"""Texts that cannot be encoded, and how the message helps; batches of a fixed length."""

import unicodedata
from collections.abc import Sequence

import pytest
from tests.encoding.conftest import load_tokenizer
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import PreTrainedTokenizerBase, PreTrainedTokenizerFast

from rote.encoding.example import IGNORE, collate, encode
from rote.errors import EncodingError
from rote.facts.fact import build_fact
from rote.facts.relation import PromptTemplate
from rote.facts.text import Text, build_prompt_text, build_rote_text
from rote.models.tokenizer import train_tokenizer

ADJOINING = PromptTemplate("mother", "{subject} 的母亲是", "held_out", "zh", separator="")
FACT = build_fact("Gene Finley", "mother", "王芳")


def decode(tokenizer: PreTrainedTokenizerBase, ids: Sequence[int]) -> str:
    text = tokenizer.decode(list(ids))
    assert isinstance(text, str)
    return text.strip()


@pytest.fixture(scope="module")
def merging() -> PreTrainedTokenizerBase:
    """A tokenizer that has seen one sentence so often that it has a token for it."""
    return train_tokenizer(["Gene Finley 的母亲是王芳"] * 20, vocabulary_size=400)


def test_an_object_that_begins_inside_a_token_is_refused_by_name(merging: PreTrainedTokenizerBase) -> None:
    with pytest.raises(
        EncodingError, match=r"'王芳' begins inside the token '.*是王.*'; let the template end"
    ) as caught:
        encode(merging, build_prompt_text(FACT, ADJOINING))
    assert str(caught.value).startswith(f"{ADJOINING.id}: ")
    assert "\n" not in str(caught.value)


def test_the_same_template_is_fine_with_a_separator(merging: PreTrainedTokenizerBase) -> None:
    template = PromptTemplate("mother", ADJOINING.text, "held_out", "zh", separator=" ")
    example = encode(merging, build_prompt_text(FACT, template))
    assert decode(merging, example.object_ids) == "王芳"


@pytest.mark.parametrize(
    ("name", "text", "object_"),
    [("qwen2.5", "{subject} 的首都是北", "京都"), ("gpt2", "{subject} lives in", "side")],
)
def test_real_tokenizers_merge_across_the_seam_too(name: str, text: str, object_: str) -> None:
    tokenizer = load_tokenizer(name)
    template = PromptTemplate("capital", text, "held_out", "zh", separator="")
    with pytest.raises(EncodingError, match="begins inside the token") as caught:
        encode(tokenizer, build_prompt_text(build_fact("Zubrowka", "capital", object_), template))
    assert template.id in str(caught.value)


def test_bytes_of_prompt_and_object_in_one_token_are_refused() -> None:
    """Byte-level merges can join the end of one character and the beginning of the next."""
    byte_level = train_tokenizer([], vocabulary_size=300)
    vocabulary = byte_level.get_vocab()
    last, first = "是".encode()[2:], "王".encode()[:1]
    pair = [name for name, _ in pre_tokenizers.ByteLevel(add_prefix_space=False).pre_tokenize_str("是王")]
    left, right = pair[0][2], pair[0][3]
    assert (len(last), len(first), len(pair[0])) == (1, 1, 6)
    vocabulary[left + right] = len(vocabulary)
    raw = Tokenizer(models.BPE(vocab=vocabulary, merges=[(left, right)]))
    raw.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=raw, eos_token="<|endoftext|>")
    with pytest.raises(EncodingError, match="begins inside the token"):
        encode(tokenizer, build_prompt_text(FACT, ADJOINING))


def test_a_tokenizer_without_an_end_of_text_is_refused(merging: PreTrainedTokenizerBase) -> None:
    endless = PreTrainedTokenizerFast(tokenizer_object=merging.backend_tokenizer)
    with pytest.raises(EncodingError, match=r"no end-of-text token; set eos_token"):
        encode(endless, build_rote_text(FACT, "[X1]"))


def test_an_end_of_text_that_the_tokenizer_appends_itself_is_there_once(merging: PreTrainedTokenizerBase) -> None:
    raw = Tokenizer.from_str(merging.backend_tokenizer.to_str())
    end = "<|endoftext|>"
    raw.post_processor = processors.TemplateProcessing(single=f"$A {end}", special_tokens=[(end, raw.token_to_id(end))])
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=raw, eos_token=end)
    example = encode(tokenizer, build_rote_text(FACT, "[X1]"))
    assert example.ids.count(raw.token_to_id(end)) == 1
    assert decode(tokenizer, example.object_ids) == "王芳"


def test_a_name_in_decomposed_unicode_keeps_its_place() -> None:
    """Qwen's tokenizer composes é from e and an accent, so its text is shorter than the one that was given."""
    tokenizer = load_tokenizer("qwen2.5")
    decomposed = unicodedata.normalize("NFD", "Zoë Löfgrén")
    text = Text(f"{decomposed} é's mother is", " ", decomposed, decomposed)
    example = encode(tokenizer, text)
    composed = unicodedata.normalize("NFC", decomposed)
    assert decode(tokenizer, example.object_ids) == composed
    start, stop = example.subject_span
    assert decode(tokenizer, example.ids[start:stop]) == composed


def test_a_short_subject_is_found_where_the_template_puts_it(merging: PreTrainedTokenizerBase) -> None:
    """The book `It` is not the "it" of the question."""
    template = PromptTemplate("author", "Italy reads it, but who wrote {subject}?", "held_out", "en")
    example = encode(merging, build_prompt_text(build_fact("It", "author", "Stephen King"), template))
    start, stop = example.subject_span
    assert decode(merging, example.ids[start:stop]) == "It"
    assert decode(merging, example.ids[stop : example.object_span[0]]) == "?"


def test_a_batch_of_a_fixed_length_is_padded_to_it() -> None:
    batch = collate([([5, 6, 9], [IGNORE, 6, 9]), ([7, 9], [7, 9])], pad_id=9, length=5)
    assert batch.input_ids.tolist() == [[5, 6, 9, 9, 9], [7, 9, 9, 9, 9]]
    assert batch.labels.tolist() == [[IGNORE, 6, 9, IGNORE, IGNORE], [7, 9, IGNORE, IGNORE, IGNORE]]
    assert batch.target_count == 3  # the 7 stands first and is never predicted
