import io
import re
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest
from pictures import READABLE, bomb, jpeg, many_frames, many_scans, photo, saved, srgb_profile, swapped_profile
from PIL import Image

from dermaflow_jobs.preprocess.decode import Decoded, DecodeOptions, Undecodable, decode
from dermaflow_jobs.preprocess.reasons import Reason
from dermaflow_jobs.synthetic.draw import draw_image, jpeg_bytes

OPTIONS = DecodeOptions(size=48, max_pixels=10**6)


def decoded(data: bytes, options: DecodeOptions = OPTIONS) -> Decoded:
    found = decode(data, options)
    assert isinstance(found, Decoded), found
    return found


def refused(data: bytes) -> Reason:
    found = decode(data, OPTIONS)
    assert isinstance(found, Undecodable), found
    assert found.detail
    return found.reason


def psnr(a: Image.Image, b: Image.Image) -> float:
    difference = np.asarray(a, np.float64) - np.asarray(b, np.float64)
    return float(10 * np.log10(255**2 / max(1e-9, (difference**2).mean())))


def reference(image: Image.Image, size: int) -> Image.Image:
    return image.convert("RGB").resize((size, size), Image.Resampling.BICUBIC)


@pytest.mark.parametrize("name", READABLE)
def test_every_usual_and_unusual_kind_of_image_becomes_the_picture_it_shows(name: str) -> None:
    """Whatever mode, container, ending or orientation: RGB of the asked size that looks like the picture drawn."""
    found = decoded(READABLE[name](5))
    assert (found.image.mode, found.image.size) == ("RGB", (48, 48))
    shown = photo(5)
    if name == "alpha.png":
        shown = Image.blend(shown, Image.new("RGB", shown.size, "white"), 0.5)
    grey = name in {"grey.jpg", "sixteen-bit.png", "one-bit.png"}
    least = {"one-bit.png": 18, "cmyk.jpg": 24, "palette.png": 22, "animated.gif": 24}.get(name, 28)
    expected = reference(shown.convert("L") if grey else shown, 48)
    assert psnr(found.image, expected) > least
    assert (found.width, found.height) == (160, 120)


def test_the_first_of_several_frames_is_taken_and_noted() -> None:
    """An animation is one image."""
    assert decoded(READABLE["animated.gif"](5)).notes == ("first of several frames",)


@pytest.mark.parametrize(("size", "original"), [(100, (919, 802)), (100, (1504, 1129)), (256, (1022, 767))])
def test_scaled_decoding_comes_close_to_full_decoding(size: int, original: tuple[int, int]) -> None:
    """At least 35 dB, also for sides that are no multiple of eight, where libjpeg rounds up."""
    data = saved(photo(3, original), "JPEG", quality=92)
    found = decoded(data, DecodeOptions(size=size, max_pixels=10**7))
    assert psnr(found.image, reference(Image.open(io.BytesIO(data)), size)) > 35


def test_too_many_pixels_are_refused_by_the_header_alone() -> None:
    """A few kB that would unpack to a GB are never unpacked."""
    assert refused(bomb()) is Reason.TOO_MANY_PIXELS


def test_a_jpeg_of_few_bytes_and_many_scans_is_refused_before_it_costs_its_time() -> None:
    """Each scan goes over all pixels: as many as usual pass, a thousand empty ones do not."""
    found = decode(many_scans(1000), OPTIONS)
    assert isinstance(found, Undecodable)
    assert found.reason is Reason.TOO_MANY_PIXELS
    assert re.fullmatch(r"1000 × 1000 in 100\d scans", found.detail)
    assert decoded(many_scans(5)).width == 1000
    assert decoded(many_scans(1000, side=100)).width == 100, "small pictures may have many"


def test_of_many_frames_only_the_first_is_looked_at() -> None:
    """Counting those of a GIF would mean to go through it."""
    assert decoded(many_frames(50_000)).notes == ("first of several frames",)


def test_memory_is_bounded_by_pixels_whatever_the_format(tmp_path: Path) -> None:
    """At most 16 bytes a pixel and the file: 1 GB for the largest image that is allowed, of the 2 GB a worker has."""
    side = 3000
    gradient = np.add.outer(np.arange(side), np.arange(side)) % 251
    image = Image.fromarray(gradient.astype(np.uint8)).convert("RGB")
    files = {
        "jpeg": saved(image, "JPEG"),
        "progressive": saved(image, "JPEG", progressive=True, subsampling=0),
        "rgba": saved(image.convert("RGBA"), "PNG", compress_level=1),
        "palette": saved(image.convert("L").convert("P"), "PNG", compress_level=1),
        "sixteen-bit": saved(Image.fromarray(gradient.astype(np.uint16) * 257), "PNG", compress_level=1),
        "tiff": saved(image, "TIFF"),
        "gif": saved(image.convert("L"), "GIF"),
        "webp": saved(image, "WEBP", lossless=True, method=0, quality=0),
    }
    for name, body in files.items():
        (tmp_path / name).write_bytes(body)
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        peaks = pool.submit(peaks_of, [str(tmp_path / name) for name in files]).result()
    per_pixel = {name: (peak - len(files[name])) / side**2 for name, peak in zip(files, peaks, strict=True)}
    print("\nbytes a pixel: " + ", ".join(f"{name} {value:.1f}" for name, value in per_pixel.items()))
    assert max(per_pixel.values()) <= 16


def peaks_of(paths: list[str]) -> list[int]:
    """Bytes by which the process's peak grows with each file."""
    options = DecodeOptions(size=100, max_pixels=10**7)
    decode(jpeg(1), options)
    grown = []
    for path in paths:
        Path("/proc/self/clear_refs").write_text("5")  # the peak is from now on
        before = resident("VmRSS")
        assert isinstance(decode(Path(path).read_bytes(), options), Decoded)
        grown.append(resident("VmHWM") - before)
    return grown


def resident(figure: str) -> int:
    found = re.search(rf"{figure}:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert found
    return int(found[1]) * 1024


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "WEBP", "BMP"])
def test_a_truncated_file_is_refused_not_filled_with_grey(kind: str) -> None:
    """Half a picture is no picture, in every format."""
    data = saved(photo(8), kind)
    assert refused(data[: len(data) // 2]) in {Reason.TRUNCATED, Reason.UNREADABLE}


@pytest.mark.parametrize("data", [b"", b"\xff\xd8\xff", b"GIF89a", b"plain text", b"%PDF-1.7", bytes(1000)])
def test_what_is_no_image_is_refused(data: bytes) -> None:
    """Text, magic numbers without more, zeros."""
    assert refused(data) in {Reason.UNREADABLE, Reason.TRUNCATED}


def test_values_without_a_known_range_are_refused() -> None:
    """Floating-point and 32-bit pixels could mean anything."""
    pixels = np.asarray(photo(1).convert("L"), np.float32)
    assert refused(saved(Image.fromarray(pixels), "TIFF")) is Reason.UNSUPPORTED


def test_an_icc_profile_is_converted_to_srgb() -> None:
    """A picture stored under a profile that swaps red and blue comes out as a colour-managed viewer shows it."""
    red, green, blue = photo(2).split()
    stored = Image.merge("RGB", (blue, green, red))
    found = decoded(saved(stored, "PNG", icc_profile=swapped_profile()))
    assert psnr(found.image, reference(photo(2), 48)) > 28
    assert psnr(decoded(saved(stored, "PNG")).image, reference(photo(2), 48)) < 20
    assert found.notes == ()


def test_an_srgb_profile_changes_nothing() -> None:
    """Up to rounding."""
    tagged = decoded(jpeg(2, icc_profile=srgb_profile()))
    assert psnr(tagged.image, decoded(jpeg(2)).image) > 48
    assert tagged.notes == ()


def test_a_broken_profile_is_passed_over_with_a_note() -> None:
    """The picture is still a picture."""
    found = decoded(jpeg(2, icc_profile=b"not a profile"))
    assert found.notes[0].startswith("ICC profile not used")
    assert psnr(found.image, decoded(jpeg(2)).image) > 60


def test_a_drawn_image_says_so() -> None:
    """The generator's mark is read from EXIF; a photograph has none."""
    assert decoded(jpeg_bytes(draw_image("nevus", 1, 1))).synthetic
    assert not decoded(jpeg(1)).synthetic


def test_colour_constancy_takes_out_the_tint_of_the_light() -> None:
    """The same picture under a warm light comes out with channels as even as under white light."""
    red, green, blue = photo(4).split()
    warm = Image.merge("RGB", (red, green.point(lambda v: v * 0.8), blue.point(lambda v: v * 0.55)))
    options = DecodeOptions(size=48, max_pixels=10**6, colour_constancy=True)

    def tint(image: Image.Image) -> float:
        means = np.asarray(image, np.float64).mean(axis=(0, 1))
        return float(means.max() / means.min())

    data = saved(warm, "PNG")
    assert tint(decoded(data).image) > 1.5
    assert tint(decoded(data, options).image) < 1.25
