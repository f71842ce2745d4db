"""Random scenarios for hours: `gedi` killed, in a full folder, beside others, or much asked.

    python benchmarks/soak.py [--hours 6] [--seed 0] [--only NAME ...] [--check]

Each scenario starts `gedi` as processes of their own in a temporary folder. Afterwards no process
that it started may be left, and no temporary file of gedi. All scenarios take turns in a random
order; each gives one row, which is stored at once. A later run of the same seed goes on with other
scenarios than those stored, so the hours can come in pieces. Browsers need chromium and
chromedriver. The exit code is 1 if something was wrong.
"""

import argparse
import os
import re
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import ProxyHandler, build_opener

import numpy as np
import pandas as pd
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

from common import provenance, read, write
from kills import killed_until_ended
from load import table

LONGEST = 300.0  # seconds that a process may take
SOON = 15.0  # seconds in which a process ends after SIGINT, and its children after it
FLAT = 16.0  # MiB by which the memory of a server may grow over all rounds
VISIT = 24.0  # MiB that a visit by a browser may keep; Gradio forgets it an hour after its end
ROUNDS, CLIENTS = 6, 4
VISITS, BROWSERS = 3, 2
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
DRIVER = shutil.which("chromedriver")

WAYS: tuple[list[str], ...] = (
    [],
    ["--weights.gen", "0"],
    ["--sampler.kind", "langevin"],
    ["--sampler.kind", "langevin", "--restarts.n", "3", "--restarts.iterations", "10"],
)
SETTINGS = {
    **{"--n-clusters": ["2", "3", "auto"], "--max-iter": ["10", "30", "100"]},
    **{"--batch-size": ["16", "64", "256"], "--prior": ["uniform", "learned"]},
    "--seed": ["0", "1", "2"],
}


@dataclass
class Scene:
    """The folder, random numbers and processes of one scenario, and what was wrong with them.

    Attributes:
        folder: what the processes write is here, their temporary files included.
        model: a finished run, for scenarios that train nothing.
        MiB: the largest peak of memory of a process.
    """

    folder: Path
    rng: np.random.Generator
    model: Path
    wrong: list[str] = field(default_factory=list)
    processes: list[int] = field(default_factory=list)
    MiB: float = 0.0

    def expect(self, holds: bool, trouble: str) -> None:
        """Note a trouble if something does not hold."""
        if not holds:
            self.wrong.append(trouble)

    def start(self, *arguments: str | Path) -> "subprocess.Popen[str]":
        """Start `gedi` with one thread."""
        (self.folder / "tmp").mkdir(exist_ok=True)
        places = {"TMPDIR": str(self.folder / "tmp"), "XDG_CACHE_HOME": str(self.folder / "cache")}
        process = subprocess.Popen(
            [sys.executable, "-m", "gedi", *map(str, arguments)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=self.folder,
            env={**os.environ, **places, "OMP_NUM_THREADS": "1"},
            start_new_session=True,
        )
        self.processes.append(process.pid)
        threading.Thread(target=self._watch, args=(process.pid,), daemon=True).start()
        return process

    def end(
        self, process: "subprocess.Popen[str]", *codes: int, after: float = LONGEST
    ) -> tuple[int | None, str]:
        """The exit code (None if it was killed after so many seconds) and messages of a process.

        Raises:
            TimeoutError: it did not end in `LONGEST` seconds.
        """
        try:
            errors = process.communicate(timeout=after)[1]
        except subprocess.TimeoutExpired:
            process.kill()
            errors = process.communicate()[1]
            if after == LONGEST:
                raise TimeoutError(f"{process.args} did not end: {errors[-400:]}") from None
            return None, errors
        is_well = process.returncode in codes and "Traceback" not in errors
        self.expect(is_well, f"{process.args} ended with {process.returncode}: {errors[-400:]}")
        return process.returncode, errors

    def run(self, arguments: Sequence[str | Path], *, after: float | None = None) -> int | None:
        """Run a command, killed after so many seconds; its exit code, None if killed."""
        return self.end(self.start(*arguments), 0, after=after or LONGEST)[0]

    def left(self) -> int:
        """Number of processes that are left in the sessions of all commands; they are killed."""
        deadline = time.monotonic() + SOON
        while (left := members(self.processes)) and time.monotonic() < deadline:
            time.sleep(0.1)
        for pid in left:
            os.kill(pid, signal.SIGKILL)
        return len(left)

    def files_left(self) -> list[str]:
        """Temporary files: those of files that were not finished, and all others."""
        folders = (self.folder.rglob(".*.partial"), self.folder.rglob(".*.parts"))
        files = (file for file in (self.folder / "tmp").rglob("*") if file.is_file())
        return sorted(file.name for file in chain(*folders, files))

    def _watch(self, pid: int) -> None:
        while peak := mebibytes(pid, "VmHWM"):
            self.MiB = max(self.MiB, peak)
            time.sleep(0.1)


def mebibytes(pid: int, name: str) -> float:
    """Memory of a process in MiB, by its name in /proc; 0 if it has ended."""
    try:
        found = re.search(rf"{name}:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())
    except OSError:
        return 0.0
    return int(found[1]) / 1024 if found else 0.0


def members(sessions: Sequence[int]) -> list[int]:
    """The living processes of some sessions (Linux)."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # it has ended meanwhile
            state, _, _, session = stat.read_text().rpartition(")")[2].split()[:4]
            if int(session) in sessions and state != "Z":
                found.append(int(stat.parent.name))
    return found


# Scenarios: each returns what happened, in a few words.


def killed(scene: Scene) -> str:
    """A training is killed at random moments and resumed until it ends; then it predicts."""
    train, out = training(scene), scene.folder / "run"
    found = killed_until_ended(
        train, out, 20.0, int(scene.rng.integers(1, 4)), scene.rng, run=scene.run
    )
    scene.run(["predict", out, train[1], "--out", "clusters.csv"])
    return f"{found.kills} kills, {found.within_files} during a write"


def side_by_side(scene: Scene) -> str:
    """Two trainings into one folder: one is refused, the other ends well."""
    train = [*training(scene), "--out", "run"]
    first = scene.start(*train)
    time.sleep(scene.rng.uniform(0, 5))
    second = scene.start(*train)
    both = [scene.end(process, 0, 2) for process in (first, second)]
    refused = [errors for code, errors in both if code == 2]
    scene.expect(len(refused) == 1, f"{len(refused)} of two trainings refused")
    reasons = ("another process is training in this folder", "already exists")
    which = [reason for reason in reasons if reason in "".join(refused)]
    scene.expect(bool(which), f"refused without a reason: {refused}")
    scene.run(["predict", "run", train[1], "--out", "clusters.csv"])
    return f"one refused: {' '.join(which)}"


def full_disk(scene: Scene) -> str:
    """No file may become longer than a random limit; once there is room, the training goes on."""
    train, out = training(scene), scene.folder / "run"
    most = int(2 ** scene.rng.uniform(8, 19))
    process = scene.start(*train, "--out", out)
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (most, most))
    code, errors = scene.end(process, 0, 2)
    what = "ended at once"
    if code != 0:
        scene.expect("make room" in errors, f"refused without advice: {errors[-400:]}")
        what = "resumed" if (out / "settings.yaml").exists() else "trained again"
        killed_until_ended(train, out, 0.0, 0, scene.rng, run=scene.run)
    scene.run(["predict", out, train[1], "--out", "clusters.csv"])
    return f"{most} bytes a file: {what}"


def growing_file(scene: Scene) -> str:
    """A file that grows while it is read: refused, or rows as of the file when it is complete."""
    file = scene.folder / "growing.csv"
    frame = pd.DataFrame(table(int(scene.rng.integers(1000)), 60_000, 3), columns=list("abc"))
    text = frame.to_csv(index=False)
    size = len(text) // 3
    file.write_text(text[:size], encoding="utf-8")
    first = scene.start("predict", scene.model, file, "--out", "first.csv")
    until = time.monotonic() + scene.rng.uniform(5, 40)
    with file.open("a", encoding="utf-8") as stream:
        while first.poll() is None and time.monotonic() < until:
            more = int(scene.rng.integers(1, 1000))  # ends within a row, and within a number
            stream.write(text[size : size + more])
            stream.flush()
            size += more
            time.sleep(0.01)
        stream.write(text[size : text.find("\n", size) + 1])  # a writer ends its last row
    code, errors = scene.end(first, 0, 2)
    file.write_text(text, encoding="utf-8")
    scene.run(["predict", scene.model, file, "--out", "whole.csv"])
    whole = pd.read_csv(scene.folder / "whole.csv")
    scene.expect(len(whole) == len(frame), f"{len(whole)} of {len(frame)} rows predicted")
    if code == 0:
        rows = pd.read_csv(scene.folder / "first.csv")
        same = np.isclose(rows, whole[: len(rows)], rtol=1e-4, atol=1e-4).all(1)
        scene.expect(bool(same.all()), f"torn rows in the output: {np.flatnonzero(~same)}")
        return f"{len(rows)} rows predicted"
    scene.expect(not (scene.folder / "first.csv").exists(), "refused, but there is an output")
    return f"refused: {errors.strip().rpartition(file.name)[2]}"


def explorer(scene: Scene) -> str:
    """Several clients ask the explorer at once; it stays as large, and ends at Ctrl-C."""
    server, address = serving(scene)
    sizes = []
    with ThreadPoolExecutor(CLIENTS) as pool:
        for _ in range(ROUNDS):
            pages = [address, f"{address}config"] * (2 * CLIENTS)
            scene.expect(all(pool.map(is_served, pages)), "a page was not served")
            sizes.append(mebibytes(server.pid, "VmRSS"))
    return f"{CLIENTS} clients, {ended(scene, server, address, sizes, most=FLAT)}"


def browsers(scene: Scene) -> str:
    """Several browsers open the explorer and its tabs again and again; a visit keeps little."""
    server, address = serving(scene)
    sizes = []
    with ThreadPoolExecutor(BROWSERS) as pool, ExitStack() as stack:
        opened = [stack.enter_context(browser()) for _ in range(BROWSERS)]
        for _ in range(VISITS):
            troubles = pool.map(lambda driver: visited(driver, address), opened)
            for trouble in filter(None, troubles):
                scene.expect(False, trouble)
            sizes.append(mebibytes(server.pid, "VmRSS"))
    most = VISIT * BROWSERS * (VISITS - 2)
    return f"{BROWSERS} browsers, {ended(scene, server, address, sizes, most=most)}"


def serving(scene: Scene) -> tuple["subprocess.Popen[str]", str]:
    """A process of the explorer, and its address."""
    server = scene.start("explore", scene.model, "--no-browser")
    assert server.stdout is not None
    timer = threading.Timer(LONGEST, server.kill)
    timer.start()
    said = next((line for line in server.stdout if line.startswith("http")), "no address")
    timer.cancel()
    return server, said.split()[0]


def ended(
    scene: Scene,
    server: "subprocess.Popen[str]",
    address: str,
    sizes: Sequence[float],
    *,
    most: float,
) -> str:
    """End an explorer by SIGINT; how much it had grown since the first round, and how it ended."""
    grown = max(sizes) - sizes[1]  # the first round fills caches
    scene.expect(grown < most, f"memory grew from round to round: {sizes} MiB")
    server.send_signal(signal.SIGINT)
    asked = time.monotonic()
    scene.end(server, 0)
    seconds = time.monotonic() - asked
    scene.expect(seconds < SOON, f"{seconds:.0f} s from SIGINT to its end")
    with socket.socket() as one:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        one.bind(("127.0.0.1", urlsplit(address).port))  # refused if something still listens
    return f"{grown:+.1f} MiB, ended after {seconds:.1f} s"


@contextmanager
def browser() -> Iterator[webdriver.Chrome]:
    """A browser without a window."""
    options = webdriver.ChromeOptions()
    for flag in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage"):
        options.add_argument(flag)
    options.binary_location = str(CHROMIUM)
    driver = webdriver.Chrome(options, webdriver.ChromeService(DRIVER))
    try:
        yield driver
    finally:
        driver.quit()


def visited(driver: webdriver.Chrome, address: str) -> str | None:
    """Open the page and each of its tabs; what went wrong."""
    driver.get(address)
    wait = WebDriverWait(driver, LONGEST)
    tabs = wait.until(lambda seen: seen.find_elements(By.CSS_SELECTOR, "button[role=tab]"))
    wait.until(lambda seen: seen.find_elements(By.CSS_SELECTOR, "#map iframe"))
    for name in [tab.text for tab in tabs if tab.is_displayed()]:
        driver.find_element(By.XPATH, f"//button[@role='tab' and text()='{name}']").click()
        time.sleep(0.2)
    if driver.find_elements(By.CSS_SELECTOR, ".toast-body.error"):
        return "the page shows an error"
    return None


SCENARIOS: dict[str, Callable[[Scene], str]] = {
    "a training killed and resumed": killed,
    "two trainings into one folder": side_by_side,
    "a training on a full disk": full_disk,
    "a file that grows while it is read": growing_file,
    "an explorer with several clients": explorer,
    "an explorer with several browsers": browsers,
}


def possible() -> list[str]:
    """The scenarios that can be played here; it is said if browsers are missing."""
    if CHROMIUM and DRIVER:
        return list(SCENARIOS)
    print("no chromium and chromedriver: no scenario with browsers", file=sys.stderr)
    return [name for name, scenario in SCENARIOS.items() if scenario is not browsers]


def is_served(address: str) -> bool:
    """Whether a page answers, asked without a proxy."""
    with build_opener(ProxyHandler({})).open(address, timeout=60) as answer:
        return answer.status == 200 and len(answer.read()) > 0


def training(scene: Scene) -> list[str]:
    """A command that trains on a random small table, with random settings."""
    rng, n = scene.rng, int(scene.rng.integers(40, 600))
    x = table(int(rng.integers(1000)), n, int(rng.integers(1, 7)))
    frame = pd.DataFrame(x, columns=[f"x{j}" for j in range(x.shape[1])])
    others = {
        "category": rng.choice(["red", "green", "blue"], n),
        "flag": rng.choice([True, False], n),
        "date": pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.integers(0, 900, n), unit="D"),
        "gaps": np.where(rng.random(n) < 0.1, np.nan, x[:, 0]),
    }
    for name in rng.choice(list(others), int(rng.integers(0, 3)), replace=False):
        frame[str(name)] = others[str(name)]
    file = scene.folder / f"table.{rng.choice(['csv', 'parquet'])}"
    frame.to_csv(file, index=False) if file.suffix == ".csv" else frame.to_parquet(file)
    drawn = [word for name, some in SETTINGS.items() for word in (name, str(rng.choice(some)))]
    way = WAYS[int(rng.integers(len(WAYS)))]
    return ["train", str(file), *drawn, *way, "--checkpoint-every", "0"]


def played(name: str, scene: Scene) -> dict[str, object]:
    """Run a scenario, and return what is stored of it."""
    began, outcome = time.monotonic(), "not ended"
    try:
        outcome = SCENARIOS[name](scene)
    except (Exception, SystemExit):
        scene.wrong.append(traceback.format_exc(limit=-2))
    seconds = round(time.monotonic() - began, 1)
    left, files = scene.left(), scene.files_left()
    scene.expect(not left, f"{left} processes are left")
    scene.expect(not files, f"temporary files are left: {files}")
    row = {"scenario": name, "seconds": seconds, "outcome": outcome, "wrong": scene.wrong}
    return row | {"left": left, "MiB": round(scene.MiB, 1)}


def main() -> None:
    """Play scenarios until the time is over."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hours", type=float, default=6.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", nargs="+", choices=SCENARIOS, default=possible())
    parser.add_argument("--check", action="store_true", help="store nothing")
    options = parser.parse_args()
    # A shell that starts this in the background lets it, and what it starts, ignore SIGINT.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    stored = (row["seed"] for row in read("soak"))
    number = max((own for seed, own in stored if seed == options.seed), default=-1) + 1
    number, n_wrong = 0 if options.check else number, 0
    rng = np.random.default_rng([options.seed, number])
    with tempfile.TemporaryDirectory() as root:
        model = Path(root, "model")
        ready = Scene(Path(root), rng, model)
        pd.DataFrame(table(0, 400, 3), columns=list("abc")).to_csv(Path(root, "t.csv"), index=False)
        ready.run(["train", "t.csv", "--n-clusters", "3", "--max-iter", "20", "--out", model])
        end = time.monotonic() + 3600 * options.hours
        while time.monotonic() < end:
            for name in rng.permutation(options.only):
                with tempfile.TemporaryDirectory(dir=root) as folder:
                    seeds = [options.seed, number]
                    scene = Scene(Path(folder), np.random.default_rng(seeds), model)
                    row = played(str(name), scene) | {"seed": seeds, **provenance()}
                number, n_wrong = number + 1, n_wrong + bool(scene.wrong)
                print(row, flush=True) if options.check else write("soak", row)
                if time.monotonic() >= end:
                    break
    print(f"{number} scenarios with those stored before; something was wrong in {n_wrong} new ones")
    sys.exit(1 if n_wrong else 0)


if __name__ == "__main__":
    main()
