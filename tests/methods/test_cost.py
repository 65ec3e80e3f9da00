"""What teaching a table costs."""

import pytest
from tests.methods.conftest import FACTS, build_language_model, select

from rote.config.job import Config
from rote.encoding.example import encode
from rote.facts.text import build_rote_text
from rote.methods.cost import TableCost, estimate_cost
from rote.models.key_tokens import add_key_tokens


def test_a_cost_is_counted_on_a_sample() -> None:
    language_model = build_language_model()
    facts = list(FACTS)
    relations = dict.fromkeys((fact.relation for fact in facts), 1_000)
    cost = estimate_cost(language_model, facts, facts=relations, objects=dict.fromkeys(relations, 16), config=Config())
    assert cost.facts == 1_000 * len(relations)
    keyed = build_language_model()
    add_key_tokens(keyed, tuple(relations))
    tokens = [
        len(encode(keyed.tokenizer, build_rote_text(fact, keyed.key_tokens[fact.relation])).ids) for fact in facts
    ]
    assert cost.tokens_per_epoch == pytest.approx(cost.facts * sum(tokens) / len(tokens), abs=1)
    assert cost.bits == pytest.approx(4 * cost.facts)
    assert cost.epochs == Config().memorize.epochs
    assert cost.trained == sum(parameter.numel() for parameter in keyed.model.parameters())
    assert cost.seconds > 0


@pytest.mark.parametrize(
    ("bits", "verdict"), [(900.0, "the table fits"), (1_500.0, "may not fit"), (2_500.0, "does not fit")]
)
def test_a_cost_says_whether_the_table_fits(bits: float, verdict: str) -> None:
    cost = TableCost(facts=100, tokens_per_epoch=1_500, bits=bits, trained=1_000, epochs=20, seconds=90.0)
    lines = cost.describe()
    assert verdict in lines[2]
    assert "15.0 a fact" in lines[0]
    assert "1.5 min" in lines[3]


def test_the_room_of_adapters_grows_with_their_rank() -> None:
    pytest.importorskip("peft")
    facts = select("mother")
    counts = {"mother": 100}
    trained = []
    for rank in (1, 2):
        config = Config.model_validate({"tuning": "lora", "lora": {"rank": rank}})
        cost = estimate_cost(build_language_model(), facts, facts=counts, objects=counts, config=config)
        trained.append(cost.trained)
    shape = build_language_model().model.config
    key_rows = shape.hidden_size * (1 if shape.tie_word_embeddings else 2)
    assert 2 * (trained[0] - key_rows) == trained[1] - key_rows > 0
