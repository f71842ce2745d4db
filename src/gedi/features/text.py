"""`TextFeatures`: vectors of texts by a sentence encoder."""

import hashlib
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gedi.errors import DataError
from gedi.features.base import BaseFeatures
from gedi.features.weights import folder_of, hash_of_files, quiet, required
from gedi.features.words import WordVectors

__all__ = ["DEFAULT_TEXT_MODEL", "TextFeatures"]

DEFAULT_TEXT_MODEL = "all-MiniLM-L6-v2"
_OWNER = "sentence-transformers"  # of names without an owner, as in that library
_LENGTH = 0.7  # of the vector of the words, in that of the meaning; see benchmarks/words.py
_TOGETHER = 32  # batches that are sorted by length together


class TextFeatures(BaseFeatures):
    """Features of texts by a model of sentence-transformers; it needs the extra `text`.

    Texts of similar meaning get vectors in similar directions. Beside each stands a vector of the
    words, 0.7 times as long, see `gedi.features.words`, because names that are used alike hardly
    differ in meaning. A text is cut at the length that the model was trained on, 256 tokens for
    the default model. See https://sbert.net.

    Args:
        model: a local folder, or a name on the Hugging Face hub. None: all-MiniLM-L6-v2, a small
            model of English with 384 features, and as many of the words. For other languages see,
            for example, paraphrase-multilingual-MiniLM-L12-v2.
        batch_size: the number of texts that the network sees together.
        device: "auto", "cpu" or "cuda".
        normalize: whether the vectors of the meaning are scaled to length 1.
        words: whether those of the words stand beside them, if the model is a transformer.
        cache: a folder in which features are kept by the content of the texts; None: nowhere.

    Attributes:
        n_features_out_: the number of features, d.

    Example:
        >>> from gedi import GEDI, TextFeatures
        >>> from sklearn.pipeline import make_pipeline
        >>> pipeline = make_pipeline(TextFeatures(), GEDI(n_clusters=20))
    """

    def __init__(
        self,
        model: str | Path | None = None,
        *,
        batch_size: int = 64,
        device: str = "auto",
        normalize: bool = True,
        words: bool = True,
        cache: str | Path | None = None,
    ) -> None:
        super().__init__(model, batch_size=batch_size, device=device, cache=cache)
        self.normalize = normalize
        self.words = words

    @property
    def n_features(self) -> int:
        """The number of features, d."""
        words = self._words
        meaning = int(self._network.get_embedding_dimension())
        return meaning if words is None else meaning + words.n_features

    @property
    def identity(self) -> str:
        """A hash of the model's files, and the options."""
        folder = self._folder
        files = [
            file
            for kind in ("json", "txt", "safetensors", "model")
            for file in folder.rglob(f"*.{kind}")
            if file.is_file()
        ]
        words = " words" if self.words else ""
        return f"text {hash_of_files(files, folder)} {bool(self.normalize)}{words}"

    @property
    def part_size(self) -> int:
        """The number of texts that are sorted by their length together, to save padding."""
        return _TOGETHER * self._checked_batch_size

    def encode(self, items: Sequence[str]) -> NDArray[np.float32]:
        """The features of some texts, (k, d)."""
        meaning = self._network.encode(
            list(items),
            batch_size=self._checked_batch_size,
            show_progress_bar=False,
            convert_to_numpy=True,
            normalize_embeddings=bool(self.normalize),
        )
        words = self._words
        if words is None:
            return self._finite(meaning)
        length = _LENGTH * np.linalg.norm(meaning, axis=1, keepdims=True)
        return self._finite(np.hstack([meaning, length * words.encode(list(items))]))

    @property
    def _folder(self) -> Path:
        name = DEFAULT_TEXT_MODEL if self.model is None else str(self.model)
        if "/" not in name and not Path(name).is_dir():
            name = f"{_OWNER}/{name}"
        return folder_of(name, option="features")

    @cached_property
    def _network(self) -> Any:
        library = required("sentence_transformers", "text", "features of texts")
        device = None if self.device == "auto" else self.device
        with quiet(required("transformers.utils", "text", "features of texts")):
            return library.SentenceTransformer(
                str(self._folder),
                device=device,
                local_files_only=True,
                model_kwargs={"use_safetensors": True},
            )

    @property
    def _words(self) -> WordVectors | None:
        return self._word_vectors if self.words else None

    @cached_property
    def _word_vectors(self) -> WordVectors | None:
        network = self._network
        if network.transformers_model is None:
            return None
        return WordVectors(network.tokenizer, network.transformers_model, network.max_seq_length)

    def _items(self, x: Any) -> Sequence[str]:
        """The texts as a list.

        Raises:
            DataError: for a single text, or values that are not texts.
        """
        if isinstance(x, (str, bytes)):
            raise DataError("expected a list of texts, got a single text: put it into a list")
        if getattr(x, "ndim", 1) == 2 and x.shape[1] == 1:  # a frame of one column
            x = np.asarray(x)[:, 0]
        items = x if isinstance(x, list) else list(x)
        for row, text in enumerate(items):
            if not isinstance(text, str):
                raise DataError(
                    f"expected texts, got {type(text).__name__} in row {row}: convert it to a "
                    "str, or drop the row"
                )
        return items

    def _content(self, items: Sequence[str]) -> str:
        found = hashlib.sha256()
        for text in items:
            data = text.encode(errors="surrogatepass")
            found.update(f"{len(data)} ".encode() + data)
        return found.hexdigest()
