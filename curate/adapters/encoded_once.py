"""An image backbone that keeps what it saw last: several texts about the same images cost it one pass."""

from __future__ import annotations

from typing import Any

from curate.extras import require


def encoded_once(backbone: Any) -> Any:
    """A module that takes the place of a Grounding DINO's backbone.

    Its features depend on the images alone; the text joins them afterwards.

    Args:
        backbone: From images (and their mask) to a list of features and one of position codes.

    Returns:
        A `torch.nn.Module` that answers as `backbone` does and computes anew only where its first argument is
        another object; `forget()` drops what it holds.
    """
    torch = require("torch", extra="autolabel")

    class EncodedOnce(torch.nn.Module):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.inner = backbone
            self._seen: tuple[Any, Any] | None = None

        def forward(self, images: Any, *rest: Any) -> tuple[list[Any], list[Any]]:
            if self._seen is None or self._seen[0] is not images:
                self._seen = (images, self.inner(images, *rest))
            features, positions = self._seen[1]
            return list(features), list(positions)  # callers append to them

        def forget(self) -> None:
            self._seen = None

        def __getitem__(self, index: int) -> Any:
            return self.inner[index]

        @property
        def position_embedding(self) -> Any:
            return self.inner.position_embedding

    return EncodedOnce()
