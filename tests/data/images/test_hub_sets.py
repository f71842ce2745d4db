"""Sets on the hub, which is made up here."""

import sys
from pathlib import Path

import datasets
import numpy as np
import pytest

from gedi.data.images import PRESETS
from gedi.data.source import load
from gedi.errors import DataError, SettingsError
from gedi.settings import Settings
from gedi.training.plan import plan
from small_images import colour, encoded, grey, hub_set, on_hub, write


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


@pytest.mark.parametrize(
    ("name", "n"), [("mnist", 10), ("cifar10", 10), ("cifar100", 100), ("svhn", 10)]
)
def test_presets_know_how_many_clusters_there_are_to_be(monkeypatch, name, n):
    image = {"bytes": encoded(grey()), "path": None}
    on_hub(monkeypatch, hub_set([image] * n))  # without labels
    assert plan(load(name), Settings()).settings.n_clusters == n
    assert plan(load(name), Settings(n_clusters=3)).settings.n_clusters == 3


def test_labels_do_not_tell_how_many_clusters_there_are_to_be(monkeypatch):
    image = {"bytes": encoded(grey()), "path": None}
    on_hub(monkeypatch, hub_set([image] * 4, label=[0, 1, 0, 1]))
    for name in ("mnist/u", "mnist/v"):
        write(f"{name}/a.png", grey())
    for source in ("hf://someone/mnist", "./mnist"):
        with pytest.raises(SettingsError, match="n_clusters: expected how many clusters"):
            plan(load(source), Settings())


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
