"""The docs say what the code does."""

from pathlib import Path

from rote.config.run import RunConfig
from rote.config.trial import TrialConfig

from rote.config.audit import AuditConfig
from rote.config.describing import describe_settings
from rote.config.loading import load_config
from rote.config.teaching import GeneralizeConfig, RetainConfig
from rote.experiments.experiment import list_experiments, plan_runs
from rote.methods.memorize_then_generalize import count_shown

ROOT = Path(__file__).parents[1]


def test_the_settings_page_lists_every_setting_as_it_is() -> None:
    page = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
    assert describe_settings(RunConfig()) in page
    assert describe_settings(TrialConfig()) in page
    assert describe_settings(AuditConfig()) in page


def test_the_plain_setting_of_the_experiments_is_the_shipped_one() -> None:
    paper = load_config(RunConfig, ROOT / "configs" / "paper.yaml")
    (plain,) = [run.config for run in plan_runs(list_experiments()["plain"], seeds=1) if run.name == "plain"]
    for config in (plain, TrialConfig()):
        for part in ("seed", "key_token", "memorize", "generalize"):
            assert getattr(config, part) == getattr(paper, part), part
    assert TrialConfig().retain == paper.retain
    # Nothing is retained here either; the texts are written so that the known facts are those of the default.
    assert plain.retain == RetainConfig(weight=0)
    assert plain.examine == paper.examine.model_copy(update={"unseen_facts": 0})


def test_the_default_setting_of_the_experiments_is_that_of_a_run() -> None:
    for name in ("plain", "targets"):
        (default,) = [run.config for run in plan_runs(list_experiments()[name], seeds=1) if run.name == "default"]
        run = RunConfig(generalize=GeneralizeConfig(facts=count_shown(default.table.count)))
        for part in ("seed", "key_token", "memorize", "generalize", "retain"):
            assert getattr(default, part) == getattr(run, part), f"{name}: {part}"
