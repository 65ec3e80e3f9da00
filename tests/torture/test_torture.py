"""A small part of `make torture`, and the judge of its cases."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.torture.damage import list_targets
from tests.torture.processes import Ended
from tests.torture.verdicts import SAID, SAME, SILENT, TRACEBACK, UNCLEAR, is_clear, judge
from tests.torture.writes import describe_path

ROOT = Path(__file__).parents[2]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no forks")
def test_a_few_cases_of_each_part_find_nothing() -> None:
    """In a process of its own, as forks and the threads of other tests do not go together."""
    command = [sys.executable, "-m", "tests.torture", "--quick", "--seed", "0", "--processes", "1"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    last = [cell.strip() for cell in done.stdout.splitlines()[-1].split("|")]
    cases, kills, same, said, *findings = map(int, last[2:-1])
    assert findings == [0, 0, 0]
    assert cases == same + said >= 200
    assert kills >= 5


GOOD = "rote: facts.csv: row 2: the object is empty; write one\n"


@pytest.mark.parametrize(
    ("code", "said", "difference", "may_refuse", "kind"),
    [
        (0, "", "", False, SAME),
        (3, "", "", True, SAME),
        (0, "", "mine/summary.json", True, SILENT),
        (2, GOOD, "", True, SAID),
        (2, GOOD, "", False, UNCLEAR),
        (2, "rote: it failed\n", "", True, UNCLEAR),
        (2, GOOD + "more\n", "", True, UNCLEAR),
        (1, "Traceback (most recent call last):\n", "", True, TRACEBACK),
        (0, "Traceback (most recent call last):\n", "", True, TRACEBACK),
        (-11, "", "", True, TRACEBACK),
        (124, "", "", True, UNCLEAR),
    ],
)
def test_what_comes_of_a_case_is_judged(code: int, said: str, difference: str, may_refuse: bool, kind: str) -> None:
    assert judge(Ended(code, "", said), lambda: difference, may_refuse=may_refuse).kind == kind


@pytest.mark.parametrize(
    "said", ["", "facts.csv: is empty; add a row\n", f"rote: a: {'x' * 3_000}; mend it\n", GOOD * 2]
)
def test_what_is_no_one_clear_line(said: str) -> None:
    assert not is_clear(said)


def test_moments_of_a_kind_have_one_name() -> None:
    assert describe_path("mine/identity.json.0badcafe-123.draft") == "mine/identity.json.draft"
    assert (
        describe_path("store/stages/0123456789abcdef/checkpoints/step-00000007") == "store/stages/*/checkpoints/step-*"
    )


def test_all_that_a_run_made_is_a_target(tmp_path: Path) -> None:
    for name in ("mine/model/config.json", "store/jobs/a.json", "facts.csv"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    found = [path.relative_to(tmp_path).as_posix() for path in list_targets(tmp_path)]
    assert found == ["mine/model", "mine/model/config.json", "store/jobs", "store/jobs/a.json"]
