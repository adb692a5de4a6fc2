"""The text that a Grounding DINO is asked with, and which of its tokens belong to which prompt.

All prompts stand in one text, "stop sign . parking sign .". The tokens of each prompt are known, a box's
score for a prompt is computed from that prompt's tokens alone, and every prompt that scores enough is kept
beside the box. So there is no decoding of phrases, and none that mixes two prompts. Which of its prompts a
box takes is decided when the thresholds of the categories are known (`one_prompt_per_box`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from curate.errors import NotFiniteError, ParamsError
from curate.records import Category, Detections, FloatArray

PromptScore = Literal["mean", "max"]

_SEPARATOR = " . "
_OUTER_TOKENS = 2  # [CLS] and [SEP]


@dataclass(frozen=True, slots=True)
class Prompt:
    """Phrase of a category that a detector is asked for."""

    category: str
    phrase: str


@dataclass(frozen=True, slots=True)
class TextPass:
    """Text of one forward pass of a detector.

    Attributes:
        text: "a . b . c ."
        prompts: In the order of the text.
        spans: Each prompt's tokens, [start, stop).
    """

    text: str
    prompts: tuple[Prompt, ...]
    spans: tuple[tuple[int, int], ...]


class Token(NamedTuple):
    """Token of a text, with its place.

    Attributes:
        start: Of its first character; equal to `stop` where it stands for none.
        stop: After its last character.
        known: Whether the vocabulary holds it; otherwise the model reads only that something stands there.
    """

    start: int
    stop: int
    known: bool = True


# Text -> its tokens, special ones included.
Tokenize = Callable[[str], Sequence[Token]]


def plan_passes(
    categories: Sequence[Category], tokenize: Tokenize, *, max_tokens: int, apart: bool = False
) -> list[TextPass]:
    """Spread the prompts of all categories over as few texts as the model can read.

    The prompts of one category stay together unless they alone are too long.

    Args:
        categories: With their prompts.
        tokenize: The model's tokenizer.
        max_tokens: What the model reads, special tokens included.
        apart: A text of its own for each category, whose scores then depend on no other category.

    Raises:
        ParamsError: A prompt that is too long alone, or that the tokenizer makes nothing of.
    """
    passes: list[list[Prompt]] = [[]]
    room = max_tokens - _OUTER_TOKENS
    left = room
    for category in categories:
        prompts = [Prompt(category.name, phrase) for phrase in category.prompts]
        sizes = [_size(prompt, tokenize, max_tokens) for prompt in prompts]
        if passes[-1] and (apart or sum(sizes) > left):
            passes.append([])
            left = room
        for prompt, size in zip(prompts, sizes, strict=True):
            if size > left:
                passes.append([])
                left = room
            passes[-1].append(prompt)
            left -= size
    return [_text_pass(prompts, tokenize) for prompts in passes if prompts]


def _size(prompt: Prompt, tokenize: Tokenize, max_tokens: int) -> int:
    """Tokens of a prompt with the separator behind it."""
    inside = [token for token in tokenize(prompt.phrase) if token.start < token.stop]
    size = len(inside) + 1
    if not any(token.known for token in inside):
        raise ParamsError(f"prompt {prompt.phrase!r} of {prompt.category} has no token that the model knows")
    if size + _OUTER_TOKENS > max_tokens:
        raise ParamsError(
            f"prompt {prompt.phrase!r} of {prompt.category} has {size - 1} tokens, the model reads "
            f"{max_tokens - _OUTER_TOKENS - 1}: shorten it"
        )
    return size


def _text_pass(prompts: Sequence[Prompt], tokenize: Tokenize) -> TextPass:
    text = _SEPARATOR.join(prompt.phrase for prompt in prompts) + _SEPARATOR.rstrip()
    tokens = tokenize(text)
    spans = []
    begin = 0
    for prompt in prompts:
        end = begin + len(prompt.phrase)
        inside = [
            i
            for i, token in enumerate(tokens)
            if token.start < token.stop and begin <= token.start and token.stop <= end
        ]
        spans.append((inside[0], inside[-1] + 1) if inside else (0, 0))
        begin = end + len(_SEPARATOR)
    return TextPass(text, tuple(prompts), tuple(spans))


def prompt_scores(token_scores: FloatArray, spans: Sequence[tuple[int, int]], how: PromptScore) -> FloatArray:
    """Score of each box for each prompt: the mean or the greatest over the prompt's tokens.

    The greatest token makes one word of a prompt ("sign") enough; groundingdino's own `predict` holds it
    against its box threshold. On the demo's scenes, with an early checkpoint, best F1 by category was 0.646
    (mean), 0.649 (greatest), 0.638 (least token): no difference.

    Args:
        token_scores: (Q, T) in [0, 1], the sigmoid of the model's logits for Q boxes and T tokens.
        spans: P spans of tokens, [start, stop).
        how: mean or max.

    Returns:
        (Q, P) float32 in [0, 1].
    """
    score = np.mean if how == "mean" else np.max
    return np.stack([score(token_scores[:, start:stop], axis=1) for start, stop in spans], axis=1)


def detections(
    boxes_cxcywh: FloatArray,
    token_scores: FloatArray,
    text: TextPass,
    *,
    width: int,
    height: int,
    floor: float,
    how: PromptScore,
) -> Detections:
    """Boxes of one image and one text: one row per box and prompt that scores enough, best score first.

    Args:
        boxes_cxcywh: (Q, 4) center and size, as shares of the image.
        token_scores: (Q, T) in [0, 1].
        text: What the model read.
        width: Upright pixels.
        height: Upright pixels.
        floor: Least score that is returned.
        how: A box's score for a prompt: mean or max over its tokens.

    Raises:
        NotFiniteError: A box or a score is no number. No threshold is reached by one, so that the image would
            seem to be empty.
    """
    if not (np.isfinite(boxes_cxcywh).all() and np.isfinite(token_scores).all()):
        raise NotFiniteError
    scores = prompt_scores(token_scores, text.spans, how).astype(np.float32)
    boxes = _corners(boxes_cxcywh, width, height)
    large = (boxes[:, 2:] - boxes[:, :2] >= 1.0).all(axis=1, keepdims=True)  # nothing under a pixel
    which, prompt = np.nonzero((scores >= floor) & large)
    order = np.argsort(-scores[which, prompt], kind="stable")
    which, prompt = which[order], prompt[order]
    chosen = [text.prompts[i] for i in prompt]
    return Detections(
        boxes[which],
        scores[which, prompt],
        tuple(one.category for one in chosen),
        tuple(one.phrase for one in chosen),
        which,
    )


def one_prompt_per_box(found: Detections, thresholds: Mapping[str, float] | None = None) -> Detections:
    """Give each box one prompt: the best of those whose category's threshold it reaches.

    A box that reaches none keeps its best prompt, and is told as under its threshold later.

    Args:
        found: Of one image.
        thresholds: Least score of each category, in [0, 1]; None = the best prompt, whatever it is.

    Returns:
        A row per box, in the order of `found`.
    """
    min_scores = np.array([(thresholds or {}).get(name, 0.0) for name in found.categories], dtype=np.float32)
    order = np.lexsort((-found.scores, found.scores < min_scores, found.queries))
    _, first = np.unique(found.queries[order], return_index=True)
    return found.take(np.sort(order[first]))


def joined(parts: Sequence[Detections]) -> Detections:
    """The detections of several texts for one image, best score first."""
    above = np.cumsum([0, *(int(part.queries.max(initial=-1)) + 1 for part in parts)])
    together = Detections(
        np.concatenate([part.boxes for part in parts]),
        np.concatenate([part.scores for part in parts]),
        tuple(category for part in parts for category in part.categories),
        tuple(prompt for part in parts for prompt in part.prompts),
        np.concatenate([part.queries + offset for part, offset in zip(parts, above[:-1], strict=True)]),
    )
    return together.take(np.argsort(-together.scores, kind="stable"))


def _corners(boxes: FloatArray, width: int, height: int) -> NDArray[np.float32]:
    size = np.array([width, height], dtype=np.float32)
    low = np.clip(boxes[:, :2] - boxes[:, 2:] / 2, 0, 1) * size
    high = np.clip(boxes[:, :2] + boxes[:, 2:] / 2, 0, 1) * size
    return np.concatenate([low, high], axis=1).astype(np.float32)


def detect(
    sizes: Sequence[tuple[int, int]],
    categories: Sequence[Category],
    forward: Callable[[str], tuple[FloatArray, FloatArray]],
    *,
    tokenize: Tokenize,
    max_tokens: int,
    how: PromptScore,
    apart: bool = False,
) -> list[Detections]:
    """Boxes of every category from the lowest threshold of all on, one forward pass a text.

    Args:
        sizes: Width and height of each image, upright pixels.
        categories: What to look for.
        forward: From a text to (N, Q, 4) boxes cxcywh as shares of the image and (N, Q, T) token scores.
        tokenize: See `plan_passes`.
        max_tokens: See `plan_passes`.
        how: See `detections`.
        apart: See `plan_passes`.

    Raises:
        NotFiniteError: See `detections`.
        ParamsError: A prompt is longer than the model reads, or none of its tokens is known.
    """
    floor = min(category.threshold for category in categories)
    of_texts = []
    for text in plan_passes(categories, tokenize, max_tokens=max_tokens, apart=apart):
        boxes, scores = forward(text.text)
        of_texts.append(
            [
                detections(boxes[i], scores[i], text, width=width, height=height, floor=floor, how=how)
                for i, (width, height) in enumerate(sizes)
            ]
        )
    return [joined(of_image) for of_image in zip(*of_texts, strict=True)]
