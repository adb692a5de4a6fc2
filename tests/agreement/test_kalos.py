"""Against KaLOS (Tschirschwitz, CVPR 2026): what it answered once, kept as a known answer.

KaLOS 0.8.0 was run in an environment of its own (`pip install kalos==0.8.0`) on the images of `kalos_world`:
`calculate_iaa` with the methods "greedy" and "shm", box IoU of at least 0.5 and the cost "category_lenient"
gave the same dataset-wide "vision alpha" (its third, "mgm", ended with an error on empty images). Places are
near enough to each other that the ways to group objects do not differ: KaLOS' clusters may be chains, ours
never are.
"""

from __future__ import annotations

import pytest

from tests.agreement import kalos_world

KALOS = 0.4111767806053305


def test_alpha_of_objects_with_missing_as_a_name_is_that_of_kalos() -> None:
    assert kalos_world.ours() == pytest.approx(KALOS, abs=1e-12)
