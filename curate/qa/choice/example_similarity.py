"""Similarity: how much an image is like given examples, and unlike others."""

from __future__ import annotations

import numpy as np

from curate.qa.choice.greedy import Floats
from curate.records import FloatArray


def similarity(vectors: FloatArray, positive: FloatArray, negative: FloatArray) -> Floats:
    """What examples say for each image: cosine to the nearest positive less that to the nearest negative.

    Args:
        vectors: (N, D) of unit length.
        positive: (P, D) examples of what is wanted.
        negative: (M, D) examples of what is not.

    Returns:
        (N,) in [0, 1]; 0 where a negative example is nearer than every positive one, and where the cosine is
        below 0. Without positive examples 1 takes the place of their cosine, without negative ones 0.

    Raises:
        ValueError: There is no example.

    Source:
        Relevance feedback: Rocchio, in Salton, The SMART retrieval system (1971), with the nearest example
        in the place of the mean, because examples may be of several kinds.

    Example:
        >>> vectors = np.eye(2, dtype=np.float32)
        >>> similarity(vectors, vectors[:1], vectors[1:]).tolist()
        [1.0, 0.0]
    """
    if not len(positive) and not len(negative):
        raise ValueError("similarity needs at least one example")
    like = nearest(vectors, positive) if len(positive) else np.ones(len(vectors))
    unlike = nearest(vectors, negative) if len(negative) else np.zeros(len(vectors))
    return np.asarray(np.clip(like - np.maximum(unlike, 0.0), 0.0, 1.0))


def nearest(vectors: FloatArray, examples: FloatArray) -> Floats:
    """(N,) cosine to the nearest of at least one example."""
    best = np.full(len(vectors), -1.0)
    for example in examples:
        best = np.maximum(best, vectors @ example)
    return np.asarray(np.minimum(best, 1.0))
