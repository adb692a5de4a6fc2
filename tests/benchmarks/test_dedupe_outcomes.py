"""What is measured about drops and originals: truth that is one, seeds apart, figures that can be bad."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks import corpus_cache, dedupe_outcomes, degraded_copies, hard_negatives, photo_collages
from benchmarks.dedupe_outcomes import Outcome, by_kind, dropped, kept_originals, overall
from benchmarks.hard_negatives import KINDS, MEMBERS, Row
from curate.dedupe import originals
from curate.dedupe.features import Recipe
from curate.params import DedupeParams

RECIPE = Recipe.of(DedupeParams())


def test_the_truth_of_hard_negatives_names_every_file_once(tmp_path: Path) -> None:
    rows = hard_negatives.write(tmp_path / "one", seed=3, settings=2, which="tune")
    assert hard_negatives.read_truth(tmp_path / "one") == rows
    files = {path.name: path.read_bytes() for path in (tmp_path / "one/images").iterdir()}
    assert sorted(files) == sorted(row.file for row in rows)
    assert len(set(files.values())) == len(rows) == 2 * MEMBERS * len(KINDS)
    settings = {row.setting: {other.kind for other in rows if other.setting == row.setting} for row in rows}
    assert sorted(settings) == list(range(2 * len(KINDS)))
    assert all(len(kinds) == 1 for kinds in settings.values())
    again = hard_negatives.write(tmp_path / "two", seed=3, settings=2, which="tune")
    assert again == rows
    assert {path.name: path.read_bytes() for path in (tmp_path / "two/images").iterdir()} == files


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_pictures_of_a_setting_differ_somewhere_that_is_seen(kind: str) -> None:
    pictures = [part.astype(np.int16) for part in hard_negatives.draw(kind, "tune", (3, 0, 0))]
    assert len(pictures) == MEMBERS
    contrast = max(min(float(part.std()) for part in pictures), 1.0)
    for at, one in enumerate(pictures):
        for other in pictures[:at]:
            away = np.abs(one - other).max(axis=2)
            assert (away > min(30, contrast)).mean() > 0.002


def test_the_report_is_on_another_seed_and_other_photographs_than_rules_were_fixed_on() -> None:
    assert dedupe_outcomes.SEED not in {dedupe_outcomes.TUNED_ON, 2, 29}
    assert not set(photo_collages.HALVES["tune"]) & set(photo_collages.HALVES["report"])
    tuned, reported = (
        next(degraded_copies.pairs(which, seed=seed, count=1))
        for which, seed in (("tune", dedupe_outcomes.TUNED_ON), ("report", dedupe_outcomes.SEED))
    )
    assert tuned.original != reported.original


def test_corpora_are_drawn_by_files_that_there_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(corpus_cache, "CACHE", tmp_path)
    folder = corpus_cache.negatives(1, seed=3, which="tune")
    assert len(hard_negatives.read_truth(folder)) == MEMBERS * len(KINDS)
    assert corpus_cache.negatives(1, seed=3, which="tune") == folder
    assert corpus_cache.families(8, seed=3, which="tune").is_dir()


def test_a_file_is_dropped_that_makes_a_pair_with_one_that_stays() -> None:
    assert dropped([], ["a", "b"]) == []
    assert dropped([("a", "b"), ("b", "c")], ["c", "a", "b"]) == ["b"]  # c then has no partner that stays
    assert dropped([("a", "b"), ("a", "c"), ("b", "c")], ["a", "b", "c"]) == ["b", "c"]
    truth = [Row("a", 0, "fog"), Row("b", 0, "fog"), Row("c", 1, "dark")]
    assert by_kind(["b"], truth) == {"fog": 1, "dark": 0}


def test_kept_originals_are_counted_and_a_rule_that_errs_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    kinds = {name: degraded_copies.KINDS[name] for name in ("gray", "crop", "jpeg q30", "blur")}
    monkeypatch.setattr(degraded_copies, "KINDS", kinds)

    def measured() -> dict[str, float]:
        kept = kept_originals("tune", seed=3, count=1, recipe=RECIPE)
        for part in kept.values():
            assert part["told"] + part["tie"] + part["wrong"] == pytest.approx(1)
            assert part["lost"] + part["both"] <= 1
        return overall(kept)

    found = measured()
    assert found["told"] > 0.6
    assert found["lost"] < 0.4
    for told, share in ((False, "wrong"), (None, "tie")):
        monkeypatch.setattr(
            originals, "compare", lambda *_, told=told: originals.Evidence(told, "noise" if told else "")
        )
        assert measured()[share] == 1
    monkeypatch.setattr(originals, "compare", lambda *_: originals.Evidence(False, "noise"))
    assert measured()["lost"] == pytest.approx(1 - found["both"])


@pytest.mark.parametrize(
    ("told", "same", "larger", "lost"),
    [
        (True, True, False, False),
        (False, True, True, True),
        (None, True, True, False),
        (None, True, False, True),
        (False, False, False, False),  # variants both stay, whatever the evidence says
    ],
)
def test_an_original_is_lost_if_it_is_dropped(
    told: bool | None, same: bool, larger: bool, lost: bool
) -> None:
    assert Outcome(told, same, larger).lost == lost


def test_every_damage_changes_the_picture() -> None:
    rng = np.random.default_rng(1)
    pixels = photo_collages.photograph(photo_collages.HALVES["tune"][0])[:320, :400]
    for kind, damage in degraded_copies.KINDS.items():
        changed = damage(rng, pixels.copy())
        coarse = kind in {"jpeg q10", "jpeg q30", "webp q20"}  # damaged by how they are saved
        assert coarse == (changed.shape == pixels.shape and bool((changed == pixels).all())), kind
