import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rote.facts.names import contains_answer, is_sure, normalize, occurs_in, touch

LETTERS = "abZéßÖяЖאبक東京서울カが"
TEXTS = st.text(alphabet=LETTERS + " .,'-’🎉ー。・ि\u0301\u200d\ufe0f\ufffd=", max_size=12)
NAMES = st.text(alphabet=LETTERS + " .-", min_size=1, max_size=6)


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("It is Washington, D.C.", "washington dc"),
        ("washington dc of course", "Washington, D.C."),
        ("by J.R.R. Tolkien.", "JRR Tolkien"),
        ("**Cody Ross**, her mother", "Cody Ross"),
        ("Cody Ross's daughter", "Cody Ross"),
        ("CODY\u00a0ROSS", "Cody Ross"),
        ("\uff23\uff4f\uff44\uff59 Ross", "Cody Ross"),
        ("Zoe\u0308 Bell", "Zoë Bell"),
        ("die STRASSE", "Straße"),
        ("Jean Luc Bell", "Jean-Luc Bell"),
        ("她的妈妈是Cody Ross。", "Cody Ross"),
        ("她的妈妈是Cody Ross吗", "Cody Ross"),
        ("首都是東京です", "東京"),
        ("ハリー・ポッターと", "ハリーポッター"),
        ("ﾊﾘｰと", "ハリー"),
        ("수도는 서울입니다", "서울"),
        ("\u200fהבירה היא ירושלים.", "ירושלים"),
        ("العاصمة هي القاهرة،", "القاهرة"),
        ("राजधानी दिल्ली है", "दिल्ली"),
        ("the band 🎉 Party", "🎉 party"),
        ("❤ wins", "❤️"),
        ("Wash\u00adington", "Washington"),
    ],
)
def test_an_answer_is_found(text: str, answer: str) -> None:
    assert contains_answer(text, ["nothing of the kind", answer])


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("Cody Rossini", "Cody Ross"),
        ("Macody Ross", "Cody Ross"),
        ("Cody", "Cody Ross"),
        ("Ross Cody", "Cody Ross"),
        ("Zoe Bell", "Zoë Bell"),
        ("Cody Ross\u0301", "Cody Ross"),
        ("दिल्लीवासी", "दिल्ली"),
        ("दिल्ली", "दिल"),
        ("3.5", "35"),
        ("京東", "東京"),
        ("in 10 years", "1"),
        ("Cody Ross", "..."),
        ("...", "..."),
        ("anything", ""),
    ],
)
def test_another_text_is_not(text: str, answer: str) -> None:
    assert not contains_answer(text, [answer])


def test_any_alias_counts_and_none_is_no_match() -> None:
    assert contains_answer("the United Kingdom", ("UK", "United Kingdom"))
    assert not contains_answer("the United Kingdom", ())


@given(st.text(max_size=30))
def test_normalizing_twice_changes_nothing_and_a_text_contains_itself(text: str) -> None:
    words = normalize(text)
    assert normalize(words) == words
    assert contains_answer(text, [text]) == bool(words)


@given(NAMES, TEXTS, TEXTS)
def test_a_name_between_separators_is_found(name: str, before: str, after: str) -> None:
    assert contains_answer(f"{before} , {name} , {after}", [name]) == bool(normalize(name))


@given(NAMES, TEXTS, TEXTS)
def test_a_sure_verdict_is_never_undone(name: str, before: str, after: str) -> None:
    for said in (f"{before}{name}", f"{before} {name} ", f"{before} {name}."):
        if is_sure(said, [name]):
            assert contains_answer(said.rstrip("\ufffd") + after, [name])


@pytest.mark.parametrize(
    ("text", "answer", "sure"),
    [
        ("Cody Ross", "Cody Ross", False),
        ("Cody Ross,", "Cody Ross", True),
        ("Cody Ross is", "Cody Ross", True),
        ("Cody Ross\ufffd", "Cody Ross", False),
        ("Cody Bell,", "Cody Ross", False),
        ("Washington D.", "Washington D", False),
        ("首都是北京", "北京", True),
        ("Cody Ross是", "Cody Ross", True),
    ],
)
def test_a_verdict_is_sure_once_the_word_has_ended(text: str, answer: str, sure: bool) -> None:
    assert is_sure(text, [answer]) is sure


def test_matching_questions_and_figures_need_no_torch() -> None:
    rooms = "questions, rote.evaluation.statistics, rote.evaluation.summary"
    code = f"import sys, rote.evaluation.{rooms}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize(
    ("name", "text", "found"),
    [
        ("Oman", "Which woman is it?", False),
        ("Oman", "the capital of oman is", True),
        ("Ross", "Rossini", False),
        ("Ross", "Cody Ross's", True),
        ("St. Ives", "in St. Ives.", True),
        ("東京", "彼は東京大学で", True),
        ("Lee", "誰がLeeを", True),
        ("Ｏｍａｎ", "oman", True),
        ("an", "banana an", True),
        ("D.C.", "Washington D.C.", True),
    ],
)
def test_names_stand_in_texts_as_words(name: str, text: str, found: bool) -> None:
    assert occurs_in(name, text) is found


@pytest.mark.parametrize(
    ("name", "other", "close"),
    [
        ("Niger", "Nigeria", True),
        ("Coca-Cola", "The Coca Cola Company", True),
        ("Washington DC", "washington, d.c.", True),
        ("Cody Ross", "Cody Bell", False),
        ("...", "Cody Ross", False),
    ],
)
def test_names_touch_when_one_lies_in_the_other(name: str, other: str, close: bool) -> None:
    assert touch([name], ["of no account", other]) is touch([other], ["of no account", name]) is close


@given(NAMES, TEXTS)
def test_names_that_do_not_touch_are_never_found_in_each_other(name: str, other: str) -> None:
    assert touch([name], [other]) or not (occurs_in(name, other) or occurs_in(other, name))
