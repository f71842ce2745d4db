"""Features of texts: their values, order, cache, and how they compose with scikit-learn."""

import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import small_texts
from gedi import DataError, SettingsError, TextFeatures
from gedi.features.store import FEATURES


@pytest.fixture(scope="module")
def network():
    return TextFeatures(small_texts.text_model(), device="cpu").fit(["a text"])


def test_texts_of_one_subject_are_closer_than_others(network):
    found, subjects = small_texts.texts(24)
    x = network.transform(found)
    assert x.shape == (24, 768) and x.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(x[:, :384], axis=1), 1, rtol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(x[:, 384:], axis=1), 0.7, rtol=1e-5)  # words
    same = np.array(subjects)[:, None] == np.array(subjects)
    cosines = x @ x.T / 1.49
    assert cosines[same & ~np.eye(24, dtype=bool)].mean() > cosines[~same].mean() + 0.1


def test_features_do_not_depend_on_the_batch_or_on_order(network):
    found, _ = small_texts.texts(12)
    whole = network.transform(found)
    small = clone(network).set_params(batch_size=1)
    small._network = network._network
    np.testing.assert_allclose(small.transform(found[::-1])[::-1], whole, atol=2e-6)


def test_words_stand_beside_the_meaning(network):
    texts = ["A plugin for Drupal", "for drupal for Drupal a plugin", "", "\u200b"]
    alone = clone(network).set_params(words=False)
    alone._network = network._network
    x, meaning = network.transform(texts), alone.transform(texts)
    assert alone.n_features == 384 and alone.identity != network.identity
    np.testing.assert_array_equal(x[:, :384], meaning)
    words = x[:, 384:]
    np.testing.assert_allclose(words[0], words[1], atol=1e-6)  # in any order and number
    assert not words[2].any() and not words[3].any()
    alone.set_params(words=True)
    assert alone.transform(texts[:1]).shape == (1, 768)
    assert alone.set_params(words=False).transform(texts[:1]).shape == (1, 384)


def test_names_that_are_used_alike_differ_more_in_words(network):
    x = network.transform(["a shop in Magento", "a shop in Drupal"])
    assert x[0, 384:] @ x[1, 384:] / 0.49 < x[0, :384] @ x[1, :384]


def test_columns_of_frames_are_texts(network):
    found = ["one text", "another text"]
    want = network.transform(found)
    for other in (pd.Series(found), np.array(found), pd.DataFrame({"t": found})):
        np.testing.assert_array_equal(network.transform(other), want)


@pytest.mark.parametrize(
    ("given", "message"),
    [("one text", "got a single text"), (["a", None], "NoneType in row 1"), ([1.0], "got float")],
)
def test_other_things_are_refused(network, given, message):
    with pytest.raises(DataError, match=message):
        network.transform(given)


def test_a_batch_size_out_of_range_is_refused(network):
    with pytest.raises(SettingsError, match="batch_size: expected a whole number of at least 1"):
        clone(network).set_params(batch_size=0).transform(["a"])


def test_it_is_a_transformer_of_scikit_learn(network):
    found, _ = small_texts.texts(6)
    pipeline = make_pipeline(network, StandardScaler()).fit(found)
    names = pipeline.get_feature_names_out()
    assert len(names) == 768 and names[0] == "textfeatures0"
    again = pickle.loads(pickle.dumps(pipeline))
    assert not {"_network", "_word_vectors"} & set(vars(again[0]))
    np.testing.assert_allclose(again.transform(found), pipeline.transform(found), atol=1e-6)
    assert clone(network).get_params() == network.get_params()


def test_features_are_computed_once(network, tmp_path, monkeypatch):
    found, _ = small_texts.texts(6)
    cached = clone(network).set_params(cache=tmp_path)
    cached._network = network._network
    x = cached.transform(found)
    np.testing.assert_allclose(x, network.transform(found), atol=1e-3)  # half precision
    monkeypatch.setattr(TextFeatures, "encode", None)
    np.testing.assert_array_equal(cached.transform(found), x)
    assert len(list(tmp_path.glob(f"*/{FEATURES}"))) == 1
    with pytest.raises(TypeError):  # other texts are computed
        cached.transform(found[:5])


def test_a_name_on_the_hub_is_found_in_its_cache(network, tmp_path, monkeypatch):
    small_texts.on_hub(monkeypatch, tmp_path)
    default = TextFeatures()
    default._network = network._network
    assert default.identity == network.identity
