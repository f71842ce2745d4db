"""The section of a report on outliers."""

import numpy as np

from gedi.evaluation.measures import Detection, compare_scores
from gedi.report.foil_scores import outliers_part


def detection():
    rng = np.random.default_rng(0)
    scores = {
        name: {"data": rng.normal(size=50), "far": rng.normal(size=50) - 9, "same": np.zeros(50)}
        for name in ("log density", "confidence")
    }
    sets = {kind: {name: scores[name][kind] for name in scores} for kind in ("data", "far", "same")}
    inliers = sets.pop("data")
    return Detection(scores, compare_scores(inliers, sets))


def test_a_line_for_each_set_and_three_figures_for_each_score():
    part = outliers_part(detection())
    assert part["scores"] == ["log density", "confidence"]
    assert part["figures"] == ["AUROC", "AUPR", "FPR95"] and part["n"] == 50
    far, same = part["rows"]
    assert (far.name, same.name) == ("far", "same")
    assert far.figures == ["1.000", "1.000", "0.000"] * 2
    assert len(same.figures) == 6 and same.figures[0] != "1.000"


def test_pictures_show_the_log_density_and_how_well_each_score_does():
    one, other = outliers_part(detection())["pictures"], detection()
    histogram, curves, others = one
    assert "log density of data, far, same" in histogram.alt and "2 foils" in curves.alt
    assert "log density" in curves.caption and "confidence" in others.caption
    other.scores["log density"]["far"][:] = 9.0
    changed = outliers_part(other)["pictures"]
    same = [a.source == b.source for a, b in zip(one, changed, strict=True)]
    assert same == [False, False, True]
