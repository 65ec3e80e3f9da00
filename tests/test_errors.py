"""Words for what went wrong."""

import pytest

from rote.errors import explain_yaml, first_line, nearest
from rote.text_files import load_yaml


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (ValueError("no such column\nTraceback ..."), "no such column"),
        (OSError("\n  broken pipe  \nmore"), "broken pipe"),
        (KeyError(), "KeyError"),
        (RuntimeError("  \n"), "RuntimeError"),
    ],
)
def test_an_error_of_somebody_elses_is_told_in_one_line(error: Exception, line: str) -> None:
    assert first_line(error).strip() == line


def test_the_nearest_name_is_found_however_far_it_is() -> None:
    assert nearest("capitol", ["mother", "capital"]) == "capital"
    assert nearest("zzz", ("mother",)) == "mother"


@pytest.mark.parametrize("text", ["a: 1\nb: \0", "a: 1\nb: \x0b", "a: 1\nb: \x7f"])
def test_a_character_that_yaml_does_not_allow_is_named_with_its_place(text: str) -> None:
    with pytest.raises(Exception, match="unacceptable character") as caught:
        load_yaml(text)
    assert explain_yaml(caught.value) == f"character 9 is U+{ord(text[-1]):04X}, which YAML does not allow; take it out"


def test_bytes_that_are_no_text_are_named_with_their_line() -> None:
    with pytest.raises(UnicodeDecodeError) as caught:
        b"a: 1\nb: \xff".decode()
    assert explain_yaml(caught.value) == "line 2: is no UTF-8 text; save the file as UTF-8"
