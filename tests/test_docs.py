"""The docs say what the code does."""

from pathlib import Path

from rote.config.describing import describe_settings
from rote.config.loading import load_config
from rote.config.run import RunConfig
from rote.experiments.experiment import find_experiment, plan_runs

ROOT = Path(__file__).parents[1]


def test_the_settings_page_lists_every_setting_as_it_is() -> None:
    assert (ROOT / "docs" / "settings.md").read_text(encoding="utf-8").endswith(describe_settings(RunConfig))


def test_the_plain_setting_of_the_experiments_is_the_shipped_one() -> None:
    paper = load_config(RunConfig, ROOT / "configs" / "paper.yaml")
    plain = [run.config for run in plan_runs(find_experiment("plain"), seeds=1) if run.name == "plain"]
    assert plain == [paper]


def test_the_quickstart_is_short() -> None:
    assert len((ROOT / "examples" / "quickstart.py").read_text(encoding="utf-8").splitlines()) < 120
