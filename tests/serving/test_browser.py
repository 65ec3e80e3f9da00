"""The pages in the system's Chromium, from the real server: no console error, no foreign request, names stay text."""

import os
import shutil
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

import pytest
from tests.serving.conftest import HOSTILE, HOSTILE_OBJECT

from rote.serving.app import Pages
from rote.serving.server import Place, open_place, serve_forever

playwright_api = pytest.importorskip("playwright.sync_api", reason="the browser test needs the playwright package")
CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
if CHROMIUM is None:
    pytest.skip("the browser test needs Chromium (apt-get install chromium)", allow_module_level=True)

pytestmark = pytest.mark.browser
ARGUMENTS = ("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update")
PAGES = ("/", "/facts", "/facts?show=wrong", "/facts/0", "/side-effects", "/compare")
Scheme = Literal["light", "dark"]


@dataclass
class Opened:
    """A page that is open, what it complained of, and what it asked for."""

    page: Any
    root: str
    problems: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def check(self) -> None:
        """Nothing went wrong, and nobody else was asked for anything."""
        assert self.problems == []
        assert [url for url in self.requests if not url.startswith(f"{self.root}/")] == []

    def ask(self, question: str) -> Any:
        """Ask with the keyboard; the exchange once it is done."""
        self.page.keyboard.press("/") if self.page.evaluate("document.activeElement.id") != "question" else None
        self.page.fill("#question", question)
        self.page.keyboard.press("Enter")
        exchange = self.page.locator("article.exchange[data-done]").first
        playwright_api.expect(exchange.locator(".asked")).to_have_text(question)
        return exchange


@pytest.fixture(scope="module")
def place(pages: Pages) -> Iterator[Place]:
    """The real server; the thread ends with the tests."""
    with open_place("127.0.0.1", 0) as place:
        started = threading.Event()
        options: dict[str, Any] = {"on_start": started.set}
        threading.Thread(target=lambda: serve_forever(pages.build_app(), place, **options), daemon=True).start()
        assert started.wait(30)
        yield place


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with playwright_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(ARGUMENTS))
        yield browser
        browser.close()


@pytest.fixture
def opened(browser: Any, place: Place) -> Iterator[Opened]:
    yield from enter(browser, place)


def enter(browser: Any, place: Place, *, scheme: Scheme = "light", width: int = 1200) -> Iterator[Opened]:
    """Open the address that is printed, in a browser that has never been here."""
    context = browser.new_context(color_scheme=scheme, viewport={"width": width, "height": 844})
    page, root = context.new_page(), f"http://127.0.0.1:{place.port}"
    opened = Opened(page, root)
    page.on("console", lambda message: opened.problems.append(f"console: {message.text}"))
    page.on("pageerror", lambda error: opened.problems.append(f"error: {error}"))
    page.on("request", lambda request: opened.requests.append(request.url))
    page.goto(place.address)
    page.wait_for_url(f"{root}/")
    page.wait_for_selector("#ask")
    yield opened
    context.close()


def test_a_question_is_answered_by_both_models(opened: Opened) -> None:
    exchange = opened.ask("Who is Gene Finley's mother?")
    assert exchange.locator(".match").inner_text() == "taught"
    for side in ("taught", "base"):
        said = exchange.locator(f'[data-side="{side}"] .said').inner_text()
        assert said[0] in "✓✗"
        assert len(said) > 3
    cells = exchange.locator(".likeliest tbody td.number").all_inner_texts()
    assert len(cells) in range(2, 13, 2), "up to three candidates of each, as each judges them"
    assert all(cell.endswith("%") for cell in cells)
    exchange.locator("summary").click()
    assert exchange.locator("details li").count() > 2
    opened.check()


def test_what_was_asked_stays_and_comes_back_with_the_arrows(opened: Opened) -> None:
    opened.ask("Gene Finley's mother is")
    opened.ask("Ann Bell's mother is")
    assert opened.page.locator(".asked").all_inner_texts() == ["Ann Bell's mother is", "Gene Finley's mother is"]
    opened.page.keyboard.press("ArrowUp")
    opened.page.keyboard.press("ArrowUp")
    assert opened.page.input_value("#question") == "Gene Finley's mother is"
    opened.page.reload()
    assert opened.page.locator(".asked").count() == 0
    opened.check()


def test_a_fact_is_found_and_opened_with_the_keyboard_alone(opened: Opened) -> None:
    page = opened.page
    page.goto(f"{opened.root}/facts")
    page.keyboard.press("/")
    page.keyboard.type("ann bell")
    page.keyboard.press("Enter")
    page.wait_for_url("**/facts?q=ann+bell*")
    assert page.locator("[data-list] a").count() == 1
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.wait_for_url("**/facts/*")
    assert page.inner_text("h1") == "Ann Bell – mother – Mia Dorn"
    assert page.locator(".wording").count() > 3
    before = page.url
    page.keyboard.press("ArrowRight" if page.locator('a[rel="next"]').count() else "ArrowLeft")
    page.wait_for_function("before => location.href !== before", arg=before)
    opened.check()


def test_a_filter_is_applied_when_it_is_clicked(opened: Opened) -> None:
    opened.page.goto(f"{opened.root}/facts")
    opened.page.get_by_label("wrong now").click()
    opened.page.wait_for_url("**show=wrong*")
    assert opened.page.get_by_label("wrong now").is_checked()
    opened.check()


@pytest.mark.parametrize(("scheme", "color"), [("light", "rgb(253, 253, 251)"), ("dark", "rgb(21, 24, 27)")])
def test_the_theme_is_that_of_the_system(browser: Any, place: Place, scheme: Scheme, color: str) -> None:
    for opened in enter(browser, place, scheme=scheme):
        for address in PAGES:
            opened.page.goto(f"{opened.root}{address}")
            assert opened.page.evaluate("getComputedStyle(document.body).backgroundColor") == color
        opened.check()


def test_a_phone_does_not_scroll_sideways(browser: Any, place: Place) -> None:
    for opened in enter(browser, place, width=390):
        opened.ask(f"Who is {HOSTILE}'s mother?").locator("summary").click()
        assert opened.page.evaluate("document.documentElement.scrollWidth") <= 390
        for address in PAGES:
            opened.page.goto(f"{opened.root}{address}")
            assert opened.page.evaluate("document.documentElement.scrollWidth") <= 390, address
        opened.check()


def test_hostile_names_run_nothing(opened: Opened) -> None:
    exchange = opened.ask(f"Who is {HOSTILE}'s mother?")
    assert exchange.locator("summary").inner_text().startswith(f"{HOSTILE} – mother – {HOSTILE_OBJECT}")
    opened.page.goto(f"{opened.root}/facts?q=onerror")
    opened.page.click("[data-list] a")
    opened.page.wait_for_selector(".wording")
    assert opened.page.inner_text("h1") == f"{HOSTILE} – mother – {HOSTILE_OBJECT}"
    for address in ("/facts", opened.page.url.removeprefix(opened.root), "/compare"):
        opened.page.goto(f"{opened.root}{address}")
        assert opened.page.locator("img").count() == 0
        assert "hacked" not in opened.page.title()[:6]
    opened.check()


def test_a_page_of_another_server_cannot_read_or_frame_it(browser: Any, place: Place, opened: Opened) -> None:
    """A page of another origin in the same browser, which has the cookie: same address, another port."""
    page = opened.page
    page.route(
        "http://127.0.0.1:1/", lambda route: route.fulfill(body="<title>other</title>", content_type="text/html")
    )
    page.goto("http://127.0.0.1:1/")
    for address, body in (("/facts", None), ("/ask", '{"question": "Who?"}')):
        read = page.evaluate(
            """([url, method, body]) => fetch(url, {method, body, credentials: "include"})
                .then(answer => answer.text(), () => "refused")""",
            [f"{opened.root}{address}", "POST" if body else "GET", body],
        )
        assert read == "refused"
    page.set_content(f'<iframe src="{opened.root}/facts"></iframe>')
    page.wait_for_timeout(500)
    assert "Facts" not in "".join(frame.content() for frame in page.frames[1:])
