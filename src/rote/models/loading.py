from rote.models.language_model import *
from rote.models.language_model import SAFE as SAFE
from rote.models.language_model import LoadOptions as LoadOptions
from rote.models.language_model import check_model as check_model
from rote.models.language_model import count_parameters as count_parameters
from rote.models.language_model import find_model_folder as find_model_folder
from rote.models.language_model import load_model as load_model
from rote.models.language_model import read_key_tokens as read_key_tokens
