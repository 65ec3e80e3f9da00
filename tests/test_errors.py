"""Words for what went wrong."""

import pytest

from rote.errors import first_line, nearest


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
