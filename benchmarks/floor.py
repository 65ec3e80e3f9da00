"""The floor under training: the matrix products and the update of a step, and nothing else."""

import copy
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.models import build_model
from benchmarks.pairs import Contender, Row, Spent, race, read_clocks
from benchmarks.training import BATCH, STEPS, Lines, encode_lines, train_ours
from benchmarks.training import collate_lines as collate
from rote.models.language_model import LanguageModel

WORK = (
    "For each step the matrix products of its shapes, forward and backward, for every linear layer over the packed "
    "tokens and for the head over the labelled ones, one fused AdamW update and one clipping of gradients; the ratio "
    "is the share of our step that these take."
)


def run(name: str, pairs: int) -> list[Row]:
    """The row of `floor`."""
    model = build_model(name)
    lines = encode_lines(model, STEPS[name] * BATCH)
    contenders: dict[str, Contender] = {
        "rote": lambda: train_ours(model, lines).per_step(),
        "matrix products and update": build_floor(model, lines),
    }
    return race("floor", name, contenders, pairs)


def build_floor(model: LanguageModel, lines: Lines) -> Contender:
    """The work of the floor, per step."""
    trained: Any = copy.deepcopy(model.model)  # not all its methods have types
    for parameter in trained.parameters():
        parameter.grad = torch.randn_like(parameter)
    optimizer = torch.optim.AdamW(trained.parameters(), lr=0.0, weight_decay=0, fused=True)
    shapes = _count_tokens(lines, model.tokenizer.pad_token_id or 0)
    layers = [layer for layer in trained.modules() if isinstance(layer, nn.Linear)]
    weights = [layer.weight.detach() for layer in layers]
    is_head = [layer is trained.get_output_embeddings() for layer in layers]
    most = max(tokens for tokens, _ in shapes)
    inputs = {width: torch.randn(most, width) for weight in weights for width in weight.shape}

    def work() -> Spent:
        start = read_clocks()
        for tokens, labels in shapes:
            for weight, at_head in zip(weights, is_head, strict=True):
                _multiply(weight, inputs, labels if at_head else tokens)
            nn.utils.clip_grad_norm_(trained.parameters(), 1.0)
            optimizer.step()
        return read_clocks().since(start).share(len(shapes))

    return work


def _count_tokens(lines: Lines, pad_id: int) -> list[tuple[int, int]]:
    """How many tokens and how many labels each step has."""
    batches = [collate(lines, step, pad_id).pack() for step in range(len(lines) // BATCH)]
    return [(batch.input_ids.numel(), batch.target_count) for batch in batches]


def _multiply(weight: Tensor, inputs: dict[int, Tensor], rows: int) -> None:
    """The products of one linear layer: its output, and the gradients of its input and of its weight."""
    given, gradient = inputs[weight.shape[1]][:rows], inputs[weight.shape[0]][:rows]
    torch.mm(given, weight.T)
    torch.mm(gradient, weight)
    torch.mm(gradient.T, given)
