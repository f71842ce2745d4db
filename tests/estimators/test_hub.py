"""The hub, with a folder in place of its server."""

import shutil
import sys
from pathlib import Path

import huggingface_hub
import numpy as np
import pytest
from sklearn.datasets import make_blobs

from gedi import GEDI, GEDIClassifier

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

X, Y = make_blobs(60, n_features=3, centers=2, random_state=3)


@pytest.fixture
def server(tmp_path, monkeypatch):
    class HfApi:
        def __init__(self, token=None):
            self.token = token

        def create_repo(self, repo_id, *, private, exist_ok):
            assert exist_ok
            (tmp_path / repo_id).mkdir(parents=True, exist_ok=True)
            return f"hub/{repo_id}"

        def upload_folder(self, *, repo_id, folder_path, ignore_patterns):
            ignored = shutil.ignore_patterns(*ignore_patterns)
            shutil.copytree(folder_path, tmp_path / repo_id, dirs_exist_ok=True, ignore=ignored)

    def snapshot_download(repo_id, *, revision, token, allow_patterns):
        kept = tmp_path / "cache"
        kept.mkdir(exist_ok=True)
        for name in allow_patterns:
            if (tmp_path / repo_id / name).exists():
                shutil.copy(tmp_path / repo_id / name, kept)
        return str(kept)

    monkeypatch.setattr(huggingface_hub, "HfApi", HfApi)
    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot_download)
    return tmp_path


@pytest.mark.parametrize("kind", [GEDI, GEDIClassifier])
def test_an_upload_can_be_downloaded(server: Path, kind):
    model = kind(max_iter=5, encoder=(8,), n_restarts=1, random_state=0).fit(X, Y)
    assert model.push_to_hub("ann/blobs") == "hub/ann/blobs"
    (server / "ann/blobs/evil.pkl").write_bytes(b"not asked for")
    back = kind.from_hub("ann/blobs")
    assert np.array_equal(back.predict_proba(X), model.predict_proba(X))
    assert sorted(p.name for p in (server / "cache").iterdir()) == [
        "config.json",
        "model.safetensors",
    ]


def test_a_repository_of_something_else_is_refused(server: Path):
    (server / "ann/other").mkdir(parents=True)
    with pytest.raises(ValueError, match="not a saved estimator"):
        GEDI.from_hub("ann/other")


def test_the_error_without_the_extra_names_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(ValueError, match=r"gedi\[hub\]"):
        GEDI.from_hub("ann/blobs")
