from __future__ import annotations

import pytest

from curate.errors import ParamsError
from curate.restoration import weights_license as license


def test_published_names_are_known_however_they_are_spelled() -> None:
    assert license.license_of("a", "w/RealESRGAN_x4plus_anime_6B.pth", None) == "bsd-3-clause"
    assert license.license_of("a", "realesr-animevideov3-x4.param", None) == "bsd-3-clause"
    assert license.license_of("a", "4x-UltraSharp.pth", None) == "cc-by-nc-sa-4.0"
    assert license.license_of("b", "bicubic", None) == "none"


def test_unknown_and_contradicting_licenses_are_refused() -> None:
    with pytest.raises(ParamsError, match=r"license of own \(own\.pth\) is not known: name it"):
        license.license_of("own", "own.pth", None)
    with pytest.raises(ParamsError, match="'free' of own is none that the Hub knows"):
        license.license_of("own", "own.pth", "free")
    with pytest.raises(ParamsError, match="'unknown' of own is none that the Hub knows"):
        license.license_of("own", "own.pth", "unknown")
    with pytest.raises(ParamsError, match=r"4x_ultrasharp\.pth is published under cc-by-nc-sa-4\.0"):
        license.license_of("u", "4x_ultrasharp.pth", "mit")


@pytest.mark.parametrize(
    "name", ["my_4x-UltraSharp.pth", "RealESRGAN_x4_ULTRASHARP_mix.pth", "w/4x_foolhardy_Remacri.pth"]
)
def test_names_of_weights_that_forbid_commerce_are_known_anywhere_in_a_name(name: str) -> None:
    assert license.license_of("m", name, None) == "cc-by-nc-sa-4.0"
    for stated in ("mit", "other"):
        with pytest.raises(ParamsError, match=r"is published under cc-by-nc-sa-4\.0"):
            license.license_of("m", name, stated)


def test_a_name_that_only_holds_a_permissive_one_is_not_known() -> None:
    """Who trained on from published weights may have chosen another license."""
    with pytest.raises(ParamsError, match="is not known"):
        license.license_of("m", "mine_from_RealESRGAN.pth", None)


def test_other_says_nothing_of_commerce_unless_the_user_does() -> None:
    with pytest.raises(ParamsError, match=r"model own stands under other.*upscale\.commercial_use"):
        license.refuse_for_release({"own": "other"}, "cc-by-4.0")
    license.refuse_for_release({"own": "other"}, "cc-by-nc-4.0")
    license.refuse_for_release({"own": "other"}, "cc-by-4.0", commercial_use=["own"])
    with pytest.raises(ParamsError, match="forbids commercial use"):  # whatever is said
        license.refuse_for_release({"own": "cc-by-nc-4.0"}, "cc-by-4.0", commercial_use=["own"])


def test_a_release_that_allows_commerce_refuses_weights_that_do_not() -> None:
    weights = {"fine": "bsd-3-clause", "ultra": "cc-by-nc-sa-4.0"}
    with pytest.raises(ParamsError, match=r"model ultra stands under cc-by-nc-sa-4\.0.*under cc-by-4\.0"):
        license.refuse_for_release(weights, "cc-by-4.0")
    license.refuse_for_release(weights, "cc-by-nc-4.0")
    license.refuse_for_release({"fine": "bsd-3-clause"}, "cc-by-4.0")
