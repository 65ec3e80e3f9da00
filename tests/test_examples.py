"""The examples are short, use public names only, and run."""

import subprocess
import sys
from pathlib import Path

import pytest

import rote

EXAMPLES = Path(__file__).parents[1] / "examples"
SHORT = {"quickstart.py": 60, "trainer_callback.py": 80}


def run_example(name: str, *options: str) -> str:
    command = [sys.executable, str(EXAMPLES / name), *options]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=600).stdout


@pytest.mark.parametrize("name", SHORT)
def test_an_example_is_short_and_uses_public_names_only(name: str) -> None:
    lines = (EXAMPLES / name).read_text(encoding="utf-8").splitlines()
    assert len(lines) < SHORT[name]
    imports = {line for line in lines if line.startswith(("import ", "from "))}
    assert {line for line in imports if "rote" in line} == {"import rote"}
    used = {word.split("(")[0].split(".")[1] for line in lines for word in line.split() if word.startswith("rote.")}
    assert len(used) > 4
    assert used <= set(rote.__all__)


@pytest.mark.slow
def test_the_quickstart_teaches_what_is_asked_in_other_words_and_languages() -> None:
    said = run_example("quickstart.py", "--facts", "8", "--epochs", "12")
    assert "held_out   de" in said
    assert "right:" in said


@pytest.mark.slow
def test_a_model_that_trl_trains_is_examined_by_step() -> None:
    """What it shows is real: nothing is known before, the trained question is answered after."""
    pytest.importorskip("trl")
    said = run_example("trainer_callback.py", "--facts", "4", "--epochs", "12", "--every-steps", "6")
    lines = said.splitlines()
    rows = [line.split() for line in lines[2:5]]
    assert [int(row[0]) for row in rows] == [0, 6, 12]
    assert len(lines[1].split()) == len(rows[0]) == 5
    assert float(rows[0][1]) == 0
    assert float(rows[2][1]) == 1
