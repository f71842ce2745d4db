"""Every symptom from numbers that have it, and none from numbers that do not."""

import re
from collections import defaultdict
from dataclasses import replace
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
from sklearn.datasets import make_blobs
from sklearn.metrics import adjusted_rand_score

from gedi import GEDI, Settings
from gedi.cli.parser import build_parser
from gedi.evaluation.cohesion import Cohesion
from gedi.evaluation.symptoms import (
    Name,
    Quartiles,
    Signs,
    quartiles_of,
    settled,
    symptoms,
)
from gedi.settings import SamplerSettings

GUIDE = Path(__file__).parents[2] / "docs" / "symptoms.md"
LEVEL = np.full(20, 0.02)
SOUND = Signs(
    method="GEDI",
    history={
        "gap": LEVEL,
        "inv": -LEVEL / 2,
        "acceptance": np.full(20, 0.6),
        "staleness": np.zeros(20),
        "on_walls": np.zeros(20),
    },
    sizes=np.array([110, 90, 100]),
    prior=np.full(3, 1 / 3),
    energies={
        "data": Quartiles(1.0, 2.0, 3.0),
        "samples": Quartiles(1.2, 2.1, 2.9),
        "noise": Quartiles(8.0, 9.0, 10.0),
    },
    collapse_gap=0.02,
    ended="max_iter",
)


def found(signs):
    return list(symptoms(signs))


def recorded(**last):
    return {"history": {**SOUND.history, **{name: np.array(v) for name, v in last.items()}}}


def energies(**medians):
    moved = {name: Quartiles(m - 1, m, m + 1) for name, m in medians.items()}
    return {"energies": {**SOUND.energies, **moved}}


def test_a_sound_training_has_no_symptoms():
    assert found(SOUND) == []
    assert found(Signs("GEDI")) == []


def test_a_training_out_of_time_is_unfinished_unless_it_was_good_and_level():
    level = replace(SOUND, ended="max_time", collapse_gap=0.054)
    first = found(level)[0]
    assert first.name == "unfinished" and "its time was up. " in str(first)
    assert found(replace(level, collapse_gap=0.02)) == []


UNSURE = {"collapse_gap": 0.4, **recorded(gap=20 * LEVEL, inv=-19 * LEVEL)}
UNBALANCED = {"collapse_gap": 0.4, **recorded(gap=20 * LEVEL, inv=-2.5 * LEVEL)}
FALLING = recorded(gap=np.linspace(2, 0, 20))
EARLY = {"iterations": 74, "max_iter": 2000, **recorded(gap=LEVEL[:2])}

CASES = {
    "out of time": (
        "unfinished",
        {**EARLY, "ended": "max_time"},
        "after 74 of at most 2,000 iterations, as its time was up",
        "--max-time",
    ),
    "stopped": (
        "unfinished",
        {"ended": "interrupted"},
        "before it had converged",
        "gedi resume",
    ),
    "still falling": ("unfinished", {**FALLING, "ended": "max_time"}, "improving", "--max-time"),
    "worse than the base": (
        "wrong density",
        {"over_base": -0.4},
        "0.400 nats below that of the simple density",
        "--max-iter",
    ),
    "other samples": (
        "samples unlike the data",
        {"apart": 0.45},
        "distribution functions differ by 45",
        "--sampler.n-steps",
    ),
    "regret": ("wrong density", {"regret": 1.6}, "below that of the true", "--max-iter"),
    "method": ("no clustering", {"method": "JEM"}, "only the density", "--weights.prior"),
    "no gen": ("no density", {"method": "GEDI no gen"}, "only the clusters", "--weights.gen"),
    "diverged": (
        "diverged",
        {"n_not_finite": 1200},
        "1,200 points have no finite",
        "--learning-rate",
    ),
    "given up": (
        "diverged",
        {"failure": "so it was"},
        "was given up: so it was.",
        "--learning-rate",
    ),
    "guard": (
        "nearly diverged",
        {"interventions": ["one", "two"]},
        "from diverging: one; two.",
        "--sampler.n-steps",
    ),
    "big": (
        "one big cluster",
        {"sizes": np.array([270, 15, 15])},
        "One big cluster: 90",
        "--restarts.n",
    ),
    "unused": (
        "unused clusters",
        {"sizes": np.array([150, 150, 0])},
        "No point is in cluster 2.",
        "--n-clusters",
    ),
    "small": (
        "small clusters",
        {"sizes": np.array([150, 141, 9])},
        "Less than a tenth",
        "--prior",
    ),
    "fuzzy": (
        "fuzzy boundaries",
        UNSURE,
        "0.380 nats came from points whose cluster is uncertain",
        "--views.noise",
    ),
    "neighbours apart": (
        "touching clusters",
        {"collapse_gap": 2.0, "cohesion": Cohesion(0.7, 0.25)},
        "(Cohen's kappa) is 0.700, where 1 is perfect and 0.250",
        "--n-clusters",
    ),
    "no groups": (
        "no groups",
        {"collapse_gap": 0.01, "cohesion": Cohesion(0.3, 0.25)},  # a small gap does not excuse it
        "is 0.300, and 0.250 in a cloud of points without groups",
        "--features",
    ),
    "unbalanced": ("unequal clusters", UNBALANCED, "0.350 from cluster sizes", "--weights.prior"),
    "no gap": ("diverged", {"collapse_gap": float("nan")}, "is not a number", "--learning-rate"),
    "far": (
        "samples that are noise",
        energies(samples=30.0),
        "less likely than the data",
        "--sampler.n-steps",
    ),
    "peaks": (
        "peaks without data",
        energies(samples=-30.0),
        "likelier than the data",
        "--data-noise",
    ),
    "flat": ("flat energies", energies(noise=2.1), "Flat energies", "--weights.gen"),
    "rejected": (
        "rejected moves",
        recorded(acceptance=[0.9, 0.1, np.nan]),
        "accept only 10",
        "--sampler.step-size",
    ),
    "stale": (
        "stale chains",
        recorded(staleness=[0.0, 12.0]),
        "Stale chains",
        "--sampler.buffer-size",
    ),
    "walls": (
        "chains at the walls",
        recorded(on_walls=[0.3]),
        "Chains at the walls: 30",
        "--sampler.boundary",
    ),
    "improving": ("too short", FALLING, "still improving", "--max-iter"),
}


@pytest.mark.parametrize("name", CASES)
def test_from_symptom_to_setting(name):
    short, changes, what, change = CASES[name]
    signs = replace(SOUND, **changes)
    (symptom,) = found(signs)
    assert symptom.name == short and what in symptom.what
    assert change in symptom.change and symptom.look


def test_a_training_that_settled_in_time_is_finished():
    assert found(replace(SOUND, ended="max_time")) == []
    jem = replace(SOUND, method="JEM", ended="max_time", collapse_gap=None, **recorded(bound=LEVEL))
    assert [symptom.name for symptom in found(jem)] == ["no clustering"]
    rising = replace(jem, **recorded(bound=np.linspace(-2, 0, 20)))
    assert [symptom.name for symptom in found(rising)] == ["unfinished", "no clustering"]
    given_up = replace(SOUND, ended="interrupted", failure="so it was")
    assert [symptom.name for symptom in found(given_up)] == ["diverged"]


def every_symptom():
    """All symptoms of the cases, by name."""
    every = defaultdict(list)
    for short, changes, *_ in CASES.values():
        every[short] += found(replace(SOUND, **changes))
    return every


def options_in(text):
    return set(re.findall(r"--[a-z][a-z.-]*[a-z]", text))


def test_the_guide_says_the_same():
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in GUIDE.read_text("utf-8").splitlines()
        if line.startswith("| ")
    ][1:]
    assert [row[0] for row in rows] == list(get_args(Name))
    every = every_symptom()
    assert set(every) == set(get_args(Name))
    for name, _, look, change in rows:
        assert {look} == {symptom.look for symptom in every[name]}
        assert options_in(change) == options_in(" ".join(s.change for s in every[name])), name


def test_every_option_that_is_named_exists():
    parsers = build_parser()._subcommands_action._name_parser_map
    known = set(parsers["train"]._option_string_actions)
    every = [symptom for symptoms in every_symptom().values() for symptom in symptoms]
    named = options_in(" ".join(map(str, every)))
    assert len(named) > 10 and named <= known


def test_terms_that_a_method_does_not_train_give_no_symptoms():
    bad = {"collapse_gap": 2.0, **energies(noise=2.0, samples=40.0)}
    assert found(replace(SOUND, method="SwAV", **bad)) == []
    assert [s.what[:3] for s in found(replace(SOUND, method="GEDI no gen", **bad))] == [
        "The",
        "GED",
    ]


def test_a_large_cluster_that_the_prior_asks_for_is_no_symptom():
    asked = replace(SOUND, sizes=np.array([95, 5]), prior=np.array([0.9, 0.1]))
    assert found(asked) == []


def test_a_training_that_converged_needs_no_more():
    assert found(replace(SOUND, **FALLING, ended="converged")) == []


def test_quartiles_are_of_finite_energies():
    given = {"data": np.array([1.0, 2.0, 3.0, np.nan]), "samples": np.array([np.inf])}
    assert quartiles_of(given) == {"data": Quartiles(1.5, 2.0, 2.5)}


@pytest.mark.parametrize(
    ("gaps", "expected"),
    [
        ([], False),
        ([0.1, 0.1], False),
        ([0.1] * 10, True),
        (np.linspace(2, 0, 10), False),
        ([1.0] * 5 + [0.1] * 5, True),
    ],
)
def test_settled(gaps, expected):
    assert settled(gaps) is expected


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_the_first_advice_for_unequal_groups_is_a_cure():
    x, y = make_blobs([180, 90, 30], centers=[[0, 0], [12, 0], [0, 12]], random_state=0)

    def trained(prior):
        settings = Settings(sampler=SamplerSettings(kind="base"))
        return GEDI(3, prior=prior, max_iter=60, settings=settings, random_state=0).fit(x)

    def said(model):
        signs = Signs(
            method="GEDI",
            history=model.history_,
            sizes=np.bincount(model.labels_, minlength=3),
            prior=model.prior_,
            collapse_gap=model.collapse_gap_,
        )
        return [
            s.change for s in symptoms(signs) if s.name in ("unequal clusters", "fuzzy boundaries")
        ]

    uniform, learned = trained("uniform"), trained("learned")
    assert uniform.collapse_gap_ > 0.2
    assert said(uniform)[0].startswith("If the groups may differ in size, use --prior learned")
    assert learned.collapse_gap_ < 0.05 and said(learned) == []
    assert adjusted_rand_score(y, learned.labels_) == 1.0


def test_fuzzy_boundaries_under_equal_shares_suggest_a_learned_prior_first():
    fuzzy = replace(SOUND, collapse_gap=0.2, **recorded(inv=[-0.2], gap=[0.2]))
    assert "in this order: --prior learned" in found(fuzzy)[0].change
    own = replace(fuzzy, prior=np.array([0.6, 0.3, 0.1]), sizes=np.array([180, 90, 30]))
    assert "learned" not in found(own)[0].change
