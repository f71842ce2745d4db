"""Words that are typical of each cluster of texts.

Class-based tf-idf: the texts of a cluster count together, and

    weight(w, k) = p(w|k) log( p(w|k) / p(w) ) log( 1 / p(w) ),

where p(w|k) is the share of the texts of cluster k in which the word w occurs, and p(w) that of all
texts. The first logarithm asks for words that are more frequent in the cluster than elsewhere, the
second one, the idf, for words that are rare among all texts; so no list of stop words is needed, in
any language. See Grootendorst (2022), https://arxiv.org/abs/2203.05794.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from sklearn.feature_extraction.text import CountVectorizer

from gedi.data.texts import Texts

__all__ = ["names_of_words", "typical_words"]

_MOST_TEXTS = 50_000
_MOST_WORDS = 50_000
_FEWEST_TEXTS = 2  # that a word occurs in, unless there are only a few texts
_IN_NAME = 3
_SAME_STEM = 2  # letters by which the end of two forms of a word may differ
_LONGEST = 30  # letters of a word


def typical_words(
    texts: Texts | Sequence[str],
    clusters: NDArray[np.integer],
    n_clusters: int,
    *,
    n_words: int = 10,
) -> list[list[str]]:
    """The words of the largest weight in each cluster, the most typical first.

    Of more than 50,000 texts, evenly spaced ones are used.

    Args:
        texts: the texts, (n,).
        clusters: the cluster of each, (n,).
        n_clusters: the number of clusters, c.
        n_words: the number of words of a cluster, at most.

    Returns:
        Words by cluster; none for a cluster without texts, or whose texts are like all others.
    """
    n = len(texts)
    rows = np.linspace(0, n - 1, _MOST_TEXTS).astype(np.int64) if n > _MOST_TEXTS else np.arange(n)
    chosen = texts if isinstance(texts, Texts) else Texts.of(texts)
    vectorizer = CountVectorizer(
        binary=True,
        max_features=_MOST_WORDS,
        min_df=_FEWEST_TEXTS if len(rows) > 20 * n_clusters else 1,
        # No numbers, and no single letters.
        token_pattern=r"(?u)\b[^\W\d_]\w+\b",
        dtype=np.float32,
    )
    try:
        counts = vectorizer.fit_transform(chosen[rows])
    except ValueError:  # there is no word at all
        return [[] for _ in range(n_clusters)]
    vocabulary = vectorizer.get_feature_names_out()
    places = (np.asarray(clusters)[rows], np.arange(len(rows)))
    members = sparse.csr_array(
        (np.ones(len(rows), np.float32), places), shape=(n_clusters, len(rows))
    )
    sizes = np.maximum(members.sum(1), 1.0)
    overall = np.asarray(counts.sum(0)).ravel() / len(rows)
    within = np.asarray((members @ counts).todense()) / sizes[:, None]
    with np.errstate(divide="ignore", invalid="ignore"):
        weights = np.where(within > 0, within * np.log(within / overall), 0.0) * -np.log(overall)
    found = []
    for row in weights:
        order = np.argsort(-row, kind="stable")[: 4 * n_words]
        words = [str(vocabulary[j]) for j in order if row[j] > 0]
        found.append(_distinct(words)[:n_words])
    return found


def names_of_words(words: Sequence[Sequence[str]]) -> list[str]:
    """A name for each cluster of its most typical words; the number where there are none.

    Clusters of equal names get more words, or their number.
    """
    names: list[str] = []
    for k, own in enumerate(words):
        lengths = range(min(_IN_NAME, len(own)), len(own) + 1)
        candidates = [", ".join(own[:length]) for length in lengths if length]
        free = [name for name in candidates if name not in names and len(name) <= 3 * _LONGEST]
        names.append(free[0] if free else str(k))
    return names


def _distinct(words: Sequence[str]) -> list[str]:
    """The words without further forms of the same one, such as plurals, and without long ones."""
    kept: list[str] = []
    for word in words:
        if len(word) <= _LONGEST and not any(_same(word, other) for other in kept):
            kept.append(word)
    return kept


def _same(a: str, b: str) -> bool:
    short, long = sorted((a, b), key=len)
    return long.startswith(short) and len(long) - len(short) <= _SAME_STEM
