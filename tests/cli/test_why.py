"""`rote why`, called as a person would."""

from tests.cli.conftest import FinishedRun, call_rote


def test_one_fact_is_shown_with_what_to_try(finished_run: FinishedRun) -> None:
    outcome = call_rote("why", finished_run.folder, "Gene Finley", "mother")
    assert outcome.code == 0, outcome.err
    assert outcome.out.startswith("Gene Finley - mother - Cody Ross (held-out facts)\n")
    assert "\nTraining prompts, English: Who is Gene Finley's mother?\n  before training   wrong  " in outcome.out
    for words in ("\n  after memorize    wrong  ", "\nKey token: Gene Finley ", "\nControl prompts, English: "):
        assert words in outcome.out
    assert "\ntry: not memorized" in outcome.out


def test_a_fact_that_is_not_there_is_one_line(finished_run: FinishedRun) -> None:
    outcome = call_rote("why", finished_run.folder, "Gene Finlay", "mother")
    assert outcome.code == 2
    assert outcome.err == (
        "rote: Gene Finlay: nothing about it was asked in this run; the nearest subject is 'Gene Finley'\n"
    )
    assert call_rote("why", "nowhere", "Gene Finley", "mother").code == 2
