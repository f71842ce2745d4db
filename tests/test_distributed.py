"""Two processes that train together are one training: its losses, decisions and checkpoints."""

import copy

import torch
from pytest import approx, fixture, mark

from gedi.data.dataset import Dataset
from gedi.distributed import (
    anywhere,
    gathered,
    log_mean_exp,
    mean,
    means,
    most,
    n_processes,
    rank,
    share_of,
)
from gedi.objective import log_marginal
from gedi.training.hooks import StopWhen
from gedi.training.session import start
from pair import CASES, SETTINGS, loss_and_gradients, network, own, run_pair, saved
from small_trainings import heaps, same


def alone(settings):
    return start(Dataset("heaps", heaps()[0]), settings)


def own_generator(state):
    generator = torch.Generator()
    generator.set_state(state.clone())
    return generator


@fixture(scope="module")
def one():
    """A training of one process, in its middle."""
    training = alone(SETTINGS["restarts"])
    training.train([StopWhen(lambda: training.state.iteration == 12)])
    return saved(training)


@fixture(scope="module")
def two(tmp_path_factory, one):
    """The results of two processes."""
    return run_pair(tmp_path_factory.mktemp("pair"), one)


def test_with_one_process_nothing_is_exchanged():
    x = torch.randn(3, 2, requires_grad=True)
    assert n_processes() == 1 and rank() == 0
    assert mean(x) is x and log_mean_exp(x) is x and means(x, x) == (x, x)
    assert gathered(x, 0) is x and share_of(x, 0) is x
    assert most(2.0) == 2.0 and anywhere(True) and not anywhere(False)


def test_exchanges(two):
    first, second = (found["exchanges"] for found in two)
    assert first["most"] == second["most"] == 1
    assert first["anywhere"] == second["anywhere"] == (True, False)
    assert first["from first"] == second["from first"] == "from 0"
    both = torch.cat([own(0), own(1)], -2)
    assert torch.equal(first["gathered"], both) and torch.equal(second["gathered"], both)
    assert first["share"].tolist() == [0, 1, 2] and second["share"].tolist() == [3, 4, 5]
    a, b = first["means"]
    assert torch.allclose(a, (own(0) + own(1)) / 2) and torch.allclose(b, (own(0) + own(1))[0])
    assert torch.allclose(first["marginal"], log_marginal(both), atol=1e-12)


def test_gradients_through_means_of_means(two):
    values = [own(place).requires_grad_() for place in range(2)]
    joined = torch.stack(values)
    spread = (joined - joined.mean(0)).square().mean(0).sqrt().log()
    value = (spread + joined.logsumexp(0) - torch.tensor(2.0).log()).square().sum()
    value.backward()
    for found, x in zip(two, values, strict=True):
        assert float(found["exchanges"]["value"]) == approx(float(value.detach()), rel=1e-9)
        # They are averaged at the end, so each is multiplied by the number of processes.
        assert torch.allclose(found["exchanges"]["gradient"] / 2, x.grad, atol=1e-9)


@mark.parametrize("name", CASES)
def test_loss_and_gradients_are_those_of_the_whole_batch(two, name):
    model = network()
    expected = loss_and_gradients(name, model, model)
    for found in two:
        assert float(found[name]["loss"]) == approx(float(expected["loss"]), abs=1e-9)
        for a, b in zip(found[name]["gradients"], expected["gradients"], strict=True):
            torch.testing.assert_close(a, b, atol=1e-9, rtol=0)


@mark.parametrize("name", SETTINGS)
def test_processes_share_everything_but_their_chains(two, name):
    first, second = (found[f"training {name}"] for found in two)
    assert same(first["whole"], second["whole"])
    assert not torch.isclose(first["chains"], second["chains"]).all(-1).any()
    state = first["whole"]["state"]
    assert torch.equal(state["buffer"]["positions"], torch.cat([first["chains"], second["chains"]]))
    draws = [torch.rand(3, generator=own_generator(saved)) for saved in state["generator"]]
    assert not torch.isclose(*draws).any()
    one = saved(alone(SETTINGS[name]))["state"]
    assert state["buffer"]["positions"].shape == one["buffer"]["positions"].shape[-2:]


@mark.parametrize("name", SETTINGS)
def test_a_training_resumes_with_the_same_bits(two, name):
    for found in two:
        training = found[f"training {name}"]
        assert not same(training["first"], training["whole"])
        assert same(training["parts"], training["whole"])


def test_one_process_resumes_from_two(two):
    state = two[0]["training restarts"]["first"]
    sessions = [alone(SETTINGS["restarts"]) for _ in range(2)]
    for session in sessions:
        session.load_state_dict(copy.deepcopy(state))  # optimizers take tensors over
        chains = session.state.buffer.positions
        assert torch.equal(chains, state["state"]["buffer"]["positions"])
    fit, again = (session.run() for session in sessions)
    assert fit.ended == "max_iter" and fit.iterations == 24
    assert torch.equal(fit.trained.chains, again.trained.chains)


def test_two_processes_resume_from_one(two, one):
    (chains, draws), (others, other_draws) = (found["from one"] for found in two)
    whole = one["state"]["buffer"]["positions"]
    assert torch.equal(torch.cat([chains, others], -2), whole)
    assert not torch.isclose(draws, other_draws).any()


def test_all_processes_act_on_what_one_of_them_finds(two):
    first, second = two
    assert first["stopped by one"] == second["stopped by one"] == (False, 7)
    assert first["out of time"] == second["out of time"] and first["out of time"][0]
    (done, model), (other, other_model) = first["astray in one"], second["astray in one"]
    assert done == other and done[0] == (10, "rolled back")
    assert same(model, other_model) and all(value.isfinite().all() for value in model.values())


def test_other_data_in_another_process_are_refused_by_all(two):
    for found in two:
        assert "process 1 of 2" in found["disagreement"]
        assert "another data set" in found["disagreement"]


def test_all_processes_get_the_result_and_then_work_alone(two):
    (gap, chains, chosen, one), (other_gap, others, other, _) = (found["fit"] for found in two)
    assert gap == other_gap and chosen == other and torch.equal(chains, others)
    assert one == 1
    single = alone(SETTINGS["restarts"]).run()
    assert chains.shape == single.trained.chains.shape
