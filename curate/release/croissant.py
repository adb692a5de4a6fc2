"""croissant.json: the release described for machines, with what is known of how it was made.

Source: the Croissant format 1.0 and its RAI vocabulary 1.0, https://docs.mlcommons.org/croissant/.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import pyarrow as pa

from curate.file_identity import sha256_of
from curate.release.columns import Column
from curate.release.license_links import link_of

NAME: Final = "croissant.json"
_CONTEXT: Final = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileProperty": "cr:fileProperty",
    "fileObject": "cr:fileObject",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "parentField": "cr:parentField",
    "path": "cr:path",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}
_TYPES: Final = {"string": "sc:Text", "int32": "sc:Integer", "int64": "sc:Integer", "float": "sc:Float",
                 "double": "sc:Float", "bool": "sc:Boolean"}  # fmt: skip


def write(
    folder: Path,
    columns: Sequence[Column],
    *,
    name: str,
    version: str,
    license: str,
    description: str,
    rai: Mapping[str, str],
) -> None:
    """Write croissant.json for the Parquet files of a release folder.

    Args:
        folder: With data/ written.
        columns: Of the release.
        name: Of the data set.
        version: Semantic version.
        license: Of the annotations.
        description: A sentence or two.
        rai: Sentences by term of the RAI vocabulary, without its prefix; only what is known.
    """
    files = [
        {"@type": "cr:FileObject", "@id": path.name, "name": path.name, "contentUrl": f"data/{path.name}",
         "encodingFormat": "application/x-parquet", "sha256": sha256_of(path)}
        for path in sorted((folder / "data").glob("*.parquet"))
    ]  # fmt: skip
    every = {
        "@type": "cr:FileSet", "@id": "parquet", "name": "parquet", "encodingFormat": "application/x-parquet",
        "containedIn": [{"@id": file["@id"]} for file in files], "includes": "data/*.parquet",
    }  # fmt: skip
    document = {
        "@context": _CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": ["http://mlcommons.org/croissant/1.0", "http://mlcommons.org/croissant/RAI/1.0"],
        "name": name,
        "version": version,
        "description": description,
        "license": link_of(license) or license,
        **{f"rai:{term}": text for term, text in sorted(rai.items())},
        "distribution": [*files, every],
        "recordSet": [
            {"@type": "cr:RecordSet", "@id": "images", "name": "images", "key": {"@id": "images/image_id"},
             "field": [_field(column) for column in columns if _type(column) is not None]}
        ],
    }  # fmt: skip
    (folder / NAME).write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def _type(column: Column) -> str | None:
    if column.name == "image":
        return "sc:ImageObject"
    return None if pa.types.is_nested(column.kind) else _TYPES.get(str(column.kind))


def _field(column: Column) -> dict[str, Any]:
    extract: dict[str, Any] = {"fileSet": {"@id": "parquet"}, "extract": {"column": column.name}}
    if column.name == "image":
        extract["transform"] = {"jsonPath": "bytes"}
    return {
        "@type": "cr:Field",
        "@id": f"images/{column.name}",
        "name": column.name,
        "description": column.meaning,
        "dataType": _type(column),
        "source": extract,
    }
