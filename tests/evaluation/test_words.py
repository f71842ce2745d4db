"""Words typical of clusters: their weights, and the names made of them."""

import numpy as np

from gedi.evaluation.words import names_of_words, typical_words

TEXTS = ["the red apple", "the red pear", "the blue sky", "the blue sea", "the red apple pie"]


def test_words_are_ranked_by_their_weight():
    found = typical_words(TEXTS, np.array([0, 0, 1, 1, 0]), 3)
    # apple 2/3 log(5/3) log(5/2) = 0.31, pear and pie 1/3 log(5/3) log 5 = 0.27, red log²(5/3)
    assert found[0] == ["apple", "pear", "pie", "red"]
    assert set(found[1]) == {"blue", "sky", "sea"} and found[1][0] == "blue"
    assert "the" not in found[0] + found[1] and found[2] == []


def test_the_weight_is_the_formula():
    texts = ["red"] * 3 + ["red green"] + ["blue"] * 4
    (words, _) = typical_words(texts, np.array([0] * 4 + [1] * 4), 2)
    # red log² 2 = 0.48, green 1/4 log 2 log 8 = 0.36
    assert words == ["red", "green"]


def test_other_forms_of_a_word_are_left_out():
    texts = ["cats purr", "cat purrs", "dogs bark", "dog barks"]
    found = typical_words(texts, np.array([0, 0, 1, 1]), 2)
    assert len(found[0]) == 2 and len(found[1]) == 2


def test_texts_without_words_have_none():
    assert typical_words(["", "12 3", "!"], np.array([0, 1, 0]), 2) == [[], []]


def test_names_are_distinct():
    same = ["a", "b", "c", "d"]
    assert names_of_words([same, same, same[:3], []]) == ["a, b, c", "a, b, c, d", "2", "3"]
