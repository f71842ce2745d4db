"""Damaged files for every reader: each is read, or refused by one error in bounded time and memory.

python benchmarks/fuzz.py [--seconds 20] [--seed 0] [--readers npy csv ...] [--store] [--guided]

A crash is any exception that is no `GediError`, a reader that takes more than 10 seconds of a core
(30 of the clock) or more memory than 2 GiB beyond its imports, and a process that ends. Seeds are
small files of every format, as the readers take them. Mutations are random, and some know the
format: they change what is in an archive, a chunk or a header and put it together again, so that
its checks of itself let the damage through to the code behind.

Most of the code that reads is compiled, and no coverage of it can be had from Python; `--guided`
lets atheris (not a dependency: pip install atheris) guide the mutations by the coverage of what is
Python, for one reader, until a crash. Everything runs in a folder that is thrown away; a file that
crashes a reader is kept in the current folder as crash-READER-NUMBER.
"""

import argparse
import hashlib
import io
import json
import os
import random
import resource
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time
import traceback
import warnings
import zipfile
import zlib
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import Any, NamedTuple

SECONDS = 10.0  # of a core that a reader may take for one small file
MEMORY = 2 * 2**30  # bytes that it may take beyond its imports
WATCHED = 3 * SECONDS  # of the clock, after which a process that does not answer is ended

CHECKPOINT = "run/checkpoints/000000004.pt"

NUMBERS = (b"0", b"-1", b"1e999", b"nan", b"9" * 25, b"9" * 5000, b"2147483648", b"0x" + b"f" * 99)
TOKENS = (
    *(b'"', b"'", b",", b"\n", b"\r", b"\0", b"\xff\xfe", b"[" * 200, b"{" * 200, b"*a", b"&a ["),
    *(b"null", b"true", b"[]", b"{}", b'""', b"!!python/name:os.system", b"<<: *a", b"? ", b"|O"),
)
WORDS = (0, 1, 127, 128, 255, 2**15, 2**16 - 1, 2**31 - 1, 2**32 - 1, 2**63 - 1, 2**64 - 1)


class Reader(NamedTuple):
    """How files of a kind are read, and how they are changed.

    Attributes:
        name: of the file, in a folder that may hold others.
        seeds: contents of files that are as they should be.
        read: reads the file of that name.
        change: a change that knows the format; None if there is none.
    """

    name: str
    seeds: Sequence[bytes]
    read: Callable[[], object]
    change: Callable[[bytes, random.Random], bytes] | None = None


# Changes


def changed(content: bytes, others: Sequence[bytes], rng: random.Random) -> bytes:
    """One to eight random changes: bytes, words, numbers, pieces."""
    data = bytearray(content)
    for _ in range(rng.choice((1, 1, 1, 2, 3, 8))):
        _change(data, others, rng)
    return bytes(data)


def _change(data: bytearray, others: Sequence[bytes], rng: random.Random) -> None:
    at = rng.randrange(len(data) + 1)
    length = min(rng.choice((1, 2, 4, 8, 16, 64, 1024)), len(data) - at)
    kind = rng.randrange(9)
    if kind == 0 and at < len(data):
        data[at] ^= 1 << rng.randrange(8)
    elif kind == 1 and at < len(data):
        data[at] = rng.randrange(256)
    elif kind == 2:
        size = rng.choice((1, 2, 4, 8))
        word = rng.choice(WORDS) % 2 ** (8 * size)
        data[at : at + size] = word.to_bytes(size, rng.choice(("little", "big")))
    elif kind == 3:
        del data[at : at + length]
    elif kind == 4:
        data[at:at] = data[at : at + length] * rng.choice((1, 2, 50))
    elif kind == 5:
        del data[at:]
    elif kind == 6:
        other = rng.choice(others)
        begin = rng.randrange(len(other) + 1)
        data[at : at + length] = other[begin : begin + length]
    elif kind == 7:
        data[at:at] = rng.choice(TOKENS)
    else:
        _another_number(data, rng)


def _another_number(data: bytearray, rng: random.Random) -> None:
    digits = [i for i, value in enumerate(data[:20_000]) if 48 <= value <= 57]
    if digits:
        begin = end = rng.choice(digits)
        while end < len(data) and 48 <= data[end] <= 57:
            end += 1
        data[begin:end] = rng.choice(NUMBERS)


def in_archive(content: bytes, rng: random.Random) -> bytes:
    """A zip archive whose checksums fit, with one of its members changed."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = {info.filename: archive.read(info) for info in archive.infolist()}
    chosen = rng.choice(list(members))
    members[chosen] = changed(members[chosen][:5000], list(members.values()), rng)
    file = io.BytesIO()
    packed = rng.choice((0, 0, 8, 12, 14))
    with zipfile.ZipFile(file, "w") as archive:
        for name, member in members.items():  # of no time, so that a seed gives the same bytes
            archive.writestr(zipfile.ZipInfo(name), member, compress_type=packed)
    return file.getvalue()


def in_chunk(content: bytes, rng: random.Random) -> bytes:
    """A PNG with one of its chunks changed, and its checksum made to fit."""
    at, chunks = 8, []
    while at < len(content):
        (length,) = struct.unpack(">I", content[at : at + 4])
        chunks.append(content[at + 4 : at + 8 + length])
        at += 12 + length
    place = rng.randrange(len(chunks))
    kind, body = chunks[place][:4], chunks[place][4:]
    if kind == b"IDAT" and rng.random() < 0.5:
        body = zlib.compress(changed(zlib.decompress(body), [body], rng))
    else:
        body = changed(body, chunks, rng)
    chunks[place] = kind + body
    if rng.random() < 0.2:
        chunks.insert(1, rng.choice((b"iCCP", b"tEXt", b"zTXt", b"eXIf", b"acTL", b"tRNS")) + body)
    parts = [
        struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk))
        for chunk in chunks
    ]
    return content[:8] + b"".join(parts)


def in_header(content: bytes, rng: random.Random) -> bytes:
    """Safetensors with a header that is changed, and its length made to fit."""
    (length,) = struct.unpack("<Q", content[:8])
    text = changed(content[8 : 8 + length], TOKENS, rng)
    return struct.pack("<Q", len(text)) + text + content[8 + length :]


def in_tree(content: bytes, rng: random.Random) -> bytes:
    """JSON, which is YAML as well, with one of its values replaced by another or by a strange one.

    So a file of settings is one that its parser takes.
    """
    import yaml  # noqa: PLC0415

    tree = yaml.safe_load(content)
    strange: list[Any] = [None, True, -1, 0, 1e308, 10**30, "x", "", [], {}, [[]], [1, "a"]]
    strange += [float("nan"), float("inf"), {"a": {"b": 1}}, 10**9, ["nan"], "../../x", [0] * 9]
    places: list[tuple[Any, Any]] = []

    def walk(value: Any) -> None:
        items = value.items() if isinstance(value, dict) else enumerate(value)
        for key, part in list(items)[:50]:
            places.append((value, key))
            if isinstance(part, (dict, list)):
                walk(part)

    walk(tree)
    for _ in range(rng.choice((1, 1, 2, 4))):
        parent, key = rng.choice(places)
        other, name = rng.choice(places)
        try:
            value = rng.choice((rng.choice(strange), other[name]))
            parent[key] = json.loads(json.dumps(value))
            if isinstance(parent, dict) and rng.random() < 0.1:
                parent[rng.choice(("x", "__class__", str(name)))] = parent.pop(key)
        except (KeyError, IndexError):  # of a part that an earlier change took out
            continue
    return json.dumps(tree).encode()


# Readers


def readers(of_models: bool) -> dict[str, Reader]:
    """Every reader of data, or of what trainings leave, by name.

    Their files are in the current folder, or are made there.
    """
    return _model_readers() if of_models else _data_readers()


def _data_readers() -> dict[str, Reader]:
    import numpy as np  # noqa: PLC0415
    import pandas as pd  # noqa: PLC0415
    import pyarrow as pa  # noqa: PLC0415
    import pyarrow.parquet as pq  # noqa: PLC0415
    from PIL import Image  # noqa: PLC0415

    from gedi.data.source import load  # noqa: PLC0415

    rng = np.random.default_rng(0)
    x = rng.normal(size=(6, 2))

    def saved(write: Callable[[io.BytesIO], object]) -> bytes:
        file = io.BytesIO()
        write(file)
        return file.getvalue()

    arrays = [x, x.astype(">f4"), rng.integers(9, size=(4, 3, 5), dtype=np.uint8), x > 0]
    npy = [saved(lambda file, a=a: np.save(file, a)) for a in arrays]
    codes = np.arange(6) % 2
    npz = [
        saved(lambda file: np.savez(file, x=x, y=codes)),
        saved(lambda file: np.savez_compressed(file, data=x, labels=codes.astype("U3"))),
    ]
    frame = pd.DataFrame({"a": x[:, 0], "b": codes, "kind": list("uvuvuv")})
    dates = frame.assign(when=pd.date_range("2020", periods=6), nested=[[1.0]] * 6)
    csv = [
        frame.to_csv(index=False).encode(),
        b'"a","b"\r\n"1",2\r\n,"3"\r\n',
        frame.to_csv().encode(),
    ]
    parquet = [saved(part.to_parquet) for part in (frame, dates, frame[["a", "b"]].set_index("b"))]
    pixels = rng.integers(256, size=(2, 9, 9, 3), dtype=np.uint8)
    modes = [Image.fromarray(pixels[0]).convert(mode) for mode in ("RGB", "L", "P", "RGBA", "1")]
    images = {
        kind: [
            saved(lambda f, m=m, k=kind: m.save(f, k))
            for m in (modes if kind == "PNG" else modes[:2])
        ]
        for kind in ("PNG", "JPEG", "GIF", "TIFF", "BMP", "WEBP")
    }
    rows = [{"bytes": content, "path": None} for content in images["PNG"][:2]]
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    table = pa.table({"image": pa.array(rows, kind), "label": [0, 1]})
    facts = {"info": {"features": {"label": {"names": ["u", "v"], "_type": "ClassLabel"}}}}
    named = table.replace_schema_metadata({"huggingface": json.dumps(facts)})
    shards = [saved(lambda f, t=t: pq.write_table(t, f)) for t in (table, named)]

    Path("folder").mkdir(exist_ok=True)
    return {
        "npy": Reader("a.npy", npy, lambda: load("a.npy")),
        "npz": Reader("a.npz", npz, lambda: load("a.npz"), in_archive),
        "csv": Reader("a.csv", csv, lambda: _both("a.csv")),
        "parquet": Reader("a.parquet", parquet, lambda: _both("a.parquet")),
        "parquet of images": Reader("i.parquet", shards, lambda: load("i.parquet")),
        **{
            kind: Reader(
                f"folder/a.{kind.lower()}",
                seeds,
                lambda: load("folder", min_rows=1),
                in_chunk if kind == "PNG" else None,
            )
            for kind, seeds in images.items()
        },
    }


def _model_readers() -> dict[str, Reader]:
    import numpy as np  # noqa: PLC0415

    from gedi import GEDI  # noqa: PLC0415
    from gedi.evaluation import features  # noqa: PLC0415

    _make_run()
    x = np.random.default_rng(0).normal(size=(30, 2))
    GEDI(2, max_iter=2, encoder=[4], n_restarts=1, random_state=0).fit(x).save("estimator")
    net = features.FeatureNet((1, 8, 8), 2, generator=_generator())
    features.save_feature_net(net, Path("net.safetensors"))

    def content(path: str) -> list[bytes]:
        return [Path(path).read_bytes()]

    def run_file(name: str, change: Any = None) -> Reader:
        return Reader(f"run/{name}", content(f"run/{name}"), _open_run, change)

    return {
        "run.json": run_file("run.json", in_tree),
        "settings.yaml": run_file("settings.yaml", in_tree),
        "result.json": run_file("result.json", in_tree),
        "model.safetensors": run_file("model.safetensors", in_header),
        "checkpoint": Reader(CHECKPOINT, content(CHECKPOINT), _checkpoint, in_archive),
        "estimator's config.json": Reader(
            "estimator/config.json", content("estimator/config.json"), _estimator, in_tree
        ),
        "feature network": Reader(
            "net.safetensors",
            content("net.safetensors"),
            lambda: _as_the_command(features.load_feature_net, "net.safetensors"),
            in_header,
        ),
        "config file": Reader("run/settings.yaml", content("run/settings.yaml"), _config, in_tree),
    }


def _generator() -> Any:
    from torch import Generator  # noqa: PLC0415

    return Generator().manual_seed(0)


def _make_run() -> None:
    """A run folder of the command line, as small as it can be."""
    from gedi.cli import main  # noqa: PLC0415

    small = "--n-clusters 2 --max-iter 4 --restarts.n 1 --encoder.hidden [4] --sampler.n-anchors 4"
    code = main(f"train moons --n-points 40 --batch-size 8 --out run --overwrite {small}".split())
    assert code == 0


def _both(name: str) -> None:
    """A table with and without a column of labels; both may be refused."""
    from gedi.data.source import load  # noqa: PLC0415
    from gedi.errors import GediError  # noqa: PLC0415

    try:
        load(name, label="kind")
    except GediError:
        load(name)


def _open_run() -> None:
    import numpy as np  # noqa: PLC0415

    from gedi.runs import Run  # noqa: PLC0415

    run = Run.open(Path("run"))
    run.result()
    trained = run.load_model()
    trained.predict(np.zeros((2, run.n_features)))


def _checkpoint() -> None:
    """As `gedi resume` does, from the checkpoint to the session."""
    from rich.console import Console  # noqa: PLC0415

    from gedi.cli.training_run import resume_session  # noqa: PLC0415
    from gedi.runs import Run  # noqa: PLC0415

    run = Run.open(Path("run"))
    resume_session(run, run.source.read(), Console(quiet=True))


def _estimator() -> None:
    import numpy as np  # noqa: PLC0415

    from gedi import GEDI  # noqa: PLC0415

    model = GEDI.load("estimator")
    model.predict(np.zeros((2, *model.input_shape_)))
    model.predict_outliers(np.zeros((2, *model.input_shape_)))


def _as_the_command(read: Callable[[Path], object], name: str) -> None:
    """The command line makes a `DataError` of a `ValueError` of this one."""
    from gedi.errors import DataError  # noqa: PLC0415

    try:
        read(Path(name))
    except ValueError as error:
        raise DataError(str(error)) from error


def _config() -> None:
    from gedi.cli.parser import parse  # noqa: PLC0415

    parse(["train", "moons", "--config", "run/settings.yaml"])


# Trying


class HangError(Exception):
    """Says that a reader takes too long."""


def _hang(number: int, frame: FrameType | None) -> None:
    raise HangError(f"more than {SECONDS:.0f} s")


def work(name: str, seconds: float, seed: int, skip: int) -> None:
    """Try one reader in this process, and print a line for each crash and at the end.

    Args:
        name: of the reader.
        seconds: how long.
        seed: of the changes.
        skip: how many inputs were tried before, by a process that ended.
    """
    from gedi.errors import GediError  # noqa: PLC0415

    reader = readers(name in MODELS)[name]
    file = Path(reader.name)
    for content in reader.seeds:  # once, so that imports count neither as time nor as memory
        file.write_bytes(content)
        with suppress(GediError):
            reader.read()
    print("ready", flush=True)
    signal.signal(signal.SIGPROF, _hang)
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    limit = pages * resource.getpagesize() + MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    warnings.simplefilter("ignore")
    n, refused, slowest = skip, 0, 0.0
    start = time.monotonic()
    while time.monotonic() - start < seconds:
        rng = random.Random(f"{seed} {name} {n}")
        content = rng.choice(reader.seeds)
        if reader.change is not None and rng.random() < 0.7:
            content = reader.change(content, rng)
        else:
            content = changed(content, reader.seeds, rng)
        file.write_bytes(content)
        n += 1
        print(f"try {n}", flush=True)
        begin = time.process_time()
        signal.setitimer(signal.ITIMER_PROF, SECONDS)
        try:
            reader.read()
        except GediError:
            refused += 1
        except (Exception, SystemExit) as error:
            place = traceback.extract_tb(error.__traceback__)
            own = next((f for f in reversed(place) if "gedi" in Path(f.filename).parts), place[-1])
            where = f"{Path(own.filename).name}:{own.name}"
            words = f"{type(error).__name__} in {where}: {' '.join(str(error).split())[:200]}"
            print("crash " + json.dumps([n, words]), flush=True)
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0)
        slowest = max(slowest, time.process_time() - begin)
    print("end " + json.dumps([n, refused, slowest]), flush=True)


def fuzz(name: str, seconds: float, seed: int) -> dict[str, Any]:
    """Try one reader in processes of its own, and tell what came out.

    Returns:
        A row of the results.
    """
    crashes: dict[str, str] = {}
    tried = refused = 0
    slowest, left = 0.0, seconds
    with tempfile.TemporaryDirectory() as folder:
        while left > 0:
            n, ended, took = tried, False, 0.0
            for kind, value in _lines(name, left, seed, tried, Path(folder)):
                if kind == "try":
                    n = int(value)
                elif kind == "time":
                    took = float(value)
                elif kind == "crash":
                    number, words = json.loads(value)
                    crashes.setdefault(words.split(":")[0] + words.split(":")[1], words)
                    print(f"{name}: input {number}: {words}", flush=True)
                elif kind == "end":
                    n, more, slow = json.loads(value)
                    refused, slowest, ended = refused + more, max(slowest, slow), True
            tried, left = n, left - max(took, 1.0)
            if ended:
                break
            words = f"the process ended, or did not answer, at input {n}"
            crashes.setdefault(words, words)
            print(f"{name}: {words}", flush=True)
            _keep(Path(folder), name, n)
    return {
        "reader": name,
        "seed": seed,
        "tried": tried,
        "refused": refused,
        "crashes": sorted(crashes.values()),
        "slowest": round(slowest, 3),
        "seconds": seconds,
    }


def _lines(name: str, seconds: float, seed: int, skip: int, folder: Path) -> Any:
    """What a worker prints; it is ended when it does not answer."""
    command = [sys.executable, str(Path(__file__).resolve()), "--worker", name]
    command += ["--seconds", str(seconds), "--seed", str(seed), "--skip", str(skip)]
    sources = str(Path(__file__).resolve().parents[1] / "src")
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd=folder,
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": sources, "HOME": str(folder)},
    )
    assert process.stdout is not None
    start, watch = 0.0, signal.signal(signal.SIGALRM, lambda *_: process.kill())
    try:
        for line in process.stdout:
            signal.setitimer(signal.ITIMER_REAL, WATCHED)
            kind, _, value = line.decode(errors="replace").strip().partition(" ")
            if kind == "ready":
                start = time.monotonic()
            yield kind, value
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, watch)
        process.kill()
        process.wait()
    yield "time", str(time.monotonic() - start if start else seconds)


def _keep(folder: Path, name: str, n: int) -> None:
    mark = hashlib.sha256(name.encode()).hexdigest()[:6]
    for file in sorted(folder.rglob("*"), key=lambda path: path.stat().st_mtime)[-1:]:
        shutil.copy(file, f"crash-{mark}-{n}{file.suffix}")


def guided(name: str, seconds: float, seed: int) -> None:
    """Let atheris change the files of one reader, by the coverage of Python code, until a crash."""
    import atheris  # noqa: PLC0415 - optional

    with atheris.instrument_imports(include=["gedi", "numpy.lib", "yaml", "zipfile"]):
        reader = readers(name in MODELS)[name]
    from gedi.errors import GediError  # noqa: PLC0415

    folder = Path("seeds")
    folder.mkdir()
    for i, content in enumerate(reader.seeds):
        (folder / str(i)).write_bytes(content)

    def one(content: bytes) -> None:
        Path(reader.name).write_bytes(content)
        try:
            reader.read()
        except GediError:
            return

    options = [f"-max_total_time={seconds:.0f}", f"-seed={seed + 1}", f"-timeout={SECONDS:.0f}"]
    atheris.Setup([sys.argv[0], *options, str(folder)], one)
    atheris.Fuzz()


def main() -> None:
    """Try all readers that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=20.0, help="for each reader")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--readers", nargs="+", help="by default all")
    parser.add_argument("--store", action="store_true", help="keep the figures for the docs")
    parser.add_argument("--guided", metavar="READER", help="one reader, by atheris")
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    parser.add_argument("--skip", type=int, default=0, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker is not None:
        work(options.worker, options.seconds, options.seed, options.skip)
        return
    if options.guided is not None:
        os.chdir(tempfile.mkdtemp())
        guided(options.guided, options.seconds, options.seed)
        return
    crashed = False
    for name in options.readers or NAMES:
        row = fuzz(name, options.seconds, options.seed)
        crashed = crashed or bool(row["crashes"])
        if options.store:
            from common import provenance, write  # noqa: PLC0415

            write("fuzz", {**row, **provenance()})
        else:
            print(json.dumps(row), flush=True)
    sys.exit(1 if crashed else 0)


MODELS = (
    *("run.json", "settings.yaml", "result.json", "metrics.csv", "model.safetensors"),
    *("checkpoint", "estimator's config.json", "feature network", "config file"),
)
NAMES = (
    *("npy", "npz", "csv", "parquet", "parquet of images"),
    *("PNG", "JPEG", "GIF", "TIFF", "BMP", "WEBP"),
    *MODELS,
)

if __name__ == "__main__":
    main()
