"""Vectors of words, against sums that are written out, on a vocabulary of seven tokens."""

import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

import small_texts
from gedi import TextFeatures
from gedi.features.words import WordVectors

TABLE = torch.tensor(
    [[9.0, 9.0], [5.0, 1.0], [1.0, 0.0], [0.0, 2.0], [-3.0, 0.0], [0.0, -4.0], [5.0, 5.0]]
)
# Words are in the order of frequency, and after signs.
NAMES = ["[UNK]", "!", "the", "##ing", "▁code", "x1", "drupal"]
RANKS = {"!": 1, "the": 1, "##ing": 2, "▁code": 3, "x1": 3, "drupal": 4}


class Tokenizer:
    """Tokens between spaces."""

    all_special_ids = (0,)

    def __call__(self, texts, *, add_special_tokens, truncation, max_length, **_):
        assert not add_special_tokens
        ids = [[NAMES.index(t) if t in NAMES else 0 for t in text.split()] for text in texts]
        return {"input_ids": [each[:max_length] if truncation else each for each in ids]}

    def convert_ids_to_tokens(self, ids):
        return [NAMES[k] for k in ids]


@pytest.fixture
def words():
    network = SimpleNamespace(get_input_embeddings=lambda: SimpleNamespace(weight=TABLE))
    return lambda longest=None: WordVectors(Tokenizer(), network, longest)


def expected(*tokens):
    centred = TABLE.numpy() - TABLE.numpy().mean(0)
    unit = centred / np.linalg.norm(centred, axis=1, keepdims=True)
    shares = {token: 1 / (rank * math.log(7)) for token, rank in RANKS.items()}
    total = sum(0.001 / (0.001 + shares[t]) * unit[NAMES.index(t)] for t in tokens)
    return total / np.linalg.norm(total)


def test_each_token_counts_once_in_any_order(words):
    found = words().encode(["the drupal", "drupal the drupal", "x1", "! ▁code ##ing"])
    assert found.dtype == np.float32 and found.shape == (4, words().n_features)
    both = expected("the", "drupal")
    assert_allclose(found, [both, both, expected("x1"), expected("!", "▁code", "##ing")], atol=1e-6)


def test_unknown_signs_do_not_count_and_nothing_is_zero(words):
    found = words().encode(["", "? drupal", "?"])
    assert_allclose(found, [[0, 0], expected("drupal"), [0, 0]], atol=1e-6)
    assert_allclose(words().encode(["", "?"]), np.zeros((2, 2)))


def test_long_texts_are_cut(words):
    found = words(2).encode(["the ##ing drupal x1"])
    assert_allclose(found, [expected("the", "##ing")], atol=1e-6)


def test_half_precision_is_summed_in_single(words):
    made = words()
    made.table = TABLE.half()
    assert_allclose(made.encode(["the drupal"]), [expected("the", "drupal")], atol=1e-3)


def test_frequent_words_of_a_real_vocabulary_count_little():
    network = TextFeatures(small_texts.text_model(), device="cpu")._words
    places = network.tokenizer.convert_tokens_to_ids(["the", ",", "spring", "##book"])
    assert network.tokenizer.unk_token_id not in places
    frequent, sign, word, piece = network.weights[places].tolist()
    assert max(frequent, sign) < 0.02 and min(word, piece) > 0.8
