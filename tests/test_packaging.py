"""What is said of the package in several places is the same in all of them."""

import ast
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest
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


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    folder = tmp_path_factory.mktemp("dist")
    subprocess.run([sys.executable, "-m", "hatchling", "build", "-d", folder], cwd=ROOT, check=True)
    return folder


SOURCES = {
    path.relative_to(ROOT / "src").as_posix()
    for path in (ROOT / "src" / "gedi").rglob("*")
    if path.is_file() and "__pycache__" not in path.parts
}


def test_the_wheel_holds_the_package_and_nothing_else(built):
    (wheel,) = built.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        meta = f"gedi-{gedi.__version__}.dist-info"
        commands = archive.read(f"{meta}/entry_points.txt").decode()
    assert "gedi = gedi.cli:main" in commands
    files = {"METADATA", "WHEEL", "RECORD", "entry_points.txt", "licenses/LICENSE"}
    assert names == SOURCES | {f"{meta}/{file}" for file in files}
    assert {"gedi/py.typed", "gedi/report/templates/report.html.j2"} <= names


def test_the_sdist_holds_what_it_takes_to_test_it_and_nothing_of_a_workplace(built):
    (sdist,) = built.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        names = {member.name.partition("/")[2] for member in archive.getmembers()}
    assert {f"src/{source}" for source in SOURCES} <= names
    assert {
        *("LICENSE", "README.md", "CHANGELOG.md", "CITATION.cff", "CONTRIBUTING.md"),
        *("pyproject.toml", "constraints.txt", "tests/conftest.py", "docs/method.md"),
        f"tests/releases/{gedi.__version__}/run/run.json",
    } <= names
    top = {name.split("/")[0] for name in names}
    assert top <= {
        *("src", "tests", "benchmarks", "docs", "Makefile", "PKG-INFO", ".gitignore"),
        *("LICENSE", "README.md", "CHANGELOG.md", "CITATION.cff", "CONTRIBUTING.md"),
        *("pyproject.toml", "constraints.txt"),
    }
    assert not [name for name in names if "__pycache__" in name]
    assert sdist.stat().st_size < 5e6


def test_a_citation_has_what_its_readers_ask_for():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    for work in (citation, citation["preferred-citation"]):
        assert work["title"] and work["authors"] and work["type"]
        assert all(a.keys() & {"name", "family-names"} for a in work["authors"])
    kinds = {each["type"] for each in citation["preferred-citation"]["identifiers"]}
    assert kinds <= {"doi", "url", "swh", "other"}


def test_the_library_logs_and_only_the_command_line_prints():
    """Loggers are named after the package, so that a program can silence or keep them."""
    for file in sorted((ROOT / "src" / "gedi").rglob("*.py")):
        if "cli" in file.parts:
            continue
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            called = node.func if isinstance(node, ast.Call) else None
            assert getattr(called, "id", "") != "print", f"{file}:{node.lineno}"
            if getattr(called, "attr", "") == "getLogger":
                name = node.args[0].value
                assert name.split(".")[0] in {"gedi", "torch", "lightning_fabric"}, file


def told_by(code):
    """What a process of its own prints last."""
    return subprocess.check_output([sys.executable, "-c", code], text=True).splitlines()[-1]


def loaded_by(code):
    """The modules that a process of its own has loaded after some code; seconds depend on them."""
    return set(told_by(f"{code}\nimport sys; print(*sys.modules)").split())


def test_importing_gedi_loads_nothing_heavy():
    assert not loaded_by("import gedi") & {"torch", "numpy", "pandas", "sklearn", "rich"}


def test_help_loads_neither_torch_nor_pandas():
    code = "from gedi.cli import main\nfor arguments in (), ('train',), ('predict',):\n"
    code += "  try: main([*arguments, '--help'])\n  except SystemExit: pass"
    heavy = {"torch", "pandas", "scipy", "sklearn", "matplotlib", "pyarrow", "datasets"}
    assert not loaded_by(code) & heavy


def test_importing_the_estimators_loads_little_beyond_torch():
    heavy = {"lightning_fabric", "torch._dynamo", "matplotlib", "kornia"}
    assert not loaded_by("from gedi import GEDI, fit, load") & heavy


@pytest.mark.parametrize("shape", [(60, 3), (20, 1, 16, 16)], ids=["table", "images"])
def test_training_loads_no_compiler(shape):
    code = "from gedi import GEDI\nimport numpy as np\n"
    code += f"x = np.random.default_rng(0).normal(size={shape})\n"
    code += "GEDI(2, max_iter=5, random_state=0).fit(x).sample(3)"
    assert "torch._dynamo" not in loaded_by(code)


def test_types_are_marked_as_there():
    assert (Path(gedi.__file__).parent / "py.typed").is_file()
