"""Saved estimators: what comes back, and what is refused."""

import json
import pickle
import shutil
import subprocess
import sys

import numpy as np
import pytest
from sklearn.datasets import make_blobs
from torch import nn

import small_texts
from gedi import GEDI, GEDIClassifier, Settings, TextFeatures

pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.usefixtures("small_mixtures"),
]

X, Y = make_blobs(120, n_features=3, centers=2, random_state=3)


def quick(kind=GEDI, **changes):
    given = {"n_clusters": 2} if kind is GEDI else {}
    return kind(
        **{**given, "max_iter": 20, "encoder": (8,), "n_restarts": 1, "random_state": 0, **changes}
    )


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """An estimator and its folder."""
    folder = tmp_path_factory.mktemp("saved") / "model"
    model = quick().fit(X)
    model.save(folder)
    return model, folder


@pytest.mark.parametrize(
    ("kind", "y"),
    [
        (GEDI, None),
        pytest.param(GEDIClassifier, Y, marks=pytest.mark.slow),
        pytest.param(GEDIClassifier, np.array(["no", "yes"])[Y], marks=pytest.mark.slow),
        (GEDIClassifier, np.array(["no", "yes"], "O")[Y]),
    ],
)
def test_everything_comes_back(tmp_path, kind, y):
    names = {"settings": Settings(batch_size=64), "prior": np.array([0.5, 0.5])}
    model = quick(kind, **names, max_iter=5).fit(X, y)
    model.save(tmp_path / "model")
    back = kind.load(tmp_path / "model")
    for method in (
        "predict",
        "predict_proba",
        "score_samples",
        "transform",
        "predict_outliers",
        "log_density",
        "outlier_p_values",
        "predict_confidence",
    ):
        assert np.array_equal(getattr(back, method)(X), getattr(model, method)(X)), method
    assert np.array_equal(back.sample(5)[0], model.sample(5)[0])
    assert back.get_params()["settings"] == names["settings"]
    assert np.array_equal(back.labels_, model.labels_)
    assert back.labels_.dtype == model.labels_.dtype
    learned = {name for name in vars(model) if name.endswith("_")}
    assert {name for name in vars(back) if name.endswith("_")} == learned
    assert np.array_equal(back.history_["gap"], model.history_["gap"])
    assert back.fit(X[:40], None if y is None else y[:40]).predict(X).shape == (120,)


@pytest.mark.usefixtures("known_normalizer")
def test_images_come_back(tmp_path):
    images = np.random.default_rng(0).random((30, 2, 4, 4))
    model = quick().fit(images)
    model.save(tmp_path / "model")
    back = GEDI.load(tmp_path / "model")
    assert np.array_equal(back.predict_proba(images), model.predict_proba(images))
    assert back.sample(2)[0].shape == (2, 2, 4, 4)


def test_another_process_loads_it(saved):
    model, folder = saved
    code = (
        "import sys, numpy as np; from gedi import GEDI;"
        "print(GEDI.load(sys.argv[1]).score_samples(np.zeros((1, 3)))[0])"
    )
    printed = subprocess.run(
        [sys.executable, "-c", code, folder], capture_output=True, text=True, check=True
    ).stdout
    assert float(printed) == pytest.approx(model.score_samples(np.zeros((1, 3)))[0], rel=1e-9)


def test_functions_and_modules_are_not_stored(tmp_path):
    encoder = nn.Sequential(nn.Linear(3, 8), nn.SiLU())
    model = quick(encoder=encoder, views=[lambda x: x + 0.1], callbacks=[print]).fit(X)
    model.save(tmp_path / "model")
    with pytest.raises(ValueError, match="module as encoder"):
        GEDI.load(tmp_path / "model")
    back = GEDI.load(tmp_path / "model", encoder=nn.Sequential(nn.Linear(3, 8), nn.SiLU()))
    assert np.array_equal(back.predict_proba(X), model.predict_proba(X))
    assert back.views is None and back.callbacks is None
    with pytest.raises(ValueError, match="cannot be read"):
        GEDI.load(tmp_path / "model", encoder=nn.Linear(3, 5))


def test_saving_again_replaces_and_other_things_are_left_alone(saved, tmp_path):
    model, _ = saved
    model.save(tmp_path / "model")
    other = quick(random_state=1).fit(X)
    other.save(tmp_path / "model")
    assert np.array_equal(GEDI.load(tmp_path / "model").predict_proba(X), other.predict_proba(X))
    assert [p.name for p in tmp_path.iterdir()] == ["model"]
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "config.json").write_text("{}")  # of something else
    (tmp_path / "mine" / "thesis.txt").write_text("x")
    with pytest.raises(ValueError, match="not overwritten"):
        model.save(tmp_path / "mine")
    assert (tmp_path / "mine" / "thesis.txt").exists()


def damage(folder, kind):
    config = folder / "config.json"
    if kind == "no folder":
        config.unlink()
    elif kind == "no json":
        config.write_text("{")
    elif kind == "no keys":
        config.write_text("{}")
    elif kind == "a list":
        config.write_text("[]")
    elif kind == "later format":
        config.write_text(json.dumps(json.loads(config.read_text()) | {"format": 99}))
    elif kind == "a parameter that does not exist":
        content = json.loads(config.read_text())
        content["params"]["colour"] = "red"
        config.write_text(json.dumps(content))
    elif kind == "torn tensors":
        file = folder / "model.safetensors"
        file.write_bytes(file.read_bytes()[:-10])
    elif kind == "a pickle":
        (folder / "model.safetensors").write_bytes(pickle.dumps(print))
    elif kind == "no tensors":
        (folder / "model.safetensors").unlink()


KINDS = [
    "no folder",
    "no json",
    "no keys",
    "a list",
    "later format",
    "a parameter that does not exist",
    "torn tensors",
    "a pickle",
    "no tensors",
]


@pytest.mark.parametrize("kind", KINDS)
def test_damaged_folders_are_refused(saved, tmp_path, kind):
    shutil.copytree(saved[1], tmp_path / "model")
    damage(tmp_path / "model", kind)
    with pytest.raises(
        ValueError, match=r"model.*(not a saved estimator|cannot be read|has format)"
    ):
        GEDI.load(tmp_path / "model")


def test_the_wrong_kind_is_refused(saved):
    with pytest.raises(ValueError, match=r"holds a GEDI, not a GEDIClassifier: use GEDI\.load"):
        GEDIClassifier.load(saved[1])


def test_models_of_texts_without_words_are_loaded(tmp_path):
    """As earlier versions saved them: the number of features tells."""
    texts, _ = small_texts.texts(48)
    name = small_texts.text_model()
    model = GEDI(
        n_clusters=3, features=TextFeatures(name, words=False), max_iter=5, random_state=0
    ).fit(texts)
    for features in (model.features, name):
        model.features = features
        model.save(tmp_path / "model")
        back = GEDI.load(tmp_path / "model")
        assert np.array_equal(back.predict_proba(texts), model.predict_proba(texts))
    back.fit(texts)
    assert (model.n_features_in_, back.n_features_in_) == (384, 768)
