"""When a sync sets colors and saved views anew, on a stand-in dataset whose samples do not change."""

from __future__ import annotations

from pathlib import Path
from unittest.mock import MagicMock

import pytest

from curate import fingerprint
from curate.adapters import (
    fiftyone_dataset,
    fiftyone_embeddings,
    fiftyone_pulled,
    fiftyone_view,
    fiftyone_views,
)
from curate.adapters.fiftyone_dataset import Synced
from curate.adapters.fiftyone_embeddings import Shown
from curate.adapters.fiftyone_views import FIRST_VIEW
from tests import builders
from tests.adapters.test_fiftyone_view import changed_images


@pytest.fixture
def dataset(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MagicMock:
    """Of a project after agreement, synced before and dressed by an older curate."""
    builders.small_project(tmp_path)
    (tmp_path / "taxonomy.yaml").write_text(builders.TAXONOMY)
    stands_in = MagicMock(info={})
    views = {FIRST_VIEW}
    stands_in.list_saved_views.side_effect = lambda: sorted(views)
    stands_in.save_view.side_effect = lambda name, *_, **__: views.add(name)
    stands_in.delete_saved_view.side_effect = views.remove
    stands_in.name = "stand-in"
    same = Synced(stands_in, added=0, changed=0, removed=0, unchanged=7, waiting=0, missing=0)
    monkeypatch.setattr(fiftyone_view, "connect", lambda *_, **__: MagicMock())
    monkeypatch.setattr(fiftyone_dataset, "sync", lambda *_, **__: same)
    monkeypatch.setattr(fiftyone_embeddings, "show", lambda *_: Shown(False, "no vectors"))
    monkeypatch.setattr(fiftyone_embeddings, "save_views", lambda *_, **__: None)
    monkeypatch.setattr(fiftyone_pulled, "show", lambda *_: None)
    monkeypatch.setattr(fiftyone_dataset, "sample_ids", lambda _: {})
    return stands_in


def is_dressed(root: Path, dataset: MagicMock) -> bool:
    """Whether a sync saves the views and sets the colors."""
    dataset.save_view.reset_mock()
    fiftyone_view.sync_dataset(root, stage="agreement")
    return bool(dataset.save_view.called)


def test_a_changed_taxonomy_reaches_an_app_whose_samples_are_as_before(
    tmp_path: Path, dataset: MagicMock
) -> None:
    file = tmp_path / "taxonomy.yaml"
    assert is_dressed(tmp_path, dataset)  # nobody knows how an older curate dressed it
    assert not is_dressed(tmp_path, dataset)
    file.write_text(builders.TAXONOMY.replace("#e6194b", "#123456"))
    assert is_dressed(tmp_path, dataset)
    assert not is_dressed(tmp_path, dataset)
    another = '  - {id: 2, name: yield_sign, prompts: [yield sign], threshold: 0.4, color: "#3cb44b"}\n'
    file.write_text(file.read_text() + another)
    assert is_dressed(tmp_path, dataset)
    assert not is_dressed(tmp_path, dataset)


def test_views_of_a_newer_curate_reach_the_app(
    tmp_path: Path, dataset: MagicMock, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert is_dressed(tmp_path, dataset)
    monkeypatch.setattr(fingerprint, "digest", lambda *_, **__: "of other code")
    assert is_dressed(tmp_path, dataset)
    assert not is_dressed(tmp_path, dataset)


def test_a_view_that_somebody_deleted_comes_back(tmp_path: Path, dataset: MagicMock) -> None:
    assert is_dressed(tmp_path, dataset)
    dataset.delete_saved_view("disagreements")
    assert is_dressed(tmp_path, dataset)
    assert not is_dressed(tmp_path, dataset)


@pytest.fixture
def evaluated(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Datasets that FiftyOne evaluated."""
    seen: list[object] = []
    monkeypatch.setattr(fiftyone_views, "_evaluate", seen.append)
    return seen


def test_samples_that_changed_alone_are_evaluated_and_set_nothing_else_anew(
    tmp_path: Path, dataset: MagicMock, evaluated: list[object]
) -> None:
    assert is_dressed(tmp_path, dataset)
    assert evaluated == [dataset]
    assert not is_dressed(tmp_path, dataset)
    assert evaluated == [dataset]
    fiftyone_dataset.forget_evaluation(dataset)  # as a sync does that writes
    assert not is_dressed(tmp_path, dataset)
    assert evaluated == [dataset, dataset]


def test_a_sync_that_was_killed_before_its_evaluation_is_made_up_for(
    tmp_path: Path, dataset: MagicMock, evaluated: list[object], monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as killed:
        killed.setattr(fiftyone_views, "_evaluate", MagicMock(side_effect=KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            is_dressed(tmp_path, dataset)
    assert not is_dressed(tmp_path, dataset)  # that was done before
    assert evaluated == [dataset]


def test_the_evaluation_is_no_more_known_from_the_first_write_on(monkeypatch: pytest.MonkeyPatch) -> None:
    class KilledError(Exception):
        pass

    def killed(*_: object, **__: object) -> None:
        assert fiftyone_dataset.EVALUATED not in dataset.info
        assert saved[-1].keys() == {"curate_project", "curate_root"}
        raise KilledError

    one = builders.image_id("one")
    draft = MagicMock()
    draft.image.image_id = one
    stored = [{"_id": "7", "image_id": one, "tags": []}]
    monkeypatch.setattr(fiftyone_dataset, "_declare", lambda *_: None)
    monkeypatch.setattr(fiftyone_dataset.documents, "stored", lambda *_: stored)
    monkeypatch.setattr(fiftyone_dataset.documents, "new", lambda *_: {})
    monkeypatch.setattr(fiftyone_dataset.documents, "shown", lambda *_: {})
    for known, shown, waits in (
        ({one: ("7", "a")}, {}, False),
        ({one: ("7", "a")}, {}, True),
        ({}, {one: "a"}, False),
        ({one: ("7", "a")}, {one: "b"}, False),
        ({one: ("7", "a")}, {one: "b"}, True),
        ({one: ("7", "a")}, {one: "a"}, False),
    ):
        saved: list[dict[str, object]] = []
        dataset = MagicMock(info={"curate_project": "mine", fiftyone_dataset.EVALUATED: "of this code"})
        dataset.save.side_effect = lambda: saved.append(dict(dataset.info))  # noqa: B023 - called at once
        dataset.delete_samples.side_effect = dataset._bulk_write.side_effect = killed
        monkeypatch.setattr(fiftyone_dataset, "_known", lambda _, known=known: known)
        for name in ("in_sample", "in_labels"):
            monkeypatch.setattr(fiftyone_pulled.Unpulled, name, lambda *_, waits=waits: waits)
        content = MagicMock(digests=shown, missing=frozenset())
        content.layout.label_fields = ()
        content.batches.side_effect = lambda ids: [[draft]] if ids else []
        fo = MagicMock()
        fo.load_dataset.return_value = dataset
        if waits or known.get(one, ("", ""))[1] == shown.get(one):  # nothing is written
            fiftyone_dataset.sync(fo, "mine", content, project="mine", root=Path("/mine"))
            assert dataset.info[fiftyone_dataset.EVALUATED] == "of this code"
        else:
            with pytest.raises(KilledError):
                fiftyone_dataset.sync(fo, "mine", content, project="mine", root=Path("/mine"))


def test_an_attribute_that_is_new_is_put_into_the_sidebar(tmp_path: Path, dataset: MagicMock) -> None:
    assert is_dressed(tmp_path, dataset)
    changed_images(tmp_path, one={"attributes": (("weather", "rain"),)})
    assert is_dressed(tmp_path, dataset)
