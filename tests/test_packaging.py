"""What is said of the package in several places is the same in all of them."""

import tomllib
from pathlib import Path

import yaml

import gedi

ROOT = Path(__file__).parents[1]


def test_one_version():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert project["version"] == citation["version"] == gedi.__version__
    assert citation["license"] == project["license"]
    assert citation["cff-version"] == "1.2.0" and citation["authors"] and citation["message"]
    assert gedi.__version__ in (ROOT / "CHANGELOG.md").read_text()


def test_types_are_marked_as_there():
    assert (Path(gedi.__file__).parent / "py.typed").is_file()
