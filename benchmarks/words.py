"""What vectors of words add to those of the meaning, for groups of texts.

    python benchmarks/words.py FOLDER TEXTS [--points 2000 20000] [--seeds 2]

FOLDER holds what benchmarks/features.py wrote, and TEXTS the files NAME.parquet with the column
`text`. GEDI, by its defaults with the number of classes, clusters random texts of each set, or all
of them. Its features are

meaning                  the vectors of a sentence encoder, of length 1
meaning, words           and the input embeddings of the words, of length 0.7: the default
meaning, longer words    the same of length 1
meaning, equal words     of length 1, where each word has the same weight
words                    these alone
meaning, LSA             and 100 leading axes of tf-idf of words in at least five texts, of
                         length 0.5 (Deerwester et al., 1990)
meaning, pairs by words  the meaning alone, but neighbours are those of the largest sum of the
                         cosine of the meaning and three times that of tf-idf

Labels only measure. Only missing cells run.
"""

import argparse
from pathlib import Path
from typing import Any, NamedTuple, Self
from unittest.mock import patch

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.preprocessing import normalize
from threadpoolctl import threadpool_limits
from torch import Tensor

from common import missing, provenance, write
from gedi import GEDI, TextFeatures
from gedi.evaluation.clustering import accuracy, ari, nmi
from gedi.features.words import WordVectors
from gedi.partitions.neighbours import mutual
from gedi.training import ingredients
from groups import MEANING, TEXTS

VARIANTS = (
    *("meaning", "meaning, words", "meaning, longer words", "meaning, equal words", "words"),
    *("meaning, LSA", "meaning, pairs by words"),
)
AXES, LENGTH, FEWEST = 100, 0.5, 5  # of LSA
WEIGHT, PART = 3.0, 1000  # of the cosine of tf-idf in pairs, and rows compared at a time

Rows = NDArray[np.float32]


def lsa(texts: list[str], seed: int) -> Rows:
    """Vectors of texts along the leading axes of tf-idf, turned so that no column stands out."""
    counts = TfidfVectorizer(min_df=FEWEST, sublinear_tf=True, dtype=np.float32)
    table = counts.fit_transform(texts)
    along = normalize(TruncatedSVD(AXES, random_state=seed).fit_transform(table))
    turn = np.linalg.qr(np.random.default_rng(seed).normal(size=(AXES, AXES)))[0]
    return np.asarray(LENGTH * (along - along.mean(0)) @ turn, np.float32)


def pairs_by_words(texts: list[str]) -> Any:
    """What finds mutual neighbours by the meaning and the words."""
    table = TfidfVectorizer(min_df=2, sublinear_tf=True, dtype=np.float32).fit_transform(texts)

    def found(data: Any, rows: Tensor, axes: Any, k: int, deadline: Any) -> Tensor:
        z = data[rows] if axes is None else (data[rows] - axes.centre) @ axes.axes
        z, own = normalize(z.numpy()), table[rows.numpy()]
        nearest = []
        for start in range(0, len(z), PART):
            part = slice(start, start + PART)
            match = z[part] @ z.T + WEIGHT * (own[part] @ own.T).toarray()
            match[np.arange(len(match)), start + np.arange(len(match))] = -np.inf
            nearest.append(torch.from_numpy(match).topk(k).indices.numpy())
        return rows[torch.from_numpy(mutual(np.concatenate(nearest))).long()]

    return found


def features(variant: str, x: Rows, texts: list[str], equal: WordVectors, seed: int) -> Rows:
    """The features of some texts, (n, d), from those that are stored."""
    meaning, words = x[:, :MEANING], x[:, MEANING:]
    others = {
        "meaning, words": lambda: [meaning, words],
        "meaning, longer words": lambda: [meaning, normalize(words)],
        "words": lambda: [words],
        "meaning, equal words": lambda: [meaning, equal.encode(texts)],
        "meaning, LSA": lambda: [meaning, lsa(texts, seed)],
    }
    return np.hstack(others.get(variant, lambda: [meaning])())


class Texts(NamedTuple):
    """Some texts of a set, their stored features (n, d), and their classes (n,)."""

    texts: list[str]
    x: Rows
    y: NDArray[np.int64]

    @classmethod
    def draw(cls, folder: Path, source: Path, name: str, n: int, seed: int) -> Self:
        """Random ones, or all."""
        y = np.load(folder / f"{name}.labels.npy")
        some = np.random.default_rng(seed).permutation(len(y))[:n]
        texts = pd.read_parquet(source / f"{name}.parquet")["text"].iloc[some].tolist()
        x = np.load(folder / f"{name}.npy")[some].astype(np.float32)
        return cls(texts, x, np.unique(y[some], return_inverse=True)[1])


def cell(some: Texts, variant: str, seed: int, equal: WordVectors) -> dict[str, Any]:
    """One row of results."""
    texts, x, y = some
    z = features(variant, x, texts, equal, seed)
    by_words = variant == "meaning, pairs by words"
    find = pairs_by_words(texts) if by_words else ingredients._mutual_neighbours
    with patch.object(ingredients, "_mutual_neighbours", find):
        labels = GEDI(n_clusters=int(y.max()) + 1, random_state=seed).fit(z).labels_
    codes = np.unique(labels, return_inverse=True)[1]
    return {"n": len(y), "accuracy": accuracy(y, codes), "ARI": ari(y, codes), "NMI": nmi(y, codes)}


def main() -> None:
    """Run the missing cells."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("texts", type=Path)
    parser.add_argument("--text-model", help="by default that of TextFeatures")
    parser.add_argument("--points", type=int, nargs="+", default=[2000, 20_000])
    parser.add_argument("--seeds", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(1)
    network = TextFeatures(options.text_model, device="cpu")._network
    equal = WordVectors(network.tokenizer, network.transformers_model, network.max_seq_length)
    equal.weights = torch.ones_like(equal.weights)
    with threadpool_limits(1):
        for seed in range(options.seeds):
            for n in options.points:
                for name in TEXTS:
                    for variant in VARIANTS:
                        key = {"data": name, "variant": variant, "points": n, "seed": seed}
                        if missing("words", **key):
                            some = Texts.draw(options.folder, options.texts, name, n, seed)
                            found = cell(some, variant, seed, equal)
                            write("words", key | found | provenance())


if __name__ == "__main__":
    main()
