"""The report of a run: one HTML page without external resources.

The first screen says what was found, whether it can be trusted and what to do next. The details
follow. Pictures are embedded, and a content policy forbids the page to load anything. There is no
script but that of the map, which the policy allows by its hash. All text
from data or settings is escaped.
"""

from pathlib import Path

from gedi import phrases
from gedi.evaluation.symptoms import symptoms
from gedi.report.cluster_table import cluster_pictures, cluster_rows, largest_clusters
from gedi.report.content import ReportContent
from gedi.report.feature_table import feature_pictures, feature_rows, unlikely_rows
from gedi.report.foil_scores import outliers_part
from gedi.report.html import write_page
from gedi.report.image_galleries import galleries, unlikely_images, walk_picture
from gedi.report.members import cluster_members, duplicates_part, unusual_members
from gedi.report.outline import outline
from gedi.report.overview import glances
from gedi.report.plane_maps import plane_pictures
from gedi.report.point_map import point_map
from gedi.report.summary import facts, headline, metric_cards, signs, verdict_of
from gedi.report.training_charts import restart_columns, training_pictures

__all__ = ["write"]


def write(path: Path, content: ReportContent) -> None:
    """Write the report as one self-contained HTML file; see `gedi.report.html.write_page`."""
    write_page(path, "report.html.j2", _context(content))


def _context(content: ReportContent) -> dict[str, object]:
    """The variables of the template, in the order of the page."""
    rows = cluster_rows(content)
    found = list(symptoms(signs(content)))
    judged = verdict_of(content)
    is_image = content.image_shape is not None
    is_plane = not is_image and content.x.shape[1] == 2
    is_raw = bool(content.titles)
    is_table = not (is_image or is_plane or is_raw)
    has_charts = not content.brief
    unusual, unusual_picture = unusual_members(content) if is_raw else ([], None)
    return {
        "title": content.title,
        "headline": headline(content.cluster_sizes),
        "facts": facts(content),
        "verdict": judged,
        "cohesion": None
        if content.cohesion is None
        else phrases.number(content.cohesion.without_groups),
        "warnings": [symptom for symptom in found if str(symptom) != judged.text],
        "drift": content.drift,
        "glances": glances(content, rows),
        "metrics": metric_cards(content.metrics),
        "next_steps": content.next_steps,
        "cluster_rows": rows,
        "cluster_pictures": cluster_pictures(content) if has_charts else [],
        "plane": plane_pictures(content) if is_plane and has_charts else [],
        "galleries": galleries(content, rows) if is_image else [],
        "n_clusters": content.n_clusters,
        "noun": "Symbol" if content.named else "Cluster",
        "outliers": None if content.outliers is None else outliers_part(content.outliers),
        "walk": None if content.walk is None else walk_picture(content, content.walk),
        "unlikely_images": unlikely_images(content) if is_image else None,
        "feature_clusters": largest_clusters(content, rows) if is_table else [],
        "feature_rows": feature_rows(content) if is_table else [],
        "feature_pictures": feature_pictures(content) if is_table and has_charts else [],
        "unlikely_rows": [] if is_raw or is_image else unlikely_rows(content),
        "unlikely_of": None if content.unusual is None else content.unusual.n_compared,
        "map": None
        if content.on_map is None
        else point_map(
            content.on_map,
            content.clusters,
            [row.name for row in rows],
            [row.color for row in rows],
        ),
        "members": cluster_members(content, rows) if is_raw else [],
        "duplicates": duplicates_part(content) if is_raw else None,
        "unusual": unusual,
        "unusual_picture": unusual_picture,
        "has_pictures": content.pictures is not None,
        "training": training_pictures(content) if has_charts else [],
        "stopped": content.stopped,
        "reading": content.reading,
        "restart_columns": restart_columns(content.restarts),
        "restarts": content.restarts,
        "choice": content.choice,
        "settings": "\n".join(outline(content.settings)),
        "number": phrases.number,
    }
