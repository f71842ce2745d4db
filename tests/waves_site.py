"""The plug-in of examples/waves as an installation would leave it, without installing it."""

import shutil
import tomllib
from pathlib import Path

EXAMPLE = Path(__file__).parents[1] / "examples" / "waves"


def installed(site: Path, points: dict[str, dict[str, str]], name: str = "gedi-waves") -> Path:
    """Write the metadata of a distribution with these entry points, by group, into a folder."""
    info = site / f"{name.replace('-', '_')}-0.1.0.dist-info"
    info.mkdir(parents=True)
    text = f"Metadata-Version: 2.1\nName: {name}\nVersion: 0.1.0\n"
    (info / "METADATA").write_text(text, encoding="utf-8")
    lines = [
        f"[{group}]\n" + "".join(f"{key} = {value}\n" for key, value in each.items())
        for group, each in points.items()
    ]
    (info / "entry_points.txt").write_text("\n".join(lines), encoding="utf-8")
    return site


def waves_site(site: Path) -> Path:
    """A folder for sys.path from which gedi-waves is found."""
    project = tomllib.loads((EXAMPLE / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    shutil.copytree(EXAMPLE / "src" / "gedi_waves", site / "gedi_waves")
    return installed(site, project["entry-points"])
