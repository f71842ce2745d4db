"""Whether tuning the network of the features by the bound improves the groups of texts.

    python benchmarks/tune_features.py FOLDER --text-model FOLDER [--sets stackoverflow ...]
        [--methods "last block" ...] [--seeds 2]

What is fixed before anything is tried:

Data: FOLDER/texts/NAME.parquet (columns `text` and `label`) of stackoverflow, search_snippets and
biomedical, the same 5,000 random texts of each for all methods and seeds, features of
all-MiniLM-L6-v2, and the true number of clusters. Labels only measure, except in the diagnosis:
they choose no epoch and no setting. One thread, and no further epoch after two minutes of
processor time.

KMeans, best of 10      on the features as they are
GEDI                    on the features as they are, by its defaults: the start of what follows
head alone              the control: GEDI's affine head goes on by INV and PRIOR, network as it is
last block              the last block of the network goes on along with the head
last block, dropout     the same; a second pass with dropout is one more view, as in SimCSE
last block, true pairs  a diagnosis, not a method: labels leave out the pairs that cross classes
..., GEDI               GEDI by its defaults, on the features that the tuning before it gave

The tuning maximises w_inv INV + w_prior PRIOR by Adam, with w_inv = 1 and the default w_prior.
Views are mutual neighbours among the features as they are, as GEDI finds them, and π holds the
shares that GEDI found. A tenth of the pairs of neighbours is held out. After each epoch, in which
each text is once a point and some texts are views, the modularity of the clusters among held-out
pairs is measured: the epoch where it is largest counts, of which the start is one. Two epochs
without an increase end the tuning. As this choice may be at fault, the accuracy of all epochs is
stored, and that of GEDI on the features of the last one.

Activations before the first block that changes stay as they are, so that they are computed once and
kept, in half precision.
"""

import argparse
import copy
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from sentence_transformers import SentenceTransformer
from sklearn.cluster import KMeans
from threadpoolctl import threadpool_limits
from torch import Tensor, nn
from torch.nn import functional

from common import missing, provenance, write
from features import TEXTS, raw
from gedi import GEDI
from gedi.evaluation.clustering import accuracy, ari, nmi
from gedi.objective import invariance, prior_agreement
from gedi.partitions.neighbours import modularity, mutual, nearest
from gedi.training.plan import default_prior_weight

POINTS = 5000
AXES, NEIGHBOURS = 100, 20  # as GEDI finds neighbours
EPOCHS, PATIENCE, SECONDS = 6, 2, 120.0
PAIRS, WARM_UP = 128, 20  # pairs of texts in a batch, and iterations of rising rates
HELD_OUT = 0.1
RATES = {"head": 1e-3, "block": 1e-4}
TUNED = ("head alone", "last block", "last block, dropout", "last block, true pairs")
AGAIN = ", GEDI"
METHODS = (
    "KMeans, best of 10",
    "GEDI",
    "head alone",
    *(f"{name}{end}" for name in TUNED[1:] for end in ("", AGAIN)),
)

Codes = NDArray[np.int64]
Features = NDArray[np.float32]


@dataclass
class Tokens:
    """The activations of the tokens of all texts before a block, one text after another, (t, h)."""

    values: Tensor
    lengths: Tensor

    def __post_init__(self) -> None:
        self.starts = self.lengths.cumsum(0) - self.lengths

    def of(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """The activations of some texts, (t, h), and their lengths, (n,)."""
        lengths = self.lengths[rows]
        first = torch.repeat_interleave(self.starts[rows], lengths)
        return self.values[first + places(lengths)].float(), lengths


def places(lengths: Tensor) -> Tensor:
    """The place of each token within its text, (t,)."""
    starts = lengths.cumsum(0) - lengths
    return torch.arange(int(lengths.sum())) - torch.repeat_interleave(starts, lengths)


def block(layer: Any, x: Tensor, lengths: Tensor) -> Tensor:
    """One block of BERT on tokens without padding, (t, h) -> (t, h); only attention is padded."""
    own, out = layer.attention.self, layer.attention.output
    heads, rank = own.num_attention_heads, len(lengths)
    text, place = torch.repeat_interleave(torch.arange(rank), lengths), places(lengths)
    longest = int(lengths.max())

    def padded(of: nn.Module) -> Tensor:
        values = of(x)
        empty = values.new_zeros(rank, longest, values.shape[-1])
        full = empty.index_put((text, place), values)
        return full.view(rank, longest, heads, -1).transpose(1, 2)

    is_there = (torch.arange(longest) < lengths[:, None])[:, None, None]
    # Written out, as the gradient of torch's own in half precision takes most of the time.
    query, key, value = padded(own.query), padded(own.key), padded(own.value)
    match = query @ key.transpose(2, 3) / query.shape[-1] ** 0.5
    shares = match.masked_fill(~is_there, float("-inf")).softmax(-1)
    attended = own.dropout(shares).to(value.dtype) @ value
    mixed = attended.transpose(1, 2).reshape(rank, longest, -1)[text, place]
    x = out.LayerNorm(x + out.dropout(out.dense(mixed)))
    inner = layer.output.dense(layer.intermediate(x))
    return cast(Tensor, layer.output.LayerNorm(x + layer.output.dropout(inner)))


def pooled(x: Tensor, lengths: Tensor) -> Tensor:
    """The mean over the tokens of each text, scaled to length 1, (t, h) -> (n, h)."""
    text = torch.repeat_interleave(torch.arange(len(lengths)), lengths)
    total = torch.zeros(len(lengths), x.shape[-1]).index_add(0, text, x.float())
    return functional.normalize(total, dim=-1)


class Network(nn.Module):
    """The last blocks of a network of texts, and an affine head.

    Args:
        blocks: they are copied by the caller.
        head: weight (d, c) and bias (c,).
    """

    def __init__(self, blocks: Sequence[nn.Module], head: tuple[Tensor, Tensor]) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(blocks)
        self.weight, self.bias = (nn.Parameter(each.clone()) for each in head)

    def forward(self, x: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Features (n, d) and logits (n, c) of texts."""
        with torch.autocast("cpu", torch.bfloat16, enabled=torch.is_grad_enabled()):
            for layer in self.blocks:
                x = block(layer, x, lengths)
        features = pooled(x, lengths)
        return features, features @ self.weight + self.bias


class Texts:
    """The texts of one set: activations, features, neighbours and labels."""

    def __init__(self, folder: Path, name: str, model: Path) -> None:
        items, labels = raw(folder, name)
        rows = np.random.default_rng(0).permutation(len(items))[:POINTS]
        self.name = name
        self.y: Codes = np.unique(labels["labels"][rows], return_inverse=True)[1]
        self.c = int(self.y.max()) + 1
        library = SentenceTransformer(str(model), device="cpu", local_files_only=True).eval()
        self.bert = cast(Any, library[0]).auto_model
        self.last, self.x = self._computed(library, [items[row] for row in rows])
        centred = self.x - self.x.mean(0)
        axes = np.linalg.svd(centred, full_matrices=False)[2][:AXES]
        self.pairs = mutual(nearest((centred @ axes.T).astype(np.float64), NEIGHBOURS)[1])

    def _computed(self, library: Any, items: list[str]) -> tuple[Tokens, Features]:
        """Activations before the last block, and the features."""
        order = np.argsort([len(item) for item in items])
        last = len(self.bert.encoder.layer) - 1
        lengths = torch.zeros(len(items), dtype=torch.long)
        parts: dict[int, Tensor] = {}
        features = np.empty((len(items), self.bert.config.hidden_size), np.float32)
        for chunk in np.array_split(order, -(-len(items) // 64)):
            read = library.tokenizer(
                [items[row] for row in chunk],
                padding=True,
                truncation=True,
                max_length=library.max_seq_length,
                return_tensors="pt",
            )
            with torch.inference_mode():
                found = self.bert(**read, output_hidden_states=True)
            mask = read["attention_mask"].bool()
            for k, (row, there) in enumerate(zip(chunk, mask, strict=True)):
                lengths[row] = int(there.sum())
                parts[int(row)] = found.hidden_states[last][k, there].half()
                mean = functional.normalize(found.last_hidden_state[k, there].mean(0), dim=-1)
                features[row] = mean.numpy()
        values = torch.cat([parts[row] for row in range(len(items))])
        return Tokens(values, lengths), features


def gedi(x: Features, c: int, seed: int) -> GEDI:
    """GEDI by its defaults."""
    return GEDI(n_clusters=c, random_state=seed).fit(x)


def affine(found: GEDI, x: Features) -> tuple[Tensor, Tensor]:
    """GEDI's head as an affine function of the features, up to a constant of each text."""
    log_p = np.log(np.maximum(found.predict_proba(x), 1e-30)).astype(np.float64)
    log_p -= log_p.mean(1, keepdims=True)
    columns = np.hstack([x.astype(np.float64), np.ones((len(x), 1))])
    solution = torch.from_numpy(np.linalg.lstsq(columns, log_p, rcond=None)[0]).float()
    return solution[:-1], solution[-1]


@dataclass
class Tuned:
    """The result of a tuning: clusters, features, and what was measured."""

    codes: Codes
    features: Features
    last: Features  # of the last epoch
    more: dict[str, Any]


def tune(texts: Texts, method: str, found: GEDI, seed: int) -> Tuned:
    """Let the head go on by INV and PRIOR, and a part of the network along with it."""
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    tokens, blocks = part_of(texts, method)
    network = Network(blocks, affine(found, texts.x))
    chosen = [p for p in network.blocks.parameters() if p.requires_grad]
    groups = [{"params": [network.weight, network.bias], "lr": RATES["head"]}]
    tuned = [{"params": chosen, "lr": RATES["block"]}] if chosen else []
    optimizer = torch.optim.Adam(groups + tuned)
    warm_up = torch.optim.lr_scheduler.LinearLR(optimizer, 1 / WARM_UP, 1.0, WARM_UP)
    log_prior = torch.from_numpy(found.predict_proba(texts.x).mean(0)).float().log()
    pairs = texts.pairs
    if method.endswith("true pairs"):
        pairs = pairs[texts.y[pairs[:, 0]] == texts.y[pairs[:, 1]]]
    held_out = rng.random(len(pairs)) < HELD_OUT
    partner = partners(pairs[~held_out], len(texts.x))
    dropout = method.endswith("dropout")

    def loss(rows: Tensor, views: Tensor) -> Tensor:
        x, lengths = (
            (torch.from_numpy(texts.x)[torch.cat([rows, views])], None)
            if not blocks
            else tokens.of(torch.cat([rows, views]))
        )

        def logits() -> Tensor:
            if lengths is None:
                return x @ network.weight + network.bias
            found: Tensor = network(x, lengths)[1]
            return found

        one = logits()
        points, neighbours = one.chunk(2)
        inv = invariance(points, neighbours)
        if dropout:
            inv = inv + invariance(one, logits())
        return -inv - default_prior_weight(texts.c) * prior_agreement(one, log_prior)

    def measured() -> tuple[float, Codes, Features]:
        features, logits = everything(network, tokens) if blocks else head_alone(network, texts.x)
        codes = logits.argmax(1).numpy()
        return modularity(codes, pairs[held_out]), codes, features.numpy()

    began, best, kept = time.process_time(), measured(), 0
    epochs = [(best[0], accuracy(texts.y, best[1]))]
    now = best
    for epoch in range(1, EPOCHS + 1):
        network.train(dropout)
        for rows in np.array_split(rng.permutation(len(texts.x)), len(texts.x) // PAIRS):
            optimizer.zero_grad()
            loss(torch.from_numpy(rows), torch.from_numpy(partner(rows, rng))).backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            warm_up.step()
        network.eval()
        now = measured()
        epochs.append((now[0], accuracy(texts.y, now[1])))
        print(method, epoch, epochs[-1], round(time.process_time() - began), "s", flush=True)
        if now[0] > best[0]:
            best, kept = now, epoch
        if epoch - kept >= PATIENCE or time.process_time() - began > SECONDS:
            break
    more = {
        "epoch": kept,
        "modularity by epoch": [round(float(each), 4) for each, _ in epochs],
        "accuracy by epoch": [round(float(each), 4) for _, each in epochs],
        "seconds": time.process_time() - began,
    }
    return Tuned(best[1], best[2], now[2], more)


def part_of(texts: Texts, method: str) -> tuple[Tokens, list[nn.Module]]:
    """The activations from which a method starts, and copies of the blocks that it changes."""
    if method == "head alone":
        return texts.last, []
    return texts.last, [copy.deepcopy(texts.bert.encoder.layer[-1])]


def partners(pairs: Codes, n: int) -> Callable[[Codes, np.random.Generator], Codes]:
    """A function that gives rows a random neighbour each; a row without one gets itself."""
    both = np.concatenate([pairs, pairs[:, ::-1]])
    both = both[np.argsort(both[:, 0], kind="stable")]
    counts = np.bincount(both[:, 0], minlength=n)
    starts = counts.cumsum() - counts

    def drawn(rows: Codes, rng: np.random.Generator) -> Codes:
        place = starts[rows] + (rng.random(len(rows)) * counts[rows]).astype(np.int64)
        found: Codes = both[np.minimum(place, len(both) - 1), 1]
        return np.where(counts[rows] > 0, found, rows)

    return drawn


@torch.no_grad()
def everything(network: Network, tokens: Tokens) -> tuple[Tensor, Tensor]:
    """Features and logits of all texts; texts of like length together."""
    order = tokens.lengths.argsort()
    found = [network(*tokens.of(rows)) for rows in torch.split(order, 256)]
    back = order.argsort()
    features, logits = (torch.cat(each)[back] for each in zip(*found, strict=True))
    return features, logits


@torch.no_grad()
def head_alone(network: Network, x: Features) -> tuple[Tensor, Tensor]:
    """The features as they are, and the logits."""
    features = torch.from_numpy(x)
    return features, features @ network.weight + network.bias


def scores(texts: Texts, codes: Codes) -> dict[str, Any]:
    """How well clusters agree with the labels."""
    codes = np.unique(codes, return_inverse=True)[1]
    measures = {"accuracy": accuracy, "ARI": ari, "NMI": nmi}
    return {"n": len(texts.x), "c": texts.c} | {
        name: float(measure(texts.y, codes)) for name, measure in measures.items()
    }


def fill(texts: Texts, seed: int, methods: Sequence[str]) -> None:
    """The missing rows of a set and a seed."""

    def is_wanted(method: str) -> bool:
        key = {"data": texts.name, "method": method, "seed": seed}
        return method in methods and missing("tune_features", **key)

    def store(method: str, codes: Codes, more: dict[str, Any]) -> None:
        key = {"data": texts.name, "method": method, "seed": seed}
        write("tune_features", key | scores(texts, codes) | more | provenance())

    if is_wanted("KMeans, best of 10"):
        began = time.process_time()
        codes = KMeans(texts.c, n_init=10, random_state=seed).fit_predict(texts.x)
        store("KMeans, best of 10", codes, {"seconds": time.process_time() - began})
    if not any(map(is_wanted, METHODS)):
        return
    began = time.process_time()
    start = gedi(texts.x, texts.c, seed)
    if is_wanted("GEDI"):
        ends = texts.y[texts.pairs]
        same = {"pairs of one class": float(np.mean(ends[:, 0] == ends[:, 1]))}
        store("GEDI", start.labels_, {"seconds": time.process_time() - began} | same)
    for method in TUNED:
        again = f"{method}{AGAIN}"
        if not is_wanted(method) and not is_wanted(again):
            continue
        tuned = tune(texts, method, start, seed)
        if is_wanted(method):
            store(method, tuned.codes, tuned.more)
        if is_wanted(again):
            began = time.process_time()
            codes = gedi(tuned.features, texts.c, seed).labels_
            seconds = time.process_time() - began
            end = gedi(tuned.last, texts.c, seed).labels_
            more = {"seconds": seconds, "accuracy at the end": scores(texts, end)["accuracy"]}
            store(again, codes, more)


def main() -> None:
    """Fill the rows that are not there yet."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--text-model", type=Path, required=True)
    parser.add_argument("--sets", nargs="+", choices=TEXTS, default=list(TEXTS))
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=list(METHODS))
    parser.add_argument("--seeds", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(1)
    with threadpool_limits(1):
        sets = [Texts(options.folder, name, options.text_model) for name in options.sets]
        for seed in range(options.seeds):
            for texts in sets:
                fill(texts, seed, options.methods)


if __name__ == "__main__":
    main()
