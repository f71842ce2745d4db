"""Files made to harm: one clear error each, within bounded memory and time, and no code is run."""

import io
import json
import os
import pickle
import struct
import subprocess
import sys
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from PIL import Image
from test_array_claims import header
from test_limits import laughs

from gedi.cli import main
from gedi.data.dataset import Dataset
from gedi.data.images import parquet
from gedi.data.source import Source, load
from gedi.errors import DataError, RunError
from gedi.estimators.clusterer import GEDI
from gedi.runs import Run
from gedi.training.session import start
from gedi.untrusted import limits
from small_images import colour, encoded, shard
from small_images import write as write_image
from small_trainings import SMALL, heaps

MANY = 10**9


@pytest.fixture(autouse=True)
def inside(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def little_memory(monkeypatch):
    """What one file may take, made small, so that small files are bombs."""
    monkeypatch.setattr(limits, "most_bytes", lambda: 2**22)


class Malicious:
    def __reduce__(self):
        return os.mkdir, ("executed",)


def size(name):
    return Path(name).stat().st_size


def refused(source, words="", **options):
    with pytest.raises(DataError, match=words) as caught:
        load(str(source), **options)
    assert str(source) in str(caught.value)
    assert "\n" not in str(caught.value)


# Arrays


@pytest.mark.parametrize("name", ["a.npy", "a.npz", "a.csv", "a.parquet", "a.safetensors", "a.png"])
def test_a_pickle_under_any_name_is_not_executed(name):
    Path(name).write_bytes(pickle.dumps(Malicious()))
    refused(name)
    np.save("objects.npy", np.array([[Malicious()]] * 2, dtype=object), allow_pickle=True)
    refused("objects.npy", "Python objects, which is never unpickled")
    assert not Path("executed").exists()


def npz(path, method=zipfile.ZIP_DEFLATED, **members):
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(f"{name}.npy", content)


def test_a_zip_bomb_is_told_by_what_it_claims(little_memory):
    for method in (zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
        npz("bomb.npz", method, x=header((1000, 1000)) + bytes(8 * 10**6))
        assert size("bomb.npz") < 20_000
        refused("bomb.npz", r"bomb\.npz is not read: 'x', unpacked, would take")


def test_what_is_not_asked_for_is_not_unpacked(little_memory):
    npz("a.npz", x=header((2, 1)) + bytes(16), huge=header((MANY,)) + bytes(100))
    refused("a.npz", "claims the shape")
    npz("a.npz", x=header((2, 1)) + bytes(16), huge=header((10**6,)) + bytes(8 * 10**6))
    assert load("a.npz").x.shape == (2, 1)


def test_an_archive_of_a_million_names(monkeypatch):
    npz("a.npz", **{f"x{i}": b"" for i in range(1001)})
    refused("a.npz", "holds 1001 arrays, more than 1000")


def test_archives_that_lie_of_their_lengths():
    npz("a.npz", x=header((2**20, 100)) + bytes(800_000))
    content = bytearray(Path("a.npz").read_bytes())
    at = content.rindex(b"PK\x01\x02") + 24  # the unpacked length in the central directory
    for length in (100, 2**30):
        content[at : at + 4] = struct.pack("<I", length)
        Path("a.npz").write_bytes(content)
        refused("a.npz")
    content[at - 16 : at - 14] = b"\x01\x00"  # flag: encrypted
    Path("a.npz").write_bytes(content)
    refused("a.npz")


def test_a_header_that_claims_more_than_there_is():
    for shape in ((MANY, MANY), (-1, 2), (10**30, 2)):
        Path("a.npy").write_bytes(header(shape) + bytes(64))
        refused("a.npy", "header claims the shape")
        npz("a.npz", x=header(shape) + bytes(64))
        refused("a.npz", "header claims the shape")


@pytest.mark.parametrize("order", "<>")
def test_characters_that_do_not_exist(order):
    labels = np.array(["ab", "c\U0010ffff"], dtype=f"{order}U2")
    np.savez("a.npz", x=np.eye(2), y=labels)
    assert load("a.npz").class_names == ("ab", "c\U0010ffff")
    labels.view(f"{order}u4")[3] = 0x110000
    np.savez("a.npz", x=np.eye(2), y=labels)
    refused("a.npz", "array 'y': holds numbers that no character has")


# Tables


def test_a_million_columns_are_told_by_the_first_line():
    for text in ("a," * 10**6 + "\n1\n", "a,b\n" + "1," * 10**6, "a,b\n" + '"\n",' * 10**6):
        Path("a.csv").write_text(text)
        refused("a.csv", "a.csv is not read: it has 1,000,00[12] columns, more than 100,000")


def test_a_line_without_end():
    Path("a.csv").write_bytes(b"9" * 2**25)
    refused("a.csv", "first two lines are longer|field larger than field limit")
    Path("a.csv").write_text("a,b\n1," + "2\n" * 2**24)
    Path("b.csv").write_text('a,b\n1,"' + "2\n" * 1000)
    refused("b.csv", "that begins in line 2 has no end")


def test_more_fields_than_memory(little_memory):
    Path("a.csv").write_text("a\n" + "\n1" * 70_000)
    refused("a.csv", "its 70,002 fields would take")


def test_a_number_of_thousands_of_digits():
    text = "a,b\n1,2\n{},3\n"
    for sign in ("", "-"):
        Path("a.csv").write_text(text.format(sign + "9" * 400))
        refused("a.csv", "1 infinite values, the first in row 1, column 'a'")
    Path("a.csv").write_text(text.format("9" * 30))
    assert load("a.csv").x[1, 0] == 1e30


def test_few_bytes_that_stand_for_many_rows(little_memory):
    pq.write_table(pa.table({"a": np.zeros(300_000), "b": np.ones(300_000)}), "a.parquet")
    assert size("a.parquet") < 10_000
    refused("a.parquet", "300,000 rows of 2 columns would take")


def test_one_long_text_in_every_row(little_memory):
    text = "x" * 10_000
    pq.write_table(pa.table({"a": [1.0] * 1000, "kind": [text] * 1000}), "a.parquet")
    assert size("a.parquet") < 10_000
    refused("a.parquet", "the texts of 'kind' would take", label="kind")
    assert len(load("a.parquet", features=("a",)).x) == 1000


def test_a_label_far_longer_than_all_others():
    """As text of one width, these would take 800 MB."""
    names = ["x" * 20_000] + ["y"] * 9_999
    pd.DataFrame({"a": np.arange(10_000.0), "kind": names}).to_parquet("a.parquet")
    assert load("a.parquet", label="kind").class_names == (names[0], "y")


def test_columns_in_columns():
    nested = pa.array([{"a": [[1, 2], None]}, {"a": []}])
    pq.write_table(pa.table({"a": [1.0, 2.0], "garbage": nested}), "a.parquet")
    refused("a.parquet", "'garbage' is not numeric, it holds values of type struct")
    refused("a.parquet", "'garbage' is not numeric", label="garbage")
    assert load("a.parquet", features=("a",)).x.shape == (2, 1)


# Images


def test_a_palette_with_more_alphas_than_colours():
    image = Image.fromarray(np.array([[0, 9]], dtype=np.uint8)).convert("P")
    content = encoded(image)
    at = content.index(b"IDAT") - 4
    alphas = b"tRNS" + bytes(300)
    chunk = struct.pack(">I", 300) + alphas + struct.pack(">I", zlib.crc32(alphas))
    Path("folder").mkdir()
    Path("folder/0.png").write_bytes(content[:at] + chunk + content[at:])
    refused("folder", r"0\.png cannot be decoded \(palette index out of range\)")


def test_places_in_a_dictionary_that_are_not_there(monkeypatch):
    shard("a.parquet", [encoded(colour())] * 3, label=["u", "u", "v"])
    monkeypatch.setattr(parquet, "_cells", lambda column: [].pop())
    refused("a.parquet", "cannot be read as parquet and may be damaged")


def png(width, height, pixels=b""):
    def chunk(kind, content):
        body = kind + content
        return struct.pack(">I", len(content)) + body + struct.pack(">I", zlib.crc32(body))

    size = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", size)
        + chunk(b"IDAT", zlib.compress(pixels))
        + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize("where", ["folder", "a.parquet"])
@pytest.mark.parametrize(
    ("image", "words"),
    [
        (png(30_000, 30_000), "has more than .* pixels, too many for one image"),
        (png(2**31 - 1, 2**31 - 1), "too many|cannot be decoded|is damaged"),
        (png(5000, 5000, bytes(100)), "cannot be decoded"),
        (b"\x89PNG\r\n\x1a\n" + b"\xff" * 100, "is damaged or no image"),
    ],
)
def test_images_that_lie_of_their_size(where, image, words):
    good = encoded(colour())
    if where == "folder":
        Path(where).mkdir()
        Path(where, "0.png").write_bytes(good)
        Path(where, "1.png").write_bytes(image)
    else:
        shard(where, [good, image])
    with pytest.raises(DataError, match=words) as caught:
        load(where)
    assert ("folder/1.png" if where == "folder" else "row 1 of a.parquet") in str(caught.value)


def test_an_image_larger_than_any(monkeypatch):
    write_image("folder/0.png", colour())
    with Path("folder/1.png").open("wb") as file:
        file.truncate(2**29 + 1)
    refused("folder", r"1\.png cannot be decoded \(it is larger than 512 MiB\)")


def test_loops_and_pipes_in_a_folder_of_images():
    write_image("folder/0.png", colour())
    Path("folder/loop.png").symlink_to("loop.png")
    refused("folder", r"loop\.png|Too many levels")
    Path("folder/loop.png").unlink()
    Path("folder/up").symlink_to("..")
    refused("folder")
    Path("folder/up").unlink()
    os.mkfifo("folder/pipe.png")
    refused("folder", "pipe.png cannot be decoded .*expected a regular file")
    Path("folder/pipe.png").unlink()
    Path("folder/zero.png").symlink_to("/dev/zero")
    refused("folder", "zero.png cannot be decoded .*expected a regular file")


@pytest.mark.parametrize("suffix", [".npy", ".npz", ".csv", ".parquet"])
def test_what_is_no_regular_file(suffix):
    os.mkfifo("pipe" + suffix)
    refused("pipe" + suffix, "a pipe, a socket or a device: expected a regular file")
    Path("zero" + suffix).symlink_to("/dev/zero")
    refused("zero" + suffix, "a pipe, a socket or a device: expected a regular file")
    Path("loop" + suffix).symlink_to("loop" + suffix)
    refused("loop" + suffix, "there is no file")


def test_labels_of_images_that_are_no_labels():
    for label in ([[1, 2], [3]], [{"a": 1}, {"a": 2}]):
        shard("a.parquet", [encoded(colour())] * 2, label=label)
        refused("a.parquet", "labels must be numbers or text, but the column 'label' holds")


# Runs


@pytest.fixture(scope="module")
def session():
    session = start(Dataset("heaps", heaps()[0], feature_names=("a", "b")), SMALL)
    session.run()
    return session


@pytest.fixture
def run(session):
    dataset = Dataset("heaps", heaps()[0], feature_names=("a", "b"))
    run = Run.create(Path("run"), Source("a.csv"), dataset, session.settings, overwrite=False)
    run.save_model(session.trained_model())
    return run


def changed(path, **values):
    content = json.loads(Path(path).read_text())
    Path(path).write_text(json.dumps(content | values))


def no_traceback(capsys, *arguments):
    assert main(list(arguments)) == 2
    err = capsys.readouterr().err
    assert err.startswith("gedi: error: ")
    assert err.count("\n") == 1
    assert "Traceback" not in err
    return err


@pytest.mark.parametrize(
    "values",
    [
        {"format": 99},
        {"source": {"data": 5}},
        {"source": {"data": "a.csv", "surprise": 1}},
        {"source": {"data": "a.csv", "stream_above": float("inf")}},
        {"source": {}},
        {"source": None},
        {"n_features": float("inf")},
        {"n_features": -1},
        {"n_features": "2"},
        {"feature_names": ["a"]},
        {"feature_names": [1, 2]},
        {"feature_names": {"a": 1}},
        {"plugins": [{"group": "os", "name": "system", "distribution": "a", "version": "1"}]},
        {"image_shape": [1, 2]},
        {"image_shape": [-1, -2, 1]},
        {"image_shape": "12"},
    ],
)
def test_a_run_of_wrong_facts(run, capsys, values):
    changed("run/run.json", **values)
    assert "run.json: cannot be read" in no_traceback(capsys, "evaluate", "run")


@pytest.mark.parametrize("text", ["[" * 10**5, "[]", "1", '{"a": ' + "9" * 5000 + "}", "\x00"])
def test_a_run_of_no_facts(run, capsys, text):
    Path("run/run.json").write_text(text)
    no_traceback(capsys, "evaluate", "run")


def test_links_out_of_a_run_are_refused(run, capsys):
    Path("victim").write_text("mine")
    for name in ("metrics.csv", "checkpoints"):
        Path(f"run/{name}").symlink_to("../victim")
        assert "outside the folder" in no_traceback(capsys, "resume", "run")
        Path("run", name).unlink()
    assert Path("victim").read_text() == "mine"


@pytest.mark.parametrize(
    "text",
    [
        laughs(12),
        "a: &a [*a]",
        "[" * 3000,
        "!!python/object/apply:os.mkdir [executed]",
        "n_clusters: !!python/name:os.system",
        "max_iter: 0x" + "f" * 10_000,
        "encoder: {hidden: [" + "1," * 1500 + "x]}",
        "encoder: {hidden: [" + "1," * 5000 + "1]}",
        "prior: " + "x" * 200_000,
        "n_clusters: 2",
    ],
)
def test_hostile_settings(run, capsys, text):
    Path("run/settings.yaml").write_text(text)
    message = no_traceback(capsys, "sample", "run")
    assert len(message) < 1500
    Path("a.csv").write_text("a,b\n1,2\n3,4\n")
    if "n_clusters: 2" not in text and "0xf" not in text:  # which training understands
        message = no_traceback(capsys, "train", "a.csv", "--config", "run/settings.yaml")
        assert len(message) < 1500
    assert not Path("executed").exists()


def test_settings_that_never_end(capsys):
    Path("a.csv").write_text("a,b\n1,2\n3,4\n")
    os.mkfifo("pipe.yaml")
    assert "regular file" in no_traceback(capsys, "train", "a.csv", "--config", "pipe.yaml")
    assert "regular file" in no_traceback(capsys, "train", "a.csv", "--config", "/dev/zero")


@pytest.mark.parametrize(
    "changes",
    [
        {"encoder": {"hidden": [10**6, 10**6]}},
        {"encoder": {"hidden": [16] * 2000}},
        {"encoder": {"kind": None}},
        {"encoder": {"kind": "conv"}},
        {"n_clusters": 10**9},
        {"sampler": {"jumps": 10**9}},
        {"sampler": {"step_size": 0.0}},
    ],
)
def test_settings_of_another_network(run, changes):
    settings = yaml.safe_load(Path("run/settings.yaml").read_text())
    for name, value in changes.items():
        if isinstance(value, dict):
            settings[name] |= value
        else:
            settings[name] = value
    Path("run/settings.yaml").write_text(yaml.safe_dump(settings))
    with pytest.raises(RunError, match=r"(model\.safetensors|settings\.yaml): cannot be read"):
        run.load_model()


def test_a_run_of_more_features_than_its_tensors(run):
    changed("run/run.json", n_features=10**7, feature_names=[])
    with pytest.raises(RunError, match=r"scaling\.shift: expected floats of shape \(10000000,\)"):
        Run.open(run.path).load_model()


def safetensors(header, length=None, content=b""):
    text = json.dumps(header).encode() if isinstance(header, dict) else header
    return struct.pack("<Q", len(text) if length is None else length) + text + content


TENSOR = {"dtype": "F32", "shape": [10**9, 10**9], "data_offsets": [0, 4]}


@pytest.mark.parametrize(
    "content",
    [
        pickle.dumps(Malicious()),
        safetensors({}),
        safetensors({}, length=2**63),
        safetensors({}, length=2**40),
        safetensors({"chains": TENSOR}, content=bytes(4)),
        safetensors({"chains": TENSOR | {"shape": [1]}}, content=bytes(4)),
        safetensors({"chains": TENSOR | {"data_offsets": [2**62, 2**63]}}, content=bytes(4)),
        safetensors(b"[" * 10**5),
        b"",
    ],
)
def test_hostile_tensors(run, content):
    Path("run/model.safetensors").write_bytes(content)
    with pytest.raises(RunError, match=r"model\.safetensors: cannot be read"):
        run.load_model()
    assert not Path("executed").exists()


def test_a_result_that_is_none(run, capsys):
    Path("run/result.json").write_text("[]")
    assert "result.json: cannot be read" in no_traceback(capsys, "resume", "run")


# Saved estimators


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    folder = tmp_path_factory.mktemp("saved") / "model"
    GEDI(2, max_iter=2, encoder=[4], n_restarts=1, random_state=0).fit(heaps()[0]).save(folder)
    return folder


@pytest.mark.parametrize(
    ("part", "values"),
    [
        ("learned", {"predict": 5}),
        ("learned", {"__class__": 5}),
        ("learned", {"model_": 5}),
        ("learned", {"../../x_": {"no": 1}}),
        ("learned", {"labels_": {"array": [1], "dtype": "V1000000000"}}),
        ("learned", {"labels_": {"array": [1], "dtype": "nonsense"}}),
        ("learned", {"input_shape_": ["a"]}),
        ("learned", {"input_shape_": [10**6]}),
        ("learned", {"input_shape_": 5}),
        ("learned", {"n_features_in_": 3}),
        ("learned", {"offset_": "x"}),
        ("params", {"settings": [1]}),
        ("settings", {"n_clusters": 10**12}),
        ("settings", {"encoder": 5}),
    ],
)
def test_saved_estimators_of_wrong_facts(saved, part, values):
    content = json.loads((saved / "config.json").read_text())
    Path("model").mkdir()
    (Path("model") / "model.safetensors").write_bytes((saved / "model.safetensors").read_bytes())
    (Path("model") / "config.json").write_text(json.dumps(content))
    assert len(GEDI.load("model").predict(heaps()[0])) == 200
    content[part] |= values
    (Path("model") / "config.json").write_text(json.dumps(content))
    with pytest.raises(RunError, match="model"):
        GEDI.load("model")


def test_tensors_of_an_estimator_are_a_regular_file(saved):
    Path("model").mkdir()
    (Path("model") / "config.json").write_text((saved / "config.json").read_text())
    os.mkfifo("model/model.safetensors")
    with pytest.raises(RunError, match="expected a regular file"):
        GEDI.load("model")


# Memory, by the kernel's count


BOMBS = ["zip.npz", "claim.npy", "columns.csv", "rows.parquet", "text.parquet", "folder"]

# In a process of its own, after its imports: bytes that it takes at most beyond them.
IN_ANOTHER = f"""
import resource
from pathlib import Path
import numpy, pandas, pyarrow.parquet, PIL.Image
from gedi.untrusted import limits
from gedi.data.source import load
from gedi.errors import GediError
from gedi.data.images.parquet import shards_pile

def refuse(name):
    try:
        load(name)
    except GediError as error:
        assert name in str(error), error
        return str(error)
    raise AssertionError(name)

free = limits.most_bytes
limits.most_bytes = lambda: 2**26
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for name in {BOMBS}:
    refuse(name)
parts = list(shards_pile("a", [Path("images.parquet")], None).parts())
assert sum(map(len, parts)) == 700
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + 2**27, used + 2**27))
limits.most_bytes = free
assert "would take" in refuse("zip.npz")
print(peak * 1024)
"""


def test_bombs_take_little_memory():
    """Each would take half a gigabyte or more; while they are refused, all together take little.

    The last is refused by what is left under a limit that the system has set to the process.
    """
    if not Path("/proc/self/statm").exists():
        pytest.skip("this system does not tell how much a process takes")
    with (
        zipfile.ZipFile("zip.npz", "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("x.npy", "w") as file,
    ):
        file.write(header((2**20, 2**6)))
        for _ in range(2**6):
            file.write(bytes(2**23))
    Path("claim.npy").write_bytes(header((MANY, 8)) + bytes(64))
    Path("columns.csv").write_text("a," * 2**20 + "\n1\n")
    ones = pa.DictionaryArray.from_arrays(np.zeros(2**23, np.int8), ["1"])
    pq.write_table(pa.table({"a": ones}), "rows.parquet")
    texts = pa.DictionaryArray.from_arrays(np.zeros(2**10, np.int8), ["x" * 2**20])
    pq.write_table(pa.table({"a": texts}), "text.parquet", store_schema=False)
    Path("folder").mkdir()
    Path("folder/0.png").write_bytes(png(2**15, 2**15))
    pixels = np.random.default_rng(0).integers(256, size=(400, 600, 3), dtype=np.uint8)
    shard("images.parquet", [encoded(pixels)] * 700)
    assert sum(size(name) for name in [*BOMBS, "images.parquet"]) < 2**23
    process = subprocess.run(
        [sys.executable, "-c", IN_ANOTHER],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert process.returncode == 0, process.stderr
    assert int(process.stdout) < 160 * 2**20


def test_images_within_the_limit_of_pillow_are_read():
    image = Image.new("L", (3000, 2000))
    file = io.BytesIO()
    image.save(file, "PNG")
    Path("folder").mkdir()
    Path("folder/0.png").write_bytes(file.getvalue())
    Path("folder/1.png").write_bytes(file.getvalue())
    assert load("folder").image_shape == (1, 2000, 3000)
