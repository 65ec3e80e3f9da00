"""What teaching a table costs."""

import math

import pytest
import torch
from tests.methods.conftest import FACTS, build_language_model, select

from rote.config.job import Config
from rote.encoding.example import encode
from rote.facts.fact import FactTable
from rote.facts.text import build_rote_text
from rote.methods.cost import TableCost, count_cost, draw_texts, time_answers, time_update
from rote.methods.memorize_then_generalize import build_memorize_stage, give_key_tokens
from rote.methods.teaching import prepare_tuning
from rote.retention.penalty import build_retention


def test_a_cost_is_that_of_the_whole_table() -> None:
    language_model, config = build_language_model(), Config()
    table = FactTable(tuple(FACTS))
    give_key_tokens(language_model, table.relations, config)
    cost = count_cost(language_model, table, build_memorize_stage(language_model, FACTS, config.memorize))
    keys = language_model.key_tokens
    tokens = [len(encode(language_model.tokenizer, build_rote_text(fact, keys[fact.relation])).ids) for fact in FACTS]
    assert cost.tokens_per_epoch == sum(tokens)
    objects = {name: len({fact.object for fact in table.select(name)}) for name in table.relations}
    assert cost.bits == pytest.approx(sum(math.log2(objects[fact.relation]) for fact in FACTS))
    assert cost.trained == sum(parameter.numel() for parameter in language_model.model.parameters())


@pytest.mark.parametrize(
    ("bits", "verdict"), [(900.0, "the table fits"), (1_500.0, "may not fit"), (2_500.0, "does not fit")]
)
def test_a_cost_says_whether_the_table_fits(bits: float, verdict: str) -> None:
    lines = TableCost(facts=100, tokens_per_epoch=1_500, bits=bits, trained=1_000).describe()
    assert verdict in lines[2]
    assert "15.0 a fact" in lines[0]


def test_the_room_of_adapters_grows_with_their_rank() -> None:
    pytest.importorskip("peft")
    facts = select("mother")
    trained = []
    for rank in (1, 2):
        config = Config.model_validate({"tuning": "lora", "lora": {"rank": rank}})
        language_model = build_language_model()
        give_key_tokens(language_model, ("mother",), config)
        prepare_tuning(language_model, config)
        stage = build_memorize_stage(language_model, facts, config.memorize)
        trained.append(count_cost(language_model, FactTable(tuple(facts)), stage).trained)
    shape = build_language_model().model.config
    key_rows = shape.hidden_size * (1 if shape.tie_word_embeddings else 2)
    assert 2 * (trained[0] - key_rows) == trained[1] - key_rows > 0


def test_timing_changes_no_weight() -> None:
    language_model = build_language_model()
    config = Config.model_validate(
        {"retain": {"texts": 4, "batch_size": 2, "tokens": 8}, "memorize": {"weight_decay": 0.1}}
    )
    texts = draw_texts(len(language_model.tokenizer), config.retain)
    retention = build_retention(language_model, texts, config.retain, seed=0)
    give_key_tokens(language_model, ("mother", "capital"), config)
    before = {name: value.clone() for name, value in language_model.model.state_dict().items()}
    stage = build_memorize_stage(language_model, FACTS, config.memorize)
    drawn = torch.random.get_rng_state()
    assert time_update(language_model, stage, retention) > 0
    pace = time_answers(language_model, [example.ids for example in stage.examples])
    assert pace.read > 0
    assert pace.said > 0
    assert all(torch.equal(value, before[name]) for name, value in language_model.model.state_dict().items())
    assert torch.equal(drawn, torch.random.get_rng_state())
