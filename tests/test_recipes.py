"""What the page of recipes shows runs on the engines themselves, where they are installed."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_wine

from documents import DOCS, python_blocks
from gedi import GEDI

pytest.importorskip("onnxruntime", reason="ONNX files need the extra export")
pytest.importorskip("onnxscript", reason="ONNX files need the extra export")

BLOCKS = python_blocks(DOCS / "recipes.md")
FILES = {block.split("\n")[0][2:]: block for block in BLOCKS if block.startswith("# ")}
PORT = "5001"

pytestmark = pytest.mark.filterwarnings("ignore")


def block_with(words):
    (found,) = [each for each in BLOCKS if words in each and each not in FILES.values()]
    return found


def run(block):
    exec(compile(block, "recipes.md", "exec"), {"__name__": "__main__"})


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A folder with all files of the page."""
    folder = tmp_path_factory.mktemp("recipes")
    for name, content in FILES.items():
        (folder / name).write_text(content)
    block = block_with("from gedi import GEDI").replace("random_state=0", "random_state=0, **few")
    few = {"max_iter": 5, "n_restarts": 1, "encoder": (8,)}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        exec(block, {"few": few})
    return folder


@pytest.fixture
def place(made, monkeypatch):
    monkeypatch.chdir(made)
    monkeypatch.syspath_prepend(made)
    monkeypatch.setenv("PYTHONPATH", str(made))  # of the processes that engines start
    for name, value in (("RAY_USAGE_STATS_ENABLED", "0"), ("MLFLOW_DISABLE_TELEMETRY", "true")):
        monkeypatch.setenv(name, value)
    return made


@pytest.fixture
def expected(place):
    """Clusters and p-values of the table by the file alone."""
    from scorer import Scorer  # noqa: PLC0415 - a file of the page

    return Scorer(Path("wine.onnx").read_bytes())(pd.read_parquet("wine.parquet"))


def agrees(found, expected):
    assert (found["cluster"].to_numpy() == expected["cluster"].to_numpy()).all()
    np.testing.assert_allclose(found["p_value"], expected["p_value"], atol=1e-9)


def test_a_batch_is_scored_without_gedi_and_torch(expected, place):
    table = load_wine(as_frame=True).data
    assert len(expected) == len(table) and expected["cluster"].nunique() == 3
    code = (
        "import sys, pandas as pd; from pathlib import Path; from scorer import Scorer\n"
        "table = pd.read_parquet('wine.parquet')\n"
        "table.loc[0, 'alcohol'] = 1e6\n"
        "print(Scorer(Path('wine.onnx').read_bytes())(table)['p_value'][0])\n"
        "assert not {'gedi', 'torch'} & set(sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120
    )
    assert float(done.stdout) < 0.01


@pytest.mark.slow
def test_categories_and_missing_values_pass_through_the_scorer(place):
    from scorer import Scorer  # noqa: PLC0415

    table = load_wine(as_frame=True).data
    shade = np.array(["pale", "ruby", "deep"])[np.arange(len(table)) % 3]
    table["shade"] = pd.Categorical(shade)
    table.loc[::9, "shade"], table.loc[::7, "ash"] = None, np.nan
    model = GEDI(3, max_iter=2, n_restarts=1, encoder=(8,), random_state=0).fit(table)
    model.export("mixed.onnx")
    found = Scorer(Path("mixed.onnx").read_bytes())(table)
    assert (found["cluster"] == model.predict(table)).all()
    np.testing.assert_allclose(found["p_value"], model.outlier_p_values(table), atol=1e-9)


def test_ray_data(expected):
    ray = pytest.importorskip("ray", reason="ray is not installed: pip install 'gedi[recipes]'")
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    try:
        run(block_with("import ray"))
    finally:
        ray.shutdown()
    agrees(pd.read_parquet("scored-by-ray"), expected)


def test_spark(expected, monkeypatch):
    pyspark = pytest.importorskip(
        "pyspark", reason="pyspark is not installed: pip install 'gedi[recipes]'"
    )
    if shutil.which("java") is None:
        pytest.skip("Spark needs Java")
    monkeypatch.setenv("PYSPARK_PYTHON", sys.executable)
    from pyspark.sql import SparkSession  # noqa: PLC0415

    spark = SparkSession.builder.master("local[1]").getOrCreate()
    try:
        run(block_with("pandas_udf"))
    finally:
        spark.stop()
        pyspark.SparkContext._gateway.shutdown()
    found = pd.read_parquet("scored-by-spark")["found"]
    agrees(pd.DataFrame(found.tolist()), expected)


def free_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


def is_up(port):
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/ping", timeout=5) as answer:
            return answer.status == 200
    except OSError:
        return False


def asked(port, rows):
    """The server's answer to a request with some rows."""
    body = json.dumps({"dataframe_split": rows.to_dict("split")}).encode()
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/invocations", body, {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=120) as answer:
        return pd.DataFrame(json.load(answer)["predictions"])


@pytest.fixture
def server(place, monkeypatch):
    """The port of the server of the page."""
    pytest.importorskip("mlflow", reason="mlflow is not installed: pip install 'gedi[recipes]'")
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    run(block_with("save_model"))
    text = (DOCS / "recipes.md").read_text("utf-8")
    (command,) = [line for line in text.splitlines() if line.startswith("mlflow models serve")]
    port = free_port()
    words = command.partition(" #")[0].replace(PORT, str(port)).split()
    process = subprocess.Popen(
        words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    try:
        deadline = time.monotonic() + 120
        while not is_up(port):
            assert process.poll() is None and time.monotonic() < deadline
            time.sleep(0.3)
        yield port
    finally:
        os.killpg(process.pid, signal.SIGINT)  # Ctrl-C
        process.wait(30)
    assert not is_up(port)


def test_a_server(expected, server, capsys):
    table = pd.read_parquet("wine.parquet")
    agrees(asked(server, table), expected)
    run(block_with("urllib.request.Request").replace(PORT, str(server)))
    assert capsys.readouterr().out.count("p_value") == 2
    for bad in (table[:2].drop(columns="hue"), table[:2].assign(hue="blue")):
        with pytest.raises(urllib.error.HTTPError) as refused:
            asked(server, bad)
        assert refused.value.code == 400 and b"hue" in refused.value.read()
    with ThreadPoolExecutor(200) as pool:
        rows = [table[k : k + 1] for k in np.arange(200) % len(table)]
        answers = list(pool.map(lambda row: asked(server, row), rows))
    agrees(pd.concat(answers), pd.concat([expected, expected])[:200])
