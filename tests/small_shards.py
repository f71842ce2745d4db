"""Small tables in several .parquet files."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq


def write(folder, n_files=4, n=100, group=10, **more):
    """Files whose columns tell the row: a is its number, b its place among the rows of its file."""
    folder.mkdir(exist_ok=True)
    for i in range(n_files):
        a = np.arange(i * n, (i + 1) * n, dtype=float)
        table = pa.table({"a": a, "b": np.arange(n), **more})
        pq.write_table(table, folder / f"{i}.parquet", row_group_size=group)
    return str(folder)
