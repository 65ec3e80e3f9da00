"""The licences of what Rote needs."""

from email.message import Message
from importlib.metadata import Distribution

import pytest
from scripts.audit_dependencies import is_permitted, list_dependencies, tell


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
        ({"License_Expression": "GPL-3.0-only AND MIT"}, False),
        ({"License_Expression": "GPL-2.0-or-later OR MIT"}, True),
        ({"License": "Proprietary EULA for example"}, False),
        ({"License": "Terms of ours, without any warranty, expressed or implied"}, False),
        ({"Classifier": "License :: OSI Approved :: GNU Lesser General Public License v3 (LGPLv3)"}, True),
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


def test_what_nobody_was_asked_about_is_not_said_to_be_sound(capsys: pytest.CaptureFixture[str]) -> None:
    sound, skipped = {"name": "a", "version": "1", "vulns": []}, {"name": "b", "skip_reason": "not found"}
    assert tell([sound, skipped]) == 0
    said = "weaknesses: 2 packages, 0 with known ones; 1 are not known to the service, or it cannot be reached\n"
    assert capsys.readouterr().out == said


def test_a_known_weakness_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert tell([{"name": "a", "version": "1", "vulns": [{"id": "PYSEC-1"}, {"id": "PYSEC-2"}]}]) == 1
    assert capsys.readouterr().err == "a==1: PYSEC-1, PYSEC-2\n"
