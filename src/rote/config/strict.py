"""The base of every configuration: frozen, strict, and clear about unknown keys."""

from pydantic import BaseModel, ConfigDict


class StrictConfig(BaseModel):
    """A frozen set of settings that refuses keys it does not have."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True, allow_inf_nan=False)
