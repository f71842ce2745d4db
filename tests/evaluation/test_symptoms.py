"""Every symptom from numbers that have it, and none from numbers that do not."""

import re
from collections import defaultdict
from dataclasses import replace
from pathlib import Path
from typing import get_args

import numpy as np
import pytest

from gedi.cli.parser import build_parser
from gedi.evaluation.symptoms import (
    Name,
    Quartiles,
    Signs,
    gap_symptoms,
    quartiles_of,
    settled,
    symptoms,
)

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
    return [*gap_symptoms(signs), *symptoms(signs)]


def recorded(**last):
    return {"history": {**SOUND.history, **{name: np.array(v) for name, v in last.items()}}}


def energies(**medians):
    moved = {name: Quartiles(m - 1, m, m + 1) for name, m in medians.items()}
    return {"energies": {**SOUND.energies, **moved}}


def test_a_sound_training_has_no_symptoms():
    assert found(SOUND) == []
    assert found(Signs("GEDI")) == []


UNSURE = {"collapse_gap": 0.4, **recorded(gap=20 * LEVEL, inv=-19 * LEVEL)}
UNBALANCED = {"collapse_gap": 0.4, **recorded(gap=20 * LEVEL, inv=-2.5 * LEVEL)}
FALLING = recorded(gap=np.linspace(2, 0, 20))

CASES = {
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
        "Unused: cluster 2.",
        "--n-clusters",
    ),
    "small": (
        "small clusters",
        {"sizes": np.array([150, 141, 9])},
        "Smaller than a tenth",
        "--prior",
    ),
    "fuzzy": (
        "fuzzy boundaries",
        UNSURE,
        "0.380 nats from points that are unsure",
        "--views.noise",
    ),
    "unbalanced": ("unequal clusters", UNBALANCED, "0.350 from sizes", "--weights.prior"),
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
    "too short": ("too short", {**FALLING, "ended": "max_time"}, "still improving", "--max-time"),
}


@pytest.mark.parametrize("name", CASES)
def test_from_symptom_to_setting(name):
    short, changes, what, change = CASES[name]
    signs = replace(SOUND, **changes)
    reported = [symptom for symptom in found(signs) if what in symptom.what]
    assert len(reported) == 1, found(signs)
    assert change in reported[0].change and reported[0].look and reported[0].name == short
    assert len(found(signs)) == 1


def every_symptom():
    """All symptoms that can be reported, by name."""
    reported = defaultdict(list)
    for short, changes, *_ in CASES.values():
        reported[short] += found(replace(SOUND, **changes))
    return reported


def options_in(text):
    return set(re.findall(r"--[a-z][a-z.-]*[a-z]", text))


def test_the_guide_says_the_same():
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in GUIDE.read_text("utf-8").splitlines()
        if line.startswith("| ")
    ][1:]
    assert [row[0] for row in rows] == list(get_args(Name))
    reported = every_symptom()
    assert set(reported) == set(get_args(Name))
    for name, _, look, change in rows:
        assert {look} == {symptom.look for symptom in reported[name]}
        assert options_in(change) == options_in(" ".join(s.change for s in reported[name])), name


def test_every_option_that_is_named_is_one():
    parsers = build_parser()._subcommands_action._name_parser_map
    known = set(parsers["train"]._option_string_actions)
    reported = [symptom for symptoms in every_symptom().values() for symptom in symptoms]
    named = options_in(" ".join(map(str, reported)))
    assert len(named) > 10 and named <= known


def test_what_a_method_does_not_train_has_no_symptoms():
    bad = {"collapse_gap": 2.0, **energies(noise=2.0, samples=40.0)}
    assert found(replace(SOUND, method="SwAV", **bad)) == []
    assert [s.what[:3] for s in found(replace(SOUND, method="GEDI no gen", **bad))] == [
        "The",
        "GED",
    ]


def test_a_large_cluster_that_the_prior_asks_for_is_none():
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
