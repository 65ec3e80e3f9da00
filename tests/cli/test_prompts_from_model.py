"""`rote prompts new --from-model`: a model proposes, the rules decide, and nothing is written over."""

from pathlib import Path
from typing import Any

import pytest
from tests.cli.conftest import call_rote
from tests.evaluation.test_endpoint import Reply, serve

from rote.facts.prompt_checking import check_prompts
from rote.facts.relation import load_relation

SAID = (
    "1. Who gives orders to {subject}?\n2. {subject} has a boss.\n3. {subject} takes orders from\n4. Who is {object}?"
)
NEW = ("prompts", "new", "manager", "--object-type", "person", "--from-model")
PACK = Path("prompts/manager.yaml")


def test_a_served_model_proposes_and_what_breaks_a_rule_is_listed(workplace: Path) -> None:
    asked: list[dict[str, Any]] = []

    def answer(path: str, content: dict[str, Any], _: Any) -> Reply:
        assert path.endswith("/chat/completions")
        asked.append(content)
        return 200, {"choices": [{"message": {"content": SAID}}]}

    with serve(answer) as url:
        outcome = call_rote(*NEW, "big", "--endpoint", url)
        mine = PACK.read_text(encoding="utf-8")
        again = call_rote(*NEW, "big", "--endpoint", url)
    assert outcome.code == 0, outcome.err
    assert outcome.out.splitlines()[:3] == [
        "refused: '{subject} has a boss.' is a finished sentence, so no object can follow; end it before the object, "
        "or ask a question",
        "refused: 'Who is {object}?' must contain {subject} exactly once",
        "big: prompts refused: 2; in the file behind a #: 2, take it away where a prompt asks for what is meant",
    ]
    plain = {template.text for template in load_relation(PACK).templates}
    assert "Who gives orders to {subject}?" not in plain, "it counts once a person has read it"
    PACK.write_text(mine.replace("# -", "-"), encoding="utf-8")
    texts = {(template.prompt_set, template.text) for template in load_relation(PACK).templates}
    assert {("training", "Who gives orders to {subject}?"), ("held_out", "{subject} takes orders from")} <= texts
    assert len(texts) == len(plain) + 2
    assert not list(check_prompts(PACK))
    assert (again.code, len(asked)) == (2, 1), "a pack that is there is not written over, and nobody is asked"
    assert "is there already" in again.err


def test_a_model_here_is_asked_and_what_it_cannot_do_costs_no_proposal(workplace: Path, model_folder: Path) -> None:
    outcome = call_rote(*NEW, model_folder)
    assert outcome.code == 0, outcome.err
    assert "in the file behind a #: 0" in outcome.out, "a random model writes no wordings"
    assert not list(check_prompts(PACK))
    call_rote("prompts", "new", "manager", "--object-type", "person", "--out", "plain.yaml")
    assert PACK.read_bytes() == Path("plain.yaml").read_bytes()


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (("--endpoint", "http://127.0.0.1:1/v1"), "--endpoint does nothing without --from-model"),
        (("--from-model", "m", "--endpoint", "127.0.0.1:1"), "--endpoint 127.0.0.1:1: is no address"),
        (("--from-model", "m", "--endpoint", "http://127.0.0.1:1/v1"), "does not answer"),
        (("--from-model", "./nowhere"), "nowhere"),
    ],
)
def test_a_model_that_cannot_be_asked_leaves_no_pack(workplace: Path, flags: tuple[str, ...], message: str) -> None:
    outcome = call_rote("prompts", "new", "manager", *flags)
    assert outcome.code == 2
    assert message in outcome.err
    assert not PACK.exists()
