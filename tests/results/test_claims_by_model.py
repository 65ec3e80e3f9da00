"""What is said in a few lines of claims that several models were asked."""

import pytest

from rote.experiments.claims import ClaimRow
from rote.results.claims_by_model import sum_up
from rote.results.entries import Entry

_REASONS = {"a": ("measured", "few weights"), "b": ("measured", ""), "c": ("probable", "few facts")}
_REASONS["d"] = _REASONS["c"]


def build_entry(model: str, **verdicts: str) -> Entry:
    """An experiment of a model, with the verdict on each claim by its name."""
    reasons = {name: _REASONS[name] for name in verdicts if model == "rote-tiny" and verdicts[name] != "holds"}
    claims = [
        ClaimRow(
            claim=name,
            text=f"Claim {name}",
            experiment="e",
            model=model,
            paper="",
            ours=0.5,
            low=0.4,
            high=0.6,
            seeds=2,
            n=20,
            bound=">= 0.5",
            verdict=verdict,
            why=f"why {name}" * (name in reasons),
            basis=reasons.get(name, ("", ""))[0],
            cause=reasons.get(name, ("", ""))[1],
            stale=False,
        )
        for name, verdict in verdicts.items()
    ]
    return Entry("e", "E", "d", "c", model, 2, "code", tables=(), claims=claims)


def list_items(*entries: Entry) -> tuple[str, tuple[str, ...]]:
    """The one line of what several models were asked, and what is listed under it."""
    (line,) = (line for line in sum_up(entries) if line.heading)
    return line.text, line.items


def test_models_without_a_claim_in_common_are_counted_alone() -> None:
    lines = sum_up([build_entry("another", b="open"), build_entry("rote-tiny", a="holds", c="does not hold")])
    assert [line.text for line in lines] == [
        "rote-tiny: 2 claims, 1 held, 0 left open, 1 not held (2 seeds a claim; 0 stale).",
        "another: 1 claim, 0 held, 1 left open (1 on fewer than 50 questions), 0 not held (2 seeds a claim; 0 stale).",
        "No claim was measured on more than one model yet.",
        "Measured on another alone: 1 claim, 0 held, 1 left open (1 on fewer than 50 questions), 0 not held. They are "
        "below.",
        "Measured on rote-tiny alone: 2 claims, 1 held, 0 left open, 1 not held. They are below.",
        "Why claims do not hold (1 verdict, their reasons 1 probable):",
    ]


def test_what_fails_most_claims_is_said_first() -> None:
    fails = "does not hold"
    *_, why = sum_up([build_entry("rote-tiny", a=fails, b=fails, c=fails, d=fails), build_entry("another", a=fails)])
    assert why.text == "Why claims do not hold (5 verdicts, their reasons 2 measured, 2 probable, 1 not examined):"
    assert why.items == ("Few facts (2).", "Few weights (1).", "A reason that no other claim shares, or none (2).")


def test_what_holds_on_all_stands_in_one_line() -> None:
    both = [build_entry(model, a="holds", b="holds") for model in ("rote-tiny", "another")]
    listed = ("Claim a; Claim b: holds on rote-tiny and another.",)
    assert list_items(*both) == ("Holds on every model measured (2 claims): Claim a; Claim b.", listed)


@pytest.mark.parametrize(
    ("ours", "theirs", "kind", "item"),
    [
        (
            "holds",
            "does not hold",
            "Holds on some, fails on others (1 claim): Claim a.",
            "Claim a: holds on rote-tiny, does not hold on another.",
        ),
        (
            "holds",
            "open",
            "Holds on some, left open on others (1 claim): E.",
            "Claim a: holds on rote-tiny, is open on another.",
        ),
        (
            "does not hold",
            "does not hold",
            "Holds on none (1 claim): Claim a.",
            "Claim a: does not hold on rote-tiny and another.",
        ),
        ("open", "open", "Not settled (1 claim): E.", "Claim a: is open on rote-tiny and another."),
        (
            "does not hold",
            "open",
            "Not settled (1 claim): E.",
            "Claim a: is open on another, does not hold on rote-tiny.",
        ),
    ],
)
def test_an_open_verdict_is_no_verdict(ours: str, theirs: str, kind: str, item: str) -> None:
    text, (only,) = list_items(build_entry("rote-tiny", a=ours), build_entry("another", a=theirs))
    assert text == kind
    assert only.startswith(item)


@pytest.mark.parametrize(
    ("theirs", "said"), [("does not hold", " On another: the reason was not examined."), ("open", "")]
)
def test_the_reason_on_one_model_is_not_taken_for_that_on_another(theirs: str, said: str) -> None:
    _, (item,) = list_items(build_entry("rote-tiny", a="open"), build_entry("another", a=theirs))
    assert item.endswith(f". On rote-tiny: why a.{said}")


def test_a_reason_that_models_share_is_said_once() -> None:
    _, (item,) = list_items(*(build_entry(name, a="does not hold") for name in ("one", "two", "six")))
    assert item.endswith(": does not hold on one, two and six. On one, two and six: the reason was not examined.")


def test_claims_with_other_reasons_have_a_line_each() -> None:
    text, items = list_items(build_entry("rote-tiny", a="open", b="open"), build_entry("another", a="open", b="open"))
    assert text == "Not settled (2 claims): E."
    assert items == tuple(f"Claim {x}: is open on rote-tiny and another. On rote-tiny: why {x}." for x in "ab")
