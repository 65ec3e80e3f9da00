"""The recipe of the embedded model, as read from `configs/pretrain.yaml`."""

from pydantic import Field

from rote.config.strict import StrictConfig


class ModelShape(StrictConfig):
    """The shape of a Llama model; the names are those of `transformers.LlamaConfig`."""

    hidden_size: int = Field(gt=0)
    num_hidden_layers: int = Field(gt=0)
    num_attention_heads: int = Field(gt=0)
    num_key_value_heads: int = Field(gt=0)
    intermediate_size: int = Field(gt=0)
    max_position_embeddings: int = Field(gt=0)
    tie_word_embeddings: bool


class DocumentMix(StrictConfig):
    """How many documents of each kind a step has, and how long bursts last."""

    single: int = Field(ge=0)
    list: int = Field(ge=0)
    context: int = Field(ge=0)
    burst: int = Field(ge=0)
    burst_facts: int = Field(gt=0)
    burst_steps: int = Field(gt=0)


class PretrainTraining(StrictConfig):
    """How the weights are trained."""

    steps: int = Field(gt=0)
    learning_rate: float = Field(gt=0)
    warmup_steps: int = Field(ge=0)
    decay_share: float = Field(gt=0, le=1)
    weight_decay: float = Field(ge=0)
    beta2: float = Field(gt=0, lt=1)
    clip_norm: float = Field(gt=0)


class PretrainConfig(StrictConfig):
    """Everything that decides what the embedded model becomes."""

    seed: int
    """Seed of the corpus and of the fresh weights."""
    vocabulary_size: int = Field(gt=300)
    tokenizer_steps: int = Field(gt=0)
    """Steps of the corpus that the tokenizer is trained on."""
    model: ModelShape
    mix: DocumentMix
    training: PretrainTraining
    compile: bool = True
    """Compile the model with torch.compile; slower to start, faster after."""
