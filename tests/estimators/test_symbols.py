"""GEDISymbols: symbols learned from the outcomes of a rule, without labels."""

import math
import pickle

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import cross_val_score

from gedi import (
    CallableRule,
    DataError,
    FoldRule,
    GEDISymbols,
    Rule,
    RuleError,
    RunError,
    SettingsError,
    sum_rule,
)
from gedi.evidence import groups as evidence_groups

pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.usefixtures("small_mixtures"),
]

VALUES = (10, 20, 30)
SUM = Rule(
    lambda a, b, s: a + b == s, {"a": VALUES, "b": VALUES, "s": range(20, 61, 10)}, observed="s"
)
HEAPS = {30: (0.0, 0.0), 10: (12.0, 0.0), 20: (0.0, 12.0)}


def drawn(m, k=2, seed=0, shares=(0.3, 0.3, 0.4)):
    """Groups of points around the heaps of their symbols, and the symbols."""
    rng = np.random.default_rng(seed)
    symbols = rng.choice(VALUES, size=(m, k), p=shares)
    centres = np.array([HEAPS[y] for y in symbols.ravel()]).reshape(m, k, 2)
    return centres + rng.normal(size=(m, k, 2)), symbols


GROUPS, SYMBOLS = drawn(60)
SUMS = SYMBOLS.sum(1)
NEW, NEW_SYMBOLS = drawn(40, seed=1)


def quick(**changes):
    return GEDISymbols(
        **{"max_iter": 200, "encoder": (16,), "n_restarts": 1, "random_state": 0, **changes}
    )


def untrained(**changes):
    return quick(max_iter=2, w_gen=0.0, **changes)


@pytest.fixture(scope="module")
def fitted():
    return quick(max_iter=300).fit(GROUPS, SUMS, rule=SUM)


# Single inputs


def test_symbols_have_the_values_of_the_rule(fitted):
    assert fitted.classes_.tolist() == [10, 20, 30]
    assert np.array_equal(fitted.labels_, SYMBOLS)
    assert np.array_equal(fitted.predict(NEW.reshape(-1, 2)), NEW_SYMBOLS.ravel())
    p = fitted.predict_proba(np.array([HEAPS[y] for y in VALUES]))
    assert p.shape == (3, 3) and (np.diag(p) > 0.9).all()


def test_values_of_any_kind_whatever_their_order():
    names = {30: "c", 10: "a", 20: "b"}
    words = np.vectorize(names.get)(SYMBOLS)
    rule = FoldRule(lambda state, y: tuple(sorted((*state, y))), (), 2, ["b", "c", "a"])
    pairs = [tuple(sorted(pair)) for pair in words.tolist()]
    # Unordered pairs say all but the order, and there are groups of twice the same.
    model = quick().fit(GROUPS, pairs, rule=rule)
    assert model.classes_.tolist() == ["b", "c", "a"]
    assert np.array_equal(model.labels_, words)
    assert model.predict_outcome(GROUPS).outcomes.tolist() == pairs
    assert model.outcomes_ == rule.outcomes


def test_samples_of_a_symbol_lie_in_its_heap(fitted):
    for value in VALUES:
        points, symbols = fitted.sample(50, symbol=value)
        near = np.abs(points - HEAPS[value]).max(1) < 6
        assert near.mean() > 0.7
        assert np.array_equal(symbols, fitted.predict(points))
    assert set(fitted.sample(50)[1]) == set(VALUES)
    with pytest.raises(DataError, match="symbol: expected one of 10, 20, 30, got 2"):
        fitted.sample(symbol=2)


def test_it_scores_and_embeds_single_inputs(fitted):
    x = GROUPS.reshape(-1, 2)
    assert fitted.score_samples(x).mean() > fitted.score_samples(x + 40).mean() + 5
    assert (fitted.predict_outliers(x + 100) == -1).all()
    assert np.mean(fitted.predict_outliers(x) == -1) == pytest.approx(0.05, abs=0.02)
    assert fitted.transform(x).shape == (120, 16)
    assert 0 <= fitted.collapse_gap_ < 0.5
    assert fitted.history_["evidence"][-1] > fitted.history_["evidence"][0]


# Groups


def convolved(model, groups):
    """P of every sum, (m, 5)."""
    p = model.predict_proba(groups.reshape(-1, 2)).reshape(-1, 2, 3)
    return np.array([np.convolve(*pair) for pair in p])


def test_outcomes_are_predicted_by_their_probabilities(fitted, monkeypatch):
    monkeypatch.setattr(evidence_groups, "_GROUPS", 7)  # that do not divide the groups
    right = NEW_SYMBOLS.sum(1)
    found = fitted.predict_outcome(NEW)
    assert np.array_equal(found.outcomes, right)
    expected = convolved(fitted, NEW)
    np.testing.assert_allclose(found.probabilities, expected.max(1), rtol=1e-9)
    log_p = fitted.rule_log_probability(NEW, right)
    np.testing.assert_allclose(log_p, np.log(expected[range(40), right // 10 - 2]), rtol=1e-9)
    wrong = np.where(right == 20, 30, 20)
    assert (fitted.rule_log_probability(NEW, wrong) < -1).all()
    assert fitted.score(NEW, right) == pytest.approx(log_p.mean())


def test_satisfaction_is_the_mean_probability_of_the_observed_outcomes(fitted):
    log_p = fitted.rule_log_probability(GROUPS, SUMS)
    assert fitted.satisfaction_ == pytest.approx(np.exp(log_p).mean())
    assert fitted.satisfaction_ > 0.9


def test_other_rules_over_the_same_values_may_be_asked_about(fitted):
    triples, symbols = drawn(30, k=3, seed=2)
    largest = FoldRule(max, 0, 3, VALUES)
    assert np.array_equal(fitted.predict_outcome(triples, rule=largest).outcomes, symbols.max(1))
    log_p = fitted.rule_log_probability(triples, symbols.max(1), rule=largest)
    assert (log_p > math.log(0.5)).mean() > 0.9
    with pytest.raises(RuleError, match=r"values are 10, 20, 30, in this order.*got 0, 1, 2"):
        fitted.predict_outcome(GROUPS, rule=sum_rule(2, 3))
    with pytest.raises(RuleError, match=r"expected a rule, such as a gedi\.Rule.*got function"):
        fitted.predict_outcome(GROUPS, rule=max_of)


def max_of(a, b):
    return max(a, b)


def test_the_most_probable_outcome_of_rules_that_cannot_be_is_the_first(fitted):
    never = CallableRule(lambda x, codes: x.sum((-1, -2)) - math.inf, 2, 3, "uv", VALUES)
    found = fitted.predict_outcome(NEW, rule=never)
    assert set(found.outcomes) == {"u"} and (found.probabilities == 0).all()


def test_a_rule_that_just_holds_needs_no_outcomes():
    smaller = Rule(lambda a, b: a < b, dict.fromkeys("ab", VALUES), observed=())
    chosen = SYMBOLS[:, 0] < SYMBOLS[:, 1]
    model = quick().fit(GROUPS[chosen], rule=smaller)
    assert np.mean(model.labels_ == SYMBOLS[chosen]) > 0.95
    assert (model.rule_log_probability(GROUPS[chosen]) > math.log(0.5)).mean() > 0.9
    assert set(model.predict_outcome(NEW).outcomes) == {True}


# Training


def test_inputs_without_a_group_are_trained_on():
    more = np.random.default_rng(0).normal((-40.0, 0.0), size=(50, 2))
    alone, both = (untrained().fit(GROUPS, SUMS, rule=SUM, unlabelled=u) for u in (None, more))
    for model, inside in ((alone, False), (both, True)):
        box, z = model.model_.box, model.model_.scaling(more)
        assert bool(((z >= box.low) & (z <= box.high)).all()) is inside
        assert model.labels_.shape == (60, 2)


def test_without_weight_the_rule_teaches_nothing():
    taught, untaught = (
        quick(w_evidence=w, max_iter=100, w_gen=0.0).fit(GROUPS, SUMS, rule=SUM) for w in (1.0, 0.0)
    )
    assert taught.history_["evidence"][-1] > untaught.history_["evidence"][-1] + 0.5


def test_the_prior_is_uniform_unless_given():
    np.testing.assert_allclose(untrained().fit(GROUPS, SUMS, rule=SUM).prior_, [1 / 3] * 3)
    given = untrained(prior=[1, 2, 1]).fit(GROUPS, SUMS, rule=SUM).prior_
    np.testing.assert_allclose(given, [0.25, 0.5, 0.25], rtol=1e-5)


def test_images():
    rng = np.random.default_rng(0)
    symbols = rng.integers(3, size=(40, 2))
    groups = rng.integers(60, size=(40, 2, 8, 8), dtype=np.uint8)
    groups[..., :4, :] += 150 * (symbols == 0)[..., None, None].astype(np.uint8)
    groups[..., :4] += 150 * (symbols == 1)[..., None, None].astype(np.uint8)
    model = quick(w_gen=0.0, max_iter=150)
    model.fit(groups, symbols.sum(1), rule=sum_rule(2, 3), unlabelled=groups[:5, 0])
    assert model.input_shape_ == (8, 8)
    assert np.array_equal(model.labels_, symbols)
    assert np.array_equal(model.predict(groups[:, 1]), symbols[:, 1])
    assert np.array_equal(model.predict_outcome(groups).outcomes, symbols.sum(1))
    assert model.sample(3, symbol=1)[0].shape == (3, 8, 8)
    colour = np.repeat(groups[:, :, None], 3, axis=2)
    model = untrained().fit(colour, symbols.sum(1), rule=sum_rule(2, 3))
    assert model.input_shape_ == (3, 8, 8) and model.predict(colour[0]).shape == (2,)
    with pytest.raises(DataError, match="images of uint8, like those of the groups, got float"):
        model.fit(groups, symbols.sum(1), rule=sum_rule(2, 3), unlabelled=groups[:, 0] / 255)


def test_warm_start_continues_with_any_rule_over_the_same_values():
    model = quick(max_iter=50, warm_start=True, w_gen=0.0).fit(GROUPS, SUMS, rule=SUM)
    before = model.predict_proba(NEW[:, 0])
    triples, symbols = drawn(20, k=3, seed=2)
    model.set_params(max_iter=1).fit(triples, symbols.max(1), rule=FoldRule(max, 0, 3, VALUES))
    assert model.labels_.shape == (20, 3)
    assert np.abs(model.predict_proba(NEW[:, 0]) - before).max() < 0.2
    with pytest.raises(RuleError, match=r"values are 10, 20, 30.*got 0, 1, 2, 3"):
        model.fit(GROUPS, SUMS, rule=sum_rule(2, 4))


# Mistakes


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"groups": GROUPS[:, 0]}, DataError, r"shape \(m, k, d\).*got \(60, 2\)"),
        ({"groups": GROUPS[:0]}, DataError, "at least one, got none"),
        ({"groups": [GROUPS[0], GROUPS[1, :1]]}, DataError, "of different shapes"),
        ({"groups": GROUPS[:, [0, 1, 1]]}, RuleError, "expected 2 inputs in each.*got 3"),
        ({"groups": GROUPS * np.nan}, ValueError, "NaN"),
        (
            {"groups": GROUPS[:1], "outcomes": SUMS[:1]},
            DataError,
            "2 points cannot form 3 clusters",
        ),
        ({"outcomes": SUMS[:-1]}, DataError, "one for each of the 60 groups, got 59"),
        ({"outcomes": 20}, DataError, "one for each of the 60 groups, got a single int"),
        ({"outcomes": "20"}, DataError, "got a single str"),
        ({"outcomes": None}, DataError, r"expected one of 20, .*60 for each group.*got None"),
        ({"outcomes": [*SUMS[:-1], 7]}, RuleError, "outcome 59 is 7, which is outside"),
        ({"unlabelled": GROUPS[:, 0, :1]}, DataError, r"shape \(n, 2\), got \(60, 1\)"),
        ({"unlabelled": GROUPS}, DataError, r"shape \(n, 2\), got \(60, 2, 2\)"),
        ({"rule": max_of}, RuleError, "expected a rule, such as a gedi.Rule.*got function"),
        ({"rule": Rule}, RuleError, "expected a rule, such as a gedi.Rule.*got type"),
    ],
)
def test_arguments_that_are_refused(changes, error, message):
    given = {"groups": GROUPS, "outcomes": SUMS, "rule": SUM, **changes}
    with pytest.raises(error, match=message):
        untrained().fit(**given)


def test_parameters_that_are_refused():
    with pytest.raises(SettingsError, match="prior"):
        untrained(prior=[0.5, 0.5]).fit(GROUPS, SUMS, rule=SUM)
    with pytest.raises(NotFittedError):
        quick().predict_outcome(GROUPS)


# As an estimator


def test_parameters_and_copies(fitted):
    model = quick(w_evidence=2.0)
    assert model.get_params()["w_evidence"] == 2.0
    assert clone(model).set_params(w_evidence=3.0).w_evidence == 3.0
    assert not hasattr(clone(fitted), "classes_") and not hasattr(clone(fitted), "outcomes_")
    # The rule is pickled, as it does not hold the function that it was made from.
    back = pickle.loads(pickle.dumps(fitted))
    assert back.score(GROUPS, SUMS) == fitted.score(GROUPS, SUMS)


def test_groups_are_cross_validated():
    scores = cross_val_score(untrained(), GROUPS, SUMS, cv=2, params={"rule": SUM})
    assert scores.shape == (2,) and np.isfinite(scores).all() and (scores < 0).all()


def test_embeddings_of_groups_at_once():
    model = untrained()
    embedded = model.fit_transform(GROUPS, SUMS, rule=SUM)
    np.testing.assert_allclose(embedded[3], model.transform(GROUPS[3]), rtol=1e-9)


def test_everything_but_the_rule_comes_back(fitted, tmp_path):
    fitted.save(tmp_path / "model")
    back = GEDISymbols.load(tmp_path / "model")
    x = NEW.reshape(-1, 2)
    for method in ("predict", "predict_proba", "score_samples", "transform", "predict_outliers"):
        assert np.array_equal(getattr(back, method)(x), getattr(fitted, method)(x)), method
    assert np.array_equal(back.sample(5, symbol=20)[0], fitted.sample(5, symbol=20)[0])
    assert np.array_equal(back.labels_, SYMBOLS)
    assert back.satisfaction_ == fitted.satisfaction_
    with pytest.raises(RuleError, match=r"not stored with an estimator; pass it as rule="):
        back.predict_outcome(NEW)
    outcomes = [model.predict_outcome(NEW, rule=SUM).outcomes for model in (back, fitted)]
    assert np.array_equal(*outcomes)
    assert back.score(GROUPS, SUMS, rule=SUM) == fitted.score(GROUPS, SUMS)
    back.set_params(max_iter=1, warm_start=True).fit(GROUPS, SUMS, rule=SUM)
    assert np.array_equal(back.labels_, SYMBOLS)


def test_values_that_are_neither_numbers_nor_text_are_not_stored(tmp_path):
    pairs = [(0, 0), (0, 1), (1, 1)]
    rule = FoldRule(lambda state, y: state + sum(y), 0, 2, pairs)
    model = untrained().fit(GROUPS, SUMS // 10 - 2, rule=rule)
    assert set(model.predict(NEW[:, 0])) <= set(pairs)
    assert model.sample(2, symbol=(0, 1))[0].shape == (2, 2)
    with pytest.raises(RunError, match=r"numbers or text.*got \(0, 0\)"):
        model.save(tmp_path / "model")
