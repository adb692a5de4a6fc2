"""Weights that anyone can fetch: where they are, how large, and their digests as far as they are known.

The digests are those that several independent projects publish for the file (and, on the Hub, what its large
file storage names at that revision). None = no source that can be relied on; `curate models list` then says
so, and nothing is checked but the size.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Role = Literal["detector", "segmenter", "text encoder", "image encoder"]


@dataclass(frozen=True, slots=True)
class PublicModel:
    """Public weights of one model: where they are, their size and digest.

    Attributes:
        name: As params.yaml names it: the file of a URL, or the Hub id.
        role: What it does here.
        kind: The adapter, as params.yaml names it.
        url: Of the file; None = a repository of the Hub.
        revision: Commit of the Hub's repository that `sha256` belongs to; None for a URL.
        size: Bytes of the (main) weights file; None = not known.
        sha256: Of the (main) weights file, 64 hex digits; None = not known.
        license: As its owners state it.
    """

    name: str
    role: Role
    kind: Literal["transformers", "groundingdino", "segment_anything", "torchvision"]
    url: str | None
    revision: str | None
    size: int | None
    sha256: str | None
    license: str


# What a model in the format of transformers is read from.
SNAPSHOT_FILES = ("*.json", "*.txt", "model.safetensors")

_GROUNDING_DINO = "https://github.com/IDEA-Research/GroundingDINO/releases/download"
_SEGMENT_ANYTHING = "https://dl.fbaipublicfiles.com/segment_anything"
_APACHE = "Apache-2.0"


def _file(
    name: str,
    folder: str,
    kind: Literal["groundingdino", "segment_anything"],
    size: int,
    sha256: str,
) -> PublicModel:
    role: Literal["detector", "segmenter"] = "detector" if kind == "groundingdino" else "segmenter"
    return PublicModel(name, role, kind, f"{folder}/{name}", None, size, sha256, _APACHE)


def _hub(
    name: str,
    role: Role,
    revision: str | None = None,
    size: int | None = None,
    sha256: str | None = None,
    *,
    license_: str = _APACHE,
) -> PublicModel:
    return PublicModel(name, role, "transformers", None, revision, size, sha256, license_)


# What groundingdino-py reads its text with; the checkpoint overwrites its weights.
TEXT_ENCODER = _hub(
    "google-bert/bert-base-uncased",
    "text encoder",
    "86b5e0934494bd15c9632b12f734a8a67f723594",
    440_449_768,
    "68d45e234eb4a928074dfd868cead0219ab85354cc53d20e772753c6bb9169d3",
)

PUBLIC = (
    _hub(
        "IDEA-Research/grounding-dino-tiny",
        "detector",
        "a2bb814dd30d776dcf7e30523b00659f4f141c71",
        689_359_096,
        "1a2412ef99bd74bcd3c2a246fa1e48581f8889a1300c9051974741314fc042f3",
    ),
    _hub(
        "IDEA-Research/grounding-dino-base",
        "detector",
        "12bdfa3120f3e7ec7b434d90674b3396eccf88eb",
        933_400_872,
        "5548f844c928c4b6f411fa8cbcc2bfa8dbbba437cb1d513975519f93c2a9ed21",
    ),
    _file(
        "groundingdino_swint_ogc.pth",
        f"{_GROUNDING_DINO}/v0.1.0-alpha",
        "groundingdino",
        693_997_677,
        "3b3ca2563c77c69f651d7bd133e97139c186df06231157a64c507099c52bc799",
    ),
    _file(
        "groundingdino_swinb_cogcoor.pth",
        f"{_GROUNDING_DINO}/v0.1.0-alpha2",
        "groundingdino",
        938_057_991,
        "46270f7a822e6906b655b729c90613e48929d0f2bb8b9b76fd10a856f3ac6ab7",
    ),
    _hub("openmmlab-community/mm_grounding_dino_tiny_o365v1_goldg_v3det", "detector"),
    _hub("iSEE-Laboratory/llmdet_tiny", "detector"),
    _hub("iSEE-Laboratory/llmdet_base", "detector"),
    _hub("facebook/sam3", "detector", license_="SAM License"),  # and segmenter; asks for consent first
    _hub(
        "google/owlv2-base-patch16-ensemble",
        "detector",
        "cfd3195ba4ea9592eec887ded089f4c08eff231d",
        619_918_824,
        "e1e130b9e404cf91a75ad45644c1da9d7fa5284085eecc864266a6923efb99e7",
    ),
    _file(
        "sam_vit_b_01ec64.pth",
        _SEGMENT_ANYTHING,
        "segment_anything",
        375_042_383,
        "ec2df62732614e57411cdcf32a23ffdf28910380d03139ee0f4fcbe91eb8c912",
    ),
    _file(
        "sam_vit_l_0b3195.pth",
        _SEGMENT_ANYTHING,
        "segment_anything",
        1_249_524_607,
        "3adcc4315b642a4d2101128f611684e8734c41232a17c648ed1693702a49a622",
    ),
    _file(
        "sam_vit_h_4b8939.pth",
        _SEGMENT_ANYTHING,
        "segment_anything",
        2_564_550_879,
        "a7bf3b02f3ebf1267aba913ff637d9a2d5c33d3173bb679e46d9f338c26f262e",
    ),
    _hub(
        "facebook/sam-vit-base",
        "segmenter",
        "70c1a07f894ebb5b307fd9eaaee97b9dfc16068f",
        None,
        "892c410e496344e527255ccdcb2cb7244a609acb5389c7c4fdba1288f861c579",
    ),
    _hub(
        "facebook/sam2.1-hiera-tiny",
        "segmenter",
        "de431c4043854a71d8101e17995dfe596bf101a5",
        155_908_064,
        "48c14467e5cf9e51870511feb72c89688e82dd74523142c0538b663e193ac2a7",
    ),
    _hub(
        "facebook/sam2.1-hiera-small",
        "segmenter",
        "e07df6aa19f5c6545121551bf89957b7663ee715",
        184_305_280,
        "0a4067b11ce1e23d5229203f11c718a823060d15a4b23fa2372a7d4b77cbbc60",
    ),
    TEXT_ENCODER,
    _hub("facebook/dinov2-small", "image encoder"),
    _hub("google/siglip2-base-patch16-224", "image encoder"),  # and of texts
    _hub("openai/clip-vit-base-patch32", "image encoder", license_="MIT"),  # and of texts
    PublicModel(
        "mobilenet_v2-b0353104.pth",
        "image encoder",
        "torchvision",
        "https://download.pytorch.org/models/mobilenet_v2-b0353104.pth",
        None,
        14_212_972,
        "b03531047ffacf1e2488318dcd2aba1126cde36e3bfe1aa5cb07700aeeee9889",
        "BSD-3-Clause",
    ),
)
BY_NAME = {model.name: model for model in PUBLIC}
