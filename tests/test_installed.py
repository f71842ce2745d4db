"""Optional features list the packages of their extras, and which of them are missing."""

import re
import tomllib
from pathlib import Path

from gedi.installed import CORE, EXTRAS, version_of

PROJECT = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())["project"]


def names(requirements):
    return {re.split(r"[\[>=<]", each)[0] for each in requirements}


def test_extras_are_those_of_the_package():
    given = PROJECT["optional-dependencies"]
    assert {extra.name for extra in EXTRAS} == set(given) - {"bench", "docs", "test", "lint"}
    for extra in EXTRAS:
        assert set(extra.packages) == names(given[extra.name])


def test_core_packages_are_required():
    assert set(CORE) <= names(PROJECT["dependencies"])


def test_versions(monkeypatch):
    assert version_of("numpy") == __import__("numpy").__version__
    assert version_of("no-such-package") is None
    monkeypatch.setattr("gedi.installed.version_of", {"onnx": "1"}.get)
    export = next(extra for extra in EXTRAS if extra.name == "export")
    assert export.missing == ["onnxruntime", "onnxscript"]
