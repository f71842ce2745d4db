"""The words of texts, as the input embeddings of a transformer have them.

    w(t) = Σ_{v in t} α_v u_v / |Σ_{v in t} α_v u_v|,   u_v = (e_v - ē) / |e_v - ē|
    α_v = a / (a + p_v),   p_v = 1 / (r_v log V)

The sum is over the different tokens v of the text t, e_v is the input embedding of a token, and ē
the mean over the V tokens of the vocabulary. The vector of a whole text holds what the text means,
where names that are used alike, such as Drupal and Magento, hardly differ. Their own embeddings do.

Frequent words count little, with a = 0.001 (Arora et al., ICLR 2017,
https://openreview.net/forum?id=SyK00v5xx). No words are counted for this: vocabularies are in the
order of frequency, so the law of Zipf gives p_v from the rank r_v, which is the number of words up
to the token. Signs come before all words and count almost nothing. So w depends on the text alone.
"""

import math
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import embedding_bag, normalize

__all__ = ["WordVectors"]

_USUAL = 0.001  # a: the share of a token that counts half
_MARKS = "#▁Ġ"  # of pieces of words, in the tokens of several kinds of tokenizer


class WordVectors:
    """Vectors of the words of texts.

    Args:
        tokenizer: of transformers.
        network: a model of transformers, whose input embeddings are used.
        longest: the most tokens of a text; None is no limit.
    """

    def __init__(self, tokenizer: Any, network: Any, longest: int | None) -> None:
        self.tokenizer = tokenizer
        self.table: Tensor = network.get_input_embeddings().weight.detach()
        self.mean = self.table.float().mean(0)
        self.weights = _weights(tokenizer, len(self.table)).to(self.table.device)
        self.longest = longest

    @property
    def n_features(self) -> int:
        """The number of values of a vector, d."""
        return self.table.shape[1]

    @torch.no_grad()
    def encode(self, texts: list[str]) -> NDArray[np.float32]:
        """Vectors of length 1, (n, d), and of zeros for a text without tokens."""
        found = self.tokenizer(
            texts,
            add_special_tokens=False,
            truncation=self.longest is not None,
            max_length=self.longest,
            return_attention_mask=False,
        )["input_ids"]
        rows = np.repeat(np.arange(len(texts)), [len(ids) for ids in found])
        ids = np.concatenate([np.asarray(each, np.int64) for each in found])
        known = ~np.isin(ids, self.tokenizer.all_special_ids)  # such as that of unknown signs
        pairs = np.unique(np.stack([rows[known], ids[known]]), axis=1)
        tokens, places = np.unique(pairs[1], return_inverse=True)
        device = self.table.device
        seen = torch.from_numpy(tokens).to(device)
        units = normalize(self.table[seen].float() - self.mean, dim=-1)
        sums = embedding_bag(
            torch.from_numpy(places).to(device),
            self.weights[seen, None] * units,
            torch.from_numpy(np.searchsorted(pairs[0], np.arange(len(texts)))).to(device),
            mode="sum",
        )
        return normalize(sums, dim=-1).cpu().numpy()


def _weights(tokenizer: Any, n: int) -> Tensor:
    """The weights α of all tokens, (n,)."""
    names = tokenizer.convert_ids_to_tokens(list(range(n)))
    bare = [str(name).strip(_MARKS) for name in names]
    rank = np.cumsum([len(name) > 1 and name.isalpha() for name in bare]).clip(1)
    share = 1 / (rank * math.log(n))
    return torch.from_numpy(_USUAL / (_USUAL + share)).float()
