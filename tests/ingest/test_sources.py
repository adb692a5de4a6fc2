"""The list of sources and the CSV files: what they say, and one clear line for what they must not."""

from __future__ import annotations

from pathlib import Path

import pytest

from curate.errors import CurateError, InputError, ParamsError
from curate.ingest import sources


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    root = tmp_path / "raw"
    for name in ("a/1.jpg", "a/inner/2.jpg", "b/3.jpg", "4.jpg"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"x")
    return root


def write(raw: Path, text: str, name: str = "sources.yaml") -> None:
    (raw / name).write_text(text, encoding="utf-8")


def refused(raw: Path) -> str:
    with pytest.raises(CurateError) as caught:
        sources.load(raw, "sources.yaml")
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_without_a_list_there_is_one_source_of_unknown_license(raw: Path) -> None:
    known = sources.load(raw, None)
    assert [(source.name, source.license) for source in known.sources] == [("raw", None)]


def test_without_a_raw_folder_the_file_names_all_there_is(raw: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(raw.parent)
    write(Path(), f"sources:\n- {{name: a, path: {raw.name}}}\n")
    known = sources.load(None, "sources.yaml")
    assert [(source.name, source.where) for source in known.sources] == [("a", str(raw))]
    with pytest.raises(InputError, match="neither a raw folder nor a list of sources"):
        sources.load(None, None)


def test_sources_may_lie_anywhere(raw: Path) -> None:
    (raw.parent / "lists").mkdir()
    write(raw.parent, "sources:\n- {name: a, path: ../raw/a}\nattributes: all.csv\n", "lists/sources.yaml")
    known = sources.load(raw, "../lists/sources.yaml")
    assert [(source.name, source.where) for source in known.sources] == [
        ("a", str(raw / "a")),
        (sources.UNLISTED, str(raw)),
    ]
    assert known.attributes == (raw / "../lists/all.csv",)
    assert known.own_files == {raw.parent / "lists/sources.yaml", raw.parent / "lists/all.csv"}


def test_every_kind_with_its_settings(raw: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BUCKET_KEY", "abc")
    for name in ("list.txt", "rows.csv"):
        write(raw, "", name)
    write(
        raw,
        """
sources:
- {name: folder, path: a, sidecar: true}
- {name: list, list: list.txt}
- {name: rows, table: rows.csv, column: image, attributes: [weather]}
- {name: shards, archive: "data-{000..099}.tar"}
- name: bucket
  url: s3://bucket/prefix/
  storage: {key: "env:BUCKET_KEY", client_kwargs: {endpoint_url: "http://127.0.0.1:1"}}
- {name: hub, hf: owner/name, revision: abc, split: test, column: photo, config: small}
""",
    )
    found = {source.name: source for source in sources.load(raw, "sources.yaml").sources}
    assert found["list"].base == str(raw)
    assert (found["rows"].column, found["rows"].columns) == ("image", ("weather",))
    assert found["shards"].where == str(raw / "data-{000..099}.tar")
    assert found["bucket"].base == "s3://bucket/prefix/"
    assert found["bucket"].storage == {"key": "abc", "client_kwargs": {"endpoint_url": "http://127.0.0.1:1"}}
    assert "abc" not in repr(found["bucket"])
    assert (found["hub"].where, found["hub"].column, found["hub"].split) == ("owner/name", "photo", "test")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("sources:\n- {name: a, path: nowhere}\n", "sources.yaml:2: source 'a': path 'nowhere' is no folder"),
        ("sources:\n- {name: a, path: 4.jpg}\n", "it is a file: use list, table or archive"),
        ("sources:\n- {name: a}\n", "exactly one of path, list, table, archive, url, hf"),
        ("sources:\n- {name: a, path: a, list: b}\n", "got path and list"),
        ("sources:\n- {name: a, list: no.txt}\n", "list 'no.txt' is no file"),
        ("sources:\n- {name: a, path: s3://b/c}\n", "is a URL: write url: s3://b/c"),
        ("sources:\n- {name: a, url: b/c}\n", "has no protocol"),
        ("sources:\n- {name: a, url: 'https://j:p@h/'}\n", "holds a password"),
        ("sources:\n- {name: a, path: a, split: x}\n", "split belongs to sources of kind hf: remove it"),
        ("sources:\n- {name: a, path: a, attributes: [b]}\n", "is the name of a CSV file"),
        ("sources:\n- {name: a, hf: b/c, attributes: x}\n", "is a list of columns"),
        (
            "sources:\n- {name: a, url: 's3://b/', storage: {secret: x}}\n",
            "storage.secret is a secret: write secret: env:NAME",
        ),
        (
            "sources:\n- {name: a, url: 's3://b/', storage: {client_kwargs: {aws_secret_access_key: x}}}\n",
            "storage.aws_secret_access_key is a secret",
        ),
        (
            "sources:\n- {name: a, url: 's3://b/', storage: {key: 'env:NO_SUCH_VARIABLE'}}\n",
            "wants the variable NO_SUCH_VARIABLE",
        ),
        (
            "sources:\n- {name: a, path: a}\n- {name: a, path: b}\n",
            ".yaml:3: source 'a': this name is taken",
        ),
        ("sources:\n- {name: unlisted, path: a}\n", "this name is taken"),
        (
            "sources:\n- {name: a, path: a, licence: MIT}\n",
            "sources.yaml:2: sources.0.licence = 'MIT' is unknown",
        ),
        ("sources:\n- {name: a/b, path: a}\n", "sources.0.name = 'a/b' is refused"),
        ("sources: []\n", "sources = [] is refused"),
    ],
)
def test_a_wrong_list_is_one_line(raw: Path, text: str, said: str) -> None:
    write(raw, text)
    assert said in refused(raw)


def test_the_nearest_name_is_told(raw: Path) -> None:
    write(raw, "sources:\n- {name: a, path: a, licence: MIT}\n")
    with pytest.raises(ParamsError, match="did you mean 'license'"):
        sources.load(raw, "sources.yaml")
