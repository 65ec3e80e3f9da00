"""Help is quick and says what each command is for."""

import resource
import subprocess
import sys

import pytest
from tests.cli.conftest import call_rote

from rote.version import __version__

COMMANDS = (
    "run",
    "examine",
    "report",
    "ask",
    "reproduce",
    "results",
    "sweep",
    "compare",
    "audit",
    "pretrain",
    "facts invent",
    "facts validate",
    "facts show",
)

_HELP = """
import sys
from rote.cli.main import main
sys.argv = ["rote", "--help"]
try:
    main()
finally:
    print({"torch", "transformers", "pyarrow", "numpy", "pydantic"} & {*sys.modules}, file=sys.stderr)
"""


def spend() -> float:
    """Seconds of processor time that children of this process have taken so far."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def test_help_is_quick_and_loads_nothing_heavy() -> None:
    seconds = []
    for _ in range(3):  # the first may have to compile the modules
        before = spend()
        done = subprocess.run([sys.executable, "-c", _HELP], capture_output=True, text=True, check=True)
        seconds.append(spend() - before)
        assert "Teach a table of facts" in done.stdout
        assert done.stderr.strip() == "set()"
    assert min(seconds) < 0.5


def test_the_version() -> None:
    outcome = call_rote("--version")
    assert (outcome.code, outcome.out, outcome.err) == (0, f"rote {__version__}\n", "")


def test_every_command_is_listed() -> None:
    outcome = call_rote("--help")
    assert outcome.code == 0
    for command in COMMANDS:
        assert f"\n  {command.split()[0]} " in outcome.out


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_says_what_it_does_with_an_example(command: str) -> None:
    outcome = call_rote(*command.split(), "--help")
    assert outcome.code == 0
    assert f"Example: rote {command} " in " ".join(outcome.out.split())


def test_the_example_of_a_table_command_works() -> None:
    outcome = call_rote("facts", "show", "--count", "1")
    assert outcome.code == 0
    assert outcome.out.count(" -> ") == 5
