"""Trained models as ONNX files: outputs of onnxruntime against those of PyTorch."""

import builtins
import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

import gedi
from gedi import GEDI, GEDIClassifier
from gedi.errors import GediError, RunError
from gedi.export import export
from gedi.model.outlier_energy import DirectionReference
from gedi.normalizer.estimate import LogNormalizer
from gedi.settings import EncoderSettings
from gedi.training.session import fit
from gedi.training.trained import confidence
from small_trainings import SMALL, heaps

onnx = pytest.importorskip("onnx", reason="ONNX files need the extra export")
onnxruntime = pytest.importorskip("onnxruntime", reason="ONNX files need the extra export")

pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.usefixtures("small_mixtures"),
]

IMAGES = np.random.default_rng(0).integers(256, size=(40, 1, 16, 16), dtype=np.uint8)


def given(path, x, **others):
    """The outputs of the file for some points, by name."""
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    found = session.run(None, {"x": np.asarray(x, float)} | others)
    return dict(zip(names, found, strict=True))


def facts(path):
    return {entry.key: entry.value for entry in onnx.load(path).metadata_props}


def agrees(found, prediction):
    np.testing.assert_allclose(found["probabilities"], prediction.probabilities, atol=1e-4)
    np.testing.assert_allclose(found["energy"], prediction.energy, rtol=1e-4, atol=1e-4)
    assert (found["cluster"] == prediction.clusters).all()


ALL = ["cluster", "probabilities", "energy", "log_density", "outlier_score", "p_value"]
ALL += ["confidence"]


def agrees_on_outliers(found, trained, x):
    scores = trained.outlier_scores(x)
    p, clusters = trained.outlier_p_values(scores), found["cluster"]
    sure = confidence(found["probabilities"], trained.outlier_p_values(scores, clusters))
    np.testing.assert_allclose(found["outlier_score"], scores, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(found["p_value"], p, atol=1e-9)
    np.testing.assert_allclose(found["confidence"], sure, atol=1e-9)


@pytest.fixture(scope="module")
def moons():
    """A density whose log Z is known, in units far from the network's."""
    return fit(heaps()[0], 2, settings=SMALL).trained


def test_a_table_in_the_units_of_the_user(moons, tmp_path, capfd, recwarn):
    path = tmp_path / "model.onnx"
    agreement = export(moons, path, input_shape=(2,), feature_names=["a", "b"])
    assert list(agreement.differences) == ALL and not agreement.left_out
    assert max(agreement.differences.values()) < 1e-4
    assert capfd.readouterr() == ("", "") and not recwarn.list
    assert [file.name for file in tmp_path.iterdir()] == ["model.onnx"]
    x = heaps()[0]
    for rows in (x, x[:1], x[:7]):
        prediction = moons.predict(rows)
        found = given(path, rows)
        assert list(found) == ALL
        agrees(found, prediction)
        agrees_on_outliers(found, moons, rows)
        np.testing.assert_allclose(found["log_density"], prediction.log_density, atol=1e-4)
    kept = facts(path)
    assert kept.pop("gedi_version") == gedi.__version__
    assert json.loads(kept.pop("feature_names")) == ["a", "b"]
    assert float(kept.pop("log_normalizer")) == moons.normalizer.value
    assert set(kept) == {"log_normalizer_error"}
    far = given(path, [[1e6, 500.0], [-1e300, 1e300]])
    assert (far["p_value"] == 1 / (1 + len(moons.outliers.held_out))).all()
    agrees_on_outliers(far, moons, np.array([[1e6, 500.0], [-1e300, 1e300]]))
    # Nothing of this machine, such as where the source code lies.
    content = path.read_bytes()
    assert b".py" not in content and b"stack_trace" not in content
    # Rows that cannot be scored have no cluster.
    four = x[:4].astype(float)
    good = given(path, four)
    four[1, 0], four[2, 1] = np.nan, np.inf
    found = given(path, four)
    assert found["cluster"].tolist() == [good["cluster"][0], -1, -1, good["cluster"][3]]
    for name in ALL[1:]:
        assert np.isnan(found[name][1:3]).all()
        np.testing.assert_allclose(found[name][[0, 3]], good[name][[0, 3]], atol=1e-9)


def test_features_that_are_compared_by_their_directions(tmp_path):
    rng = np.random.default_rng(0)
    centres = rng.exponential(size=(3, 120))
    x = np.maximum(centres.repeat(100, 0) + 0.3 * rng.normal(size=(300, 120)), 0)
    model = GEDI(3, max_iter=20, random_state=0).fit(x)
    assert isinstance(model.model_.outliers.references[0], DirectionReference)
    model.export(tmp_path / "model.onnx")
    new = np.r_[x[:20], 5 * x[:2], np.zeros((1, 120))]
    agrees_on_outliers(given(tmp_path / "model.onnx", new), model.model_, new)


def test_a_small_spread_around_a_large_value_is_kept(tmp_path):
    x = heaps()[0].astype(np.float64) * [1e-3, 1.0] + [1.7e9, 0.0]  # seconds, as dates have
    trained = fit(x, 2, settings=replace(SMALL, max_iter=3)).trained
    export(trained, tmp_path / "model.onnx", input_shape=(2,))
    agrees(given(tmp_path / "model.onnx", x), trained.predict(x))


def test_no_density_where_its_constant_is_not_trusted(moons, tmp_path):
    trained = replace(moons, normalizer=LogNormalizer(1.0, 3.0, 2.0, "annealing"))
    agreement = export(trained, tmp_path / "model.onnx", input_shape=(2,))
    assert agreement.left_out == {"log_density": "log Z is not known accurately enough"}
    found = list(given(tmp_path / "model.onnx", heaps()[0]))
    assert found == [name for name in ALL if name != "log_density"]
    assert json.loads(facts(tmp_path / "model.onnx")["left_out"]) == agreement.left_out
    assert "log_normalizer" not in facts(tmp_path / "model.onnx")


@pytest.mark.parametrize(
    "method", [pytest.param(m, marks=pytest.mark.slow) for m in ("swav", "barlow-twins")]
)
def test_rivals(method, tmp_path):
    x = heaps(100, 3)[0]
    trained = fit(x, 2, settings=replace(SMALL, method=method, max_iter=3)).trained
    agreement = export(trained, tmp_path / "model.onnx", input_shape=(3,))
    assert "log_density" in agreement.left_out
    agrees(given(tmp_path / "model.onnx", x), trained.predict(x))


@pytest.mark.parametrize(
    "kind", ["conv", *(pytest.param(k, marks=pytest.mark.slow) for k in ("resnet8", "resnet18"))]
)
def test_convolutional_networks_on_a_gaussian(kind, tmp_path):
    small = replace(SMALL, encoder=EncoderSettings(kind=kind), max_iter=2, batch_size=8)
    trained = fit(IMAGES.reshape(40, -1), 2, image_shape=(1, 16, 16), settings=small).trained
    assert trained.model.base is not None
    agreement = export(trained, tmp_path / "model.onnx", input_shape=(1, 16, 16))
    assert {"outlier_score", "p_value", "confidence"} <= set(agreement.left_out)
    found = given(tmp_path / "model.onnx", IMAGES)
    assert "p_value" not in found
    agrees(found, trained.predict(IMAGES.reshape(40, -1)))


def test_a_classifier_tempers_and_names_as_it_does_itself(tmp_path):
    x, labels = heaps(60)
    names = np.array(["no", "yes"])[labels]
    model = GEDIClassifier(w_gen=0.0, max_iter=5, encoder=(8,), n_restarts=1).fit(x, names)
    model.temperature_ = 3.0
    model.export(tmp_path / "model.onnx")
    found = given(tmp_path / "model.onnx", x)
    np.testing.assert_allclose(found["probabilities"], model.predict_proba(x), atol=1e-4)
    assert json.loads(facts(tmp_path / "model.onnx")["cluster_names"]) == ["no", "yes"]


class Own(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Conv2d(1, 2, 3, stride=4), nn.Tanh(), nn.Flatten())

    def forward(self, x):
        return self.layers(x)


class ByChance(Own):
    def forward(self, x):
        return super().forward(x) + torch.rand_like(x[:, 0, :1, 0])


class Branching(Own):
    def forward(self, x):
        return super().forward(x) * (2.0 if bool(x.sum() > 0) else 1.0)


@pytest.fixture(scope="module")
def with_own_encoder():
    model = GEDI(2, encoder=Own(), w_gen=0.0, max_iter=2, n_restarts=1, random_state=0)
    return model.fit(IMAGES[:, 0])


def test_an_encoder_of_the_user(with_own_encoder, tmp_path):
    with_own_encoder.export(tmp_path / "model.onnx")
    found = given(tmp_path / "model.onnx", IMAGES[:, 0])
    np.testing.assert_allclose(
        found["probabilities"], with_own_encoder.predict_proba(IMAGES[:, 0]), atol=1e-4
    )


@pytest.mark.parametrize(("kind", "words"), [(ByChance, "differ by"), (Branching, "as ONNX")])
def test_encoders_that_onnx_cannot_express_are_refused(with_own_encoder, tmp_path, kind, words):
    with_own_encoder.save(tmp_path / "saved")
    other = GEDI.load(tmp_path / "saved", encoder=kind())
    with pytest.raises(RunError, match=words):
        other.export(tmp_path / "model.onnx")
    assert [file.name for file in tmp_path.iterdir()] == ["saved"]


def test_columns_of_a_frame_with_categories_missing_values_and_a_spline(tmp_path):
    rng, n = np.random.default_rng(0), 200
    frame = pd.DataFrame(
        {
            "kind": pd.Categorical(np.array(["red", "green", "blue", "grey"])[np.arange(n) % 4]),
            "size": np.where(rng.random(n) < 0.2, np.nan, rng.normal(size=n)),
            "two": pd.Categorical(np.array(["a", "b"])[np.arange(n) % 2]),
            "on": np.arange(n) % 3 == 0,
            "weight": 1e6 + rng.normal(size=n),
            "place": np.arange(n, dtype=float),  # whose margin is a spline
        }
    )
    frame.loc[::7, "kind"] = None
    frame.loc[::50, "two"] = None
    model = GEDI(2, max_iter=2, encoder=(4,), n_restarts=1, random_state=0).fit(frame)
    assert len(model.model_.model.base.frame.margins.normal)
    path = tmp_path / "model.onnx"
    assert not model.export(path).left_out
    kept = facts(path)
    numbers, words = (json.loads(kept[name]) for name in ("x", "categories"))
    assert (numbers, words) == (["size", "on", "weight", "place"], ["kind", "two"])
    new = frame.copy()
    new["kind"] = new["kind"].astype(object)
    new.loc[3, "kind"] = "a new kind"
    inputs = new[numbers].astype(float), new[words].astype(object).where(new[words].notna(), "")
    found = given(path, inputs[0], categories=inputs[1].to_numpy(object))
    rows = model._rows(new)
    agrees(found, model.model_.predict(rows))
    agrees_on_outliers(found, model.model_, rows)
    np.testing.assert_allclose(found["log_density"], model.log_density(new), atol=1e-3)
    # None and NaN, as frames mark missing words, become text that is known to mean the same.
    as_they_are = given(path, inputs[0], categories=new[words].to_numpy(object))
    np.testing.assert_array_equal(as_they_are["energy"], found["energy"])


def test_a_missing_folder(moons, tmp_path):
    with pytest.raises(RunError, match="does not exist"):
        export(moons, tmp_path / "nowhere" / "model.onnx", input_shape=(2,))


@pytest.mark.parametrize("missing", ["onnx", "onnxruntime", "onnxscript"])
def test_a_missing_package_is_named_with_its_extra(moons, tmp_path, monkeypatch, missing):
    imported = builtins.__import__

    def without(name, *arguments, **named):
        if name == missing:
            raise ImportError(name)
        return imported(name, *arguments, **named)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(GediError, match=r"gedi\[export\]"):
        export(moons, tmp_path / "model.onnx", input_shape=(2,))
