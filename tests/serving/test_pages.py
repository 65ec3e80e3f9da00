"""Facts, side effects and the comparison: what is found, what is shown, and that names stay text."""

import html
import re
from dataclasses import replace
from typing import Any

import pytest
from starlette.testclient import TestClient
from tests.report.conftest import build_record
from tests.serving.conftest import HOSTILE, HOSTILE_OBJECT, build_client

from rote.evaluation.side_effects import Taught, find_losses
from rote.facts.fact import build_fact
from rote.records import MOMENTS, Record
from rote.report.display import clean_text, shorten_text
from rote.serving.app import Pages
from rote.serving.comparing import match_records
from rote.serving.index import FactIndex, build_index
from rote.serving.views import ROWS


def ask_thrice(verdicts: str, **changes: Any) -> list[Record]:
    """One question at the three moments; `x` is wrong, `o` is right."""
    return [
        build_record(moment=moment, correct=verdict == "o", generated=f"said {moment}", **changes)
        for moment, verdict in zip(MOMENTS, verdicts, strict=True)
    ]


def name_marked(index: FactIndex, mark: str) -> set[str]:
    return {entry.subject for entry in index.search("", mark)}


def serve_index(pages: Pages, index: FactIndex) -> TestClient:
    return build_client(Pages(replace(pages.run, index=index), pages.asker))


@pytest.fixture
def many(pages: Pages) -> TestClient:
    """The pages of two and a half lists of facts."""
    records = [
        record
        for number in range(5 * ROWS // 2)
        for record in ask_thrice("xxo" if number % 2 else "xxx", subject=f"Zoë {number}", prompt=f"Who, {number}?")
    ]
    return serve_index(pages, build_index(records, []))


def test_the_filters_are_what_they_say() -> None:
    records = [
        *ask_thrice("xox", subject="forgot"),
        *ask_thrice("xxx", subject="never"),
        *ask_thrice("xxo", subject="learned"),
        *ask_thrice("xox", subject="forgot its key", prompt_set="key", language="-"),
        *ask_thrice("xxo", subject="leaks", prompt_set="control"),
        *ask_thrice("oox", subject="leaked once", prompt_set="control"),
        *ask_thrice("oox", subject="known", fact_set="known"),
        *ask_thrice("oxo", subject="kept", fact_set="known"),
        *ask_thrice("xxo", subject="known anyhow", fact_set="known", prompt_set="control"),
        *ask_thrice("xxx", subject="unseen", fact_set="unseen"),
        *ask_thrice("oox", subject="replaced", fact_set="replaced"),
    ]
    index = build_index(records, [])
    assert name_marked(index, "wrong") == {"forgot", "never", "forgot its key"}
    assert name_marked(index, "forgotten") == {"forgot", "forgot its key", "known"}
    assert name_marked(index, "leaks") == {"leaks"}
    assert len(index.search("")) == 11


def test_a_search_finds_all_words_whatever_case_and_accents(pages: Pages) -> None:
    records = [
        *ask_thrice("xxo", subject="Tomás Keller", object="Zoë Moreau"),
        *ask_thrice("xxo", subject="Tom Keller", relation="genre"),
    ]
    client = serve_index(pages, build_index(records, []))
    assert "Tomás Keller" in client.get("/facts", params={"q": "TOMAS mother"}).text
    assert "Tom Keller" not in client.get("/facts", params={"q": "TOMAS mother"}).text
    assert "Tomás Keller" in client.get("/facts", params={"q": "zoe held_out"}).text
    assert "Nothing has all these words" in client.get("/facts", params={"q": "tomas genre"}).text


def test_a_list_is_cut_into_pages_by_the_server(many: TestClient) -> None:
    seen: list[str] = []
    address = "/facts?q=zoe"
    for _ in range(3):
        page = many.get(address).text
        assert f'<b id="found">{5 * ROWS // 2}</b>' in page
        seen += re.findall(r'href="(/facts/\d+)"', page)
        address = html.unescape("".join(re.findall(r'rel="next" href="([^"]+)"', page)))
    assert address == ""
    assert len(seen) == len(set(seen)) == 5 * ROWS // 2


def test_a_filter_stays_when_the_page_is_turned(many: TestClient) -> None:
    page = many.get("/facts?q=zoe&show=wrong").text
    (address,) = re.findall(r'rel="next" href="([^"]+)"', page)
    second = many.get(html.unescape(address)).text
    assert len(re.findall(r'href="/facts/\d+"', page)) == ROWS
    assert len(re.findall(r'href="/facts/\d+"', second)) == 63 - ROWS
    assert second.count("wrong now</b>") == 63 - ROWS


@pytest.mark.parametrize(
    ("address", "status"),
    [
        ("/facts?page=999999", 200),
        ("/facts?page=0", 200),
        ("/facts?page=-1", 400),
        ("/facts?page=²", 400),
        ("/facts?show=all_of_it", 400),
        ("/facts/999999999999999999999999", 404),
        ("/facts/-1", 404),
        ("/facts/0/", 404),
    ],
)
def test_a_number_that_is_none_is_one_line(many: TestClient, address: str, status: int) -> None:
    answer = many.get(address)
    assert answer.status_code == status
    assert status == 200 or answer.text.count("\n") == 1


def test_a_fact_has_every_wording_and_what_was_said_at_each_moment(pages: Pages, client: TestClient) -> None:
    subject = next(record.subject for record in pages.run.report.records if record.moment == "before")
    (entry,) = pages.run.index.search(subject)
    page = html.unescape(client.get(f"/facts/{entry.number}").text)
    records = [record for record in pages.run.report.records if record.subject == subject]
    assert {record.moment for record in records} == set(MOMENTS)
    for record in records:
        assert clean_text(record.prompt) in page
    for label in ("Key token", "Training prompts, English", "Held-out prompts, English", "Control prompts, English"):
        assert f"<h2>{label}</h2>" in page
    for record in records:
        assert shorten_text(record.generated, 400) in page
    assert page.count("object probability ") == len(records)


def test_a_leak_is_bad_and_silence_is_good(pages: Pages) -> None:
    client = serve_index(pages, build_index(ask_thrice("xxo", prompt_set="control"), []))
    page = client.get("/facts/0").text
    assert page.count('<b class="right">✓ silent</b>') == 2
    assert page.count('<b class="wrong">✗ leaks</b>') == 1


def test_a_fact_that_was_not_asked_about_is_found_too(pages: Pages) -> None:
    index = build_index(ask_thrice("xxo"), [build_fact("Ann Bell", "mother", "Mia Dorn", "Mia D.")])
    client = serve_index(pages, index)
    assert "taught, not asked about" in client.get("/facts?q=ann").text
    page = client.get("/facts/1").text
    assert "the run did not ask about it" in page
    assert "Mia D." in page


def test_aliases_count_for_a_taught_fact_and_not_for_what_it_replaced() -> None:
    records = [*ask_thrice("xxo"), *ask_thrice("oox", fact_set="replaced", object="Old Name")]
    index = build_index(records, [build_fact("Gene Finley", "mother", "Cody Ross", "C. Ross")])
    assert [entry.answers for entry in index.entries] == [("Cody Ross", "C. Ross"), ("Old Name",)]


def test_the_longest_subject_is_meant() -> None:
    index = build_index([*ask_thrice("xxo", subject="Gene"), *ask_thrice("xxo", subject="Gene Finley")], [])
    assert [entry.subject for entry in index.find_match("Who is Gene Finley's mother?").entries] == ["Gene Finley"]
    assert [entry.subject for entry in index.find_match("Who is Gene's mother?").entries] == ["Gene"]
    assert index.find_match("Who is Eugene's mother?").entries == ()


def test_a_relation_is_recognised_by_a_wording_of_another_fact() -> None:
    records = [
        *ask_thrice("xxo", subject="Gene", prompt="Who gave birth to Gene?"),
        *ask_thrice("xxo", subject="Ann", prompt="Who is Ann's mother?"),
        *ask_thrice("xxo", subject="Ann", relation="genre", prompt="Ann sings"),
    ]
    match = build_index(records, []).find_match("who gave birth to ANN?")
    assert ([entry.relation for entry in match.entries], match.by_relation) == (["mother"], True)


def test_side_effects_list_the_questions_that_were_lost(pages: Pages) -> None:
    records = [
        *ask_thrice("ooo", fact_set="known", subject="Rome", prompt_set="training"),
        *ask_thrice("oox", fact_set="known", subject="Rome", prompt="Rome?"),
        *ask_thrice("oxo", fact_set="known", subject="Rome", prompt="Rome again?"),
    ]
    losses = find_losses(records, Taught({"Gene"}, {"mother"}))
    page = build_client(Pages(replace(pages.run, losses=losses), pages.asker)).get("/side-effects").text
    assert '<b id="found">1</b>' in page
    assert "Rome?" in page
    assert "Rome again?" not in page
    assert "said generalize" in page


def test_the_comparison_is_there_only_where_two_runs_are(pages: Pages, client: TestClient) -> None:
    alone = build_client(Pages(pages.run, pages.asker))
    assert alone.get("/compare").status_code == 404
    assert 'href="/compare"' not in alone.get("/").text
    assert 'href="/compare"' in client.get("/").text


def test_the_comparison_shows_settings_figures_and_what_one_alone_answers(pages: Pages, client: TestClient) -> None:
    assert pages.compared is not None
    page = html.unescape(client.get("/compare").text)
    assert "memorize.epochs: 1 (first), 3 (second)" in page
    key = next(row for row in pages.compared.rows if row.questions[2] == "key")
    assert all(figure is not None and figure.n for figure in key.figures)
    assert key.difference is not None


def test_questions_that_one_alone_answers_are_those_about_the_same_object(pages: Pages) -> None:
    assert pages.compared is not None
    record = build_record()
    assert match_records([record], [replace(record, correct=not record.correct)])
    assert not match_records([record], [replace(record, object="Eve Orr")])
    pair = (replace(record, correct=True), replace(record, correct=False))
    shown = build_client(Pages(pages.run, pages.asker, replace(pages.compared, differing=[pair], matched=9)))
    assert '<b id="found">1</b>' in shown.get("/compare").text
    same = build_client(Pages(pages.run, pages.asker, replace(pages.compared, differing=[], matched=9)))
    assert "Every question that both were asked (9) has the same verdict in both." in same.get("/compare").text
    none = build_client(Pages(pages.run, pages.asker, replace(pages.compared, differing=[], matched=0)))
    assert "They share no question" in none.get("/compare").text


@pytest.mark.parametrize("address", ["/facts", "/side-effects", "/compare", "/facts?q=onerror"])
def test_hostile_names_stay_text(client: TestClient, pages: Pages, address: str) -> None:
    (entry,) = pages.run.index.search("onerror")
    for page in (client.get(address).text, client.get(f"/facts/{entry.number}").text):
        assert HOSTILE not in page
        assert HOSTILE_OBJECT not in page
        assert "<img" not in page
    assert html.escape(HOSTILE, quote=False).replace("'", "&#39;") in client.get(f"/facts/{entry.number}").text


def test_a_hostile_search_stays_text(client: TestClient) -> None:
    page = client.get("/facts", params={"q": '"><script>alert(1)</script>'}).text
    assert "<script>alert" not in page
    assert "&lt;script&gt;" in page


def test_no_page_has_an_inline_script_or_style(client: TestClient) -> None:
    for address in ("/", "/facts", "/facts/0", "/side-effects", "/compare"):
        page = client.get(address).text
        assert re.findall(r"<script[^>]*>", page) == ['<script src="/static/serve.js" defer>']
        assert "<style" not in page
        assert not re.search(r"<[^>]+\s(style|on\w+)=", page)
