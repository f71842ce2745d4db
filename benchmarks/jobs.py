"""The outputs that the pages on texts and photographs show, written into them.

    python benchmarks/jobs.py --data FOLDER [--text-model FOLDER] [--pages texts pictures]

FOLDER holds texts/stackoverflow.parquet with the columns `text` and `label`, and images in
cifar10/test*.parquet. 2,000 texts and 1,000 photographs are drawn, and `gedi train` runs on them as
on the pages. What it prints goes between the lines of comment `<!-- output -->` and
`<!-- end of output -->` of each page. Labels are only for the figures.
"""

import argparse
import io
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import pandas as pd
from PIL import Image

DOCS = Path(__file__).parents[1] / "docs" / "jobs"
N_TEXTS, N_PHOTOGRAPHS = 2_000, 1_000
CLASSES = (
    *("airplane", "automobile", "bird", "cat", "deer"),
    *("dog", "frog", "horse", "ship", "truck"),
)


def texts(data: Path, folder: Path, model: str | None) -> list[str]:
    """Write a table of texts; the arguments of a training on it."""
    table = pd.read_parquet(data / "texts" / "stackoverflow.parquet")
    some = table.sample(N_TEXTS, random_state=0)
    some[["text"]].rename(columns={"text": "body"}).to_csv(folder / "tickets.csv", index=False)
    features = [] if model is None else ["--features", model]
    return ["tickets.csv", "--text", "body", *features, "--n-clusters", "20"]


def pictures(data: Path, folder: Path, model: str | None) -> list[str]:
    """Write photographs into a folder for each class; the arguments of a training on them."""
    files = sorted((data / "cifar10").glob("test*.parquet"))
    table = pd.concat(map(pd.read_parquet, files)).head(N_PHOTOGRAPHS)
    for number, (image, label) in enumerate(zip(table["image"], table["label"], strict=True)):
        home = folder / "photographs" / CLASSES[label]
        home.mkdir(parents=True, exist_ok=True)
        Image.open(io.BytesIO(image["bytes"])).save(home / f"{number:04d}.png")
    return ["photographs", "--features", "auto", "--n-clusters", "10"]


def main() -> None:
    """Train, and fill the pages."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--text-model", help="folder or hub name; by default that of TextFeatures")
    parser.add_argument("--pages", nargs="+", choices=PAGES, default=list(PAGES))
    options = parser.parse_args()
    for name in options.pages:
        with tempfile.TemporaryDirectory() as folder:
            arguments = PAGES[name](options.data.resolve(), Path(folder), options.text_model)
            command = [sys.executable, "-m", "gedi", "train", *arguments]
            done = subprocess.run(command, cwd=folder, check=True, stdout=subprocess.PIPE)
        printed = "\n".join(line.rstrip() for line in done.stdout.decode().splitlines())
        page = DOCS / f"{name}.md"
        shown = f"<!-- output -->\n\n```text\n{printed}\n```\n\n<!-- end of output -->"
        text = re.sub(
            r"<!-- output -->.*?<!-- end of output -->",
            lambda _, shown=shown: shown,  # type: ignore[misc]
            page.read_text(encoding="utf-8"),
            flags=re.DOTALL,
        )
        page.write_text(text, encoding="utf-8")
        print(f"{page} written")


PAGES = {"texts": texts, "pictures": pictures}


if __name__ == "__main__":
    main()
