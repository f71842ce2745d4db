"""Blocks of images that are decoded beside each other."""

from concurrent.futures import Executor, Future, ThreadPoolExecutor

import numpy as np
import pytest

from gedi.data.images.pile import Pile
from gedi.data.images.pools import decoded
from small_images import encoded


def pile(images, parts):
    """Images given in several parts."""
    return Pile(
        "set",
        len(images),
        lambda: (list(part) for part in np.split(np.array(images, dtype=object), parts)),
        str,
        list,
    )


def flat(value):
    return encoded(np.full((1, 1), value, np.uint8))


class Slow(Executor):
    """Does nothing until it is asked for the result; counts what is under way."""

    def __init__(self):
        self.under_way, self.most, self.submitted = 0, 0, []

    def submit(self, function, *arguments):
        future = Future()
        self.under_way += 1
        self.most = max(self.most, self.under_way)

        def result(timeout=None):
            self.under_way -= 1
            return function(*arguments)

        future.result = result
        self.submitted.append(future)
        return future


def test_blocks_keep_their_order_and_few_are_under_way(monkeypatch):
    monkeypatch.setattr("gedi.data.images.pools._BLOCK", 3)
    images = pile([flat(i) for i in range(40)], [10, 17, 30])
    with ThreadPoolExecutor(2) as threads:
        for pool in (Slow(), threads):
            blocks = list(decoded(images, None, pool, 2))
            sizes = [3, 3, 3, 1, *(3, 3, 1), *(3, 3, 3, 3, 1), *(3, 3, 3, 1)]
            assert [len(block) for block in blocks] == sizes
            assert [int(x[0, 0, 0]) for block in blocks for x in block] == list(range(40))
    pool = Slow()
    list(decoded(images, None, pool, 2))
    assert pool.most == 4


def test_what_waits_is_given_up_with_the_rest(monkeypatch):
    monkeypatch.setattr("gedi.data.images.pools._BLOCK", 1)
    pool = Slow()
    blocks = decoded(pile([flat(0)] * 9, []), None, pool, 2)
    next(blocks)
    blocks.close()
    assert [future.cancelled() for future in pool.submitted] == [False, True, True, True]


def test_no_images():
    with ThreadPoolExecutor(1) as pool:
        assert list(decoded(pile([], []), None, pool, 1)) == []


@pytest.mark.parametrize("n", [1, 5])
def test_why_an_image_cannot_be_read_takes_its_place(n):
    with ThreadPoolExecutor(1) as pool:
        (block,) = decoded(pile([flat(7)] * n + [b"bad"], []), None, pool, 1)
    assert [isinstance(each, str) for each in block] == [False] * n + [True]
