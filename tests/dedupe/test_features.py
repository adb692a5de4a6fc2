"""Features from files: exact is imagehash's, fast is near it, turned files come upright, damage is told."""

from __future__ import annotations

import io
from pathlib import Path

import imagehash
import numpy as np
import pytest
import simplejpeg
from PIL import Image, ImageCms, ImageOps
from PIL.PngImagePlugin import PngInfo
from skimage import data

from curate.dedupe.features import Features, Recipe, extract
from curate.errors import InputError
from curate.images import color
from curate.images.upright_srgb import Limits
from curate.images.upright_srgb import upright as ingest
from curate.params import DedupeParams

EXACT = Recipe("phash", "exact", "all", True)
FAST = Recipe("phash", "fast", "all", True)
TURNED_BACK = {
    1: None,
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}
# (extension, mode, options of save)
FILES = (
    (".jpg", "RGB", {"quality": 90}),
    (".jpg", "RGB", {"quality": 90, "progressive": True}),
    (".jpg", "RGB", {"quality": 90, "subsampling": "4:4:4"}),
    (".jpg", "L", {"quality": 90}),
    (".jpg", "CMYK", {"quality": 90}),
    (".png", "RGB", {}),
    (".png", "L", {}),
    (".png", "1", {}),
    (".png", "P", {}),
    (".png", "LA", {}),
    (".png", "RGBA", {}),
    (".png", "I;16", {}),
    (".webp", "RGB", {"quality": 90}),
    (".webp", "RGBA", {"lossless": True}),
    (".tif", "RGB", {}),
    (".tif", "CMYK", {}),
    (".tif", "LAB", {}),
    (".tif", "F", {}),
    (".tif", "I", {}),
    (".gif", "P", {}),
    (".bmp", "RGB", {}),
    (".jp2", "RGB", {}),
    (".ppm", "RGB", {}),
    (".avif", "RGB", {"quality": 90}),
)


def photograph() -> Image.Image:
    return Image.fromarray(data.astronaut()).crop((40, 0, 440, 300))


def in_mode(mode: str) -> Image.Image:
    picture = photograph()
    if mode == "I;16":
        return Image.fromarray(np.asarray(picture.convert("L")).astype(np.uint16) * 257)
    if mode in ("LA", "RGBA"):
        picture.putalpha(Image.linear_gradient("L").resize(picture.size))
    if mode == "LAB":
        rgb_to_lab = ImageCms.buildTransform(
            ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), "RGB", "LAB"
        )
        turned = ImageCms.applyTransform(picture, rgb_to_lab)
        assert turned is not None
        return turned
    return picture.convert(mode)


def upright(path: Path) -> Image.Image:
    """The picture as ingest would store it, by the slow way."""
    with Image.open(path) as image:
        image.load()
        return ImageOps.exif_transpose(color.to_srgb(image)) if not image.getexif() else _turned(image)


def _turned(image: Image.Image) -> Image.Image:
    return color.to_srgb(ImageOps.exif_transpose(image))


def oracle(picture: Image.Image) -> int:
    return int(str(imagehash.phash(picture)), 16)


def saved(folder: Path, extension: str, mode: str, options: dict[str, object]) -> Path:
    path = folder / f"picture{extension}"
    in_mode(mode).save(path, **options)
    return path


@pytest.mark.parametrize(("extension", "mode", "options"), FILES)
def test_exact_is_imagehash_on_the_upright_picture(
    tmp_path: Path, extension: str, mode: str, options: dict[str, object]
) -> None:
    path = saved(tmp_path, extension, mode, options)
    picture = upright(path)
    assert extract([path], EXACT).phash.tolist() == [oracle(picture)]
    for name, function in (("dhash", imagehash.dhash), ("whash", imagehash.whash)):
        found = extract([path], Recipe(name, "exact", "none", False))
        assert f"{int(found.hashes[0]):016x}" == str(function(picture))
        assert found.phash.tolist() == [oracle(picture)]


@pytest.mark.parametrize(("extension", "mode", "options"), FILES)
def test_fast_is_within_four_bits(
    tmp_path: Path, extension: str, mode: str, options: dict[str, object]
) -> None:
    path = saved(tmp_path, extension, mode, options)
    assert (int(extract([path], FAST).phash[0]) ^ oracle(upright(path))).bit_count() <= 4


@pytest.mark.parametrize("decode", ["fast", "exact"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_files_turned_by_exif_come_upright(tmp_path: Path, orientation: int, decode: str) -> None:
    picture, path = photograph(), tmp_path / "turned.jpg"
    turn = TURNED_BACK[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    (picture if turn is None else picture.transpose(turn)).save(path, quality=95, exif=exif)
    found = extract([path], Recipe("phash", decode, "none", False))  # type: ignore[arg-type]
    assert found.size.tolist() == [[400, 300]]
    assert (int(found.phash[0]) ^ oracle(picture)).bit_count() <= 2


def test_an_orientation_in_xmp_is_obeyed_as_pillow_does(tmp_path: Path) -> None:
    picture, path = photograph(), tmp_path / "xmp.jpg"
    xmp = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description tiff:Orientation="6"/></x:xmpmeta>'
    picture.transpose(Image.Transpose.ROTATE_90).save(path, quality=95, xmp=xmp)
    with Image.open(path) as image:
        assert ImageOps.exif_transpose(image).size == (400, 300)
    assert extract([path], FAST).size.tolist() == [[400, 300]]


@pytest.mark.parametrize("extension", [".jpg", ".png", ".webp"])
@pytest.mark.parametrize("decode", ["fast", "exact"])
@pytest.mark.parametrize("orientation", [None, 6])
def test_both_stages_turn_a_file_in_the_same_way(
    tmp_path: Path, orientation: int | None, decode: str, extension: str
) -> None:
    path, exif = tmp_path / f"turned{extension}", Image.Exif()
    xmp = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description tiff:Orientation="8"/></x:xmpmeta>'
    if orientation is not None:  # goes before that of XMP
        exif[0x0112] = orientation
    photograph().save(path, exif=exif, **({"pnginfo": _packet(xmp)} if extension == ".png" else {"xmp": xmp}))
    limits = Limits(min_side=1, max_pixels=10**9, max_aspect=100)
    [ingested] = ingest(path.read_bytes(), limits, frames="first", jpeg_quality=95)
    assert ingested.header.exif_orientation == (orientation or 8)
    found = extract([path], Recipe("phash", decode, "none", False))  # type: ignore[arg-type]
    assert found.size.tolist() == [[ingested.header.width, ingested.header.height]]
    turned = photograph().transpose(TURNED_BACK[14 - (orientation or 8)] or Image.Transpose.ROTATE_90)
    assert (int(found.phash[0]) ^ oracle(turned)).bit_count() <= 2


def _packet(xmp: bytes) -> PngInfo:
    chunks = PngInfo()
    chunks.add_itxt("XML:com.adobe.xmp", xmp.decode())
    return chunks


@pytest.mark.parametrize("extension", [".jpg", ".png", ".webp"])
@pytest.mark.parametrize("decode", ["fast", "exact"])
@pytest.mark.parametrize("share", [0.0, 0.02, 0.3, 0.6, 0.95, 0.999])
def test_a_truncated_file_is_never_passed(tmp_path: Path, extension: str, decode: str, share: float) -> None:
    whole = saved(tmp_path, extension, "RGB", {}).read_bytes()
    path = tmp_path / f"cut{extension}"
    path.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(InputError, match=r"cut\.(jpg|png|webp)"):
        extract([path], Recipe("phash", decode, "none", False))  # type: ignore[arg-type]


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nowhere\.jpg has disappeared"):
        extract([tmp_path / "nowhere.jpg"], FAST)


def test_no_file_is_handed_to_a_decoder_by_its_name(tmp_path: Path) -> None:
    path = tmp_path / "really-a-png.jpg"
    photograph().save(path, "PNG")
    assert extract([path], FAST).phash.tolist() == [oracle(photograph())]


def test_the_pixels_of_both_decoders_are_the_same(tmp_path: Path) -> None:
    path = saved(tmp_path, ".jpg", "RGB", {"quality": 80})
    with Image.open(path) as image:
        assert (simplejpeg.decode_jpeg(path.read_bytes()) == np.asarray(image)).all()


def test_turned_columns_are_the_hashes_of_the_turned_pictures(tmp_path: Path) -> None:
    picture, path = photograph(), tmp_path / "picture.png"
    picture.save(path)
    turned = [
        ImageOps.mirror(picture),
        ImageOps.flip(picture),
        picture.transpose(Image.Transpose.ROTATE_180),
        picture.transpose(Image.Transpose.TRANSPOSE),
        picture.transpose(Image.Transpose.ROTATE_270),
        picture.transpose(Image.Transpose.ROTATE_90),
        picture.transpose(Image.Transpose.TRANSVERSE),
    ]
    for word, other in zip(extract([path], EXACT).turned[0].tolist(), turned, strict=True):
        assert (word ^ oracle(other)).bit_count() <= 2


def test_a_row_depends_on_its_file_alone(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    paths = []
    for index in range(12):
        path = tmp_path / f"{index}.jpg"
        Image.fromarray(rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)).resize((200, 100 + index)).save(path)
        paths.append(path)
    for recipe in (FAST, EXACT, Recipe("dhash", "fast", "mirrored", True)):
        whole = extract(paths, recipe).columns()
        for row, path in enumerate(paths):
            for name, column in extract([path], recipe).columns().items():
                assert (column[0] == whole[name][row]).all(), name


@pytest.mark.parametrize("recipe", [FAST, Recipe("ahash", "exact", "none", False)])
def test_columns_have_the_layout_and_come_back(tmp_path: Path, recipe: Recipe) -> None:
    path = saved(tmp_path, ".jpg", "RGB", {})
    found = extract([path, path, path], recipe)
    layout, columns = Features.layout(recipe), found.columns()
    assert list(layout) == list(columns)
    for name, (kind, shape) in layout.items():
        assert columns[name].dtype == kind, name
        assert columns[name].shape == (3, *shape), name
    again = Features.from_columns(columns)
    assert all((again.columns()[name] == columns[name]).all() for name in columns)
    assert sum(kind.itemsize * int(np.prod(shape)) for kind, shape in layout.values()) <= 8700


def test_no_files_no_rows() -> None:
    assert len(extract([], FAST)) == 0


def test_the_digest_tells_recipes_apart() -> None:
    params = DedupeParams()
    recipes = [Recipe.of(params), FAST, EXACT, Recipe("dhash", "fast", "mirrored", True)]
    assert len({recipe.digest() for recipe in recipes}) == len(recipes)
    assert Recipe.of(params).digest() == Recipe.of(DedupeParams()).digest()


def test_a_profile_that_is_not_srgb_goes_through_pillow(tmp_path: Path) -> None:
    path = tmp_path / "lab.jpg"
    buffer = io.BytesIO()
    photograph().save(buffer, "JPEG", icc_profile=b"damaged")
    path.write_bytes(buffer.getvalue())
    assert (int(extract([path], FAST).phash[0]) ^ oracle(photograph())).bit_count() <= 2
