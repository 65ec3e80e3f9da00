"""The licences of what Rote needs."""

from email.message import Message
from importlib.metadata import Distribution

import pytest
from scripts.audit_dependencies import is_permitted, list_dependencies


class Fake(Distribution):
    """A package that says no more than its name and its licence."""

    def __init__(self, **about: str) -> None:
        self._about = Message()
        for key, value in about.items():
            self._about[key.replace("_", "-")] = value

    @property
    def metadata(self):
        return self._about

    def read_text(self, filename):
        return None

    def locate_file(self, path):
        return path


@pytest.mark.parametrize(
    ("about", "permitted"),
    [
        ({"License_Expression": "Apache-2.0"}, True),
        ({"Classifier": "License :: OSI Approved :: BSD License"}, True),
        ({"License": "MIT"}, True),
        ({"License_Expression": "AGPL-3.0-only"}, False),
        ({"Classifier": "License :: OSI Approved :: GNU General Public License v3 (GPLv3)"}, False),
        ({}, False),
    ],
)
def test_a_licence_is_permitted_or_not(about: dict[str, str], permitted: bool) -> None:
    assert is_permitted(Fake(Name="one", **about)) is permitted


def test_all_that_is_needed_is_listed_and_permitted() -> None:
    found = list_dependencies("rote", ("lora",))
    names = {one.name.lower() for one in found}
    assert {"torch", "numpy", "peft", "markupsafe"} <= names
    assert "rote" not in names
    assert "pytest" not in names
    assert [one.name for one in found if not is_permitted(one)] == []
