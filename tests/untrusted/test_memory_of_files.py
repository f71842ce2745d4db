"""How much memory a training on images in a file takes, in a process of its own."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import gedi

_MIB = 2**20

# The system counts pages of mapped files apart (RssFile), and takes them back when it needs them.
SCRIPT = """
import json, sys, threading, time
from pathlib import Path
from gedi import start, Settings, load
from gedi.settings import EncoderSettings, RestartSettings, WeightSettings

def resident():
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("RssAnon"):
            return int(line.split()[1]) * 1024

def watch():
    global peak
    while True:
        peak = max(peak, resident())
        time.sleep(0.002)

settings = Settings(
    n_clusters=2, max_iter=3, batch_size=32, device="cpu",
    encoder=EncoderSettings(kind="mlp", hidden=[8], base=False), restarts=RestartSettings(n=1),
    weights=WeightSettings(gen=0.0),  # annealing takes long, and sees no data
)
peak = 0
threading.Thread(target=watch, daemon=True).start()
# What the libraries take once, and what points cost that are looked at together.
fit = start(load("small.npy"), settings).run()
fit.trained.predict(load("small.npy").x)
before = peak
dataset = load("large.npy", stream_above=int(sys.argv[1]))
fit = start(dataset, settings).run()
fit.trained.predict(dataset.x[:100_000])
print(json.dumps([dataset.x.nbytes, peak - before]))
"""


def growth(stream_above):
    source = str(Path(gedi.__file__).parents[1])
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(stream_above)],
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": source},
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""  # no warnings
    nbytes, grown = json.loads(done.stdout)
    assert nbytes >= 200 * _MIB
    return grown


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_large_set_takes_little_memory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    np.save("small.npy", rng.integers(256, size=(20_000, 1, 28, 28), dtype=np.uint8))
    x = rng.integers(256, size=(270_000, 1, 28, 28), dtype=np.uint8)
    np.save("large.npy", x)
    del x
    mapped, held = growth(10 * _MIB), growth(1000 * _MIB)
    print(f"growth of memory: {mapped / _MIB:.0f} MiB mapped, {held / _MIB:.0f} MiB held")
    assert mapped < 100 * _MIB and held > 150 * _MIB
