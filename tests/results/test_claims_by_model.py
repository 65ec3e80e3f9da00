"""What is said of claims that several models were asked."""

import pytest

from rote.experiments.claims import ClaimRow
from rote.results.claims_by_model import compare_models
from rote.results.entries import Entry

_REASONS = {"a": ("measured", "few weights"), "b": ("measured", ""), "c": ("probable", "few facts")}
_REASONS["d"] = ("measured", "few facts")


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
            made_of="",
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
    """The heading of what several models were asked, and what is listed under it."""
    first = next(compare_models(entries))
    return first.heading, first.items


def test_what_one_model_alone_was_asked_is_listed_by_verdict() -> None:
    theirs = build_entry("another", b="open")
    found = list(compare_models([theirs, build_entry("rote-tiny", a="holds", c="does not hold", d="holds")]))
    assert [(group.heading, group.items) for group in found[:2]] == [
        ("Asked of another alone (1 claim)", ("Is open: Claim b.",)),
        ("Asked of rote-tiny alone (3 claims)", ("Holds: Claim a; Claim d.", "Does not hold: Claim c.")),
    ]


def test_what_fails_most_claims_is_said_first_and_what_that_rests_on() -> None:
    fails = "does not hold"
    own = build_entry("rote-tiny", a=fails, b=fails, c=fails, d=fails)
    *_, why = compare_models([own, build_entry("another", a=fails)])
    assert why.heading == "Why claims do not hold (5 verdicts)"
    assert why.items == (
        "Few facts (1 measured, 1 probable).",
        "Few weights (1 measured).",
        "A reason that no other claim shares, or none (1 measured, 1 not examined).",
    )


def test_what_holds_on_all_stands_in_one_line() -> None:
    both = [build_entry(model, a="holds", b="holds") for model in ("rote-tiny", "another")]
    listed = ("Claim a; Claim b: holds on rote-tiny and another.",)
    assert list_items(*both) == ("Holds on every model asked (2 claims)", listed)


@pytest.mark.parametrize(
    ("ours", "theirs", "kind", "item"),
    [
        ("holds", "does not hold", "Holds on some, fails on others", "holds on rote-tiny, does not hold on another."),
        ("holds", "open", "Holds on some, open on others", "holds on rote-tiny, is open on another."),
        ("does not hold", "does not hold", "Holds on none", "does not hold on rote-tiny and another."),
        ("open", "open", "Not settled", "is open on rote-tiny and another."),
        ("does not hold", "open", "Not settled", "is open on another, does not hold on rote-tiny."),
    ],
)
def test_an_open_verdict_is_no_verdict(ours: str, theirs: str, kind: str, item: str) -> None:
    heading, (only,) = list_items(build_entry("rote-tiny", a=ours), build_entry("another", a=theirs))
    assert heading == f"{kind} (1 claim)"
    assert only.startswith(f"Claim a: {item}")


@pytest.mark.parametrize(
    ("theirs", "said"), [("does not hold", " On another: the reason was not examined."), ("open", "")]
)
def test_the_reason_on_one_model_is_not_taken_for_that_on_another(theirs: str, said: str) -> None:
    _, (item,) = list_items(build_entry("rote-tiny", a="open"), build_entry("another", a=theirs))
    assert item.endswith(f". On rote-tiny: why a.{said}")


def test_a_reason_that_models_share_is_said_once() -> None:
    _, (item,) = list_items(*(build_entry(name, a="does not hold") for name in ("one", "two", "six")))
    assert item.endswith(": does not hold on one, two and six. On one, two and six: the reason was not examined.")


def test_claims_with_other_reasons_have_an_item_each() -> None:
    heading, items = list_items(
        build_entry("rote-tiny", a="open", b="open"), build_entry("another", a="open", b="open")
    )
    assert heading == "Not settled (2 claims)"
    assert items == tuple(f"Claim {x}: is open on rote-tiny and another. On rote-tiny: why {x}." for x in "ab")
