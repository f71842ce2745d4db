import pytest

from gedi.cli import main
from short_reports import with_few_moves, without_charts


@pytest.fixture(scope="session")
def runs(tmp_path_factory):
    """Finished runs of seconds: images, points of the plane, and a table with hostile names."""
    folder = tmp_path_factory.mktemp("runs")
    hostile = "<img src=x onerror=\"document.title='ran'\">"
    rows = "\n".join(f"{k % 7},{k % 5},{k % 3},{'ab'[k % 2]}" for k in range(60))
    table = folder / "table.csv"
    table.write_text(f"height,{hostile.replace(',', ' ')},b,kind\n{rows}\n".replace('"', "'"))
    tiny = ["--max-iter", "10", "--restarts.n", "1", "--device", "cpu", "--encoder.hidden", "[16]"]
    with without_charts(), with_few_moves():
        for name, data in (
            ("images", ["digits"]),
            ("plane", ["moons", "--n-points", "300"]),
            ("table", [str(table), "--n-clusters", "2", "--label", "kind"]),
        ):
            assert main(["train", *data, *tiny, "--out", str(folder / name)]) == 0
    return folder
