"""The quickstart notebook is stored with what it printed, clear of any machine, and still does what it shows."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

import rote

NOTEBOOK = Path(__file__).parents[1] / "examples" / "quickstart.ipynb"


def list_cells(notebook: Any) -> list[Any]:
    return [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]


def read_print(cell: Any) -> str:
    return "".join("".join(output["text"]) for output in cell["outputs"] if output["output_type"] == "stream")


def has_picture(cell: Any) -> bool:
    return any("image/png" in output.get("data", {}) for output in cell["outputs"])


def check_outputs(cells: list[Any]) -> None:
    assert [cell["execution_count"] for cell in cells] == list(range(1, len(cells) + 1)), "run once, from the top"
    assert all(cell["outputs"] for cell in cells)
    assert [has_picture(cell) for cell in cells].count(True) == 1
    assert read_print(cells[0]).count(" - mother - ") == 3
    answers = read_print(cells[-1]).splitlines()
    assert len(answers) == 5
    assert sum(line.startswith("right | ") for line in answers) >= 3, "held-out facts, in wordings never taught"


def test_it_is_stored_as_it_ran_and_names_no_place_of_a_machine() -> None:
    text = NOTEBOOK.read_text(encoding="utf-8")
    cells = list_cells(json.loads(text))
    check_outputs(cells)
    pictures = re.compile(r'"image/png": "[^"]*"')
    assert not re.search(r"/(home|root|tmp|work|Users|usr|mnt)/", pictures.sub("", text))


def test_it_uses_public_names_alone() -> None:
    source = "\n".join("".join(cell["source"]) for cell in list_cells(json.loads(NOTEBOOK.read_text(encoding="utf-8"))))
    used = set(re.findall(r"\brote\.(\w+)", source))
    assert used
    assert used <= set(rote.__all__)
    assert not re.search(r"(from|import) rote\.", source)


@pytest.mark.slow
def test_it_does_again_what_it_shows(tmp_path: Path) -> None:
    nbformat = pytest.importorskip("nbformat")
    nbclient = pytest.importorskip("nbclient")
    pytest.importorskip("ipykernel")
    pytest.importorskip("matplotlib")
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    nbformat.validate(notebook)
    place = {"metadata": {"path": str(tmp_path)}}
    nbclient.NotebookClient(notebook, timeout=900, kernel_name="python3", resources=place).execute()
    check_outputs(list_cells(notebook))
