"""Sets of images: pixels, orders and names that come out, and one test for each mistake."""

import io
import sys
from pathlib import Path

import datasets
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from gedi.data import load
from gedi.errors import DataError
from gedi.images import PRESETS, holds_images
from gedi.runs import Run, Source
from gedi.scaling import Scaling


@pytest.fixture(autouse=True)
def _in_tmp(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def grey(seed=0, height=4, width=5):
    return np.random.default_rng(seed).integers(256, size=(height, width), dtype=np.uint8)


def colour(seed=0, height=4, width=5):
    return np.random.default_rng(seed).integers(256, size=(height, width, 3), dtype=np.uint8)


def encoded(pixels, kind="PNG", **options):
    file = io.BytesIO()
    image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    image.save(file, kind, **options)
    return file.getvalue()


def write(path, pixels, kind="PNG", **options):
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    content = pixels if isinstance(pixels, bytes) else encoded(pixels, kind, **options)
    Path(path).write_bytes(content)


def shard(path, images, names=None, image="image", **columns):
    """A parquet file as `datasets` writes it."""
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    rows = [pixels if pixels is None else {"bytes": pixels, "path": None} for pixels in images]
    table = pa.table({image: pa.array(rows, kind), **columns})
    if names is not None:
        features = {"label": datasets.ClassLabel(names=names)}
        schema = datasets.Features(features).arrow_schema
        table = table.replace_schema_metadata(schema.metadata)
    pq.write_table(table, path)


# Folders


def test_a_folder_of_images_comes_in_the_order_of_names():
    for name, seed in (("b.png", 1), ("a.png", 0), ("c.PNG", 2)):
        write(f"set/{name}", grey(seed))
    Path("set/notes.txt").write_text("no image")
    write("set/.hidden.png", b"")
    data = load("set")
    assert data.x.dtype == np.uint8 and data.x.shape == (3, 20)
    np.testing.assert_array_equal(data.x.reshape(3, 4, 5), [grey(0), grey(1), grey(2)])
    assert (data.name, data.image_shape, data.value_range) == ("set", (1, 4, 5), (0.0, 255.0))
    assert data.labels is None and data.class_names == () and data.n_skipped == 0
    assert data.files == ("a.png", "b.png", "c.PNG")
    assert data.subset(np.array([2, 0])).files == ("c.PNG", "a.png")
    assert data.subset(slice(1)).files == ("a.png",)
    assert data.feature_names == ()


def test_folders_in_a_folder_are_classes():
    write("set/dog/2.png", colour(2))
    write("set/cat/9.png", colour(9))
    write("set/dog/1.png", colour(1))
    Path("set/empty").mkdir()
    data = load("set")
    assert data.class_names == ("cat", "dog") and data.labels.dtype == np.int64
    np.testing.assert_array_equal(data.labels, [0, 1, 1])
    assert data.files == ("cat/9.png", "dog/1.png", "dog/2.png")
    assert data.image_shape == (3, 4, 5)
    # Channel after channel, as networks take them.
    np.testing.assert_array_equal(
        data.x.reshape(3, 3, 4, 5), [colour(i).transpose(2, 0, 1) for i in (9, 1, 2)]
    )


def test_many_images_keep_their_order():
    for i in range(1100):  # more than are held at a time
        write(f"set/{i:04}.png", np.full((1, 2), i % 251, np.uint8))
    np.testing.assert_array_equal(load("set").x[:, 0], np.arange(1100) % 251)


def test_folders_of_splits():
    for split in ("test", "train"):
        for i in range(2):
            write(f"set/{split}/c{i}/a.png", np.full((2, 2), 10 * i + len(split), np.uint8))
    np.testing.assert_array_equal(load("set").x[:, 0], [5, 15])
    data = load("set", split="test")
    np.testing.assert_array_equal(data.x[:, 0], [4, 14])
    assert data.class_names == ("c0", "c1") and data.name == "set"
    assert data.files == ("test/c0/a.png", "test/c1/a.png")
    with pytest.raises(DataError, match=r"no split 'val': give split \(--split\) as one of 'test'"):
        load("set", split="val")
    with pytest.raises(DataError, match=r"set/test has no splits .* leave out split='test'"):
        load("set/test", split="test")


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


# Modes


@pytest.mark.parametrize("grey_first", [True, False])
def test_grey_among_colour_becomes_colour(grey_first):
    files = [("a", grey()), ("b", colour())] if grey_first else [("a", colour()), ("b", grey())]
    for name, pixels in files:
        write(f"set/{name}.png", pixels)
    x = load("set").x.reshape(2, 3, 4, 5)
    np.testing.assert_array_equal(x[1 - grey_first], [grey()] * 3)
    np.testing.assert_array_equal(x[int(grey_first)], colour().transpose(2, 0, 1))


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
def test_grey_of_sixteen_bits_is_rounded_to_eight(kind):
    values = np.array([[0, 128, 129, 257, 1000, 65406, 65535]], np.uint16)
    out = two_of(values, kind)
    np.testing.assert_array_equal(out[0], [[0, 0, 1, 1, 4, 254, 255]])


def test_one_bit_is_black_and_white():
    bits = Image.fromarray(np.array([[0, 255, 0]], np.uint8)).convert("1")
    np.testing.assert_array_equal(two_of(bits), [[[0, 255, 0]]])


def test_photographs_are_turned_upright():
    photo = Image.fromarray(grey())
    exif = photo.getexif()
    exif[0x0112] = 6  # turn by 90 degrees, clockwise
    np.testing.assert_array_equal(two_of(photo, exif=exif)[0], np.rot90(grey(), -1))


def test_floats_are_refused():
    for i in range(2):
        write(f"set/{i}.tiff", np.zeros((2, 2), np.float32), "TIFF")
    with pytest.raises(DataError, match=r"set/0\.tiff holds values of 32 bits: save it with 8"):
        load("set")


# Sizes


def test_image_size_keeps_the_middle():
    wide, tall = grey(0, 4, 8), grey(1, 8, 4)
    write("set/a.png", wide)
    write("set/b.png", tall)
    with pytest.raises(
        DataError,
        match=r"set/a\.png has 8 x 4 pixels but set/b\.png has 4 x 8: give image_size",
    ):
        load("set")
    x = load("set", image_size=4).x.reshape(2, 4, 4)
    np.testing.assert_array_equal(x, [wide[:, 2:6], tall[2:6]])


def test_image_size_resizes_the_shorter_side():
    halves = np.zeros((40, 80), np.uint8)
    halves[20:] = 240
    for i in range(2):
        write(f"set/{i}.png", halves)
    data = load("set", image_size=8)
    assert data.image_shape == (1, 8, 8)
    x = data.x[0].reshape(8, 8)
    assert (x[:2] == 0).all() and (x[6:] == 240).all() and (x == x[:, :1]).all()


def test_the_first_two_that_differ_are_named():
    for name, side in (("a", 3), ("b", 3), ("c", 4), ("d", 5)):
        write(f"set/{name}.png", grey(0, side, side))
    with pytest.raises(DataError, match=r"set/a\.png has 3 x 3 .* set/c\.png has 4 x 4"):
        load("set")


@pytest.mark.parametrize("size", [0, -3])
def test_image_size_is_positive(size):
    write("set/a.png", grey())
    with pytest.raises(DataError, match=f"image_size: expected at least 1 pixel, got {size}"):
        load("set", image_size=size)


# Images that cannot be read


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


def test_labels_stay_with_their_images_where_some_are_skipped():
    for i, name in enumerate(("u/0", "u/1", "v/2", "v/3")):
        write(f"set/{name}.png", b"bad" if i in (0, 2) else grey(i))
    data = load("set", skip_bad=True)
    np.testing.assert_array_equal(data.labels, [0, 1])
    np.testing.assert_array_equal(data.x.reshape(2, 4, 5), [grey(1), grey(3)])
    assert data.n_skipped == 2 and data.files == ("u/1.png", "v/3.png")


def test_only_damaged_images():
    for i in range(3):
        write(f"set/{i}.png", b"bad")
    with pytest.raises(
        DataError, match=r"set: none of 3 images can be read: set/0\.png is damaged"
    ):
        load("set", skip_bad=True)


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


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_a_huge_image_is_refused(monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    write("set/a.png", grey(0, 5, 5))
    write("set/b.png", grey(0, 11, 10))
    write("set/c.png", grey(0, 5, 5))
    with pytest.raises(DataError, match=r"set/b\.png has more than 100 pixels, too many"):
        load("set", image_size=4)
    assert load("set", skip_bad=True).n_skipped == 1


# Folders without images


def test_folders_that_hold_no_set():
    Path("empty").mkdir()
    Path("texts").mkdir()
    Path("texts/a.txt").write_text("a")
    for name in ("empty", "texts"):
        with pytest.raises(DataError, match=rf"{name} is a directory without images.*\.png"):
            load(name)
    write("both/a.png", grey())
    write("both/class/b.png", grey())
    with pytest.raises(DataError, match=r"both holds images \(a\.png\) beside folders of .*class"):
        load("both")
    write("set/u/a.png", grey())
    with pytest.raises(
        DataError, match=r"classes of images are their folders: leave out .* 'kind'"
    ):
        load("set", label="kind")
    with pytest.raises(DataError, match="set: expected at least 2 rows, got 1"):
        load("set")
    assert load("set", min_rows=1).x.shape == (1, 20)


# Parquet


def test_a_parquet_file_of_images():
    images = [encoded(colour(i)) for i in range(4)]
    shard("toys.parquet", images, ["ball", "car", "doll"], label=[2, 0, 0, 2])
    data = load("toys.parquet")
    assert (data.name, data.image_shape, data.x.dtype) == ("toys", (3, 4, 5), np.uint8)
    np.testing.assert_array_equal(
        data.x.reshape(4, 3, 4, 5), [colour(i).transpose(2, 0, 1) for i in range(4)]
    )
    np.testing.assert_array_equal(data.labels, [2, 0, 0, 2])
    assert data.class_names == ("ball", "car", "doll")


@pytest.mark.parametrize("image", ["image", "img", "picture"])
def test_names_of_the_image_column(image):
    shard("a.parquet", [encoded(grey(i)) for i in range(2)], image=image, size=[1.0, 2.0])
    data = load("a.parquet")
    np.testing.assert_array_equal(data.x.reshape(2, 4, 5), [grey(0), grey(1)])
    assert data.labels is None


def test_a_column_of_mere_bytes():
    images = [encoded(grey(i)) for i in range(2)]
    for name, kind in (("image", pa.binary()), ("img", pa.large_binary())):
        pq.write_table(pa.table({name: pa.array(images, kind)}), "a.parquet")
        np.testing.assert_array_equal(load("a.parquet").x[1], grey(1).ravel())
    pq.write_table(pa.table({"other": images}), "a.parquet")
    assert not holds_images("a.parquet")


def test_several_columns_of_images():
    first, second = ([encoded(grey(i)) for i in two] for two in ((0, 1), (2, 3)))
    rows = pa.array([{"bytes": image, "path": None} for image in second])
    shard("a.parquet", first, other=rows)
    np.testing.assert_array_equal(load("a.parquet").x[0], grey(0).ravel())
    shard("a.parquet", first, image="left", right=rows)
    with pytest.raises(DataError, match=r"several columns of images, 'left', 'right'.*'image'"):
        load("a.parquet")


def test_other_parquet_files_stay_tables():
    pq.write_table(pa.table({"image": [1.0, 2.0], "label": [3.0, 4.0]}), "a.parquet")
    assert not holds_images("a.parquet")
    assert load("a.parquet").feature_names == ("image", "label")
    with pytest.raises(DataError, match="is not a set of image files: leave out split, skip_bad"):
        load("a.parquet", split="train", skip_bad=True)
    with pytest.raises(DataError, match="moons is not a set of image files: leave out image_size"):
        load("moons", image_size=8)


def test_shards_of_a_split():
    for split, first in (("train", 0), ("test", 6)):
        for part in range(2):
            seeds = range(first + 3 * part, first + 3 * part + 3)
            shard(
                f"set/{split}-0000{part}-of-00002.parquet",
                [encoded(grey(i)) for i in seeds],
                ["u", "v"],
                label=[i % 2 for i in seeds],
            )
    for split, seeds in ((None, range(6)), ("train", range(6)), ("test", range(6, 12))):
        data = load("set", split=split)
        np.testing.assert_array_equal(data.x.reshape(6, 4, 5), [grey(i) for i in seeds])
        np.testing.assert_array_equal(data.labels, [i % 2 for i in seeds])
        assert data.name == "set" and data.class_names == ("u", "v")
    with pytest.raises(DataError, match=r"there is no split 'val': .* as one of 'test', 'train'"):
        load("set", split="val")
    with pytest.raises(DataError, match="is one file, without splits: leave out split='train'"):
        load("set/train-00000-of-00002.parquet", split="train")


def test_the_only_split_needs_no_name_and_two_do():
    shard("set/test-00000-of-00001.parquet", [encoded(grey(i)) for i in range(2)])
    assert load("set").x.shape == (2, 20)
    shard("set/extra.parquet", [encoded(grey(i)) for i in range(2)])
    with pytest.raises(DataError, match=r"expected a split to choose.* 'extra', 'test'"):
        load("set")


def test_shards_that_do_not_fit():
    images = [encoded(grey(i)) for i in range(2)]
    shard("a/0.parquet", images, ["u", "v"], label=[0, 1])
    shard("a/1.parquet", images, ["v", "u"], label=[0, 1])
    with pytest.raises(DataError, match=r"a/1\.parquet names the classes of 'label' otherwise"):
        load("a")
    shard("a/1.parquet", images)
    with pytest.raises(DataError, match=r"a/1\.parquet has no column 'label' of labels"):
        load("a")
    shard("a/1.parquet", images, image="img")
    with pytest.raises(DataError, match=r"a/1\.parquet has no column 'image' of images"):
        load("a")
    pq.write_table(pa.table({"x": [1.0]}), "a/0.parquet")
    with pytest.raises(DataError, match=r"a/0\.parquet has no column of images.*'x'"):
        load("a")
    Path("a/1.parquet").write_bytes(b"garbage")
    with pytest.raises(DataError, match=r"a/1\.parquet cannot be read as parquet and may be dam"):
        load("a")


def test_the_row_of_a_damaged_image_is_named():
    images = [encoded(grey(i)) for i in range(30)]
    shard("set/0.parquet", images[:10], label=[0] * 10)
    shard("set/1.parquet", [*images[10:27], b"bad", None, images[29]], label=list(range(20)))
    with pytest.raises(DataError, match=r"^row 17 of set/1\.parquet is damaged or no image"):
        load("set")
    data = load("set", skip_bad=True)
    assert data.n_skipped == 2 and data.files == ()
    assert [data.class_names[code] for code in data.labels[-3:]] == ["15", "16", "19"]
    shard("one.parquet", [images[0], None])
    with pytest.raises(DataError, match=r"^row 1 of one\.parquet holds no image"):
        load("one.parquet")


def test_damaged_pages_of_a_parquet_file():
    shard("a.parquet", [encoded(colour(i, 32, 32)) for i in range(20)])
    content = bytearray(Path("a.parquet").read_bytes())
    content[4:40] = b"\xff" * 36
    Path("a.parquet").write_bytes(content)
    with pytest.raises(DataError, match=r"a\.parquet cannot be read as parquet and may be damaged"):
        load("a.parquet")


# Labels of parquet files


@pytest.mark.parametrize(
    ("labels", "codes", "names"),
    [
        ([7, 3, 7], [1, 0, 1], ("3", "7")),
        ([10, 9, 10], [1, 0, 1], ("9", "10")),
        (["v", "u", "v"], [1, 0, 1], ("u", "v")),
        ([1, -1, 1], [1, 0, 1], ("-1", "1")),
    ],
)
def test_labels_without_names(labels, codes, names):
    shard("a.parquet", [encoded(grey(i)) for i in range(3)], label=labels)
    data = load("a.parquet")
    np.testing.assert_array_equal(data.labels, codes)
    assert data.class_names == names


def test_labels_are_taken_from_the_column_that_is_named():
    images = [encoded(grey(i)) for i in range(3)]
    shard("a.parquet", images, fine_label=[0, 1, 2], coarse_label=[5, 5, 6])
    assert load("a.parquet").class_names == ("0", "1", "2")
    assert load("a.parquet", label="coarse_label").class_names == ("5", "6")
    with pytest.raises(DataError, match="no label column 'kind': its columns are 'image', 'fine_"):
        load("a.parquet", label="kind")


@pytest.mark.parametrize("names", [None, ["u", "v"]])
def test_no_labels_at_all(names):
    images = [encoded(grey(i)) for i in range(3)]
    shard("a.parquet", images, names, label=pa.array([None] * 3, pa.int64()))
    data = load("a.parquet")
    assert data.labels is None and data.class_names == ()


def test_some_labels_missing():
    images = [encoded(grey(i)) for i in range(4)]
    for names, missing in ((None, None), (["u", "v"], None), (["u", "v"], -1)):
        shard("a.parquet", images, names, label=[0, 1, missing, missing])
        message = r"^row 2 of a\.parquet has no label, as 2 of 4 rows: .* drop the column 'label'"
        with pytest.raises(DataError, match=message):
            load("a.parquet")


def test_a_code_without_a_name():
    shard("a.parquet", [encoded(grey(i)) for i in range(2)], ["u", "v"], label=[1, 2])
    with pytest.raises(DataError, match=r"row 1 of a\.parquet has the label 2: .* from 0 to 1"):
        load("a.parquet")


# The hub


def on_hub(monkeypatch, answer):
    """Stand in for the hub; returns what it was asked."""
    asked = []

    def load_dataset(*arguments, **named):
        asked.append((*arguments, named))
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    return asked


def hub_set(images, **columns):
    kinds = {name: datasets.ClassLabel(names=["u", "v"]) for name in columns}
    return datasets.Dataset.from_dict(
        {"img": images, **columns}, features=datasets.Features({"img": datasets.Image(), **kinds})
    )


def test_a_set_on_the_hub(monkeypatch):
    write("on_disk.png", colour(1))
    images = [{"bytes": encoded(colour(0)), "path": None}, {"bytes": None, "path": "on_disk.png"}]
    asked = on_hub(monkeypatch, hub_set(images, label=[1, 0]))
    data = load("hf://someone/toys")
    assert asked == [("someone/toys", {"split": "train"})]
    np.testing.assert_array_equal(
        data.x.reshape(2, 3, 4, 5), [colour(i).transpose(2, 0, 1) for i in range(2)]
    )
    np.testing.assert_array_equal(data.labels, [1, 0])
    assert data.class_names == ("u", "v") and data.name == "toys"


def test_presets(monkeypatch):
    image = {"bytes": encoded(grey()), "path": None}
    asked = on_hub(monkeypatch, hub_set([image, image]))
    for name in PRESETS:
        assert load(name, split="test").name == name
    test = {"split": "test"}
    assert asked == [
        ("ylecun/mnist", test),
        ("uoft-cs/cifar10", test),
        ("uoft-cs/cifar100", test),
        ("ufldl-stanford/svhn", "cropped_digits", test),
    ]


def test_rows_of_the_hub_are_named(monkeypatch):
    good = {"bytes": encoded(grey()), "path": None}
    on_hub(monkeypatch, hub_set([good, {"bytes": b"bad", "path": None}, good]))
    with pytest.raises(DataError, match=r"^row 1 of ylecun/mnist \(train\) is damaged"):
        load("mnist")
    assert load("mnist", skip_bad=True).n_skipped == 1


@pytest.mark.parametrize(
    "error",
    [
        ConnectionError("Couldn't\nreach"),
        ValueError("Unknown split"),
        datasets.exceptions.DatasetNotFoundError("gone"),
    ],
)
def test_a_hub_that_does_not_answer(monkeypatch, error):
    on_hub(monkeypatch, error)
    reason = " ".join(str(error).split())
    with pytest.raises(DataError, match=rf"^mnist cannot be loaded from .* hub \({reason}\)$"):
        load("mnist")
    Path("mnist").mkdir()
    with pytest.raises(DataError, match=r"; the folder of this name is \./mnist$"):
        load("mnist")


def test_the_hub_needs_an_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(DataError, match=r"not installed: pip install 'gedi\[images\]'"):
        load("mnist")


@pytest.mark.parametrize("name", ["hf://owner", "hf://", "hf://a//b", "hf://a/b/c/d"])
def test_malformed_names(name):
    with pytest.raises(DataError, match="expected hf://owner/name or hf://owner/name/config"):
        load(name)


# What comes after


def test_bytes_are_scaled_as_floats_are():
    x = np.arange(12, dtype=np.uint8).reshape(4, 3)
    for scaling in (Scaling.from_range(0, 255, 3), Scaling.standardise(x)):
        np.testing.assert_array_equal(scaling(x), scaling(x.astype(np.float64)))
    np.testing.assert_array_equal(Scaling.standardise(x).shift, x.mean(0))


@pytest.mark.parametrize(
    ("name", "split", "n", "shape", "mean", "names"),
    [
        ("mnist", "test", 10_000, (1, 28, 28), 33.791, ("0", "1", "2")),
        ("cifar100", None, 10_000, (3, 32, 32), 122.241, ("apple", "aquarium_fish", "baby")),
        ("svhn_unlabelled", None, 1083, (3, 32, 32), 118.195, ()),
    ],
)
def test_real_sets(shared, name, split, n, shape, mean, names):  # noqa: PLR0917
    folder = shared / "data" / name
    if not folder.is_dir():
        pytest.skip(f"no data/{name} in the folder of golden values and data")
    data = load(str(folder), split=split)
    assert data.x.shape == (n, np.prod(shape)) and data.image_shape == shape
    assert data.x.mean() == pytest.approx(mean, abs=1e-3)
    assert data.class_names[:3] == names and (data.labels is None) == (names == ())


def test_a_source_passes_on_what_it_says_of_images():
    for i in range(3):
        write(f"set/test/{i}.png", b"bad" if i == 1 else grey(i, 6, 4 + i))
        write(f"set/train/{i}.png", grey(i))
    data = Source("set", split="test", image_size=4, skip_bad=True).load()
    assert data.image_shape == (1, 4, 4) and data.n_skipped == 1


def test_other_images_are_brought_to_the_size_of_the_training():
    for i in range(3):
        write(f"set/{i}.png", grey(i, 6, 4 + i))
    run = Run(Path("run"), Source("set", image_size=4), 16, (), (1, 4, 4))
    assert run.new_data("set").image_shape == (1, 4, 4)
    np.save("other.npy", np.zeros((2, 4, 4), np.uint8))
    assert run.new_data("other.npy").image_shape == (1, 4, 4)
