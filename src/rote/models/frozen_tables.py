"""Training every weight but the embeddings, of which the rows of the key tokens alone are trained.

No other word changes for questions that have nothing to do with the table, and where the vocabulary is large most of
the work of the optimizer is saved.
"""

from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from rote.models.key_tokens import find_key_tables, get_key_ids
from rote.models.language_model import LanguageModel

_ROWS = "key_rows"


def freeze_tables(language_model: LanguageModel) -> None:
    """Freeze the embeddings, on both sides, but for the input rows of the key tokens; undone by `release_tables`.

    The rows are trained as a parameter of their own, which the table follows: the model always says what it would say
    without it.
    """
    for table in find_key_tables(language_model):
        table.requires_grad_(False)
    ids = get_key_ids(language_model, language_model.key_tokens)
    if ids:
        model: Any = language_model.model
        _train_rows(model.get_input_embeddings(), torch.tensor(ids, device=language_model.device))


def release_tables(language_model: LanguageModel) -> None:
    """Make the model a plain one again, all of it trainable; nothing where its tables are not frozen."""
    model: Any = language_model.model
    module = model.get_input_embeddings()
    if hasattr(module, _ROWS):
        _follow(module)
        for handle in module.handles:
            handle.remove()
        del module.handles, module.key_rows, module.key_ids
    for table in find_key_tables(language_model):
        table.requires_grad_(True)


def find_trained_rows(model: PreTrainedModel) -> Tensor | None:
    """The rows of the vocabulary that are trained though the embeddings are frozen, [rows]; None where they are not
    frozen by `freeze_tables`."""
    module: Any = model.get_input_embeddings()
    return module.key_ids if hasattr(module, _ROWS) else None


def _train_rows(module: Any, ids: Tensor) -> None:
    module.key_rows = nn.Parameter(module.weight[ids].detach().clone())
    module.key_ids = ids
    module.handles = [
        module.register_forward_pre_hook(lambda module, _: _follow(module)),
        module.register_forward_hook(_pass_gradient),
    ]


@torch.no_grad()
def _follow(module: Any) -> None:
    """Bring the table's rows to where training has them; they are left alone where nothing moved, as a table that is
    written to in the middle of a step cannot be differentiated."""
    if not torch.equal(module.weight[module.key_ids], module.key_rows):
        module.weight[module.key_ids] = module.key_rows


def _pass_gradient(module: Any, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:
    """The output as it is, with a way for the gradient to the rows of the key tokens."""
    scale = getattr(module, "embed_scale", 1.0)  # Gemma multiplies what it looks up
    is_key = (inputs[0][..., None] == module.key_ids).to(output.dtype)
    nothing = module.key_rows - module.key_rows.detach()
    added: Tensor = (is_key @ nothing.to(output.dtype)) * scale
    return output + added
