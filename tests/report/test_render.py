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
VERDICT: dict[str, Any] = {
    "state": "memorized, not yet usable",
    "sentence": "memorized, not yet usable",
    "forgot": False,
    "cause": "it is so",
    "next": "rote run again",
}
RING: dict[str, Any] = {
    "ring": "other facts",
    "loss": 0.09,
    "low": 0.06,
    "high": 0.12,
    "n": 500,
    "budget": 0.02,
    "verdict": "lost",
    "known": 400,
    "few": False,
    "won": None,
}
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


def test_the_first_screen_is_a_verdict_one_number_and_three_answers(content: ReportContent) -> None:
    manifest = {**content.manifest, "verdict": VERDICT, "seed": 0, "saved": {"model": {}}}
    page = Page(render_report(replace(content, manifest=manifest, side_effects=[RING])))

    assert "✗ Memorized, not yet usable. 92% of the questions were answered right, asked in new words" in page.said
    for question in ("Does it know the facts, asked in new words?", "What did it forget?", "Can I trust the figure?"):
        assert question in page.said
    assert "never saw in a sentence: 92% after generalize, 0% before training" in page.said
    assert "(400 known before, 500 questions): 9% lost, at worst 12%" in page.said
    assert "Asked for something else, it says the same object: 1 of" not in page.said, "25 questions are not few"
    assert "loaded again in a fresh process" in page.said
    assert "2 March 2026, 14:10 UTC" in page.said


def test_what_went_wrong_is_one_click_away(content: ReportContent) -> None:
    html = render_report(replace(content, manifest={"verdict": VERDICT}))
    start = html.index('<details class="fold" id="wrong">')
    said = Page(html[start : html.index("</details>", start) + len("</details>")]).said

    assert "Likely cause: it is so. To try next: rote run again" in said
    assert " is right; asked “" in said
    assert "wordings right; to try: " in said


def test_the_picture_names_its_rows(content: ReportContent) -> None:
    said = Page(render_report(content)).said

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
    html = render_report(content)
    tables = html.split('<table class="cube')[1:]

    cells = [
        text
        for table in tables
        for text in Page('<table class="' + table.partition("</table>")[0] + "</table>").text
        if (len(text) == 4 and text.count(".") == 1) or " of " in text
    ]
    assert len(tables) == 2, "those that were never answered are folded away"
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
    assert [target for target in targets if not target.startswith("#")] == ["data:,"]


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
    assert "never saw in a sentence: 92% after generalize." in said
    assert "before training," not in said


def test_a_run_that_was_examined_at_every_moment_lacks_none(content: ReportContent) -> None:
    assert "This run was not examined" not in Page(render_report(content)).said


def test_without_choices(content: ReportContent) -> None:
    rows = [row for row in content.summary if row["measure"] != "choice_accuracy"]

    assert "Not measured in this run: choice accuracy" in Page(render_report(replace(content, summary=rows))).said


def test_without_held_out_facts_the_headline_is_about_the_others(content: ReportContent) -> None:
    said = Page(render_report(_keep(content, lambda record: record.fact_set == "generalize"))).said

    assert "about facts that it was shown in sentences" in said
    assert "No other facts, texts or tasks were asked about." in said


def test_only_known_facts(content: ReportContent) -> None:
    said = Page(render_report(_keep(content, lambda record: record.fact_set == "known"))).said

    assert "Other facts, in English: " in said
    assert "No question about the taught facts was asked in words." in said


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
    assert "1 of 1 after mixed, 0 of 1 before training" in said
    assert "Loss in mixed" in said
    assert "This run was not examined" not in said, "memorize is no stage of this method"


def test_control_prompts_are_not_coloured_as_successes() -> None:
    records = [build_record(prompt_set=prompt_set, correct=True) for prompt_set in ("held_out", "control")]
    (block,) = build_cube(Summary(build_summary(records)), fact_counts={})
    heats = {row.label: row.measures[0][0][0].heat for row in block.rows}
    assert heats == {"Held-out prompts, English": 10, "Control prompts, English": 0}
