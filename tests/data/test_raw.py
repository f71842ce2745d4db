"""Texts and photographs as points: what is kept, taken over and computed again."""

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import small_texts
from gedi import DataError, TextFeatures, load
from gedi.data.raw import FeatureCache
from gedi.data.source import Source
from gedi.features.images import ImageFeatures

NETWORK = "test_image_features:colours"


@pytest.fixture
def photographs(tmp_path, monkeypatch):
    """A folder of two classes of photographs of different sizes."""
    monkeypatch.syspath_prepend(str(small_texts.Path(__file__).parents[1] / "features"))
    for k in range(6):
        folder = tmp_path / "photographs" / ("dark" if k % 2 else "light")
        folder.mkdir(parents=True, exist_ok=True)
        value = 40 * k
        Image.new("RGB", (20 + k, 30), (value, 0, 255 - value)).save(folder / f"{k}.png")
    return tmp_path / "photographs"


def counted(monkeypatch, kind):
    """The numbers of rows that a kind of features is computed for."""
    seen, encode = [], kind.encode

    def counting(self, items):
        seen.append(len(items))
        return encode(self, items)

    monkeypatch.setattr(kind, "encode", counting)
    return seen


def test_photographs_become_vectors_with_small_pictures(photographs):
    dataset = load(str(photographs), network=NETWORK)
    assert dataset.x.shape == (6, 3) and dataset.x.dtype == np.float32 and dataset.are_features
    assert dataset.class_names == ("dark", "light") and dataset.labels.tolist() == [
        0,
        0,
        0,
        1,
        1,
        1,
    ]
    assert dataset.files[0] == "dark/1.png" and dataset.titles[0] == "dark/1.png"
    np.testing.assert_allclose(dataset.x[0], np.array([40, 0, 215]) / 127.5, atol=1e-3)
    assert dataset.pictures.shape == (6, 3, 64, 64) and dataset.image_shape is None
    np.testing.assert_array_equal(dataset.pictures[0, :, 5, 5], [40, 0, 215])
    some = dataset.subset(np.array([2]))
    assert some.files == ("dark/5.png",) and some.pictures.shape[0] == 1


def test_photographs_that_cannot_be_read(photographs, tmp_path):
    (photographs / "dark" / "3.png").write_bytes(b"none")
    source = Source(str(photographs), features=NETWORK)
    with pytest.raises(DataError, match=r"3.png is damaged.*--skip-bad"):
        source.read()
    cache = FeatureCache(tmp_path / "cache")
    skipping = Source(str(photographs), features=NETWORK, skip_bad=True)
    dataset = skipping.read(cache=cache)
    assert len(dataset.x) == len(dataset.pictures) == len(dataset.files) == 5
    assert dataset.n_skipped == 1 and np.isfinite(dataset.x).all()
    with pytest.raises(DataError, match=r"3\.png cannot be read"):  # from the cache, too
        source.read(cache=cache)


def test_features_are_kept_and_a_changed_file_is_seen(photographs, tmp_path, monkeypatch):
    seen = counted(monkeypatch, ImageFeatures)
    source = Source(str(photographs), features=NETWORK)
    watched = []
    cache = FeatureCache(tmp_path / "a", watch=lambda done, n: watched.append((done, n)))
    first = source.read(cache=cache)
    assert watched == [(0, 6), (6, 6)]
    np.testing.assert_array_equal(source.read(cache=cache).x, first.x)
    other = FeatureCache(tmp_path / "b", (tmp_path / "a",))
    np.testing.assert_array_equal(source.read(cache=other).x, first.x)
    assert seen == [6]
    Image.new("RGB", (30, 30), (9, 9, 9)).save(photographs / "dark" / "1.png")
    assert not np.array_equal(source.read(cache=cache).x, first.x)
    assert seen == [6, 6]


def test_options_that_do_not_apply_are_refused(photographs, tmp_path):
    with pytest.raises(DataError, match="the network of --features sets the size"):
        Source(str(photographs), features=NETWORK, image_size=8).read()
    pd.DataFrame({"a": [1.0, 2.0]}).to_csv(tmp_path / "a.csv", index=False)
    with pytest.raises(DataError, match=r"give the column of texts \(--text NAME, or"):
        Source(str(tmp_path / "a.csv"), features="auto").read()
    (tmp_path / "a.txt").write_text("a\nb\n")
    with pytest.raises(DataError, match="leave out --drop"):
        Source(str(tmp_path / "a.txt"), drop=("a",)).read()


def test_sources_without_texts_are_refused(tmp_path):
    (tmp_path / "a.txt").write_text("how do I pay\nwhat, now, and why\n")
    for options, message in (
        ({"label": "body"}, "has a text on each line, and no column 'body'"),
        ({"no_header": True}, "leave out --no-header"),
        ({"columns": ("a=number",)}, "leave out --columns"),
    ):
        with pytest.raises(DataError, match=message):
            Source(str(tmp_path / "a.txt"), **options).read()
    (tmp_path / "a.docx").write_bytes(b"x")
    with pytest.raises(DataError, match="expected texts in a file of the kinds"):
        Source(str(tmp_path / "a.docx"), text="body").read()


def test_texts_become_vectors(tmp_path, monkeypatch):
    model = small_texts.text_model()
    seen = counted(monkeypatch, TextFeatures)
    texts, subjects = small_texts.texts(12)
    frame = pd.DataFrame({"body": texts, "subject": subjects})
    frame.to_csv(tmp_path / "a.csv", index=False)
    frame.to_parquet(tmp_path / "a.parquet")
    cache = FeatureCache(tmp_path / "cache")
    found = []
    for kind in ("csv", "parquet"):
        source = Source(str(tmp_path / f"a.{kind}"), text="body", label="subject", features=model)
        found.append(source.read(cache=cache))
    assert seen == [12]  # the same texts in another kind of file
    for dataset in found:
        assert dataset.x.shape == (12, 768) and list(dataset.texts) == texts
        assert dataset.class_names == ("code", "cooking", "football")
        assert dataset.titles[3] == texts[3]
    again = load(str(tmp_path / "a.csv"), text="body", network=model)
    np.testing.assert_allclose(again.x, found[0].x, atol=1e-6)


@pytest.mark.parametrize("blank", ["", "  ", None])
def test_rows_without_a_text_are_left_out_unless_they_are_to_be_predicted(tmp_path, blank):
    texts, subjects = small_texts.texts(6)
    frame = pd.DataFrame({"body": [blank, *texts, blank], "subject": ["code", *subjects, "code"]})
    frame.to_parquet(tmp_path / "a.parquet")
    source = Source(
        str(tmp_path / "a.parquet"),
        text="body",
        label="subject",
        features=small_texts.text_model(),
    )
    dataset = source.read()
    assert list(dataset.texts) == texts and dataset.x.shape == (6, 768)
    assert [dataset.class_names[k] for k in dataset.labels] == list(subjects)
    assert dataset.reading == ("2 of 8 rows have no text and are left out",)
    assert source.read(keep_blank=True).x.shape == (8, 768)
    frame["body"] = blank
    frame.to_parquet(tmp_path / "a.parquet")
    with pytest.raises(DataError, match="holds no texts"):
        source.read()
