"""The pictures of docs/plots.md, each by the code above it.

    python benchmarks/plots.py

Takes some minutes: the models are trained as readers would train them.
"""

import re
from pathlib import Path

import matplotlib as mpl

mpl.use("agg")

from matplotlib import pyplot

DOCS = Path(__file__).resolve().parents[1] / "docs"
DPI = 110


def main() -> None:
    """Run each block, and save its figure under the name of the picture that follows it."""
    text = (DOCS / "plots.md").read_text(encoding="utf-8")
    names: dict[str, object] = {}
    for code, picture in re.findall(r"```python\n(.*?)```\s*!\[.*?\]\((.*?)\)", text, re.DOTALL):
        exec(code, names)
        pyplot.gcf().savefig(DOCS / picture, dpi=DPI, metadata={"Software": None})
        pyplot.close("all")
        print(f"{picture} written")


if __name__ == "__main__":
    main()
