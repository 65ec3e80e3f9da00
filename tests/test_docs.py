"""The docs say what the code does."""

import re
from pathlib import Path

import pytest

from rote.config.audit import AuditConfig
from rote.config.describing import describe_settings
from rote.config.forgetting import ForgetConfig
from rote.config.job import Config
from rote.config.loading import PRESETS, load_config
from rote.config.sizes import fit_config
from rote.experiments.experiment import build_experiment_config, list_experiments
from rote.models.loading import count_parameters
from rote.version import __version__

ROOT = Path(__file__).parents[1]


def test_the_settings_page_lists_every_setting_as_it_is() -> None:
    page = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
    assert describe_settings(Config()) in page
    assert describe_settings(AuditConfig()) in page
    assert describe_settings(ForgetConfig()) in page


@pytest.mark.parametrize("preset", sorted(path.stem for path in PRESETS.glob("*.yaml")))
def test_every_preset_is_on_the_settings_page_and_sets_no_learning_rate(preset: str) -> None:
    assert f"`{preset}`" in (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
    content = load_config(Config, Path(preset))
    for phase in ("memorize", "generalize", "fine_tune", "repurpose"):
        assert getattr(content, phase).learning_rate == getattr(Config(), phase).learning_rate, phase


def test_the_plain_setting_of_the_experiments_is_that_of_the_paper_preset() -> None:
    paper = fit_config(load_config(Config, Path("paper")), count_parameters(Config().model))
    plain = build_experiment_config({"memorize.min_steps": 0, "generalize.min_steps": 0, "generalize.epochs": 3})
    for part in ("seed", "key_token", "memorize", "generalize", "retain"):
        assert getattr(plain, part) == getattr(paper, part), part


@pytest.mark.parametrize("name", ["plain", "targets"])
def test_the_default_setting_of_the_experiments_is_that_of_a_run(name: str) -> None:
    experiment = list_experiments()[name]
    default = build_experiment_config({**experiment.base, **experiment.runs["default"]})
    usual = fit_config(Config(), count_parameters(Config().model))
    for part in ("seed", "key_token", "memorize", "generalize", "retain"):
        assert getattr(default, part) == getattr(usual, part), part


def test_every_room_is_drawn_and_has_a_line() -> None:
    page = (ROOT / "docs" / "rooms.md").read_text(encoding="utf-8")
    rooms = {path.parent.name for path in (ROOT / "src" / "rote").glob("*/__init__.py")}
    drawing = page[page.index("```") : page.rindex("```")]
    assert set(re.findall(r"\b[a-z]+\b", drawing)) >= rooms
    assert set(re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE)) == rooms


def test_every_command_is_in_the_readme() -> None:
    page = (ROOT / "README.md").read_text(encoding="utf-8")
    commands = {path.stem for path in (ROOT / "src" / "rote" / "cli").glob("*.py")}
    commands -= {"__init__", "main", "options", "progress", "stopping", "tables", "tracking"}
    assert commands
    for command in commands:
        assert f"| `rote {command.replace('_', ' ')}" in page, command


PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_every_link_to_a_file_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+?)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
        assert target.startswith("http") or (page.parent / target).exists(), target


def test_the_version_to_cite_is_that_of_the_code() -> None:
    assert f"\nversion: {__version__}\n" in (ROOT / "CITATION.cff").read_text(encoding="utf-8")
