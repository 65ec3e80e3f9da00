"""Measures 2 and 3: log-probabilities of objects, and of the candidates of a choice. And the perplexity of texts.

A choice takes one forward: the prompt once, then the candidates as a tree. Every node of the tree sees the prompt and
its own ancestors and has the position it would have alone, so each candidate is scored as if it stood alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from rote.encoding.example import Example, collate, encode
from rote.evaluation.reading import Prefix
from rote.facts.text import Text
from rote.training.losses import next_token_loss, predict_labelled

Logprobs = tuple[float, ...]
"""Natural log-probabilities, one per token of an object; the end of text is not counted."""

_ROUNDING, _COARSE = 1e-3, 0.2
"""By how much two forwards may differ in a log-probability, in float32 and in half precision."""
_PASSAGE = 256
"""Tokens of a text read at a time; the first of each passage is not predicted."""


def score_objects(model: PreTrainedModel, examples: Sequence[Example], *, batch_size: int) -> list[Logprobs]:
    """Log-probabilities of each example's object tokens given what comes before them, in order (measure 3)."""
    order = sorted(range(len(examples)), key=lambda index: (examples[index].object_span, index))
    scores: dict[int, Logprobs] = {}
    with torch.inference_mode():
        for start in range(0, len(order), batch_size):
            batch = order[start : start + batch_size]
            scores.update(zip(batch, _score_batch(model, [examples[index] for index in batch]), strict=True))
    return [scores[index] for index in range(len(examples))]


def score_choices(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, text: Text, *, candidates: Sequence[str]
) -> list[Logprobs]:
    """Log-probabilities of each candidate's tokens after the text's prompt, from one forward (measure 2).

    A candidate that changes the tokens of the prompt cannot share it and is scored alone.
    """
    return _score_candidates(model, _encode_candidates(tokenizer, text, candidates))


def rank_choice(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    text: Text,
    *,
    candidates: Sequence[str],
    index: int,
    own: Logprobs,
    first: Tensor,
) -> int:
    """The rank of candidate `index` among all (measure 2), 1 being the best.

    `own` are its log-probabilities, `first` [vocabulary] those of the token after the prompt. No candidate is likelier
    than its first token, so of a model that is sure most of them cannot be better and are not scored.
    """
    examples = _encode_candidates(tokenizer, text, candidates)
    chosen, least = examples[index], _mean(own) - (_ROUNDING if model.dtype == torch.float32 else _COARSE)
    rivals = [
        example
        for place, example in enumerate(examples)
        if place != index and not _bound(example, chosen, first) < least  # so a score that is no number rules none out
    ]
    return rank_object(_score_candidates(model, [chosen, *rivals]), 0) if rivals else 1


def _bound(example: Example, chosen: Example, first: Tensor) -> float:
    """What the mean log-probability of a candidate cannot exceed; 0 where its prompt has other tokens."""
    shares = example.prompt_ids == chosen.prompt_ids
    return float(first[example.object_ids[0]]) / len(example.object_ids) if shares else 0.0


def _encode_candidates(tokenizer: PreTrainedTokenizerBase, text: Text, candidates: Sequence[str]) -> list[Example]:
    return [encode(tokenizer, replace(text, object=candidate)) for candidate in candidates]


def _score_candidates(model: PreTrainedModel, examples: Sequence[Example]) -> list[Logprobs]:
    prefix = examples[0].prompt_ids
    shared = [example for example in examples if example.prompt_ids == prefix]
    with torch.inference_mode():
        scores = iter(_score_tree(model, prefix, [example.object_ids for example in shared]))
    alone = iter(score_objects(model, [e for e in examples if e.prompt_ids != prefix], batch_size=len(examples)))
    return [next(scores if example.prompt_ids == prefix else alone) for example in examples]


@dataclass(frozen=True, slots=True)
class Ahead:
    """What reading an object after a prompt tells."""

    logprobs: Logprobs
    """Of the object's tokens."""
    said: tuple[int, ...]
    """What the model says greedily after the prompt, as far as that is known without decoding: the object's tokens
    while they are what it says, and one more."""


def read_ahead(prefix: Prefix, objects: Sequence[Sequence[int]]) -> list[Ahead]:
    """Read one object's ids after each prompt of a prefix, which stays as it was."""
    width = max(map(len, objects))
    padded = torch.tensor([[*ids, *[0] * (width - len(ids))] for ids in objects], device=prefix.logits.device)
    later = prefix.copy().read(padded)  # padding is on the right and attention causal: nothing that is read sees it
    found = torch.cat([_pick(prefix.logits[:, None], padded[:, :1]), _pick(later[:, :-1], padded[:, 1:])], dim=1)
    greedy = torch.cat([prefix.logits.argmax(dim=-1)[:, None], later.argmax(dim=-1)], dim=1)
    return [
        Ahead(tuple(scores[: len(ids)]), _follow(said, ids))
        for scores, said, ids in zip(found.tolist(), greedy.tolist(), objects, strict=True)
    ]


def _follow(said: Sequence[int], ids: Sequence[int]) -> tuple[int, ...]:
    """What is said, up to the first token that is another than the object's."""
    same = next((place for place, token in enumerate(ids) if said[place] != token), len(ids))
    return tuple(said[: same + 1])


def score_continuations(prefix: Prefix, objects: Sequence[Sequence[int]]) -> list[Logprobs]:
    """Log-probabilities of one object's ids after each prompt of a prefix, which stays as it was."""
    return [ahead.logprobs for ahead in read_ahead(prefix, objects)]


def _pick(logits: Tensor, tokens: Tensor) -> Tensor:
    """The log-probability of each token, without a second table as large as the vocabulary for each."""
    logits = logits.float()
    return logits.gather(-1, tokens[..., None]).squeeze(-1) - logits.logsumexp(dim=-1)


def rank_object(scores: Sequence[Logprobs], index: int) -> int:
    """The rank of candidate `index` by mean log-probability per token; 1 is best, a tie counts against it."""
    means = list(map(_mean, scores))
    # "not below" rather than "at least": a score that is not a number must not win
    return 1 + sum(not mean < means[index] for other, mean in enumerate(means) if other != index)


def _mean(logprobs: Logprobs) -> float:
    return sum(logprobs) / len(logprobs)


@torch.inference_mode()
def score_passages(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, texts: Sequence[str]) -> list[float]:
    """The mean nats per token of each passage of each text; a text of one token has none.

    exp of their mean, weighted by tokens, is the perplexity.
    """
    rows = [tokenizer(text)["input_ids"] for text in texts if text.strip()]
    passages = [row[start : start + _PASSAGE] for row in rows for start in range(0, len(row), _PASSAGE)]
    return [_score_passage(model, passage) for passage in passages if len(passage) > 1]


def _score_passage(model: PreTrainedModel, ids: list[int]) -> float:
    batch = collate([(ids, ids)], pad_id=0).to(model.device)
    return float(next_token_loss(predict_labelled(model, batch), batch)) / (len(ids) - 1)


def _score_batch(model: PreTrainedModel, examples: Sequence[Example]) -> list[Logprobs]:
    """Right-padded and causal, without a mask: padding comes after everything that is read."""
    first = min(example.prompt_end for example in examples)
    last = max(example.object_span[1] for example in examples) - 1
    ids = collate([(example.ids[:-1], example.labels[:-1]) for example in examples], pad_id=examples[0].ids[-1])
    inputs = ids.input_ids.to(model.device)
    wanted = torch.arange(first, last, device=model.device)
    logits = model(input_ids=inputs, use_cache=False, logits_to_keep=wanted).logits.float()
    targets = inputs[:, first + 1 : last + 1, None]
    found = torch.log_softmax(logits, dim=-1).gather(-1, targets).squeeze(-1).tolist()
    return [
        tuple(row[example.prompt_end - first : example.object_span[1] - 1 - first])
        for row, example in zip(found, examples, strict=True)
    ]


@dataclass(frozen=True)
class _Tree:
    """Candidates with their common beginnings merged.

    A node is a token that another token follows; -1 stands for the prompt. `paths[c]` gives, for each token of
    candidate c, the node that predicts it.
    """

    tokens: list[int]
    parents: list[int]
    paths: list[list[int]]


def _grow_tree(candidates: Sequence[Sequence[int]]) -> _Tree:
    tree = _Tree([], [], [])
    nodes: dict[tuple[int, int], int] = {}
    for ids in candidates:
        path = [-1]
        for token in ids[:-1]:
            edge = (path[-1], token)
            if edge not in nodes:
                nodes[edge] = len(tree.tokens)
                tree.tokens.append(token)
                tree.parents.append(path[-1])
            path.append(nodes[edge])
        tree.paths.append(path)
    return tree


def _build_mask(tree: _Tree, prompt_length: int) -> tuple[Tensor, Tensor]:
    """Who sees whom, bool [length, length], and the position of each token, int [length]."""
    length = prompt_length + len(tree.tokens)
    seen = torch.ones(length, length, dtype=torch.bool).tril()
    seen[prompt_length:, prompt_length:] = False
    positions = list(range(prompt_length))
    for node, parent in enumerate(tree.parents):
        row = prompt_length + node
        if parent >= 0:
            seen[row] = seen[prompt_length + parent]
        seen[row, row] = True
        positions.append(positions[prompt_length + parent] + 1)  # parent -1: the last token of the prompt
    return seen, torch.tensor(positions)


def _score_tree(model: PreTrainedModel, prompt: Sequence[int], candidates: Sequence[Sequence[int]]) -> list[Logprobs]:
    tree = _grow_tree(candidates)
    seen, positions = _build_mask(tree, len(prompt))
    device, dtype = model.device, model.dtype
    # Added to the attention scores: understood by the eager and the SDPA implementation alike, unlike a bool mask.
    mask = torch.zeros(seen.shape, dtype=dtype).masked_fill(~seen, torch.finfo(dtype).min)
    logits = model(
        input_ids=torch.tensor([[*prompt, *tree.tokens]], device=device),
        attention_mask=mask[None, None].to(device),
        position_ids=positions[None].to(device),
        use_cache=False,
        logits_to_keep=1 + len(tree.tokens),
    ).logits[0]
    logprobs = torch.log_softmax(logits.float(), dim=-1)
    nodes = torch.tensor([node + 1 for path in tree.paths for node in path], device=device)
    tokens = torch.tensor([token for ids in candidates for token in ids], device=device)
    found = iter(logprobs[nodes, tokens].tolist())
    return [tuple(next(found) for _ in ids) for ids in candidates]
