"""Small files of points and labels, written to the working folder."""

from pathlib import Path

import numpy as np
import pandas as pd

X = np.array([[1.5, -2.0, 3.0], [4.0, 5.0, 6.0], [7.0, 8.0, 9.5], [0.0, 1.0, 2.0]])


def write(name, text):
    Path(name).write_text(text, encoding="utf-8")
    return name


def npy(array, name="a.npy"):
    np.save(name, array)
    return name


def npz(name="a.npz", **parts):
    np.savez(name, **parts)
    return name


def parquet(name="a.parquet", **columns):
    pd.DataFrame(columns).to_parquet(name)
    return name
