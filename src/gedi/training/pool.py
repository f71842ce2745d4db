"""(Interim) a pool of partitions, and the choice among them."""
import sys

sys.path.insert(0, "/work/research/clusters")
import numpy as np


def best_partition(x, n_clusters, seed):
    from pool import candidates
    from sklearn.neighbors import NearestNeighbors
    found = candidates(x, n_clusters, seed)
    i = NearestNeighbors(n_neighbors=11).fit(x).kneighbors(x)[1][:,1:]
    def score(l):
        p=np.bincount(l)/len(l); return (l[i]!=l[:,None]).mean()+.02*(np.log(n_clusters)+(p*np.log(p)).sum())
    best = min(range(len(found)), key=lambda k: score(found[k][1]))
    return found[best][1]
