"""What a tokenizer of transformers makes of a text, as `curate.labeling.prompts` asks for it."""

from __future__ import annotations

from typing import Any

from curate.errors import ParamsError
from curate.labeling.prompts import Token


def tokens(tokenizer: Any, text: str) -> list[Token]:
    """Every token of a text, special ones included.

    Args:
        tokenizer: A fast tokenizer of transformers.
        text: As the model would read it.
    """
    read = tokenizer(text, return_offsets_mapping=True)
    return [
        Token(int(start), int(stop), known=number != tokenizer.unk_token_id)
        for (start, stop), number in zip(read["offset_mapping"], read["input_ids"], strict=True)
    ]


def check(tokenizer: Any, phrase: str, *, category: str, max_tokens: int) -> None:
    """Refuse a prompt that a model would not read as it stands.

    Args:
        tokenizer: A fast tokenizer of transformers that adds a token before and one behind.
        phrase: The prompt.
        category: It belongs to, for the message.
        max_tokens: Tokens that the model reads, those two included.

    Raises:
        ParamsError: None of its tokens is known, or there are too many.
    """
    read = tokens(tokenizer, phrase)
    if not any(token.known for token in read if token.start < token.stop):
        raise ParamsError(f"prompt {phrase!r} of {category} has no token that the model knows")
    if len(read) > max_tokens:
        raise ParamsError(
            f"prompt {phrase!r} of {category} has {len(read) - 2} tokens, the model reads {max_tokens - 2}: "
            f"shorten it"
        )
