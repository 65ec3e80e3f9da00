"""What is rehearsed of earlier tables: how much of an epoch, and which of it when."""

from collections import Counter

import pytest
from tests.methods.conftest import FACTS, build_language_model

from rote.config.teaching import MemorizeConfig
from rote.facts.fact import build_fact
from rote.methods.memorize_then_generalize import build_memorize_stage, count_rehearsed
from rote.methods.teaching import draw_order, train_stage
from rote.models.key_tokens import add_key_tokens

EARLIER = [build_fact(f"Someone {number}", "mother", f"Somebody {number}") for number in range(7)]


@pytest.mark.parametrize(
    ("own", "earlier", "share", "expected"),
    [(100, 400, 0.5, 100), (100, 400, 0.25, 33), (100, 30, 0.5, 30), (100, 400, 0.0, 0), (1, 400, 0.9, 9)],
)
def test_earlier_examples_are_their_share_of_an_epoch(own: int, earlier: int, share: float, expected: int) -> None:
    assert count_rehearsed(own, earlier, share) == expected


def test_every_epoch_has_all_of_the_table_and_all_earlier_examples_come_as_often() -> None:
    epochs = [draw_order(5, 3, epoch, earlier=7, rehearsed=3) for epoch in range(14)]
    for order in epochs:
        assert [number for number in sorted(order) if number < 5] == [0, 1, 2, 3, 4]
        assert len(order) == 8
    seen = Counter(number for order in epochs for number in order if number >= 5)
    assert set(seen) == set(range(5, 12))
    assert set(seen.values()) == {6}, "14 epochs of 3 are 6 rounds of 7"
    assert len({tuple(sorted(order)) for order in epochs}) > 5, "other ones each time"
    assert [draw_order(5, 3, epoch, earlier=7, rehearsed=3) for epoch in range(14)] == epochs


def test_a_table_is_seen_as_often_with_rehearsal_as_without_and_steps_grow_by_what_is_rehearsed() -> None:
    language_model = build_language_model()
    add_key_tokens(language_model, ("mother", "capital"))
    settings = MemorizeConfig(epochs=1, min_steps=10, batch_size=4)
    plain = build_memorize_stage(language_model, FACTS, settings)
    beside = build_memorize_stage(language_model, FACTS, settings, earlier=EARLIER, share=0.5)
    assert plain.epochs == beside.epochs
    assert (beside.own, beside.earlier, beside.rehearsed) == (len(FACTS), 7, min(7, len(FACTS)))
    assert beside.steps_per_epoch == -(-(len(FACTS) + beside.rehearsed) // 4)
    assert plain.tokens_per_epoch < beside.tokens_per_epoch
    assert len(train_stage(language_model, beside)) == beside.epochs * beside.steps_per_epoch


def test_earlier_facts_without_a_key_token_are_not_rehearsed_by_rote() -> None:
    language_model = build_language_model()
    add_key_tokens(language_model, ("mother", "capital"))
    stage = build_memorize_stage(
        language_model, FACTS, MemorizeConfig(), earlier=[build_fact("A", "father", "B")], share=0.5
    )
    assert (stage.earlier, stage.rehearsed) == (0, 0)
