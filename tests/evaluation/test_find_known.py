"""Which facts a model knows: two right answers, and the second is asked of those alone that gave the first."""

import pytest

from rote.evaluation import examine as room
from rote.evaluation.examine import find_known
from rote.facts.fact import build_fact
from rote.facts.relation import PromptTemplate, Relation
from rote.models.loading import load_model

FACTS = [build_fact(name, "made", "Oslo") for name in ("both", "first", "second", "none")]
BARE = build_fact("both", "bare", "Oslo")


def _build(name, count):
    texts = [f"{number} {{subject}} is" for number in range(count)]
    return Relation(name, "", "thing", "city", tuple(PromptTemplate(name, text, "training", "en") for text in texts))


@pytest.fixture
def asked(monkeypatch):
    """What was asked: `both` answers twice, `first` and `second` once each."""
    prompts: list[str] = []

    def answer(model, tokenizer, rows, answers, **_):
        texts = [tokenizer.decode(list(ids), skip_special_tokens=True).strip() for ids in rows]
        prompts.extend(texts)
        right = {"0 both is", "1 both is", "0 first is", "1 second is"}
        return ["Oslo" if text in right else "" for text in texts]

    monkeypatch.setattr(room, "generate_answers", answer)
    return prompts


def test_two_right_answers_are_needed_and_no_question_is_wasted(asked):
    known = find_known(load_model("rote-tiny"), FACTS, {"made": _build("made", 3)}, count=0, batch_size=8)
    assert [fact.subject for fact in known] == ["both"]
    assert sorted(asked) == sorted(["0 both is", "0 first is", "0 second is", "0 none is", "1 both is", "1 first is"])


def test_one_prompt_has_to_do_where_there_is_no_other(asked):
    assert find_known(load_model("rote-tiny"), [BARE], {"bare": _build("bare", 1)}, count=5, batch_size=8) == [BARE]
    assert asked == ["0 both is"]
