"""Two processes that train together, and what each of them finds: for test_distributed.py."""

import io
import os
import socket
from dataclasses import replace

import torch
from torch import Generator, multiprocessing

from gedi.data.dataset import Dataset
from gedi.distributed import (
    agree,
    anywhere,
    from_first,
    gathered,
    leave,
    log_mean_exp,
    mean,
    means,
    most,
    share_of,
)
from gedi.errors import RunError
from gedi.evidence import Observed
from gedi.evidence.groups import rule_log_probability
from gedi.methods import barlow_twins_terms, gedi_terms, swav_terms
from gedi.model import EnergyClassifier
from gedi.model.encoders import MLP
from gedi.objective import Weights, log_marginal
from gedi.rules import sum_rule
from gedi.settings import RestartSettings, SamplerSettings
from gedi.training.hooks import StopWhen
from gedi.training.processes import launched, set_up
from gedi.training.session import start
from small_trainings import SMALL, Each, heaps

N = 2
SETTINGS = {
    "restarts": replace(
        SMALL,
        prior="learned",
        max_iter=24,
        evaluate_every=6,
        restarts=RestartSettings(n=2, kmeans=0, iterations=8, warmup=2, ramp=2),
    ),
    "vera": replace(
        SMALL,
        max_iter=16,
        sampler=SamplerSettings(kind="vera", n_anchors=64, buffer_size=128),
    ),
}
CASES = {
    "GEDI": (gedi_terms, Weights(0.7, 1.0, 1.5, 0.5), "labels"),
    "held": (gedi_terms, Weights(0.7, 1.0, 1.5, max_contrast=0.05), None),
    "rules": (gedi_terms, Weights(1.0, 1.0, 1.0, 2.0), "rule"),
    "no gen": (gedi_terms, Weights(0.0, 1.0, 2.0), None),
    "Barlow Twins": (barlow_twins_terms, Weights(0.0, 1.0, 0.0), None),
    "SwAV": (swav_terms, Weights(0.0, 1.0, 0.0, 0.5), "rule"),
}


def randn(*shape, seed):
    return torch.randn(*shape, dtype=torch.float64, generator=Generator().manual_seed(seed))


def network():
    g = Generator().manual_seed(0)
    return EnergyClassifier(MLP(3, [12], generator=g), 4, generator=g).double()


def observed(kind, x):
    """What is known of the inputs (n, d), an even number of them."""
    classes = (10 * x[:, 0]).long() % 4
    if kind == "labels":
        return Observed(
            x, lambda f: f.log_softmax(-1).gather(-1, classes[:, None]).squeeze(-1).mean(-1)
        )
    rule, codes = sum_rule(2, 4), classes.view(-1, 2).sum(-1)
    return Observed(x, lambda f: rule_log_probability(rule, f, codes).mean(-1))


def loss_and_gradients(name, model, network, share=lambda x: x):
    """Of a case, on this process's share of a batch of 16."""
    method, weights, known = CASES[name]
    x, view, negatives, smoothed, inputs = (share(randn(16, 3, seed=k) + k / 5) for k in range(5))
    no_gen = weights.gen == 0
    terms = method(
        model,
        x,
        view,
        None if no_gen else negatives,
        torch.tensor([0.4, 0.3, 0.2, 0.1], dtype=torch.float64).log(),
        smoothed=None if no_gen else smoothed,
        observed=None if known is None else observed(known, inputs),
    )
    loss = terms.loss(weights)
    network.zero_grad()
    loss.backward()
    return {"loss": loss.detach(), "gradients": [p.grad.clone() for p in network.parameters()]}


def own(place, shape=(3, 4)):
    """What one of the processes has of something."""
    return randn(*shape, seed=100 + place) * 5


def saved(session):
    file = io.BytesIO()
    torch.save(session.state_dict(), file)
    file.seek(0)
    return torch.load(file, weights_only=True)


def session(settings, **arguments):
    return start(Dataset("heaps", heaps()[0]), settings, devices=N, **arguments)


def _exchanges(place):
    x = own(place).requires_grad_()
    value = (mean((x - mean(x)).square()).sqrt().log() + log_mean_exp(x)).square().sum()
    (gradient,) = torch.autograd.grad(value, x)
    a, b = means(x.detach(), 2 * x.detach()[0])
    return {
        "value": value.detach(),
        "gradient": gradient,
        "means": (a, b),
        "gathered": gathered(own(place), -2),
        "share": share_of(torch.arange(7), 0),
        "most": most(float(place)),
        "anywhere": (anywhere(place == 1), anywhere(False)),
        "from first": from_first(f"from {place}"),
        "marginal": log_marginal(own(place)),
    }


def _disagreement(place):
    try:
        agree(f"data {place}", "data set")
    except RunError as error:
        return str(error)
    return None


def _training(name):
    whole, parts = session(SETTINGS[name]), session(SETTINGS[name])
    whole.train()
    parts.train([StopWhen(lambda: parts.state.iteration in (5, 11))])
    first = saved(parts)
    again = session(SETTINGS[name])
    again.load_state_dict(first)
    again.train([StopWhen(lambda: again.state.iteration == 11)])
    second = saved(again)
    last = session(SETTINGS[name])
    last.load_state_dict(second)
    last.train()
    chains = whole.state.buffer.positions.clone()
    return {"first": first, "whole": saved(whole), "parts": saved(last), "chains": chains}


def _stopped_by_one(place):
    training = session(replace(SMALL, max_iter=40))
    ended = training.train([StopWhen(lambda: place == 1 and training.state.iteration == 7)])
    return ended, training.state.iteration


def _out_of_time():
    training = session(replace(SMALL, max_iter=100_000, max_time=0.2))
    return training.train(), training.state.iteration


def _astray_in_one(place):
    training = session(replace(SMALL, max_iter=30))

    def poison(state):
        if place == 1 and state.iteration == 5:
            state.buffer.positions.fill_(torch.nan)

    training.train([Each(poison)])
    done = [(each.iteration, each.action) for each in training.controller.guard.interventions]
    return done, saved(training)["state"]["model"]


def _from_one(state):
    training = session(SETTINGS["restarts"])
    training.load_state_dict(state)
    chains = training.state.buffer.positions.clone()
    draws = torch.rand(3, generator=training.state.generator)
    return chains, draws


def _work(place, port, folder, state):
    torch.set_num_threads(1)
    os.environ |= {
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
        "LOCAL_RANK": str(place),
        "NODE_RANK": "0",
        "WORLD_SIZE": str(N),
    }
    crew = launched("cpu", N, 1)
    found = {"exchanges": _exchanges(place), "disagreement": _disagreement(place)}
    for name in CASES:
        model = network()
        optimizer = torch.optim.Adam(model.parameters())
        wrapped, _ = set_up(crew.fabric, model, optimizer, randn(1, 3, seed=0))
        found[name] = loss_and_gradients(name, wrapped, model, lambda x: share_of(x, 0))
    for name in SETTINGS:
        found[f"training {name}"] = _training(name)
    found["stopped by one"] = _stopped_by_one(place)
    found["out of time"] = _out_of_time()
    found["astray in one"] = _astray_in_one(place)
    found["from one"] = _from_one(state)
    training = session(SETTINGS["restarts"])
    fit = training.run()
    found["fit"] = (fit.collapse_gap, fit.trained.chains, fit.chosen, mean(torch.ones(1)))
    leave()
    torch.save(found, f"{folder}/{place}.pt")


def run_pair(folder, state):
    """All that the two find, the first one's first.

    Args:
        folder: where they leave it.
        state: of a training of one process.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    multiprocessing.spawn(_work, (port, str(folder), state), nprocs=N)
    return [torch.load(f"{folder}/{place}.pt", weights_only=False) for place in range(N)]
