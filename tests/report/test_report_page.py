import base64
import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_breast_cancer, load_digits, make_moons

from gedi.evaluation.cohesion import Cohesion
from gedi.evaluation.measures import Detection
from gedi.evaluation.symptoms import Signs, symptoms
from gedi.report import (
    ReportContent,
    cluster_table,
    feature_table,
    image_galleries,
    outline,
    overview,
    plane_maps,
    summary,
    training_charts,
    write,
)
from gedi.report.content import Unusual
from gedi.report.pictures import tiles
from short_reports import without_charts

SPACE = "\N{NO-BREAK SPACE}"
HOSTILE = ["<script>alert(1)</script>", '"><img src=x onerror=alert(2)>', "{{ 7 * 7 }}", "$\\frac{"]


def content(x, clusters, log_density, **changes) -> ReportContent:
    n_clusters = int(clusters.max()) + 1
    iterations = np.arange(0, 1000, 10)
    fall = np.exp(-iterations / 200)
    base = ReportContent(
        title="A run",
        dataset="data.csv",
        n_points=len(x),
        n_features=x.shape[1],
        n_clusters=n_clusters,
        method="GEDI",
        stopped="the gap no longer improved",
        seconds=75.0,
        iterations=1000,
        history=pd.DataFrame(
            {
                "iteration": iterations,
                "gen": -1 - fall,
                "inv": -fall,
                "prior": -1 - fall,
                "gap": fall,
            }
        ),
        collapse_gap=0.02,
        cohesion=None,
        metrics={"NMI": 0.9},
        cluster_sizes=np.bincount(clusters, minlength=n_clusters),
        prior=np.full(n_clusters, 1 / n_clusters),
        restarts=[
            {"member": 0, "warm-up iterations": 0, "gap": 0.13, "chosen": False},
            {"member": 1, "warm-up iterations": 1000, "gap": 0.02, "chosen": True},
        ],
        choice="Of 2 restarts, number 1 was kept.",
        interventions=[],
        confusion=None,
        energies={"data": -log_density, "samples": -log_density[::2], "noise": -log_density + 9},
        x=x,
        clusters=clusters,
        confidence=np.full(len(x), 0.97),
        log_density=log_density,
        samples=x[:40],
        sample_clusters=clusters[:40],
        image_shape=None,
        value_range=None,
        feature_names=[f"column {j}" for j in range(x.shape[1])],
        log_density_function=None,
        posterior_function=None,
        low=None,
        high=None,
        settings={"model": {"hidden": [100, 100], "bias": None}, "seed": 0},
        next_steps=["gedi predict runs/a new.csv"],
    )
    return replace(base, **changes)


@pytest.fixture(scope="module")
def moons() -> ReportContent:
    x, y = make_moons(300, noise=0.05, random_state=0)

    def log_density(points):
        return -3 * (np.hypot(points[:, 0] - 0.5, points[:, 1] - 0.25) - 1) ** 2

    def posterior(points):
        right = 1 / (1 + np.exp(-points[:, 0]))
        return np.stack([right, 1 - right], axis=1)

    rng = np.random.default_rng(0)
    return content(
        x,
        y,
        rng.normal(size=300),
        log_density_function=log_density,
        posterior_function=posterior,
        low=np.array([-2.0, -1.5]),
        high=np.array([3.0, 2.0]),
        confusion=(np.array([[150, 0], [1, 149]]), ["upper", "lower"]),
    )


@pytest.fixture(scope="module")
def digits() -> ReportContent:
    x, y = load_digits(return_X_y=True)
    log_density = np.random.default_rng(0).normal(size=len(x))
    return content(x, y, log_density, image_shape=(1, 8, 8), value_range=(0.0, 16.0))


@pytest.fixture(scope="module")
def table() -> ReportContent:
    data = load_breast_cancer()
    log_density = np.random.default_rng(0).normal(size=569)
    return content(data.data, data.target, log_density, feature_names=list(data.feature_names))


@pytest.fixture(scope="module")
def moons_page(moons, tmp_path_factory) -> str:
    return page_of(tmp_path_factory.mktemp("moons"), moons)


def page_of(tmp_path, content) -> str:
    path = tmp_path / "report.html"
    write(path, content)
    return path.read_text(encoding="utf-8")


def words_of(page: str) -> str:
    """The page without pictures, its white space folded."""
    return re.sub(r"[ \n]+", " ", re.sub(r"data:image[^\"]*", "", page))


def words_alone(tmp_path, content) -> str:
    """The words of a page whose charts are not drawn."""
    with without_charts():
        return words_of(page_of(tmp_path, content))


class Elements(HTMLParser):
    """Collects the tags, the addresses and the open elements at the end."""

    VOID = frozenset({"meta", "img", "br", "link"})

    def __init__(self):
        super().__init__()
        self.tags, self.addresses, self.handlers, self.open = [], [], [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.addresses += [value for name, value in attrs if name in ("src", "href", "srcset")]
        self.handlers += [name for name, _ in attrs if name.startswith("on")]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def elements_of(page: str) -> Elements:
    elements = Elements()
    elements.feed(page)
    return elements


@pytest.mark.parametrize("name", ["moons", "digits", "table"])
def test_page_stands_alone_and_is_small(name, tmp_path, request):
    page = page_of(tmp_path, request.getfixturevalue(name))
    elements = elements_of(page)
    assert elements.open == []
    assert not {"script", "link", "iframe", "object"} & set(elements.tags)
    assert elements.addresses
    assert all(address.startswith("data:image/") for address in elements.addresses)
    assert "http://" not in page
    assert "https://" not in page
    assert "url(" not in page
    assert len(page.encode()) < 3_000_000
    assert [entry.name for entry in tmp_path.iterdir()] == ["report.html"]


def test_equal_content_gives_equal_pages(moons, moons_page, tmp_path):
    assert page_of(tmp_path, moons) == moons_page


def test_pictures_change_with_the_data_they_show(moons, moons_page, tmp_path):
    swapped = page_of(tmp_path, replace(moons, clusters=1 - moons.clusters))
    pairs = zip(elements_of(moons_page).addresses, elements_of(swapped).addresses, strict=True)
    changed = [before != after for before, after in pairs]
    regions, sizes, confusion, landscape, samples, *_ = changed
    assert regions
    assert not (sizes or confusion or landscape or samples)


@pytest.mark.parametrize(
    ("sizes", "sentence"),
    [
        ([400, 600], "2 clusters in 1,000 points; the largest holds 60 %, the smallest 40 %."),
        ([500, 500], "2 clusters in 1,000 points; each holds 50 %."),
        (
            [900, 0, 100],
            "2 of 3 clusters are used in 1,000 points; "
            "the largest holds 90 %, the smallest used one 10 %.",
        ),
        ([0, 7], "All 7 points are in one cluster of 2."),
        ([0, 0], "2 clusters and no points."),
    ],
)
def test_headline(sizes, sentence):
    assert summary.headline(np.array(sizes)).replace(SPACE, " ") == sentence


@pytest.mark.parametrize(
    ("agreement", "words"), [(0.97, "the same"), (0.7, "somewhat"), (0.3, "Quite different")]
)
def test_other_seeds_are_a_fact(agreement, words):
    x = np.random.default_rng(0).normal(size=(40, 3))
    page = content(x, np.arange(40) % 2, np.zeros(40), agreement=agreement)
    assert words in dict(summary.facts(page))["other seeds"]
    assert "another number" not in dict(summary.facts(page))["other seeds"]
    assert "another number" in dict(summary.facts(replace(page, number="2")))["other seeds"]
    assert "other seeds" not in dict(summary.facts(replace(page, agreement=None)))


@pytest.mark.parametrize(
    ("gap", "level", "words"),
    [
        (0.05, "good", "confident, stable under the views and as large as the prior says"),
        (0.051, "fair", "Look at the small or uncertain ones"),
        (0.3, "fair", "Look at the small or uncertain ones"),
        (0.31, "bad", "What to try is below"),
        (float("inf"), "bad", "What to try is below"),
        (float("nan"), "bad", "not a number"),
    ],
)
def test_verdict(gap, level, words):
    verdict = summary.verdict(Signs("GEDI", collapse_gap=gap))
    assert verdict.level == level
    assert words in verdict.text
    assert 0 <= verdict.trust.position <= 100


@pytest.mark.parametrize(
    ("found", "level", "words"),
    [
        (0.91, "good", "far more often"),
        (0.8, "fair", "touch or divide a group"),
        (0.4, "bad", "What to try is below"),
        (0.24, "bad", "What to try is below"),
    ],
)
def test_many_features_are_judged_by_neighbours_and_not_by_the_gap(found, level, words):
    signs = Signs("GEDI", collapse_gap=2.5, cohesion=Cohesion(found, 0.25))
    verdict = summary.verdict(signs)
    assert verdict.level == level
    assert words in verdict.text
    assert verdict.trust.value == f"{found:.3f}"
    assert verdict.trust.ticks == ("1", "0.85", "0.62")


def test_an_unfinished_training_is_never_called_sound(moons, tmp_path):
    early = replace(
        moons,
        collapse_gap=0.054,
        history=moons.history.iloc[:2],
        iterations=74,
        max_iter=2000,
        ended="max_time",
    )
    words = words_alone(tmp_path, early)
    assert "<h2>Unfinished</h2>" in words and "Mostly sound" not in words
    first = words.index("stopped after 74 of at most 2,000 iterations, as its time was up")
    assert first < words.index("The collapse gap is 0.054") < words.index("Next steps")
    by_hand = replace(early, history=moons.history, ended="interrupted")
    assert "Continue it with gedi resume" in words_alone(tmp_path, by_hand)
    level = replace(early, history=moons.history.assign(gap=0.054))
    assert "<h2>Unfinished</h2>" in words_alone(tmp_path, level)
    in_time = replace(early, history=moons.history.assign(gap=0.02), collapse_gap=0.02)
    assert "<h2>The clusters are sound</h2>" in words_alone(tmp_path, in_time)


@pytest.mark.parametrize("change", [{"over_base": -0.2}, {"apart": 0.4}])
@pytest.mark.parametrize("gap", [0.02, 0.054])
def test_a_density_that_disagrees_with_the_data_is_never_called_sound(moons, tmp_path, gap, change):
    words = words_alone(tmp_path, replace(moons, collapse_gap=gap, **change))
    assert "<h2>The density does not fit the data</h2>" in words


@pytest.mark.parametrize(
    ("kappa", "title"), [(0.9, "The clusters are sound"), (0.7, "Mostly sound")]
)
def test_groups_of_many_features_are_not_judged_by_the_density(moons, tmp_path, kappa, title):
    words = words_alone(tmp_path, replace(moons, cohesion=Cohesion(kappa, 0.25), apart=0.4))
    assert f"<h2>{title}, but not the density</h2>" in words
    assert "Do not rely on samples and log-densities, which disagree with the data" in words
    alone = words_alone(tmp_path, replace(moons, cohesion=Cohesion(0.3, 0.25), apart=0.4))
    assert "<h2>Do not trust these clusters</h2>" in alone


@pytest.mark.parametrize("gap", [0.02, 0.054])
@pytest.mark.parametrize("shift", [-30, 30])
def test_a_density_that_does_not_fit_is_never_called_sound(moons, tmp_path, gap, shift):
    energies = {**moons.energies, "samples": moons.energies["samples"] + shift}
    words = words_alone(tmp_path, replace(moons, collapse_gap=gap, energies=energies))
    assert "<h2>The density does not fit the data</h2>" in words


def test_a_log_density_below_the_true_one_is_a_wrong_density(moons, tmp_path):
    words = words_alone(tmp_path, replace(moons, metrics={"regret": 1.58}))
    assert "<h2>The density does not fit the data</h2>" in words
    assert "1.580 nats below that of the true density" in words


def test_first_screen_says_that_the_gap_is_not_sufficient(moons_page):
    words = words_of(moons_page)
    assert "Do not trust these clusters" not in words
    assert "necessary, not sufficient" in words
    assert words.index("The clusters are sound") < words.index("Next steps")
    assert words.index("Next steps") < words.index("<h2>Clusters</h2>")
    order = [
        "<h2>Clusters",
        "<h2>Data and samples",
        "<h2>Training",
        "<h2>Restarts",
        "<summary>Settings",
    ]
    assert sorted(order, key=words.index) == order


def warnings_of(content: ReportContent) -> str:
    return "\n".join(map(str, symptoms(summary.signs(content))))


def test_no_warning_without_a_reason(moons):
    assert warnings_of(moons) == ""


def test_what_the_guard_did_is_shown(moons):
    changed = replace(moons, interventions=["at iteration 150, as <b>, all was well", "more"])
    assert "kept the training from diverging" in warnings_of(changed)
    assert "at iteration 150, as <b>, all was well; more." in warnings_of(changed)


def test_unused_and_small_clusters_are_named(moons):
    changed = replace(
        moons, cluster_sizes=np.array([290, 0, 3, 7, 0]), prior=np.full(5, 0.2), n_clusters=5
    )
    assert "No point is in clusters 1 and 4." in warnings_of(changed)
    assert (
        "Less than a tenth of the points that the prior asks for are in cluster 2."
        in warnings_of(changed)
    )


def test_a_cluster_that_the_prior_forbids_may_be_empty(moons):
    changed = replace(moons, cluster_sizes=np.array([300, 0]), prior=np.array([1.0, 0.0]))
    assert "No point is in" not in warnings_of(changed)


@pytest.mark.parametrize(
    ("shift", "acceptance", "words"),
    [(30, 0.6, "have not reached"), (30, np.nan, "too few"), (-30, 0.6, "peaks where")],
)
def test_samples_far_from_the_data_in_energy(moons, shift, acceptance, words):
    energies = {**moons.energies, "samples": moons.energies["samples"] + shift}
    history = moons.history.assign(acceptance=acceptance)
    assert words in warnings_of(replace(moons, energies=energies, history=history))


def test_low_acceptance_is_judged_by_its_last_known_value(moons):
    history = moons.history.assign(acceptance=np.linspace(0.9, 0.1, len(moons.history)))
    assert f"only 10{SPACE}%" in warnings_of(replace(moons, history=history))
    history.loc[history.index[5:], "acceptance"] = np.nan
    assert "accept" not in warnings_of(replace(moons, history=history))


@pytest.mark.parametrize(
    ("method", "words"), [("JEM", "only the density"), ("GEDI no gen", "only the clusters")]
)
def test_methods_without_clusters_or_density_are_named(moons, method, words):
    assert words in warnings_of(replace(moons, method=method))


def test_every_name_is_escaped(table, tmp_path):
    hostile = HOSTILE[0] + HOSTILE[1] + HOSTILE[2]
    changed = replace(
        table,
        title=hostile,
        dataset=hostile,
        method=hostile,
        stopped=hostile,
        metrics={hostile: 1.0},
        restarts=[{hostile: hostile, "chosen": True}],
        confusion=(np.eye(2, dtype=int), [hostile, HOSTILE[3]]),
        energies={hostile: table.log_density},
        feature_names=[hostile] * 30,
        settings={hostile: {"nested": hostile, "list": [hostile]}},
        next_steps=[hostile],
    )
    page = page_of(tmp_path, changed)
    elements = elements_of(page)
    assert "script" not in elements.tags
    assert elements.handlers == []
    assert all(address.startswith("data:image/") for address in elements.addresses)
    assert "<script" not in page
    assert "<img src=x" not in page
    assert "{{ 7 * 7 }}" in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page


def test_hostile_axis_names_are_drawn(moons):
    changed = replace(moons, feature_names=["$\\frac{", "axis-\udcff"])
    named, plain = (plane_maps.plane_pictures(c)[0].source for c in (changed, moons))
    assert named != plain


def test_names_that_are_not_text_do_not_stop_the_report(table, tmp_path):
    changed = replace(
        table, title="folder-\udcff", confusion=(np.eye(2, dtype=int), ["a-\udcff", "b"])
    )
    assert "folder-\\udcff" in page_of(tmp_path, changed)


def test_old_page_stays_when_rendering_raises(moons, tmp_path):
    def broken(points):
        raise RuntimeError("no density")

    path = tmp_path / "report.html"
    path.write_text("the old page")
    with pytest.raises(RuntimeError, match="no density"):
        write(path, replace(moons, log_density_function=broken))
    assert path.read_text() == "the old page"
    assert [entry.name for entry in tmp_path.iterdir()] == ["report.html"]


def test_nothing_is_left_when_writing_fails(moons, tmp_path):
    (tmp_path / "report.html").mkdir()
    with pytest.raises(IsADirectoryError):
        write(tmp_path / "report.html", moons)
    assert [entry.name for entry in tmp_path.iterdir()] == ["report.html"]


def test_galleries_open_with_the_most_typical(digits, tmp_path):
    lone = replace(digits, log_density=np.arange(len(digits.x), dtype=float))
    galleries = image_galleries.galleries(lone, cluster_table.cluster_rows(lone))
    assert [gallery.cluster.number for gallery in galleries] == list(range(10))
    # The pictures are those twelve, likeliest first.
    zeros = np.flatnonzero(digits.clusters == 0)[::-1][:12]
    strip = tiles(digits.x[zeros].reshape(-1, 1, 8, 8) / 16, 6, "", "")
    assert galleries[0].typical.source == strip.source


def test_a_cluster_without_samples_says_so(digits, tmp_path):
    few = np.arange(50)
    changed = replace(
        digits,
        x=digits.x[few],
        clusters=digits.clusters[few],
        confidence=digits.confidence[few],
        log_density=digits.log_density[few],
        samples=digits.x[:1],
        sample_clusters=np.array([3]),
        history=pd.DataFrame({"iteration": []}),
        energies={},
    )
    assert words_of(page_of(tmp_path, changed)).count("no samples") == 9


def test_large_photographs_of_many_clusters_stay_small(tmp_path):
    rng = np.random.default_rng(0)
    x = rng.integers(0, 256, (400, 3 * 96 * 96)).astype(np.float32)
    clusters = np.arange(400) % 100
    photographs = content(
        x,
        clusters,
        rng.normal(size=400),
        image_shape=(3, 96, 96),
        value_range=(0, 255),
        samples=x,
        sample_clusters=clusters,
    )
    page = page_of(tmp_path, photographs)
    assert len(page.encode()) < 3_000_000
    assert "The 20 largest of 100 clusters" in page


def test_images_are_averaged_down_and_scaled(digits):
    shape = (1, 130, 128)
    x = np.full((2, 130 * 128), 8.0)
    small = image_galleries.as_images(replace(digits, image_shape=shape), x)
    assert small.shape == (2, 1, 43, 42)
    np.testing.assert_allclose(small, 0.5)


def test_features_are_ordered_by_how_much_clusters_differ():
    rng = np.random.default_rng(0)
    clusters = np.repeat([0, 1], 100)
    x = rng.normal(size=(200, 20))
    x[:, 7] += 5 * clusters
    x[:, 3] = 2.0
    rows = feature_table.feature_rows(content(x, clusters, np.zeros(200)))
    assert rows[0].name == "column 7"
    (low, low_color), (high, high_color) = rows[0].means
    assert (low[0], high[0]) == ("-", "+")
    assert low_color.startswith("rgba(230")
    assert high_color.startswith("rgba(0")
    assert len(rows) == 12


def test_the_least_typical_rows_come_with_reasons(table, tmp_path):
    reasons = [[("mean smoothness", "1.00 (typical 0.10, +7.1 nats)")], []]
    scores, p, sure = np.array([[-9.5, -4], [0.0017, 0.02], [0.03, 1]])
    unusual = Unusual(np.array([17, 3]), np.array([170, 30]), scores, p, sure, reasons, 9)
    changed = replace(table, unusual=unusual)
    first, second = feature_table.unlikely_rows(changed)
    assert (first.number, first.score, first.p_value) == (170, "-9.500", "0.0017")
    assert first.confidence == "0.030" and first.standing_out == reasons[0] and second.number == 30
    path = tmp_path / "report.html"
    write(path, changed)
    page = path.read_text()
    assert (
        "Least typical rows" in page
        and "among 9 rows" in page
        and "typical 0.10, +7.1 nats" in page
    )
    assert feature_table.unlikely_rows(table) == []


def test_a_diverged_run_is_still_reported(moons, tmp_path):
    nothing = np.full(len(moons.x), np.nan)
    changed = replace(
        moons,
        log_density=nothing,
        energies={"data": nothing, "samples": nothing},
        samples=np.full((5, 2), np.nan),
        sample_clusters=np.zeros(5, dtype=int),
        log_density_function=lambda points: np.full(len(points), np.nan),
        history=moons.history.assign(gen=np.nan),
        collapse_gap=float("nan"),
        low=None,
        high=None,
    )
    assert "300 points have no finite log-density" in page_of(tmp_path, changed)


def test_an_empty_run_is_still_reported(table, tmp_path):
    changed = replace(
        table,
        history=pd.DataFrame({"iteration": []}),
        metrics={},
        restarts=[],
        energies={},
        settings={},
        next_steps=[],
        samples=table.x[:0],
        sample_clusters=table.clusters[:0],
    )
    words = words_of(page_of(tmp_path, changed))
    assert "<h2>Restarts" not in words
    assert "<summary>Settings" not in words
    assert "Next steps" not in words


def test_features_have_the_share_of_variance_between_clusters():
    clusters = np.repeat([0, 1], 50)
    x = np.stack([clusters, np.tile([0.0, 1.0], 50), clusters + np.tile([-1.0, 1.0], 50)], axis=1)
    shown = content(x, clusters, np.zeros(100))
    np.testing.assert_allclose(feature_table.effects(shown), [1, 0, 0.2], atol=1e-12)
    first, second = feature_table.feature_rows(shown)[:2]
    assert (first.effect, second.effect) == (f"100{SPACE}%", f"20{SPACE}%")
    captions = [picture.caption for picture in feature_table.feature_pictures(shown)]
    assert len(captions) == 2 and captions[0].startswith("column 0: 100")


def test_features_that_separate_a_cluster_are_named():
    rng = np.random.default_rng(0)
    clusters = np.repeat([0, 1, 2], 100)
    x = rng.normal(size=(300, 4))
    x[clusters == 1, 2] -= 9
    nothing, low, _ = feature_table.signatures(content(x, clusters, np.zeros(300)))
    assert low[0].startswith("low column 2 (-") and low[0].endswith(" sd)") and len(low) == 1
    assert nothing[0].startswith("high column 2 (+")
    inside, outside = x[clusters == 1, 2], x[clusters != 1, 2]
    d = (inside.mean() - outside.mean()) / np.sqrt((inside.var() + 2 * outside.var()) / 3)
    assert f"({d:+.1f} sd)" in low[0]
    alone = content(x, np.zeros(300, int), np.zeros(300))
    assert feature_table.signatures(alone) == [[]]


def test_each_kind_of_data_has_its_first_screen(digits, table, moons_page, tmp_path):
    rows = cluster_table.cluster_rows(digits)
    typical = overview.glances(digits, rows)[3]
    order = np.argsort(-digits.log_density)
    best = [i for i in order if digits.clusters[i] == 3][:5]
    strip = tiles(digits.x[best].reshape(-1, 1, 8, 8) / 16, 5, "", "")
    assert typical.members.source == strip.source
    assert typical.members.alt == "5 most typical images of 3"
    words = words_alone(tmp_path, table)
    assert "Clusters at a glance" in words and words.index("worst") < words.index("Next steps")
    assert "Clusters at a glance" not in words_of(moons_page)


def test_symbols_have_their_values_as_names(digits, tmp_path):
    values = [f"<{k}>" for k in range(10)]
    page = page_of(
        tmp_path,
        replace(digits, named=True, cluster_names=values, metrics={"rule accuracy": 0.5}),
    )
    assert "Symbols at a glance" in page and "<b>Symbol &lt;7&gt;</b>" in page
    assert "likeliest outcome is the one that was observed" in words_of(page)


def test_a_bad_gap_says_what_to_do(moons, tmp_path):
    history = moons.history.assign(inv=-0.5, gap=0.6)
    words = words_alone(tmp_path, replace(moons, collapse_gap=0.6, history=history))
    assert "0.500 nats came from points whose cluster is uncertain" in words
    assert words.index("What to do:") < words.index("more restarts") < words.index("Next steps")


def test_tables_can_be_reached_by_keyboard(moons_page):
    assert len(re.findall(r'<div class="card scroll', moons_page)) == len(
        re.findall(r'scroll[^>]*tabindex="0" role="region" aria-label="Table: ', moons_page)
    )


def test_charts_follow_what_the_history_has(moons):
    captions = [picture.alt for picture in training_charts.training_pictures(moons)]
    assert captions == [
        "inv and prior over iterations",
        "gen over iterations",
        "gap over iterations",
        "Histograms of the energies of data, samples and noise",
    ]


def test_charts_of_chains_are_there_only_where_chains_moved(moons):
    chained = moons.history.assign(acceptance=0.6, step_size=0.01, energy_data=1.0)
    chained["energy_samples"] = 2.0
    without = chained.drop(columns=["acceptance", "step_size"])
    shown, fewer = (
        {picture.alt for picture in training_charts.training_pictures(replace(moons, history=each))}
        for each in (chained, without)
    )
    assert shown - fewer == {
        "energy_data and energy_samples over iterations",
        "acceptance over iterations",
        "step_size over iterations",
    }


def test_restarts_mark_the_chosen_one(moons_page):
    words = words_of(moons_page)
    (chosen,) = re.findall(r'<tr class="chosen">(.*?)</tr>', words)
    assert "<td>1</td>" in chosen
    assert "<td>1,000</td>" in chosen
    assert "<td>0.020</td>" in chosen


def test_settings_are_outlined():
    settings = {
        "model": {"hidden": [100, 100], "bias": None, "extra": {}},
        "views": [{"kind": "noise", "on": True}, "flip"],
        "seed": 0,
    }
    assert "\n".join(outline.outline(settings)) == (
        "model:\n  hidden: [100, 100]\n  bias: null\n  extra: {}\n"
        "views:\n  -\n    kind: noise\n    on: true\n  - flip\nseed: 0"
    )


@pytest.mark.parametrize(
    ("seconds", "text"), [(9.96, "10.0 s"), (132, "2 min 12 s"), (3725, "1 h 2 min")]
)
def test_durations_are_written_for_reading(seconds, text):
    assert summary._duration(seconds) == text


def test_pictures_are_pictures(moons_page):
    for address in elements_of(moons_page).addresses:
        kind, _, data = address.partition(";base64,")
        assert kind == "data:image/png"
        assert base64.b64decode(data).startswith(b"\x89PNG")


def test_chains_are_shown_one_a_row(digits, tmp_path):
    walk = digits.x[:12].reshape(3, 4, 64)
    shown = replace(digits, walk=walk, walk_rounds=(0, 5, 40))
    strip = tiles(digits.x[:12].reshape(-1, 1, 8, 8) / 16, 4, "", "")
    picture = image_galleries.walk_picture(shown, walk)
    assert picture.source == strip.source and "after 0, 5 and 40 rounds" in picture.caption
    words = words_alone(tmp_path, shown)
    assert "From noise to samples" in words
    assert "From noise to samples" not in words_alone(tmp_path, digits)


def test_outliers_have_a_section_if_there_are_some(digits, tmp_path):
    scores = {"log density": {"data": np.arange(9.0), "foils <b>": np.arange(9.0) - 20}}
    figures = {"log density": {"foils <b>": {"AUROC": 0.9375, "AUPR": 1.0, "FPR95": 0.0}}}
    page = page_of(tmp_path, replace(digits, outliers=Detection(scores, figures)))
    assert "<h2>Out of distribution</h2>" in page and "foils &lt;b&gt;" in page
    assert "0.938" in words_of(page) and "9 of the points" in words_of(page)
    assert "Out of distribution" not in page_of(tmp_path, digits)
