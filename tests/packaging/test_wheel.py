"""The wheel holds what Rote needs and nothing else: installed away from the checkout, it does the main job."""

import importlib.util
import os
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest
from tests.cli.conftest import SMALL, TABLE

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]


def call(*words: str | Path, folder: Path, codes: tuple[int, ...] = (0,)) -> str:
    """Run a command without a trace of the checkout in its surroundings; what it printed."""
    env = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
    done = subprocess.run(list(map(str, words)), cwd=folder, env=env, capture_output=True, text=True, check=False)
    assert done.returncode in codes, done.stderr[-3000:]
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built with the hatchling that is installed; where there is none, pip fetches one."""
    out = tmp_path_factory.mktemp("wheel")
    alone = ["--no-build-isolation"] if importlib.util.find_spec("hatchling") else []
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "wheel", "--quiet", "--no-deps", *alone)
    call(*pip, "--wheel-dir", out, ROOT, folder=out)
    return next(out.glob("rote-*.whl"))


@pytest.fixture(scope="module")
def fresh(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs of an environment that has the wheel and, from the one of the tests, what it depends on."""
    folder = tmp_path_factory.mktemp("fresh")
    call(sys.executable, "-m", "venv", "--without-pip", folder / "venv", folder=folder)
    programs = folder / "venv" / "bin"
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", programs / "python", "install")
    call(*pip, "--quiet", "--no-deps", "--no-index", wheel, folder=folder)
    # A line of a .pth file is a place and no more: the .pth of an editable install in it is not followed.
    packages = next((folder / "venv").glob("lib/python*/site-packages"))
    (packages / "dependencies.pth").write_text(f"{sysconfig.get_path('purelib')}\n", encoding="utf-8")
    found = call(programs / "python", "-c", "import rote; print(rote.__file__)", folder=folder)
    assert Path(found.strip()).is_relative_to(packages)
    return programs


def test_it_holds_every_file_of_the_package_and_no_test(wheel: Path) -> None:
    names = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    source = ROOT / "src"
    files = {path for path in (source / "rote").rglob("*") if path.is_file() and "__pycache__" not in path.parts}
    assert names == {path.relative_to(source).as_posix() for path in files}


def test_what_it_says_of_itself_holds(wheel: Path) -> None:
    archive = zipfile.ZipFile(wheel)
    name = next(name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
    lines = archive.read(name).decode().splitlines()
    assert "Name: rote" in lines
    assert "License-Expression: Apache-2.0" in lines
    assert any(line.startswith("Project-URL: ") for line in lines)
    assert "Requires-Python: >=3.11" in lines


def test_the_main_job_is_done_from_it(fresh: Path, tmp_path: Path) -> None:
    (tmp_path / "facts.csv").write_text(TABLE, encoding="utf-8")
    rote = fresh / "rote"
    call(
        rote, "run", "facts.csv", "--out", "mine", *SMALL, folder=tmp_path, codes=(0, 3)
    )  # so little may teach nothing
    assert "Gene Finley" in (tmp_path / "mine" / "report.html").read_text(encoding="utf-8")
    assert call(rote, "ask", "mine/model", "Who is Gene Finley's mother?", "--base", "rote-tiny", folder=tmp_path)


@pytest.mark.parametrize(
    "words",
    [
        ("run", "--config", "paper", "--dry-run"),
        ("facts", "invent", "--count", "2"),
        ("facts", "show"),
        ("prompts", "new", "manager"),
        ("reproduce", "main", "--dry-run"),
        ("env",),
    ],
    ids=" ".join,
)
def test_files_that_other_commands_read_are_there(fresh: Path, tmp_path: Path, words: tuple[str, ...]) -> None:
    assert call(fresh / "rote", *words, folder=tmp_path)
