from rote.models.language_model import *  # noqa: F403
from rote.models.language_model import (
    SAFE as SAFE,
    LoadOptions as LoadOptions,
    check_model as check_model,
    find_model_folder as find_model_folder,
    load_model as load_model,
    count_parameters as count_parameters,
    read_key_tokens as read_key_tokens,
)
