"""Data in object stores, by real servers of S3 and of Google's protocol on this machine."""

import json
import socket

import fsspec
import numpy as np
import pandas as pd
import pytest

from gedi import load, load_stream, open_rows
from gedi.cli import main
from gedi.data import remote
from gedi.errors import DataError
from gedi.files import cache_home

s3fs = pytest.importorskip("s3fs", reason="object stores need the extra remote")
servers = pytest.importorskip("moto.server", reason="a server of S3 needs the extra test")

TABLE = pd.DataFrame(np.random.default_rng(0).normal(size=(200, 2)), columns=["a", "b"])


@pytest.fixture(scope="module")
def endpoint():
    server = servers.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    yield "http://{}:{}".format(*server.get_host_and_port())
    server.stop()


@pytest.fixture(scope="module")
def google_endpoint():
    needs = "gs:// needs the extra test"
    gcsfs = pytest.importorskip("gcsfs", reason=needs)
    # The class that gcsfs has registered asks by gRPC first, which the server does not answer.
    fsspec.register_implementation("gs", gcsfs.core.GCSFileSystem, clobber=True)
    made = pytest.importorskip("gcp_storage_emulator.server", reason=needs)
    with made.create_server("127.0.0.1", 0, in_memory=True, default_bucket="data") as server:
        yield "http://{}:{}".format(*server._api._httpd.server_address)


@pytest.fixture
def store(endpoint, tmp_path, monkeypatch):
    """A bucket "data" with a table in two forms, and in shards."""
    given = {"ENDPOINT_URL": endpoint, "ACCESS_KEY_ID": "key", "SECRET_ACCESS_KEY": "secret"}
    given |= {"DEFAULT_REGION": "us-east-1", "EC2_METADATA_DISABLED": "true"}
    for name, value in given.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    look_up_again()
    store = s3fs.S3FileSystem()
    if not store.exists("data"):
        store.mkdir("data")
    fill(store)
    return store


@pytest.fixture
def google_store(google_endpoint, tmp_path, monkeypatch):
    """The same bucket in a store of Google's protocol."""
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", google_endpoint)
    # Without credentials; FSSPEC_GS_TOKEN, which would say so too, is only read at the import.
    monkeypatch.setitem(fsspec.config.conf, "gs", {"token": "anon"})
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    remote._known.clear()
    kind = fsspec.get_filesystem_class("gs")
    kind.clear_instance_cache()
    fill(kind())


@pytest.fixture(params=["s3", "gs"])
def scheme(request):
    """The schemes of both stores, each with its bucket."""
    request.getfixturevalue({"s3": "store", "gs": "google_store"}[request.param])
    return request.param


def fill(store):
    """Write a table in two forms, and in shards."""
    store.pipe("data/rows.csv", TABLE.to_csv(index=False).encode())
    store.pipe("data/rows.parquet", TABLE.to_parquet())
    store.pipe("data/shards/0.parquet", TABLE[:100].to_parquet())
    store.pipe("data/shards/1.parquet", TABLE[100:].to_parquet())


def look_up_again():
    """Forget addresses and connections, as another process would."""
    remote._known.clear()
    s3fs.S3FileSystem.clear_instance_cache()


def copies():
    """The files in the cache."""
    return sorted(path for path in cache_home().rglob("*") if path.is_file())


def test_tables_are_those_of_the_objects(scheme):
    for source in ("rows.csv", "rows.parquet", "shards", "shards/", "shards/*.parquet", "*.csv"):
        found = load(f"{scheme}://data/{source}")
        np.testing.assert_allclose(found.x, TABLE, rtol=1e-6)
    rows = open_rows(f"{scheme}://data/rows.parquet", columns=["a", "b"])
    blocks = [block.rows for block in rows.blocks()]
    np.testing.assert_allclose(np.concatenate(blocks), TABLE, rtol=1e-6)


@pytest.mark.usefixtures("store")
def test_shards_are_streamed():
    found = load_stream("s3://data/shards")
    assert found.n_rows == 200 and len(found.shards.files) == 2 and found.name == "shards"
    assert load_stream("s3://data/rows.parquet").feature_names == ("a", "b")


def test_an_object_is_copied_once_and_again_if_it_changes(store):
    load("s3://data/rows.csv")
    (copy,) = copies()
    assert copy.name == "rows.csv"
    before = copy.stat().st_ino
    look_up_again()
    load("s3://data/rows.csv")
    assert [path.stat().st_ino for path in copies()] == [before]
    store.pipe("data/rows.csv", TABLE[:50].to_csv(index=False).encode())
    assert len(load("s3://data/rows.csv").x) == 200  # within a minute
    look_up_again()
    assert len(load("s3://data/rows.csv").x) == 50
    assert len(copies()) == 1


@pytest.mark.usefixtures("store")
def test_a_training_and_predictions_of_the_command_line(tmp_path, capsys):
    few = ["--n-clusters", "2", "--max-iter", "5", "--encoder.hidden", "[8]"]
    assert main(["train", "s3://data/rows.parquet", *few]) == 0
    run = tmp_path / "runs" / "rows"
    facts = json.loads((run / "run.json").read_text())
    assert facts["source"]["data"] == "s3://data/rows.parquet"
    assert main(["predict", str(run), "s3://data/rows.csv", "--out", "clusters.csv"]) == 0
    assert len(pd.read_csv("clusters.csv")) == 200
    assert main(["predict", str(run), "s3://data/none.csv"]) == 2
    said = capsys.readouterr().err
    assert "s3://data/none.csv: there is no such object" in said and "Traceback" not in said


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("nowhere/rows.csv", "there is no bucket 'nowhere'"),
        ("data/none.csv", "there is no such object"),
        ("data/none/*.csv", "no objects of this name"),
        ("data/*/0.parquet", "not in those of folders"),
    ],
)
def test_what_is_not_there_is_named(scheme, source, words):
    with pytest.raises(DataError, match=f"{scheme}://") as caught:
        load(f"{scheme}://{source}")
    assert words in str(caught.value)
    assert copies() == []


@pytest.mark.usefixtures("store")
def test_without_credentials(monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nowhere")
    look_up_again()
    with pytest.raises(DataError, match="without credentials that allow it: set AWS_ACCESS_KEY_ID"):
        load("s3://data/rows.csv")


@pytest.mark.usefixtures("store")
def test_a_store_that_is_not_there(monkeypatch):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{free.getsockname()[1]}")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    look_up_again()
    with pytest.raises(DataError, match=r"rows.csv cannot be read: Could not connect"):
        load("s3://data/rows.csv")


@pytest.mark.usefixtures("store")
def test_without_the_package(monkeypatch):
    def missing(scheme):
        raise ImportError(scheme)

    monkeypatch.setattr(fsspec, "get_filesystem_class", missing)
    with pytest.raises(DataError, match=r"s3fs, which is not installed: pip install 'gedi\[remote"):
        load("s3://data/rows.csv")
    with pytest.raises(DataError, match="pip install gcsfs"):
        load("gs://data/rows.csv")


@pytest.mark.usefixtures("store")
def test_without_room(monkeypatch):
    monkeypatch.setattr("shutil.disk_usage", lambda path: type("Usage", (), {"free": 10}))
    with pytest.raises(DataError, match="set XDG_CACHE_HOME to a folder with more room"):
        load("s3://data/rows.csv")
    assert copies() == []


def test_names_that_lead_out_of_the_folder_are_refused():
    for name in ("data/a/../../x.csv", "data/a//x.csv"):
        with pytest.raises(DataError, match="no file can have"):
            remote._name(name, "data/a")
    assert remote._name("data/a/b/x.csv", "data/a") == "a/b/x.csv"
    assert remote._name("data/a/x.csv", "data/a/*.csv") == "objects/x.csv"


def test_paths_and_other_addresses_are_left_alone():
    assert str(remote.local_path("a/b.csv")) == "a/b.csv"
    with pytest.raises(DataError, match=r"there is no file 'ftp://a/b\.csv'"):
        load("ftp://a/b.csv")
