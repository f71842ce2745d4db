"""Write docs/results.md, and tables of other pages and README.md, from the rows of benchmarks.

    python benchmarks/render.py

docs/results.md is made from `results_page.md`, in which `{NAME}` stands for a table. In the other
pages a table stands between two lines of comment, `<!-- rows of NAME -->` and
`<!-- end of NAME -->`, and everything else is left as it is.
"""

import re
from pathlib import Path

from result_tables import rendered

DOCS = Path(__file__).parents[1] / "docs"
TEMPLATE = Path(__file__).with_name("results_page.md")
PAGES = (
    *("method.md", "reliability.md", "performance.md", "streaming.md", "growth.md", "scaling.md"),
    *("comparison.md", "growing.md", "operating.md", "jobs/texts.md"),
)


def results() -> str:
    """The page of results, without the sections of benchmarks that have not run."""
    sections = re.split(r"(?m)^(?=## )", TEMPLATE.read_text(encoding="utf-8"))
    return "".join(filter(None, map(section, sections)))


def section(text: str) -> str:
    """A section with its tables; empty if one of them has no rows."""
    *parts, rest = re.split(r"\{(\w+)\}\n?", text)
    tables = [rendered(name) for name in parts[1::2]]
    if None in tables:
        return ""
    return (
        "".join(f"{words}{table}" for words, table in zip(parts[::2], tables, strict=True)) + rest
    )


def filled(page: str) -> str:
    """A page with the text between its lines of comment replaced by the tables that have rows."""

    def replaced(match: re.Match[str]) -> str:
        table = rendered(match[2])
        return match[0] if table is None else f"{match[1]}\n\n{table}\n{match[3]}"

    return re.sub(r"(<!-- rows of (\w+) -->).*?(<!-- end of \2 -->)", replaced, page, flags=re.S)


def main() -> None:
    """Write the pages."""
    (DOCS / "results.md").write_text(results(), encoding="utf-8")
    for page in (*(DOCS / name for name in PAGES), DOCS.parent / "README.md"):
        page.write_text(filled(page.read_text(encoding="utf-8")), encoding="utf-8")
    print(f"README.md and, in {DOCS}, {', '.join(('results.md', *PAGES))} are written")


if __name__ == "__main__":
    main()
