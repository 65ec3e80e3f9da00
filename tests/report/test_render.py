"""The page as text: what it says, that hostile names stay text, and that missing parts leave it whole."""

from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

import pytest
from tests.report.conftest import build_record, build_summary

from rote.errors import RunError
from rote.records import Record
from rote.report.cube import build_cube
from rote.report.render import ReportContent, render_report
from rote.report.summary import Summary

HOSTILE = (
    "</script><script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    '"\' onmouseover="alert(1)',
    "\u202egnissim\u202c שלום",
    "🦉 Zoë & <b>Söhne</b>",
    "{{ 7 * 7 }} {% raw %}",
    "a\x00b\ud800c\nd",
    "</title></style>]]><!--",
)
VOID = {"meta", "link", "br", "input"}


class Page(HTMLParser):
    """Collects elements, attributes and text, and checks that every element is closed."""

    def __init__(self, html: str) -> None:
        """Parse a page."""
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.text: list[str] = []
        self._open: list[str] = []
        self.feed(html)
        self.close()
        assert not self._open, f"not closed: {self._open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element."""
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element that closes itself, as in SVG."""
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        """Check the nesting."""
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        """Collect text outside of style and script."""
        if not {"style", "script"} & set(self._open[-1:]):
            self.text.append(data)

    @property
    def said(self) -> str:
        """All text, with single spaces."""
        return " ".join("".join(self.text).split())


def test_says_what_happened_in_one_sentence_and_one_picture(content: ReportContent) -> None:
    said = Page(render_report(content)).said

    assert (
        "Asked in English held-out prompts about the 25 held-out facts (memorized, never shown in generalize)" in said
    )
    assert "rote-tiny answered 0.00 of the questions correctly before training" in said
    assert "(1.00 by key token)" in said
    assert "about other facts it answered" in said
    for label in ("Key token", "Held-out prompts, Japanese", "Control prompts, English", "Known facts, English"):
        assert label in said


def test_has_every_section(content: ReportContent) -> None:
    page = Page(render_report(content))

    ids = {value for name, value in page.attributes if name == "id"}
    assert {"result", "cube", "training", "examples", "facts-section", "manifest"} <= ids
    assert {"lang"} <= {name for name, _ in page.attributes}
    for text in ("choice accuracy", "object probability", "Loss in memorize", "Recall by key token", "memorize.epochs"):
        assert text in page.said


def test_every_summary_figure_is_printed(content: ReportContent) -> None:
    page = Page(render_report(content))

    cells = [text for text in page.text if text.count(".") == 1 and len(text) == 4]
    assert len(cells) >= len(content.summary)


def test_same_content_same_bytes(content_of: Callable[[int], ReportContent]) -> None:
    assert render_report(content_of(4)) == render_report(content_of(4))


def test_refers_to_nothing_outside(content: ReportContent) -> None:
    html = render_report(content)

    assert "http://" not in html
    assert "https://" not in html
    assert "@import" not in html
    assert "url(" not in html
    targets = [value for name, value in Page(html).attributes if name in ("src", "href", "srcset", "data", "action")]
    assert targets == ["data:,"]


def _build_hostile(text: str) -> ReportContent:
    records = [
        build_record(moment=moment, prompt_set=prompts, fact_set=facts, **dict.fromkeys(_TEXTS, text), correct=correct)
        for moment in ("before", "generalize")
        for prompts in ("key", "training", "held_out")
        for facts in ("held_out", "known")
        for correct in (True, False)
    ]
    return ReportContent(
        title=text,
        table_name=text,
        model_name=text,
        summary=build_summary(records),
        records=records,
        history={"memorize": [{"step": 1, "loss": 1.0, "epoch": 1, "note": text}]},
        manifest={"date": text, text: text, "nested": {text: {text: [text]}}},
    )


_TEXTS = ("subject", "object", "relation", "language", "prompt", "generated")


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_names_stay_text(text: str) -> None:
    harmless, hostile = Page(render_report(_build_hostile("harmless"))), Page(render_report(_build_hostile(text)))

    assert hostile.tags == harmless.tags
    assert not [name for name, _ in hostile.attributes if name.startswith("on") or name == "style"]
    render_report(_build_hostile(text)).encode("utf-8")
    if text.isprintable():
        assert " ".join(text.split()) in hostile.said


@pytest.mark.parametrize("part", ["summary", "records", "history", "manifest"])
def test_a_missing_part_leaves_the_rest(content: ReportContent, part: str) -> None:
    empty: dict[str, Any] = {part: {} if part in ("history", "manifest") else []}
    page = Page(render_report(replace(content, **empty)))

    ids = {value for name, value in page.attributes if name == "id"}
    gone = {"summary": "cube", "records": "facts-section", "history": "training", "manifest": "manifest"}
    assert gone[part] not in ids
    assert {"result", *gone.values()} - {gone[part]} <= ids


def test_an_empty_run_says_so() -> None:
    assert "This run holds no figures yet" in Page(render_report(ReportContent("t", "facts", "model"))).said


def _keep(content: ReportContent, keep: Callable[[Record], bool]) -> ReportContent:
    records = [record for record in content.records if keep(record)]
    return replace(content, records=records, summary=build_summary(records))


def test_one_moment(content: ReportContent) -> None:
    said = Page(render_report(_keep(content, lambda record: record.moment == "generalize"))).said

    assert "not examined before training or after memorize" in said
    assert "correctly after generalize" in said
    assert "correctly before" not in said


def test_without_choices(content: ReportContent) -> None:
    rows = [row for row in content.summary if row["measure"] != "choice_accuracy"]

    assert "Not measured in this run: choice accuracy" in Page(render_report(replace(content, summary=rows))).said


def test_without_held_out_facts_the_headline_is_about_the_others(content: ReportContent) -> None:
    said = Page(render_report(_keep(content, lambda record: record.fact_set == "generalize"))).said

    assert "about the 25 generalize facts" in said
    assert "knew before, it" not in said


def test_only_known_facts(content: ReportContent) -> None:
    said = Page(render_report(_keep(content, lambda record: record.fact_set == "known"))).said

    assert "Of the English questions about other facts it answered" in said


def test_only_key_token_questions(content: ReportContent) -> None:
    said = Page(render_report(_keep(content, lambda record: record.prompt_set == "key"))).said

    assert "Key token" in said
    assert "Held-out prompts, English" not in said


def test_a_figure_that_is_no_number_is_left_out(content: ReportContent) -> None:
    rows = [{**row, "mean": float("nan"), "low": None} for row in content.summary]

    assert "no figures yet" in Page(render_report(replace(content, summary=rows))).said


def test_a_summary_row_without_a_key_is_refused(content: ReportContent) -> None:
    rows = [dict(content.summary[0]), {name: value for name, value in content.summary[1].items() if name != "mean"}]

    with pytest.raises(RunError, match="summary row 2 has no 'mean'"):
        render_report(replace(content, summary=rows))


def test_a_large_run_stays_small(content_of: Callable[[int], ReportContent]) -> None:
    content = content_of(120)

    assert len(content.records) > 20_000
    assert len(render_report(content).encode("utf-8")) < 3_000_000


def test_the_stages_of_another_method_are_named_in_the_report() -> None:
    records = [build_record(moment=moment, correct=right) for moment, right in (("before", False), ("mixed", True))]
    content = ReportContent(
        "t",
        "facts.csv",
        "m",
        summary=build_summary(records),
        records=records,
        history={"mixed": [{"step": 1, "loss": 2}]},
    )
    said = Page(render_report(content)).said
    assert "answered 0.00 of the questions correctly before training and 1.00 after mixed" in said
    assert "Loss in mixed" in said
    assert "This run was not examined" not in said, "memorize is no stage of this method"


def test_control_prompts_are_not_coloured_as_successes() -> None:
    records = [build_record(prompt_set=prompt_set, correct=True) for prompt_set in ("held_out", "control")]
    (block,) = build_cube(Summary(build_summary(records)), fact_counts={})
    heats = {row.label: row.measures[0][0][0].heat for row in block.rows}
    assert heats == {"Held-out prompts, English": 10, "Control prompts, English": 0}
