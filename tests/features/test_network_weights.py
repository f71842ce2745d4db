"""Where networks are found, and what is said where they are not."""

import pytest

from gedi import GediError
from gedi.features.weights import folder_of, hash_of_files, required


def test_a_missing_package_names_its_extra():
    message = r"need the package no_such_package.*pip install 'gedi\[text\]'"
    with pytest.raises(GediError, match=message):
        required("no_such_package.part", "text", "features of texts")


def test_a_folder_without_a_model_is_refused(tmp_path):
    with pytest.raises(GediError, match=r"holds no model: expected a config.json"):
        folder_of(str(tmp_path), option="features")


def test_a_hub_that_cannot_be_reached_is_named_with_what_to_do(monkeypatch):
    hub = pytest.importorskip("huggingface_hub")

    def unreachable(name, **options):
        try:
            raise OSError("Name or service not known")
        except OSError as error:
            raise RuntimeError("a page of words") from error

    monkeypatch.setattr(hub, "snapshot_download", unreachable)
    message = (
        r"'owner/model' is no folder.*\(Name or service not known\).*copy the model to a folder"
    )
    with pytest.raises(GediError, match=message):
        folder_of("owner/model", option="features")


def test_only_weights_that_run_no_code_are_fetched(monkeypatch, tmp_path):
    hub = pytest.importorskip("huggingface_hub")
    asked = {}

    def fetch(name, **options):
        if options.pop("local_files_only", False):
            raise OSError
        asked.update(options)
        return str(tmp_path)

    monkeypatch.setattr(hub, "snapshot_download", fetch)
    assert folder_of("owner/model", option="features") == tmp_path
    assert "*.safetensors" in asked["allow_patterns"]
    assert not {"*.bin", "*.pt", "*.py", "*.pkl"} & set(asked["allow_patterns"])


def test_a_hash_sees_names_and_contents(tmp_path):
    a, b = tmp_path / "a", tmp_path / "b"
    a.write_text("1")
    b.write_text("2")
    both = hash_of_files([b, a], tmp_path)
    assert both == hash_of_files([a, b], tmp_path)
    b.write_text("3")
    changed = hash_of_files([a, b], tmp_path)
    assert changed != both
    b.rename(tmp_path / "c")
    assert hash_of_files([a, tmp_path / "c"], tmp_path) != changed
    assert hash_of_files([a, tmp_path / "c"]) == hash_of_files([tmp_path / "c", a])
