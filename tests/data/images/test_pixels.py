"""Pixels of one image: kinds of files, modes, sizes, and damage."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gedi.data.source import load
from gedi.errors import DataError
from gedi.untrusted.pixels import planes_of
from small_images import colour, encoded, grey, write


@pytest.mark.parametrize(
    ("suffix", "kind", "options"),
    [
        ("webp", "WEBP", {"lossless": True}),
        ("bmp", "BMP", {}),
        ("tiff", "TIFF", {}),
        ("tif", "TIFF", {"compression": "tiff_lzw"}),
        ("png", "PNG", {}),
    ],
)
def test_lossless_kinds_of_files(suffix, kind, options):
    for i in range(2):
        write(f"set/{i}.{suffix}", colour(i), kind, **options)
    x = load("set").x.reshape(2, 3, 4, 5)
    np.testing.assert_array_equal(x[1], colour(1).transpose(2, 0, 1))


@pytest.mark.parametrize("suffix", ["jpg", "jpeg"])
def test_jpeg(suffix):
    for i, value in enumerate((50, 200)):
        write(f"set/{i}.{suffix}", np.full((8, 8), value, np.uint8), "JPEG", quality=95)
    np.testing.assert_allclose(load("set").x.mean(1), [50, 200], atol=1)


def test_the_first_frame_of_a_gif():
    frames = [Image.new("RGB", (3, 2), name) for name in ("red", "blue")]
    for i in range(2):
        write(f"set/{i}.gif", frames[0], "GIF", save_all=True, append_images=frames[1:])
    data = load("set")
    assert data.image_shape == (3, 2, 3)
    np.testing.assert_array_equal(data.x[1].reshape(3, 6), [[255] * 6, [0] * 6, [0] * 6])


def two_of(image, kind="PNG", **options):
    for i in range(2):
        write(f"set/{i}.{kind.lower()}", image, kind, **options)
    data = load("set")
    return data.x.reshape(2, *data.image_shape)[1]


def test_alpha_shows_white():
    clear = Image.new("RGBA", (2, 1), (255, 0, 0, 0))
    clear.putpixel((1, 0), (0, 100, 0, 255))
    np.testing.assert_array_equal(two_of(clear)[:, 0], [[255, 0], [255, 100], [255, 0]])


def test_half_of_alpha_shows_half_of_white():
    out = two_of(Image.new("LA", (1, 1), (0, 127)))
    np.testing.assert_array_equal(out[:, 0, 0], [128] * 3)


def test_palettes_become_their_colours():
    palette = Image.new("P", (2, 1))
    palette.putpalette([10, 20, 30, 40, 50, 60])
    palette.putpixel((1, 0), 1)
    np.testing.assert_array_equal(two_of(palette)[:, 0], [[10, 40], [20, 50], [30, 60]])
    out = two_of(palette, transparency=1)
    np.testing.assert_array_equal(out[:, 0], [[10, 255], [20, 255], [30, 255]])


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_grey_of_sixteen_bits_keeps_all_of_them(kind):
    values = np.array([[0, 128, 129, 257, 1000, 65406, 65535]], np.uint16)
    np.testing.assert_array_equal(two_of(values, kind)[0], values.astype(np.float32) / 257)
    rounded = planes_of(Path("set/0." + kind.lower()), None, in_bytes=True)
    np.testing.assert_array_equal(rounded[0], [[0, 0, 1, 1, 4, 254, 255]])


@pytest.mark.parametrize("stream_above", [2**30, 0])
def test_sixteen_bits_beside_eight_and_colour(stream_above):
    deep = np.full((8, 8), 1000, np.uint16)
    write("set/0.png", np.full((8, 8), 9, np.uint8))
    write("set/1.png", deep)
    write("set/2.png", colour(0, 8, 8))
    write("set/3.png", deep * 0 + 257 * 5)
    data = load("set", stream_above=stream_above)
    assert data.x.dtype == np.float32 and data.image_shape == (3, 8, 8)
    assert (data.x[0] == 9).all() and (data.x[3] == 5).all()
    np.testing.assert_array_equal(data.x[1], np.float32(1000 / 257))
    np.testing.assert_array_equal(data.x[2].reshape(3, 8, 8), colour(0, 8, 8).transpose(2, 0, 1))
    assert load("set", image_size=4).x.dtype == np.float32


def test_dim_images_of_sixteen_bits_differ():
    for i in range(2):
        write(f"set/{i}.png", np.array([[i, 40], [80, 90]], np.uint16))
    data = load("set")
    assert data.value_range == (0.0, pytest.approx(90 / 257))
    assert data.x[0, 0] != data.x[1, 0]


def test_sixteen_bits_that_eight_can_hold_are_bytes():
    for i in range(2):
        write(f"set/{i}.png", np.array([[0, 257 * 255]], np.uint16))
    data = load("set")
    assert data.x.dtype == np.uint8 and data.x[0].tolist() == [0, 255]


def test_one_bit_is_black_and_white():
    bits = Image.fromarray(np.array([[0, 255, 0]], np.uint8)).convert("1")
    np.testing.assert_array_equal(two_of(bits), [[[0, 255, 0]]])


def test_photographs_are_turned_upright():
    photo = Image.fromarray(grey())
    exif = photo.getexif()
    exif[0x0112] = 6  # turn by 90 degrees, clockwise
    np.testing.assert_array_equal(two_of(photo, exif=exif)[0], np.rot90(grey(), -1))


@pytest.mark.parametrize("kind", ["int32", "float32"])
def test_values_of_32_bits_have_the_units_of_8(kind):
    rng = np.random.default_rng(0)
    values = rng.integers(256, size=(2, 4, 4))
    for i, each in enumerate(values):
        scaled = (each / 255).astype(kind) if kind == "float32" else (each * 257).astype(kind)
        write(f"set/{i}.tiff", scaled, "TIFF")
    data = load("set")
    assert data.x.dtype == np.uint8
    np.testing.assert_array_equal(data.x.reshape(2, 4, 4), values)
    write("set/2.tiff", (values[0] / 500).astype("float32"), "TIFF")
    np.testing.assert_allclose(load("set").x[2], values[0].ravel() / 500 * 255, rtol=1e-5)


@pytest.mark.parametrize(
    ("value", "kind", "words"),
    [
        (300, "float32", "holds floats from 0 to 300: expected them from 0 to 1: rescale all"),
        (-1, "float32", "holds floats from -1 to 0"),
        (1e6, "int32", r"whole numbers from 0 to 1e\+06: expected them from 0 to 65535"),
        (np.nan, "float32", "values that are not finite"),
    ],
)
def test_values_without_a_known_range_are_refused(value, kind, words):
    for i in range(2):
        image = np.zeros((2, 2), kind)
        image[0, 0] = value
        write(f"set/{i}.tiff", image, "TIFF")
    with pytest.raises(DataError, match=rf"set/0\.tiff holds.*{words.removeprefix('holds ')}"):
        load("set")


def test_image_size_resizes_the_shorter_side():
    halves = np.zeros((40, 80), np.uint8)
    halves[20:] = 240
    for i in range(2):
        write(f"set/{i}.png", halves)
    data = load("set", image_size=8)
    assert data.image_shape == (1, 8, 8)
    x = data.x[0].reshape(8, 8)
    assert (x[:2] == 0).all() and (x[6:] == 240).all() and (x == x[:, :1]).all()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", r"is damaged or no image of the kinds PNG, JPEG"),
        (b"\x00garbage" * 9, r"is damaged or no image of the kinds PNG, JPEG"),
        (encoded(colour(0, 64, 64))[:-3000], r"cannot be decoded \(.*truncated.*\)"),
    ],
)
def test_damaged_images(content, message):
    for i in (0, 2, 3):
        write(f"set/{i}.png", colour(i, 64, 64))
    write("set/1.png", content)
    with pytest.raises(DataError, match=r"^set/1\.png " + message) as caught:
        load("set")
    assert "skip_bad" in str(caught.value) and "\n" not in str(caught.value)
    data = load("set", skip_bad=True)
    assert data.n_skipped == 1
    expected = [colour(i, 64, 64).transpose(2, 0, 1) for i in (0, 2, 3)]
    np.testing.assert_array_equal(data.x.reshape(3, 3, 64, 64), expected)


@pytest.mark.parametrize(("kind", "suffix"), [("PNG", "png"), ("WEBP", "webp"), ("GIF", "gif")])
def test_damaged_bytes_never_escape_as_another_error(kind, suffix):
    good = encoded(
        Image.fromarray(colour(0, 8, 8)).quantize(16) if kind == "GIF" else colour(), kind
    )
    rng = np.random.default_rng(0)
    for i in range(150):
        bad = bytearray(good)
        bad[rng.integers(len(bad))] = rng.integers(256)
        write(f"set/{i}.{suffix}", bytes(bad[: rng.integers(len(bad))] if i % 3 == 0 else bad))
    assert load("set", skip_bad=True, image_size=4).n_skipped > 20


@pytest.mark.filterwarnings("error")
def test_a_huge_image_is_refused(monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    write("set/a.png", grey(0, 5, 5))
    write("set/b.png", grey(0, 11, 10))
    write("set/c.png", grey(0, 5, 5))
    with pytest.raises(DataError, match=r"set/b\.png has more than 100 pixels, too many"):
        load("set", image_size=4)
    assert load("set", skip_bad=True).n_skipped == 1
