"""The keys of people's answers as a release names them: nobody can tell from them who answered.

In the project's tables the key of an answer is a digest of the task, the person's address and the region. Who
has a list of addresses could try them one by one, as all else that the key is made of is published. So a
release has another digest of each key, under a secret that stays in `data/`.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from curate import tables
from curate.errors import TableError

_BYTES = 32


def secret(path: Path) -> bytes:
    """The project's secret, made where there is none yet; only its owner may read the file.

    Raises:
        TableError: The file is damaged.
        StorageError: The file cannot be written.
    """
    if not path.exists():
        with tables.replacing(path) as partial:
            descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(descriptor, "w", encoding="ascii") as file:
                file.write(secrets.token_hex(_BYTES) + "\n")
    try:
        found = bytes.fromhex(path.read_text(encoding="ascii").strip())
    except (OSError, ValueError) as error:
        raise _damaged(path) from error
    if len(found) != _BYTES:
        raise _damaged(path)
    return found


def published(keys: pa.Array, secret: bytes) -> pa.Array:
    """Lists of annotation_ids as lists of what a release calls them: 24 hex digits, equal for equal ids.

    Each list is in the order of the new names: that of the ids would tell something of them.

    Args:
        keys: (N,) list<string>, null where nothing is known.
        secret: Of `secret`.

    Examples:
        >>> one, two = published(pa.array([["a", "b"], ["b"]]), bytes(32)).to_pylist()
        >>> set(two) < set(one), one == sorted(one), len(two[0])
        (True, True, 24)
    """
    distinct = pc.unique(pc.list_flatten(keys))
    named = [hmac.digest(secret, key.encode(), hashlib.sha256).hex()[:24] for key in distinct.to_pylist()]
    at = dict(zip(distinct.to_pylist(), named, strict=True))
    return pa.array([row and sorted(at[key] for key in row) for row in keys.to_pylist()], keys.type)


def _damaged(path: Path) -> TableError:
    return TableError(f"{path} is damaged: delete it, and the next release names answers by new keys")
