"""Graphs of nearby rows: nearest neighbours, spanning tree and eigenmap."""

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.csgraph import connected_components
from scipy.sparse.linalg import eigsh
from sklearn.neighbors import NearestNeighbors
from torch import Tensor

__all__ = [
    "PART",
    "affinity",
    "connected",
    "eigenmap",
    "modularity",
    "mutual",
    "nearest",
    "nearest_by_products",
    "parts_of",
    "spanning_tree",
]

TREE_SEARCH = 8  # up to this many columns a k-d tree is faster than all distances
DENSE = 100  # up to this many rows all eigenvectors are computed
SCALE_NEIGHBOUR = 7
SMALLEST = 1e-12
PART = 1024  # rows at a time, so that memory does not grow with the square of their number
_IN_SET = 16  # rows, of which first only the nearest is looked at


def nearest(x: NDArray[np.float64], k: int) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Distances (n, k) and indices (n, k) of the k nearest other rows, the nearest first.

    Args:
        x: rows (n, d).
        k: at most n - 1 are found.
    """
    n = len(x)
    k = min(k, n - 1)
    algorithm = "kd_tree" if x.shape[1] <= TREE_SEARCH else "brute"
    search = NearestNeighbors(n_neighbors=k + 1, algorithm=algorithm).fit(x)
    distance, index = search.kneighbors(x)
    # A row is its own neighbour; among copies it may not be the first, or not be found at all.
    own = index == np.arange(n)[:, None]
    own[~own.any(1), -1] = True
    return distance[~own].reshape(n, k), index[~own].reshape(n, k)


def nearest_by_products(x: Tensor, k: int) -> NDArray[np.int64]:
    """Indices (n, k) of the k nearest other rows in any order, for many rows and columns.

    Products of matrices in the dtype of the rows and on their device take less time than `nearest`,
    which computes in float64; of rows at nearly the same distance either may be found.

    Args:
        x: rows (n, d).
        k: at most n - 1 are found.
    """
    n = len(x)
    k, width = min(k, n - 1), -(-n // _IN_SET)
    others = torch.nn.functional.pad(x, (0, 0, 0, _IN_SET * width - n))
    squares = others.square().sum(1)
    squares[n:] = torch.inf
    steps = width * torch.arange(_IN_SET, device=x.device)
    memory = x.new_empty(min(PART, n), len(others))  # once: new memory for each part takes longer
    parts = []
    for start in range(0, n, PART):
        own = torch.arange(start, min(start + PART, n), device=x.device)
        distance = memory[: len(own)]  # squared, less that of the row
        torch.addmm(squares, x[own], others.T, alpha=-2, out=distance)
        distance[own - start, own] = torch.inf
        # The k nearest are in the k sets of rows whose nearest are nearest.
        nearest_of_set = distance.view(len(own), _IN_SET, width).amin(1)
        sets = nearest_of_set.topk(min(k, width), largest=False, sorted=False).indices
        rows = (sets[:, :, None] + steps).flatten(1)
        found = distance.gather(1, rows).topk(k, largest=False, sorted=False).indices
        parts.append(rows.gather(1, found))
    return torch.cat(parts).cpu().numpy()


def mutual(index: NDArray[np.int64]) -> NDArray[np.int64]:
    """Pairs of rows that are neighbours of each other, (m, 2), each pair once.

    Args:
        index: the neighbours of each row, (n, k).
    """
    n, k = index.shape
    own = np.repeat(np.arange(n), k)
    graph = sparse.csr_matrix((np.ones(n * k), (own, index.ravel())), (n, n))
    return np.stack(sparse.triu(graph.multiply(graph.T), 1).nonzero(), 1)


def parts_of(index: NDArray[np.int64], near: NDArray[np.bool_]) -> NDArray[np.int64]:
    """The number of rows in each part of the graph that neighbours connect, (m,).

    Args:
        index: the neighbours of each row, (n, k).
        near: which of them are near enough to connect parts, (n, k).
    """
    n = len(index)
    row, place = near.nonzero()
    graph = sparse.csr_matrix((np.ones(len(row)), (row, index[row, place])), (n, n))
    return np.bincount(connected_components(graph, directed=False)[1])


def modularity(codes: NDArray[np.int64], pairs: NDArray[np.int64]) -> float:
    """How many more pairs share a cluster than random pairs of the same rows would.

        Q = Σ_k (e_k - a_k²)

    with e_k the share of pairs within cluster k and a_k the share of the pairs' ends in it (Newman
    & Girvan, Physical Review E 2004, https://arxiv.org/abs/cond-mat/0308217). It is below 1, and 0
    for a single cluster; unlike a count of the pairs that are cut it does not favour large ones.

    Args:
        codes: the cluster of each row, (n,).
        pairs: the edges of a graph of rows, (m, 2), m >= 1.
    """
    ends = codes[pairs]
    within = np.mean(ends[:, 0] == ends[:, 1])
    shares = np.bincount(ends.ravel()) / ends.size
    return float(within - np.square(shares).sum())


def spanning_tree(distance: NDArray[np.float64]) -> NDArray[np.int64]:
    """Edges (n - 1, 2) of a minimum spanning tree by Prim's algorithm, the shortest first.

    Args:
        distance: symmetric (n, n); rows may lie on one another.
    """
    n = len(distance)
    edges = np.empty((n - 1, 2), np.int64)
    length = np.empty(n - 1)
    outside = np.ones(n, bool)
    best = np.full(n, np.inf)  # each outside row's distance to the tree
    parent = np.zeros(n, np.int64)
    new = 0
    for i in range(n - 1):
        outside[new] = False
        best[new] = np.inf
        nearer = outside & (distance[new] < best)
        best[nearer] = distance[new, nearer]
        parent[nearer] = new
        new = int(best.argmin())
        edges[i] = parent[new], new
        length[i] = best[new]
    return edges[np.argsort(length, kind="stable")]


def connected(index: NDArray[np.int64], edges: NDArray[np.int64]) -> sparse.csr_matrix:
    """The symmetric graph (n, n) of all neighbours and of a spanning tree, which connects it.

    Args:
        index: neighbours (n, k).
        edges: the tree's (n - 1, 2).
    """
    n, k = index.shape
    row = np.concatenate([np.repeat(np.arange(n), k), edges[:, 0]])
    column = np.concatenate([index.ravel(), edges[:, 1]])
    graph = sparse.csr_matrix((np.ones(len(row)), (row, column)), (n, n))
    return (graph + graph.T).tocsr()


def affinity(distance: NDArray[np.float64], index: NDArray[np.int64]) -> sparse.csr_matrix:
    """Self-tuning weights of neighbours, as a symmetric graph (n, n).

        w_ij = exp( -d_ij² / (s_i s_j) ),   s_i the distance of the seventh neighbour of i

    (Zelnik-Manor, Perona, NIPS 2004).

    Args:
        distance: to the k nearest rows (n, k), the nearest first.
        index: these rows (n, k).
    """
    n, k = index.shape
    scale = np.maximum(distance[:, min(SCALE_NEIGHBOUR, k) - 1], SMALLEST)
    weight = np.maximum(np.exp(-(distance**2) / (scale[:, None] * scale[index])), 1e-8)
    graph = sparse.csr_matrix((weight.ravel(), index.ravel(), np.arange(0, n * k + 1, k)), (n, n))
    return graph.maximum(graph.T.tocsr())


def eigenmap(graph: sparse.csr_matrix, n_vectors: int, seed: int) -> NDArray[np.float64]:
    """The smoothest eigenvectors (n, n_vectors) of the normalised Laplacian, as columns.

        L = I - D^-1/2 W D^-1/2,   D = diag( Σ_j w_ij )

    Args:
        graph: symmetric weights W (n, n).
        n_vectors: the number of eigenvectors, the smallest eigenvalue first.
        seed: determines where the iteration starts.
    """
    n = graph.shape[0]
    root = sparse.diags(1 / np.sqrt(np.maximum(graph.sum(1).A1, SMALLEST)))
    laplacian = (sparse.identity(n) - root @ graph @ root).tocsc()
    if n <= max(DENSE, n_vectors + 1):
        return np.asarray(np.linalg.eigh(laplacian.toarray())[1][:, :n_vectors])
    start = np.random.default_rng(seed).standard_normal(n)
    # Components of the graph give equal eigenvalues; Lanczos finds all of them only by inversion.
    _, vectors = eigsh(laplacian, k=n_vectors, sigma=-1e-3, which="LM", v0=start, tol=1e-6)
    return np.asarray(vectors)
