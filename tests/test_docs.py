"""The docs say what the code does."""

from pathlib import Path

from rote.config.audit import AuditConfig
from rote.config.describing import describe_settings
from rote.config.job import Config
from rote.config.loading import load_config
from rote.experiments.experiment import list_experiments, plan_runs

ROOT = Path(__file__).parents[1]


def test_the_settings_page_lists_every_setting_as_it_is() -> None:
    page = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
    assert describe_settings(Config()) in page
    assert describe_settings(AuditConfig()) in page


def test_the_default_setting_of_the_experiments_is_that_of_a_run() -> None:
    for name in ("plain", "targets"):
        configs = {run.name: run.request.config for run in plan_runs(list_experiments()[name], seeds=1)}
        for part in ("seed", "key_token", "memorize", "generalize", "retain"):
            assert getattr(configs["default"], part) == getattr(Config(), part), f"{name}: {part}"


def test_the_plain_setting_of_the_experiments_is_the_preset_of_the_paper() -> None:
    paper = load_config(Config, Path("paper"))
    (plain,) = [run.request.config for run in plan_runs(list_experiments()["plain"], seeds=1) if run.name == "plain"]
    for part in ("seed", "key_token", "memorize", "generalize"):
        assert getattr(plain, part) == getattr(paper, part), part
    assert paper.retain.texts == 0
    assert plain.retain.weight == 0, "the texts are written so that the known facts are those of the default"


def test_every_room_is_on_the_page_that_draws_them() -> None:
    page = (ROOT / "docs" / "rooms.md").read_text(encoding="utf-8")
    rooms = [path.name for path in (ROOT / "src" / "rote").iterdir() if (path / "__init__.py").is_file()]
    assert len(rooms) > 10
    assert not [room for room in rooms if f"`{room}`" not in page and f"{room} " not in page]
