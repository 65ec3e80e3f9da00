"""Settings that fit a model's size, which what a person says goes before."""

from pathlib import Path

import pytest

from rote.config.audit import AuditConfig
from rote.config.job import Config
from rote.config.loading import load_config
from rote.config.sizes import fill_in_updates, fit_audit, fit_config


@pytest.mark.parametrize(("parameters", "rate"), [(1.5e9, 1e-5), (7e9, 5e-6), (14e9, 2e-6)])
def test_large_models_learn_as_in_the_paper(parameters: float, rate: float) -> None:
    config = fit_config(Config(), int(parameters))
    assert config.memorize.learning_rate == config.generalize.learning_rate == rate
    assert config.memorize.warmup_steps == 5
    assert config.memorize.batch_size <= 8
    assert config.memorize.epochs == Config().memorize.epochs


@pytest.mark.parametrize("parameters", [135e6, 268e6, 0.9e9])
def test_small_real_models_see_noise_and_contrasts(parameters: float) -> None:
    config = fit_config(Config(), int(parameters))
    assert config.tuning == "layers"
    assert config.memorize.noise
    assert config.memorize.loss == "object_only"
    assert config.generalize.contrasts
    assert config.generalize.learning_rate <= config.memorize.learning_rate


def test_rates_fall_with_size() -> None:
    rates = [fit_config(Config(), 10**power).memorize.learning_rate for power in range(6, 12)]
    assert rates == sorted(rates, reverse=True)


def test_the_embedded_model_has_the_defaults() -> None:
    config = fit_config(Config(), 9_588_800)
    assert config.memorize.with_epochs(20) == Config().memorize.with_epochs(20)
    assert config.generalize.with_epochs(3) == Config().generalize.with_epochs(3)
    assert (config.memorize.count_epochs(500), config.generalize.count_epochs(250)) == (20, 3)
    assert config.memorize.count_epochs(10) * config.memorize.count_steps(10) >= 100, "a small table has steps enough"


def test_a_person_has_the_last_word(tmp_path: Path) -> None:
    file = tmp_path / "c.yaml"
    file.write_text("memorize: {learning_rate: 0.25}\n")
    config = fit_config(load_config(Config, file, ["generalize.batch_size=3"]), 7_000_000_000)
    assert config.memorize.learning_rate == 0.25
    assert config.generalize.batch_size == 3
    assert config.memorize.batch_size == 2


def test_what_is_fitted_stays_as_it_is() -> None:
    fitted = fit_config(Config(), 268_000_000)
    assert fit_config(fitted, 268_000_000) == fitted
    assert fit_config(Config.model_validate(fitted.model_dump()), 7_000_000_000) == fitted, "all of it is said"


@pytest.mark.parametrize("epochs", [1, 3, 20])
def test_epochs_that_are_said_are_those_that_are_run(epochs: int) -> None:
    said = Config.model_validate({"memorize": {"epochs": epochs}, "generalize": {"epochs": epochs}})
    for parameters in (135_000_000, 268_000_000):
        config = fit_config(said, parameters)
        assert config.memorize.count_epochs(40) == config.generalize.count_epochs(40) == epochs
        least = said.model_copy(update={"memorize": said.memorize.model_copy(update={"min_steps": 50})})
        assert fit_config(least, parameters).memorize.min_steps == 50


def test_the_plain_setting_has_the_epochs_of_the_paper_whatever_the_size() -> None:
    for parameters in (10_000_000, 135_000_000, 7_000_000_000):
        config = fit_config(load_config(Config, Path("paper")), parameters)
        assert (config.memorize.count_epochs(40), config.generalize.count_epochs(50)) == (20, 3)


def test_corrections_hold_twice_the_texts_of_a_size() -> None:
    for parameters in (10_000_000, 135_000_000, 2_000_000_000):
        usual = fit_config(Config(), parameters).retain.batch_size
        assert fill_in_updates({}, parameters)["retain"]["batch_size"] == 2 * usual
    assert fill_in_updates({"retain": {"batch_size": 3}}, 135_000_000)["retain"]["batch_size"] == 3


@pytest.mark.parametrize(
    ("parameters", "rate"), [(9_600_000, 3e-4), (1_500_000_000, 1e-5), (135_000_000, 3.9e-5), (268_000_000, 2.1e-5)]
)
def test_an_audit_shows_its_examples_at_a_rate_that_the_model_bears(parameters: int, rate: float) -> None:
    assert fit_audit(AuditConfig(), parameters).repurpose.learning_rate == pytest.approx(rate)
    said = AuditConfig.model_validate({"facts": 9, "repurpose": {"learning_rate": 0.1, "epochs": 3}})
    assert fit_audit(said, parameters) == said
