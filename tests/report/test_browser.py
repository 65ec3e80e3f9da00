"""The page in the system's Chromium: search, both themes, no console error, no network request."""

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import pytest
from tests.report.conftest import build_record

from rote.report.fact_rows import build_fact_rows
from rote.report.render import ReportContent, render_report

playwright_api = pytest.importorskip("playwright.sync_api", reason="the browser test needs the playwright package")
CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
if CHROMIUM is None:
    pytest.skip("the browser test needs Chromium (apt-get install chromium)", allow_module_level=True)

pytestmark = pytest.mark.browser
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)
HOSTILE = "</script><img src=x onerror=document.title='hacked'>"
Scheme = Literal["light", "dark"]


@dataclass
class Opened:
    """A page that is open, and what it did that it should not have done."""

    page: Any
    problems: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """The system's Chromium."""
    with playwright_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(ARGUMENTS))
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def address(content: ReportContent, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The report of the made-up run, and one fact with a hostile name, as a file."""
    path: Path = tmp_path_factory.mktemp("report") / "report.html"
    hostile = build_record(subject=HOSTILE, object=HOSTILE, prompt=HOSTILE, generated=HOSTILE)
    path.write_text(render_report(replace(content, records=[*content.records, hostile])), encoding="utf-8")
    return path.as_uri()


def _open(browser: Any, address: str, *, scheme: Scheme = "light", width: int = 1200, script: bool = True) -> Opened:
    page = browser.new_page(color_scheme=scheme, viewport={"width": width, "height": 900}, java_script_enabled=script)
    opened = Opened(page)
    page.on("console", lambda message: opened.problems.append(f"console: {message.text}"))
    page.on("pageerror", lambda error: opened.problems.append(f"error: {error}"))
    page.on("request", lambda request: opened.requests.append(request.url))
    page.goto(address)
    return opened


def _background(page: Any) -> str:
    return str(page.evaluate("getComputedStyle(document.body).backgroundColor"))


def test_search_filters_the_facts(browser: Any, address: str) -> None:
    opened = _open(browser, address)
    page, shown = opened.page, "#facts tbody tr:visible"
    total = page.locator(shown).count()

    page.fill("#fact-search", "TOMAS genre")
    found = page.locator(shown).all_text_contents()
    assert 0 < len(found) < 10
    assert all("Tomás" in text and "genre" in text for text in found)
    assert page.locator("#fact-count").inner_text() == f"{len(found)} of {total} facts"

    page.fill("#fact-search", "<img src=x onerror")
    assert page.locator(shown).count() == 1
    page.fill("#fact-search", "nobody has this name")
    assert page.locator(shown).count() == 0
    page.fill("#fact-search", "")
    assert page.locator(shown).count() == total
    assert opened.problems == []
    assert opened.requests == [address]


def test_filters_show_what_is_wrong_forgotten_or_leaks(browser: Any, address: str, content: ReportContent) -> None:
    opened = _open(browser, address)
    page, shown = opened.page, "#facts tbody tr:visible"
    rows = build_fact_rows(content.records)

    for flag in ("wrong", "forgotten", "leaks"):
        page.click(f"[data-filter={flag}]")
        expected = [row for row in rows if flag in row.flags]
        assert page.locator(shown).count() == len(expected) > 0
        assert page.get_attribute(f"[data-filter={flag}]", "aria-pressed") == "true"
        page.fill("#fact-search", expected[0].subject)
        assert page.locator(shown).count() >= 1, "search and filter go together"
        page.fill("#fact-search", "")

    page.click("[data-filter='']")
    page.click("#wrong > summary")
    page.click("[data-show=wrong]")
    assert page.locator(shown).count() == sum("wrong" in row.flags for row in rows)
    page.locator("#facts summary:visible").first.click()
    assert page.locator("#facts li:visible").count() > 5, "an answer to every wording"
    assert opened.problems == []
    assert opened.requests == [address, f"{address}#facts-section"][: len(opened.requests)]


@pytest.mark.parametrize("width", [390, 1280])
def test_no_table_hides_its_result_column(browser: Any, address: str, width: int) -> None:
    page = _open(browser, address, width=width).page
    page.evaluate("document.querySelectorAll('.fold').forEach(one => { one.open = true; })")

    assert page.evaluate("document.documentElement.scrollWidth") <= width
    hidden = page.evaluate(
        """[...document.querySelectorAll("table.stack td")].filter(cell => cell.offsetParent).filter(cell => {
            const box = cell.closest(".scroll").getBoundingClientRect();
            return cell.getBoundingClientRect().right > box.right + 1;
        }).map(cell => cell.textContent)"""
    )
    assert hidden == []


def test_cells_of_a_row_stand_side_by_side(browser: Any, address: str) -> None:
    page = _open(browser, address, width=1280).page
    cells = "<tr><th>a</th><th class='number'>b</th><td class='number'>1</td><td class='number'>2</td></tr>"
    page.evaluate(f'document.body.insertAdjacentHTML("beforeend", "<table>{cells}</table>")')  # as tables of figures
    stacked = page.evaluate(
        """() => [...document.querySelectorAll("tr")].filter(row => {
            const cells = [...row.cells].filter(cell => cell.offsetParent);
            const lefts = cells.map(cell => cell.getBoundingClientRect().left);
            return lefts.some((left, place) => place && left <= lefts[place - 1]);
        }).map(row => row.textContent)"""
    )
    assert stacked == []


def test_the_first_screen_of_a_phone_has_the_verdict_and_its_number(browser: Any, address: str) -> None:
    page = _open(browser, address, width=390).page

    assert page.locator(".number b").bounding_box()["y"] < 844
    assert page.locator(".answer h2").first.bounding_box()["y"] < 844


def test_low_is_good_never_has_the_colour_of_success(browser: Any, address: str) -> None:
    for scheme in ("light", "dark"):
        page = _open(browser, address, scheme=scheme).page
        colour = "getComputedStyle(document.querySelector('{}')).fill"
        low = page.evaluate(colour.format("svg.picture.wide .m-generalize.low .mark"))
        good = page.evaluate(colour.format("svg.picture.wide .m-generalize:not(.low):not(.fall) .mark"))
        assert low != good


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_both_themes_open_and_can_be_switched(browser: Any, address: str, scheme: Scheme) -> None:
    opened = _open(browser, address, scheme=scheme)
    other = "Dark theme" if scheme == "light" else "Light theme"

    before = _background(opened.page)
    assert opened.page.inner_text("#theme-button") == other
    opened.page.click("#theme-button")
    after = _background(opened.page)

    assert {before, after} == {"rgb(253, 253, 251)", "rgb(21, 24, 27)"}
    assert opened.page.inner_text("#theme-button") != other
    assert opened.problems == []
    assert opened.requests == [address]


def test_hostile_names_run_nothing(browser: Any, address: str) -> None:
    opened = _open(browser, address)

    assert opened.page.title() == "Fictional facts in rote-tiny"
    assert opened.page.locator("img").count() == 0
    assert opened.problems == []
    assert opened.requests == [address]


def test_a_narrow_window_does_not_scroll_sideways(browser: Any, address: str) -> None:
    page = _open(browser, address, width=400).page

    assert page.evaluate("document.documentElement.scrollWidth") <= 400
    assert page.locator("svg.picture.narrow").is_visible()
    assert not page.locator("svg.picture.wide").is_visible()


def test_the_picture_cuts_no_label_off(browser: Any, address: str) -> None:
    for width in (400, 1200):
        page = _open(browser, address, width=width).page
        outside = page.evaluate(
            """[...document.querySelectorAll("svg.picture, svg.curve")].filter(svg => svg.clientWidth).flatMap(svg => {
                const box = svg.getBoundingClientRect();
                return [...svg.querySelectorAll("text")].filter(text => {
                    const inner = text.getBoundingClientRect();
                    return inner.left < box.left - 1 || inner.right > box.right + 1;
                }).map(text => text.textContent);
            })"""
        )
        assert outside == []


def test_is_complete_without_script(browser: Any, address: str) -> None:
    page = _open(browser, address, script=False).page

    assert page.locator("#facts tbody tr").first.is_visible()
    assert not page.locator("#fact-search").is_visible()
    assert not page.locator("#theme-button").is_visible()


def test_prints_light_and_whole(browser: Any, address: str) -> None:
    page = _open(browser, address, scheme="dark").page
    page.click("#theme-button")
    page.click("#theme-button")
    page.emulate_media(media="print")

    assert _background(page) == "rgb(253, 253, 251)"
    assert page.evaluate("getComputedStyle(document.querySelector('.tall')).maxHeight") == "none"
