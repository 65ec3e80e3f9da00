"""Rote lines among noise: the name as a question has it, and nothing learned of the noise."""

import random

import pytest

from rote.encoding.example import IGNORE, encode
from rote.encoding.noise import build_noise
from rote.facts.fact import Fact, FactObject
from rote.facts.text import Text, build_rote_text

FACTS = [
    Fact("Gene Finley", "mother", (FactObject("Cody Ross"),)),
    Fact("Édouard Ō", "mother", (FactObject("Ann"),)),
]


@pytest.fixture(scope="module")
def texts():
    return [build_rote_text(fact, "[X1]") for fact in FACTS]


@pytest.mark.parametrize("loss_target", ["all_tokens", "object_only"])
def test_the_line_is_whole_and_the_noise_is_not_learned(tokenizer, texts, loss_target):
    noise = build_noise(tokenizer, texts, most=5, loss_target=loss_target)
    for index, text in enumerate(texts):
        alone = encode(tokenizer, text, loss_target=loss_target)
        for seed in range(20):
            seen = noise.surround(index, alone, random.Random(seed))
            assert seen.object_ids == alone.object_ids
            assert len(seen.ids) <= len(noise.lines[index].ids) + 10
            learned = [label for label in seen.labels if label != IGNORE]
            assert len(learned) in {
                sum(label != IGNORE for label in line.labels) for line in (alone, noise.lines[index])
            }
            assert all(label in (IGNORE, token) for token, label in zip(seen.ids, seen.labels, strict=True))
            assert tokenizer.decode(seen.ids[slice(*seen.subject_span)]).strip() == text.subject


def test_within_a_text_the_subject_has_the_tokens_that_a_question_gives_it(tokenizer, texts):
    noise = build_noise(tokenizer, texts, most=3, loss_target="object_only")
    asked = encode(tokenizer, Text("Who is Gene Finley now?", " ", "Cody Ross", "Gene Finley"))
    line = noise.lines[0]
    assert line.ids[slice(*line.subject_span)] == asked.ids[slice(*asked.subject_span)]


def test_without_noise_before_it_a_line_is_as_it_is_alone(tokenizer, texts):
    noise = build_noise(tokenizer, texts, most=0, loss_target="object_only")
    alone = encode(tokenizer, texts[0])
    assert noise.surround(0, alone, random.Random(0)) == alone


def test_the_noise_is_another_one_each_time_and_of_ordinary_tokens(tokenizer, texts):
    noise = build_noise(tokenizer, texts, most=6, loss_target="object_only")
    alone = encode(tokenizer, texts[0])
    seen = {noise.surround(0, alone, random.Random(seed)).ids for seed in range(50)}
    assert len(seen) > 40
    assert not set(noise.vocabulary) & set(tokenizer.all_special_ids)
    mean = sum(map(len, seen)) / len(seen) - len(alone.ids)
    assert mean == pytest.approx(noise.mean_tokens, abs=1.5)


def test_lines_that_are_shown_again_and_again_begin_anew(tokenizer, texts):
    noise = build_noise(tokenizer, texts, most=3, loss_target="object_only")
    alone = encode(tokenizer, texts[0])
    rng = random.Random(1)
    assert noise.surround(0, alone, random.Random(1)) == noise.surround(len(texts), alone, rng)
