"""What rules cost: to compile once, and for each batch, forward and backward.

    python benchmarks/rules.py [--repeats 200] [--threads 1] [--device cpu]

Batches are of random logits in float32, outcomes by turns; their softmax is part of the time. The
first compilation, which also imports the libraries, and the first batch are not counted.
"""

import argparse
import time
from collections.abc import Callable
from statistics import median

import torch

from common import missing, provenance, write
from gedi.rules import CircuitRule, Rule, SymbolicRule, sum_rule

SEED = 0
SUDOKU = [
    *([4 * row + column for column in range(4)] for row in range(4)),
    *([4 * row + column for row in range(4)] for column in range(4)),
    *([8 * a + 2 * b + 4 * (i // 2) + i % 2 for i in range(4)] for a in (0, 1) for b in (0, 1)),
]
CASES: dict[str, tuple[Callable[[], SymbolicRule], int]] = {
    "sum of two digits, listed": (
        lambda: Rule(lambda a, b, s: a + b == s, {"a": range(10), "b": range(10), "s": range(19)}),
        128,
    ),
    "sum of eight digits, folded": (lambda: sum_rule(8, 10), 128),
    "4x4 Sudoku, circuit": (lambda: CircuitRule.all_different(SUDOKU, 16, 4), 64),
}


def seconds(call: Callable[[], object], repeats: int, device: torch.device) -> list[float]:
    """Seconds of each call after the first."""
    found = []
    for _ in range(repeats + 1):
        start = time.perf_counter()
        call()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        found.append(time.perf_counter() - start)
    return found[1:]


def evaluation(rule: SymbolicRule, batch: int, device: torch.device) -> Callable[[], None]:
    """One batch, forward and backward."""
    generator = torch.Generator().manual_seed(SEED)
    logits = torch.randn(batch, rule.n_symbols, rule.n_values, generator=generator)
    logits = logits.to(device).requires_grad_()
    outcomes = [rule.outcomes[i % len(rule.outcomes)] for i in range(batch)]
    codes = rule.encode(outcomes).to(device)

    def evaluate() -> None:
        logits.grad = None
        rule.log_probability(logits.log_softmax(-1), codes).sum().backward()

    return evaluate


def main() -> None:
    """Fill the cells that are not there yet."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", nargs="+", default=list(CASES), choices=list(CASES))
    parser.add_argument("--repeats", type=int, default=200)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    device = torch.device(options.device)
    where = torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU"
    for name in options.cases:
        if not missing("rules", rule=name, device=where):
            continue
        compiled, batch = CASES[name]
        compiling = seconds(compiled, 5, torch.device("cpu"))
        found = seconds(evaluation(compiled(), batch, device), options.repeats, device)
        row = {
            "batch": batch,
            "repeats": options.repeats,
            "seed": SEED,
            "compile_ms": 1000 * median(compiling),
            "batch_ms": {"median": 1000 * median(found), "least": 1000 * min(found)},
        }
        write("rules", {"rule": name, "device": where, **row, **provenance()})


if __name__ == "__main__":
    main()
