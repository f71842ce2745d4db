import time

import torch

from gedi.training.operations import Recorder, clock_of


def test_products_are_counted_by_part_and_can_be_called_again():
    x, w = torch.randn(5, 3), torch.randn(3, 4, requires_grad=True)
    recorder = Recorder("first")
    with recorder:
        y = x @ w
        recorder.enter("second")
        y.sum().backward()
    assert recorder.works["first"].flops == recorder.works["second"].flops == 2 * 5 * 3 * 4
    again = [recorder.works[name].products for name in ("first", "second")]
    assert [len(calls) for calls in again] == [1, 1]
    assert again[0][0]().shape == (5, 4) and again[1][0]().shape == (3, 4)


def test_bytes_are_those_taken_and_given_and_views_are_free():
    x, y = torch.randn(100), torch.randn(100)
    with Recorder("all") as recorder:
        x + y
        assert x.view(10, 10).T.shape == (10, 10)
        x[:1].expand(100) + y
    assert recorder.works["all"].bytes == 4 * (300 + 201)


def test_convolutions_and_activations_are_kept_apart():
    x = torch.randn(2, 3, 8, 8, requires_grad=True)
    w = torch.randn(4, 3, 3, 3)
    with Recorder("all") as recorder:
        torch.nn.functional.silu(torch.nn.functional.conv2d(x, w)).sum().backward()
    work = recorder.works["all"]
    assert len(work.products) == len(work.activations) == 2
    assert work.flops == 2 * (2 * 2 * 6 * 6 * 4 * 3 * 9)
    for call in work.products + work.activations:
        call()
    assert work.floor(clock_of(torch.device("cpu"))) > 0


def test_the_processors_time_stands_still_in_sleep():
    cpu = torch.device("cpu")
    wall, processor = clock_of(cpu), clock_of(cpu, processor=True)
    starts = wall(), processor()
    time.sleep(0.2)
    assert wall() - starts[0] >= 0.2
    assert processor() - starts[1] < 0.1
