import pytest
import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from rote.encoding.example import encode_prompt
from rote.evaluation.generation import generate_answers
from rote.facts.names import contains_answer

PROMPTS = [
    f"{opening} {name}{ending}"
    for opening in ("Who is", "The mother of", "妈妈 Gene")
    for name in ("Cody Ross", "Bo", "Anna Maria Bell", "Mei Lin", "Gene", "Zoë")
    for ending in ("", "?", "'s mother is", " 是谁？")
]


@pytest.fixture
def prompts(tokenizer: PreTrainedTokenizerBase) -> list[list[int]]:
    return [encode_prompt(tokenizer, prompt) for prompt in PROMPTS]


def decode_alone(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, prompts: list[list[int]], limit: int
) -> list[str]:
    """The reference: transformers' own greedy decoding, one prompt at a time."""
    texts = []
    for ids in prompts:
        inputs = torch.tensor([ids])
        mask = torch.ones_like(inputs)
        whole: torch.Tensor = model.generate(  # type: ignore[operator]
            inputs, attention_mask=mask, do_sample=False, max_new_tokens=limit
        )
        said = whole[0, len(ids) :].tolist()
        ended = said.index(tokenizer.eos_token_id) if tokenizer.eos_token_id in said else len(said)
        texts.append(str(tokenizer.decode(said[:ended], clean_up_tokenization_spaces=False)).strip())
    return texts


@pytest.mark.parametrize("batch_size", [1, 3, 64])
def test_batches_say_what_each_prompt_says_alone(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, prompts: list[list[int]], batch_size: int
) -> None:
    model.lm_head.weight.data[tokenizer.eos_token_id] *= 2.5  # so that rows end at different times
    alone = decode_alone(model, tokenizer, prompts, 20)
    said = generate_answers(model, tokenizer, prompts, [()] * len(prompts), batch_size=batch_size, max_new_tokens=20)
    assert said == alone
    assert len({len(text) for text in alone}) > 5, "the model must not say the same to all"


def test_stopping_early_changes_no_verdict_and_says_a_beginning(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, prompts: list[list[int]]
) -> None:
    full = generate_answers(model, tokenizer, prompts, [()] * len(prompts), batch_size=16, max_new_tokens=30)
    for take in (slice(1, 2), slice(2, 4), slice(None, 2)):
        # right answers are words the model says; every third row gets one that it does not
        answers = [(" ".join(text.split()[take]), "Nobody") if n % 3 else ("Nobody",) for n, text in enumerate(full)]
        early = generate_answers(model, tokenizer, prompts, answers, batch_size=16, max_new_tokens=30)
        assert list(map(contains_answer, early, answers)) == list(map(contains_answer, full, answers))
        assert all(whole.startswith(text.rstrip("\ufffd")) for whole, text in zip(full, early, strict=True))
        assert sum(map(len, early)) < sum(map(len, full))


def test_finished_rows_are_no_longer_computed(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, prompts: list[list[int]]
) -> None:
    same = [ids for ids in prompts if len(ids) == 6]
    full = generate_answers(model, tokenizer, same, [()] * len(same), batch_size=64, max_new_tokens=12)
    answers = [(*text.split()[:-1],) if n else ("Nobody",) for n, text in enumerate(full)]
    rows: list[int] = []
    hook = model.register_forward_pre_hook(
        lambda _, __, inputs: rows.append(len(inputs["input_ids"])), with_kwargs=True
    )
    generate_answers(model, tokenizer, same, answers, batch_size=64, max_new_tokens=12)
    hook.remove()
    assert len(same) > 1
    assert rows[0] == len(same)
    assert rows == sorted(rows, reverse=True)
    assert rows[-1] < len(same)
    assert len(rows) == 12, "the row with a wrong answer goes on to the limit"


def test_drafts_change_no_text_and_save_the_decoding_of_what_they_foresee(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, prompts: list[list[int]]
) -> None:
    model.lm_head.weight.data[tokenizer.eos_token_id] *= 2.5  # so that some rows end, and drafts foresee the end
    nobody: list[tuple[str, ...]] = [()] * len(prompts)
    full = generate_answers(model, tokenizer, prompts, nobody, batch_size=16, max_new_tokens=20)
    said = [tokenizer(text, add_special_tokens=False)["input_ids"] for text in full]
    kinds = [
        lambda ids: ids,
        lambda ids: ids[:2],
        lambda ids: [*ids[:1], 7, 7],
        lambda _: [7],
        lambda ids: [*ids, 7, 7],
    ]
    drafts = [kinds[number % 5](ids) or [7] for number, ids in enumerate(said)]
    answers = [(" ".join(text.split()[:2]),) if n % 2 else () for n, text in enumerate(full)]
    for asked in (nobody, answers):
        plain = generate_answers(model, tokenizer, prompts, asked, batch_size=16, max_new_tokens=20)
        ahead = generate_answers(model, tokenizer, prompts, asked, batch_size=16, max_new_tokens=20, drafts=drafts)
        assert ahead == plain


def test_what_a_draft_foresees_takes_one_forward(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, prompts: list[list[int]]
) -> None:
    same = [ids for ids in prompts if len(ids) == 6]
    plain = generate_answers(model, tokenizer, same, [()] * len(same), batch_size=64, max_new_tokens=8)
    drafts = _decode_ids(model, same, 8)
    read: list[int] = []
    hook = model.register_forward_pre_hook(
        lambda _, __, inputs: read.append(inputs["input_ids"].shape[1]), with_kwargs=True
    )
    said = generate_answers(model, tokenizer, same, [()] * len(same), batch_size=64, max_new_tokens=8, drafts=drafts)
    hook.remove()
    assert said == plain
    assert read == [6, 8], "the prompts, then the drafts, and nothing else"


def _decode_ids(model: PreTrainedModel, prompts: list[list[int]], count: int) -> list[list[int]]:
    rows = torch.tensor(prompts)
    for _ in range(count):
        rows = torch.cat([rows, model(rows).logits[:, -1:].argmax(dim=-1)], dim=1)
    return rows[:, len(prompts[0]) :].tolist()


def test_no_prompts_no_answers(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> None:
    assert generate_answers(model, tokenizer, [], [], batch_size=4) == []
