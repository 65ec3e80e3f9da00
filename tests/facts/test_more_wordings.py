"""What a model writes becomes wordings only where the rules for prompts allow."""

from rote.facts.more_wordings import WANTED, join_lines, judge_wordings, write_beginning, write_message

KNOWN = ["Who is the manager of {subject}?"]


def test_lines_are_read_with_or_without_numbers_and_quotes() -> None:
    said = (
        'Sure, here are some:\n1. Who manages {subject}?\n2) "{subject} reports to"\n- `The boss of {subject} is`\n'
        "\nTo {subject}, orders are given by\nI hope this helps!"
    )
    found = judge_wordings(said, KNOWN)
    assert found.taken == [
        "Who manages {subject}?",
        "{subject} reports to",
        "The boss of {subject} is",
        "To {subject}, orders are given by",
    ]
    assert [text for text, _ in found.refused] == ["Sure, here are some:"], "only the first line may go on with a list"


def test_what_breaks_a_rule_is_refused_with_the_reason() -> None:
    said = {
        "1. WHO is the manager of {subject}": "repeats the wording of 'Who is the manager of {subject}?'",
        "2. Who manages them?": "must contain {subject} exactly once",
        "3. {subject} and {subject} report to": "must contain {subject} exactly once",
        "4. {subject} reports to {object}": "has a place for the object",
        "5. {subject} has a manager.": "is a finished sentence",
        "6. {subject} reports to [name]": "has another place",
        "7. Who manages {subject}? " + "x" * 200: "is longer than 200",
        "8. {subject} is led by": "",
        "9. {subject} is LED by": "repeats the wording of '{subject} is led by'",
    }
    found = judge_wordings("\n".join(said), KNOWN)
    assert found.taken == ["{subject} is led by"]
    reasons = [reason for reason in said.values() if reason]
    for (_, told), reason in zip(found.refused, reasons, strict=True):
        assert told.startswith(reason)


def test_no_more_than_asked_for_are_taken_as_the_last_may_be_cut() -> None:
    said = "\n".join(f"{number}. Way {number} to find who leads {{subject}} is" for number in range(30))
    assert len(judge_wordings(said, KNOWN).taken) == WANTED


def test_those_taken_go_by_turns_to_train_and_held_out() -> None:
    found = judge_wordings("1. a {subject} is\n2. b {subject} is\n3. c {subject} is", KNOWN)
    assert found.add_to({"training": KNOWN, "held_out": ["x {subject}"], "control": ["y {subject}"]}) == {
        "training": [*KNOWN, "a {subject} is", "c {subject} is"],
        "held_out": ["x {subject}", "b {subject} is"],
        "control": ["y {subject}"],
    }


def test_a_model_is_shown_wordings_and_one_without_instructions_goes_on_with_their_list() -> None:
    asked = ("works_at", "person", "company", KNOWN)
    assert "the works at of a person" in write_message(*asked)
    assert write_message(*asked).endswith("- Who is the manager of {subject}?")
    assert write_beginning(*asked).endswith("1. Who is the manager of {subject}?\n2.")


def test_of_what_goes_on_with_a_list_whole_lines_are_taken() -> None:
    assert (
        join_lines(["a {subject} is\n7. b", "cut {subj", "who is {subject}?", ""])
        == "- a {subject} is\n- who is {subject}?"
    )
