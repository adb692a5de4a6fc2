"""The folder of upright images, `<2 hex digits>/<image_id><extension>`; a kill at any time hurts nothing.

Files that are upright RGB already share their blocks with the raw file, or are hard links to it where the
file system cannot do that: replace raw files, do not write into them.
"""

from __future__ import annotations

import errno
import hashlib
import io
import os
import shutil
import sys
from collections.abc import Collection
from pathlib import Path

from PIL import Image

_FICLONE = 0x40049409  # linux/fs.h: _IOW(0x94, 9, int)
_NO_LINK = {
    errno.EXDEV,
    errno.EPERM,
    errno.EMLINK,
    errno.EOPNOTSUPP,
    errno.EACCES,
    errno.ENOSYS,
    errno.EINVAL,
}


def relative_path(image_id: str, extension: str) -> Path:
    """Where an image stands in the folder."""
    return Path(image_id[:2]) / f"{image_id}{extension}"


def keep_source(source: Path, target: Path, image_id: str) -> None:
    """Make `target` hold the bytes of `source`: shared blocks, else a hard link, else a copy.

    What is there already stays if its content is right.

    Args:
        source: The raw file; `image_id` is the sha256 of its bytes.
        target: In the image folder.
        image_id: 64 hex digits.

    Raises:
        OSError: Nothing could be written.
    """
    real = source.resolve()
    if _holds(target, real, image_id):
        return
    partial = _partial(target)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        partial.unlink(missing_ok=True)
        if not _reflink(real, partial) and not _hardlink(real, partial):
            shutil.copyfile(real, partial)
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)  # rename() of two names of one file leaves both


def encode(picture: Image.Image, target: Path, *, jpeg_quality: int) -> None:
    """Write an RGB picture as the JPEG or PNG that `target` is called, unless it is there just so.

    Neither EXIF nor ICC data is written: the picture is upright sRGB.

    Raises:
        OSError: Nothing could be written.
    """
    buffer = io.BytesIO()
    if target.suffix == ".jpg":
        picture.save(buffer, "JPEG", quality=jpeg_quality, subsampling=0)
    else:
        picture.save(buffer, "PNG")
    content = buffer.getvalue()
    if target.is_file() and target.read_bytes() == content:
        return
    partial = _partial(target)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        partial.write_bytes(content)
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)


def remove_strangers(folder: Path, expected: Collection[str]) -> int:
    """Remove every file below `folder` that is not expected, and folders left empty.

    Args:
        folder: The image folder.
        expected: Paths relative to it, with forward slashes.

    Returns:
        How many files were removed.
    """
    removed = 0
    for parent, folders, files in os.walk(folder, topdown=False):
        for name in files:
            path = Path(parent, name)
            if path.relative_to(folder).as_posix() not in expected:
                path.unlink()
                removed += 1
        for name in folders:
            path = Path(parent, name)
            if path.is_symlink():
                path.unlink()
                removed += 1
            elif not any(path.iterdir()):
                path.rmdir()
    return removed


def _partial(target: Path) -> Path:
    return target.with_name(f".{target.name}.{os.getpid()}.partial")  # two workers may meet in exact copies


def _holds(target: Path, source: Path, image_id: str) -> bool:
    if not target.is_file():
        return False
    if target.samefile(source):
        return True
    with target.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() == image_id


def _reflink(source: Path, target: Path) -> bool:
    if not sys.platform.startswith("linux"):
        return False
    import fcntl  # noqa: PLC0415 - not on every platform

    with source.open("rb") as reader, target.open("wb") as writer:
        try:
            fcntl.ioctl(writer.fileno(), _FICLONE, reader.fileno())
        except OSError as error:
            if error.errno not in _NO_LINK | {errno.ENOTTY}:
                raise
        else:
            return True
    target.unlink()
    return False


def _hardlink(source: Path, target: Path) -> bool:
    try:
        os.link(source, target)
    except OSError as error:
        if error.errno not in _NO_LINK:
            raise
        return False
    return True
