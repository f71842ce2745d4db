"""The run folder: what is written comes back, and damaged files are told."""

import csv
import json
from dataclasses import asdict, replace

import numpy as np
import pytest
import torch

from gedi.data.dataset import Dataset
from gedi.data.source import Source
from gedi.errors import DataError, RunError
from gedi.partitions import NumberOfClusters
from gedi.runs import Run
from gedi.settings import EncoderSettings
from gedi.training.session import start
from small_trainings import SMALL, heaps

DATASET = Dataset("heaps", heaps()[0], feature_names=("a", "b"))


@pytest.fixture(scope="module")
def session():
    session = start(DATASET, SMALL)
    session.run()
    return session


@pytest.fixture
def run(session, tmp_path):
    run = Run.create(
        tmp_path / "run", Source("heaps.csv"), DATASET, session.settings, overwrite=False
    )
    run.save_model(session.trained_model())
    run.checkpoints.save(session.state.iteration, session.state_dict())
    return run


def test_a_model_comes_back_as_it_was(run, session):
    before, after = session.trained_model(), Run.open(run.path).load_model()
    x = heaps(50)[0]
    for mine, theirs in zip(before.predict(x), after.predict(x), strict=True):
        np.testing.assert_array_equal(mine, theirs)
    one, other = (
        model.sample(20, generator=torch.Generator().manual_seed(1), n_steps=3)[0]
        for model in (before, after)
    )
    np.testing.assert_array_equal(one, other)


def test_how_the_number_of_clusters_was_found_is_kept(session, tmp_path):
    number = NumberOfClusters(2, {2: 0.0, 3: -0.05}, None, np.array([0, 1]))
    path = tmp_path / "run"
    settings = session.settings
    run = Run.create(path, Source("x"), DATASET, settings, number=number, overwrite=False)
    assert Run.open(path).number == run.number == str(number)
    content = json.loads((path / "run.json").read_text())
    assert content["number_scores"] == {"2": 0.0, "3": -0.05}
    (path / "run.json").write_text(json.dumps(content | {"number": 3}))
    with pytest.raises(RunError, match="number: expected a sentence"):
        Run.open(path)


def test_a_model_of_convolutions_comes_back(tmp_path):
    x = np.random.default_rng(0).integers(0, 256, size=(16, 64), dtype=np.uint8)
    dataset = Dataset("images", x, image_shape=(1, 8, 8), value_range=(0.0, 255.0))
    settings = replace(SMALL, max_iter=1, batch_size=8, encoder=EncoderSettings(kind="conv"))
    session = start(dataset, settings)
    run = Run.create(tmp_path / "run", Source("x"), dataset, session.settings, overwrite=False)
    trained = session.run().trained
    run.save_model(trained)
    back = Run.open(run.path).load_model()
    np.testing.assert_array_equal(back.predict(x).energy, trained.predict(x).energy)


def test_settings_and_facts_come_back(run, session):
    again = Run.open(run.path)
    assert again.settings() == session.settings
    assert (again.n_features, again.feature_names, again.image_shape) == (2, ("a", "b"), None)


def rows(run):
    with (run.path / "metrics.csv").open(newline="") as stream:
        return [
            {name: float(value) for name, value in row.items()} for row in csv.DictReader(stream)
        ]


def test_metrics_are_rows_of_numbers(run):
    records = [{"iteration": 10, "gap": 0.5}, {"iteration": 20, "gap": 0.1}]
    for record in records:
        run.append_metrics(record)
    assert rows(run) == records
    run.write_metrics(records[:1])
    assert rows(run) == records[:1]
    run.append_metrics(records[1])
    assert rows(run) == records
    run.write_metrics([])
    run.append_metrics(records[1])
    assert rows(run) == records[1:]


@pytest.mark.parametrize("keep", [0, 1, 0.5])
@pytest.mark.parametrize(
    ("name", "read"),
    [
        ("model.safetensors", Run.load_model),
        ("run.json", lambda run: Run.open(run.path)),
    ],
)
def test_a_torn_file_is_told(run, name, read, keep):
    file = run.path / name
    content = file.read_bytes()
    file.write_bytes(content[: keep if isinstance(keep, int) else len(content) // 2])
    with pytest.raises(RunError, match=name):
        read(run)


def test_damaged_settings_are_told(run):
    (run.path / "settings.yaml").write_text("n_clusters: [")
    with pytest.raises(RunError, match=r"settings\.yaml"):
        run.settings()


def test_nothing_is_overwritten_unasked(run, session):
    arguments = (Source("heaps.csv"), DATASET, session.settings)
    with pytest.raises(RunError, match="--overwrite"):
        Run.create(run.path, *arguments, overwrite=False)
    (run.path / "own.txt").write_text("mine")
    (run.path / "features.safetensors").write_text("of other images")
    Run.create(run.path, *arguments, overwrite=True)
    assert not (run.path / "model.safetensors").exists()
    assert not (run.path / "features.safetensors").exists()
    assert (run.path / "own.txt").read_text() == "mine"


def test_a_folder_that_is_no_run_is_never_cleared(tmp_path, session):
    (tmp_path / "own.txt").write_text("mine")
    with pytest.raises(RunError, match="not a run folder"):
        Run.create(tmp_path, Source("x"), DATASET, session.settings, overwrite=True)
    assert (tmp_path / "own.txt").exists()


def test_new_tables_are_read_by_the_names_of_their_columns(run, tmp_path):
    table = tmp_path / "new.csv"
    table.write_text("b,other,a\n1,9,2\n")
    np.testing.assert_array_equal(run.new_data(str(table)).x, [[2, 1]])
    np.save(tmp_path / "wide.npy", np.ones((4, 3)))
    with pytest.raises(DataError, match="expected 2 features"):
        run.new_data(str(tmp_path / "wide.npy"))


def test_source_loads_what_it_says():
    source = Source("moons", n_points=30, seed=4)
    assert source.read().x.shape == (30, 2)
    assert Source(**asdict(source)) == source
