"""Tokens that a tokenizer set aside for no text. No torch."""

import re

_RESERVED = re.compile(r"[<\[](.*[^a-z])?(unused|reserved|extra|placeholder|dummy|row)([^a-z].*)?[>\]]", re.IGNORECASE)


def looks_reserved(token: str) -> bool:
    """Whether a token was set aside for no text, such as `<|reserved_special_token_3|>`, or is a row without a name."""
    return _RESERVED.fullmatch(token) is not None
