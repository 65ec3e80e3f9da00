"""The embedded model's tokenizer: byte-level BPE in which a name has the same tokens with and without a space before
it, so that what is learned about a name at the start of a sentence holds in the middle of one. Every text begins
with a start-of-text token, so the model can also write texts from nothing.
"""

from collections.abc import Iterable

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast

START_OF_TEXT = "<|startoftext|>"
END_OF_TEXT = "<|endoftext|>"
PADDING = "<|padding|>"


def train_tokenizer(documents: Iterable[str], *, vocabulary_size: int) -> PreTrainedTokenizerFast:
    """Train the tokenizer on documents; all 256 bytes are in the vocabulary, so no text is unknown."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary_size,
        special_tokens=[START_OF_TEXT, END_OF_TEXT, PADDING],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(documents, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{START_OF_TEXT} $A", special_tokens=[(START_OF_TEXT, tokenizer.token_to_id(START_OF_TEXT))]
    )
    return PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=tokenizer,
        bos_token=START_OF_TEXT,
        eos_token=END_OF_TEXT,
        pad_token=PADDING,
        model_max_length=1024,
        clean_up_tokenization_spaces=False,
    )
