"""The options of all subcommands. Nothing here imports torch, so that `--help` is fast."""

import functools
import gc
import sys
from argparse import SUPPRESS, Action, ArgumentError
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

from jsonargparse import (  # type: ignore[attr-defined]
    ActionConfigFile,
    ArgumentParser,
    Namespace,
)
from jsonargparse.typing import NonNegativeFloat, PositiveInt

import gedi
from gedi.cli.suggestions import with_suggestion
from gedi.data.source import OPTIONS, TABLE_OPTIONS
from gedi.errors import SettingsError
from gedi.experiments.comparisons import Budget, PresetName, TableName, TaskName
from gedi.settings import Settings
from gedi.untrusted import yaml_of

__all__ = ["build_parser", "parse"]

Command = Callable[[Namespace], int]

# The options that `--help` shows for commands that take all settings; `--help-all` shows the rest.
_USUAL: Mapping[str, Sequence[str]] = {
    "data": [
        "data",
        "--text",
        "--features",
        "--label",
        "--drop",
        "--columns",
        "--image-size",
        "--streaming",
    ],
    "clusters": ["--n-clusters", "--prior", "--like"],
    "length": ["--max-time", "--max-iter", "--seed"],
    "output": ["--out", "--overwrite"],
    "machine": ["--device", "--devices"],
    "settings": ["--config", "--print-config", "--help", "--help-all"],
}
_MORE = (
    "All other settings (weights, network, chains, views, restarts) have defaults, most of them "
    "chosen from the data: --help-all lists them."
)
_MOST_VALUES = 2000  # in a file of settings; jsonargparse needs seconds for longer lists

_DESCRIPTION = """\
One network, trained without labels, that clusters, scores and generates.

  gedi train digits                        train on scikit-learn's digits, and write a report
  gedi train table.csv --n-clusters 5      train on your own table
  gedi train tickets.csv --text body       group texts by their meaning
  gedi train photos/ --features auto       group photographs by what they show
  gedi predict runs/table new.csv          cluster and score new rows
  gedi update runs/table more.csv          learn new rows, and show what has changed
  gedi sample runs/table -n 64             draw new points
  gedi explore runs/table                  look at the result in a browser
"""

_TRAIN = """\
Train a model on a built-in data set (moons, circles, digits), an array (.npy, .npz), a table (.csv,
.tsv, .txt, .xlsx, .parquet, .feather, .orc, .json, .jsonl; perhaps packed, several in a folder, or
a pattern such as "data/*.csv"), a folder of images, or images from the Hugging Face hub (mnist,
cifar10, cifar100, svhn, or hf://owner/name), and write a run folder with a report.

Numbers, categories, dates and flags of a table become features, and missing values are filled in;
the first lines of the output say what was done with each column, and --columns changes it.

Texts (a column of a table, --text, or the lines of a .txt file) and images with --features are
first turned into vectors by a pretrained network. This needs an extra: pip install 'gedi[text]' or
'gedi[vision]'. The vectors are kept in the run folder. --text takes the texts alone; with
--columns NAME=text they become some columns among the other ones of the table.

Labels are never used for training. If there are labels, the report compares the clusters with them.
Settings can be read from a YAML file (--config), and options override them; --print-config prints
them all. JEM without labels: --weights.inv 0 --weights.prior 0; GEDI no gen: --weights.gen 0.
"""

_UPDATE = """\
Train on the data of a run and on new rows, and write a new run folder. Clusters of the run keep
their numbers and names. Dense groups of new rows where it had no rows become new clusters.
Afterwards it prints what has changed: how many of the new rows are outliers, and which clusters
grew, shrank, moved, appeared or vanished. The columns of the new rows are read as in the training.
"""

_PROFILE = """\
Run a few iterations of a training, and print where their time goes. Data and settings are those of
`gedi train`. Each part is compared with its floor: the time that its matrix products and
convolutions take alone, with the same shapes and threads.
"""

_SWEEP = """\
How many clusters? For each number, train networks on different halves of the data. A number stands
out if all halves lead to the same clusters, and finer clusters carry hardly more information about
points that were not trained on. If no number stands out, the page says so.

This needs --n-parts trainings for each number; --max-iter or --max-time make them shorter. Each
training is kept when it ends: run the same command again to continue an interrupted sweep, or
with more numbers to extend it.
"""

_REPRODUCE = """\
Train and measure GEDI, GEDI no gen, JEM, Barlow Twins and SwAV with the same data, encoder, views
and budget, and print a table. Every cell (method, data, seed) has a run folder of its own. Run the
same command again to continue after an interruption: finished cells are not trained again.
"""

_EVALUATE = """\
Measure a trained model. The data are those of --data; without it, the data that the model was
trained on (for moons and circles, new points).
"""

_PREDICT = """\
Write a table with one line for each point: its file (for a folder of images), its cluster, the
probability of each cluster, and its log-density in nats (above two dimensions up to a constant).
Also: outlier_score, how typical the point is (outliers are far below 0); p_value, the share of
training points that are at least as unusual; and confidence, how sure the cluster is (below 0.5:
not sure). These are left out for models of streamed images, and of fewer than 60 images.

The columns of a table are found by their names, and read as in the training. Tables (but .json and
.xlsx) and .npy files may be larger than memory. Run the same command again to continue after an
interruption.
"""

_IMPUTE = """\
Fill in the missing values of a table from the density of a model that was trained on such a table,
given the values that are there. Numbers and dates get their conditional mean, rounded where the
training has whole numbers or days alone; categories and flags get the most probable value. Behind
each column with missing values follows NAME_error: the standard deviation, in days for dates, and
for categories and flags the probability of another value; 0 where the value is known. The other
columns are written as they are; numbers in text become plain numbers.
"""

_SAMPLE = """\
Draw points with Langevin chains, and write them as two arrays: x, which is (n, d), or (n, C, H, W)
for images; and cluster, (n,). For texts and photographs, x holds features; nearest_row and nearest
say which row of the data is most similar.
"""

_EXPLORE = """\
Look at a trained model in a browser: the points of each cluster, your own points, samples while
they form, missing parts filled in, and names for clusters. The page is served on this machine only,
until Ctrl-C. This needs an extra: pip install 'gedi[explore]'
"""

_EXPORT = """\
Write a trained model as one ONNX file, with which other programs cluster and score points without
gedi or torch. Its input is x in the units of your data, float64, (n, d) or (n, C, H, W), and for
tables with categories also their text. Its outputs are those of `gedi predict`: cluster,
probabilities, energy, log_density, outlier_score, p_value and confidence. The file lacks
log_density if log Z is not known, and the last three for images. The outputs are compared with
those of PyTorch on random points. This needs an extra: pip install 'gedi[export]'
"""

_CARD = """\
Write a model card, README.md, as the Hugging Face hub shows it: the data and what was done with
their columns, the clusters, figures that say whether to trust them, and what the model must not be
used for. Nothing but the run folder is read, and no row of the data is quoted.
"""

_DOCTOR = """\
Without a run folder: print versions, devices, memory, and what optional features need.
With a run folder: print what is wrong with its training, where to see it, and what to change.
"""

_COMPLETION = """\
Print a script with which a shell completes commands and options. For bash, run
eval "$(gedi completion bash)". This needs an extra: pip install 'gedi[completion]'
"""


def build_parser(*names: str) -> ArgumentParser:
    """Build the parser with all subcommands, or only with some, which takes less time."""
    parser = ArgumentParser(
        prog="gedi", description=_DESCRIPTION, version=gedi.__version__, exit_on_error=False
    )
    parser.formatter_class = _formatter()
    commands = parser.add_subcommands(dest="command")
    for name, (build, summary) in _COMMANDS.items():
        if not names or name in names:
            commands.add_subcommand(name, _with_dashes(build()), help=summary)
    return parser


def parse(arguments: Sequence[str] | None) -> tuple[Command, Namespace]:
    """Return the function of the chosen subcommand, and its options.

    Raises:
        SettingsError: if a command or option does not exist, or a value is not valid.
    """
    typed = sys.argv[1:] if arguments is None else list(arguments)
    if not typed:
        build_parser().print_help(sys.stderr)
        raise SettingsError("expected a command, such as: gedi train table.csv --n-clusters 5")
    try:
        options = build_parser(*_COMMANDS.keys() & typed[:1]).parse_args(typed)
    except ArgumentError as error:
        message = with_suggestion(str(error), typed, _options())
        raise SettingsError(f"{message}; `gedi COMMAND --help` lists the options") from error
    name = options.command
    command: Command = _imported(f"gedi.cli.{name}").run
    return command, options[name]


def _imported(name: str) -> ModuleType:
    """A module, imported without looking for garbage among what it defines, which takes time."""
    if name in sys.modules:
        return sys.modules[name]
    gc.disable()
    try:
        module = import_module(name)
        gc.freeze()
    finally:
        gc.enable()
    return module


@functools.cache
def _options() -> dict[str, set[str]]:
    """The options of each subcommand."""
    subcommands = build_parser()._subcommands_action
    assert subcommands is not None
    parsers = subcommands._name_parser_map
    return {name: set(parser._option_string_actions) for name, parser in parsers.items()}


class _ConfigFile(ActionConfigFile):
    """Reads settings from a file, which is checked before jsonargparse resolves its aliases."""

    for_sweep = False

    def __call__(self, parser: Any, cfg: Any, values: Any, option_string: str | None = None) -> Any:
        path = Path(values)
        try:
            tree = yaml_of(path, most_values=_MOST_VALUES)
        except (OSError, ValueError) as error:
            raise SettingsError(f"--config: {path}: cannot be read: {error}") from error
        if not isinstance(tree, dict):
            raise SettingsError(f"--config: {path}: expected settings as names with values")
        number = tree.get("n_clusters")
        if number is not None and not isinstance(number, list) and self.for_sweep:
            raise SettingsError(
                f"--config: {path}: n_clusters: expected a list, since a sweep tries several "
                f"numbers, got {number!r}: remove it from the file, and give --n-clusters 2 3 4"
            )
        return super().__call__(parser, cfg, values, option_string)  # type: ignore[no-untyped-call]


class _SweepConfigFile(_ConfigFile):
    """Reads the settings of a sweep: all except the number of clusters."""

    for_sweep = True


def _train() -> ArgumentParser:
    parser = _subparser(_TRAIN, usual=_USUAL)
    _data_and_settings(parser)
    parser.add_argument(
        "--like",
        type=str | None,
        help="run folder of an earlier training: clusters that are still the same keep their "
        "numbers; useful when the data have grown",
    )
    parser.add_argument(
        "--out", type=str | None, help="run folder to write; by default runs/NAME, after the data"
    )
    parser.add_argument("--overwrite", action="store_true", help="replace an existing run in --out")
    _checkpoint_every(parser)
    _processes(parser)
    return parser


def _update() -> ArgumentParser:
    parser = _subparser(_UPDATE)
    _run_folder(parser)
    parser.add_argument("data", type=str, help="file or folder with the new rows, as for train")
    parser.add_argument(
        "--out",
        type=str | None,
        help="run folder to write; by default the name of the run with -2, or the next free number",
    )
    parser.add_argument(
        "--max-time", type=float | None, help="limit in seconds; by default that of the run"
    )
    parser.add_argument("--seed", type=int | None, help="seed; by default that of the run")
    parser.add_argument("--overwrite", action="store_true", help="replace an existing run in --out")
    return parser


def _sweep() -> ArgumentParser:
    parser = _subparser(_SWEEP, usual=_USUAL)
    _data(parser, _SweepConfigFile)
    parser.add_argument(
        "--n-clusters",
        type=int,
        nargs="+",
        default=[2, 3, 4, 5, 6, 7, 8],
        help="numbers of clusters to try",
    )
    parser.add_argument(
        "--n-parts",
        type=int,
        default=3,
        help="number of halves of the data to train on, for each number of clusters; more make the "
        "comparison more reliable",
    )
    parser.add_argument(
        "--out", type=str | None, help="folder to write; by default runs/NAME-sweep"
    )
    parser.add_class_arguments(Settings, as_group=False, skip={"n_clusters"})
    return parser


def _profile() -> ArgumentParser:
    parser = _subparser(_PROFILE, usual=_USUAL)
    _data_and_settings(parser)
    parser.add_argument(
        "--side-by-side",
        action="store_true",
        help="measure all restarts, which train side by side, instead of the chosen one",
    )
    parser.add_argument(
        "--cycles",
        type=int,
        default=10,
        help="number of cycles to measure; in each, the chains move once (see sampler.every)",
    )
    parser.add_argument(
        "--threads", type=int | None, help="number of CPU threads; by default that of torch"
    )
    parser.add_argument(
        "--processor-time",
        action="store_true",
        help="measure processor time instead of wall-clock time, for machines that are busy",
    )
    _output(parser, "also write the figures to a file (.json)")
    return parser


def _resume() -> ArgumentParser:
    parser = _subparser("Continue a training from its last checkpoint, with the same settings.")
    _run_folder(parser)
    _checkpoint_every(parser)
    _processes(parser)
    return parser


def _evaluate() -> ArgumentParser:
    parser = _subparser(_EVALUATE)
    _run_folder(parser)
    parser.add_argument(
        "--data", type=str | None, help="file or folder to measure on, instead of the training data"
    )
    _source_options(parser, "label", "split", "skip_bad", "text", *TABLE_OPTIONS)
    parser.add_argument(
        "--measure",
        choices=["clustering", "embedding", "generation", "ood"],
        nargs="+",
        default=["clustering"],
        help="clustering: clusters, collapse gap and density; embedding: how well it separates "
        "labelled classes; generation: samples compared with images; ood: how well scores detect "
        "outliers",
    )
    parser.add_argument(
        "--against",
        type=str,
        nargs="+",
        help="for ood: additional sets of outliers, as PATH or NAME=PATH",
    )
    parser.add_argument(
        "--features",
        type=str | None,
        help="for generation: network whose features are compared: inception, a file of its "
        "weights (.pth), a feature network (.safetensors), or the folder of one, in which a "
        "network is trained with the labels of the training data if there is none; by default the "
        "run folder",
    )
    parser.add_argument(
        "--n-samples",
        type=int | None,
        help="largest number of points of each set; by default 1000 for generation, 5000 for ood",
    )
    parser.add_argument(
        "--n-steps",
        type=int | None,
        help="for generation: rounds of moves for each sample; by default enough for 400 Langevin "
        "steps",
    )
    parser.add_argument("--seed", type=int, default=0, help="seed of the random numbers")
    _output(parser, "also write the figures to a file (.json)")
    return parser


def _predict() -> ArgumentParser:
    parser = _subparser(_PREDICT)
    _run_folder(parser)
    parser.add_argument("data", type=str, help="file or folder with the points, as for train")
    _source_options(parser, "split", "skip_bad", "text", *TABLE_OPTIONS)
    _output(
        parser, "file to write (.csv or .parquet); by default NAME-clusters.csv, after the data"
    )
    parser.add_argument(
        "--explain",
        action="store_true",
        help="for tables: write why each row is unusual, what each column contributes in nats, and "
        "what would be typical",
    )
    return parser


def _impute() -> ArgumentParser:
    parser = _subparser(_IMPUTE)
    _run_folder(parser)
    parser.add_argument("data", type=str, help="table with the columns of the training")
    _source_options(parser, *TABLE_OPTIONS)
    _output(parser, "file to write (.csv or .parquet)", "filled.csv")
    parser.add_argument(
        "--draw",
        action="store_true",
        help="draw the values instead of writing the most likely ones; several files with a --seed "
        "each show what the missing values leave open (multiple imputation)",
    )
    parser.add_argument("--seed", type=int, default=0, help="seed of the random numbers")
    return parser


def _sample() -> ArgumentParser:
    parser = _subparser(_SAMPLE)
    _run_folder(parser)
    parser.add_argument("-n", "--n", type=int, default=64, help="number of points to draw")
    parser.add_argument(
        "--cluster",
        type=int | None,
        help="draw only from this cluster, p(x|y); by default from p(x)",
    )
    _output(parser, "file to write (.npz; for tables also .csv or .parquet)", "samples.npz")
    parser.add_argument(
        "--n-steps",
        type=int,
        default=100,
        help="rounds of moves of each chain, where chains draw the samples, as for images; more "
        "bring samples closer to the density of the model",
    )
    parser.add_argument(
        "--denoise",
        type=bool,
        default=True,
        help="remove the noise that training adds to images",
    )
    parser.add_argument("--seed", type=int, default=0, help="seed of the random numbers")
    parser.add_argument(
        "--decoder",
        type=str | None,
        help="package.module:function that turns features (n, d) into n texts or arrays, stored as "
        "`decoded`; for models of texts and photographs",
    )
    return parser


def _explore() -> ArgumentParser:
    parser = _subparser(_EXPLORE)
    _run_folder(parser)
    parser.add_argument(
        "--against", type=str | None, help="run folder of another model, to compare with"
    )
    parser.add_argument(
        "--host",
        type=str,
        default="127.0.0.1",
        help="address to serve on; with 0.0.0.0, other machines can reach the page",
    )
    parser.add_argument(
        "--port", type=int | None, help="port to serve on; by default the first free one from 7860"
    )
    parser.add_argument(
        "--no-browser",
        action="store_true",
        help="print the address of the page without opening it in a browser",
    )
    return parser


def _export() -> ArgumentParser:
    parser = _subparser(_EXPORT)
    _run_folder(parser)
    _output(parser, "file to write (.onnx)", "model.onnx")
    return parser


def _card() -> ArgumentParser:
    parser = _subparser(_CARD)
    _run_folder(parser)
    _output(parser, "file to write (.md)", "README.md")
    return parser


def _reproduce() -> ArgumentParser:
    parser = _subparser(_REPRODUCE)
    parser.add_argument(
        "table",
        type=TableName | TaskName,
        help="what to compare: clustering, generation, ood or toy; or a task in which only a rule "
        "over several digits is observed: addition, carry, parity, ordering or sudoku",
    )
    parser.add_argument(
        "--preset",
        type=PresetName,
        default="cpu",
        help="data sets, encoder and length: for a CPU, for a GPU, or as in the paper",
    )
    parser.add_argument(
        "--data",
        type=str,
        nargs="+",
        help="data sets, as for train; by default those of the preset",
    )
    parser.add_argument(
        "--against",
        type=str,
        nargs="+",
        help="for ood: additional sets of images as outliers, as PATH or NAME=PATH",
    )
    parser.add_argument(
        "--image-size", type=int | None, help="resize all images to squares of this many pixels"
    )
    parser.add_argument(
        "--methods", type=str, nargs="+", help="methods to compare; by default all five"
    )
    parser.add_argument(
        "--seeds", type=int | None, help="number of seeds; by default that of the preset"
    )
    parser.add_argument(
        "--budget",
        type=Budget,
        default="updates",
        help="what is equal for all methods: the number of updates, or the minutes of training",
    )
    parser.add_argument(
        "--minutes",
        type=float | None,
        help="minutes of each training: with --budget minutes by default 10, with a rule by "
        "default 2.5",
    )
    parser.add_argument(
        "--n",
        type=int,
        nargs="+",
        help="with a rule: numbers of groups to train on; by default those of the task",
    )
    parser.add_argument(
        "--unlabelled",
        action="store_true",
        help="with a rule: also train on all other images, without outcomes",
    )
    parser.add_argument(
        "--max-iter", type=int | None, help="number of updates, instead of that of the preset"
    )
    parser.add_argument(
        "--settings",
        type=str | None,
        help="YAML file of settings that override those of the preset",
    )
    parser.add_argument(
        "--stop-after",
        type=float | None,
        help="stop after this many minutes; the same command continues later",
    )
    parser.add_argument(
        "--out", type=str, default="runs/reproduce", help="folder for the run folders and the table"
    )
    return parser


def _doctor() -> ArgumentParser:
    parser = _subparser(_DOCTOR)
    _run_folder(parser, type=str | None, nargs="?")
    return parser


def _completion() -> ArgumentParser:
    parser = _subparser(_COMPLETION)
    parser.add_argument("shell", choices=["bash", "zsh", "tcsh"], help="your shell")
    return parser


def _run_folder(parser: ArgumentParser, **options: Any) -> None:
    """Add the run folder that a command reads."""
    parser.add_argument(
        "folder", help="run folder, as written by `gedi train`", **{"type": str} | options
    )


def _output(parser: ArgumentParser, help_text: str, default: str | None = None) -> None:
    """Add the file that a command writes."""
    parser.add_argument("--out", type=str | None, default=default, help=help_text)
    parser.add_argument(
        "--overwrite", action="store_true", help="replace the file if it exists; never the input"
    )


def _data_and_settings(parser: ArgumentParser) -> None:
    """Add options for data, groups and all settings."""
    _data(parser)
    parser.add_argument(
        "--groups",
        type=str | None,
        help="table (.csv, .parquet) of groups of inputs that obey --rule: for each symbol of the "
        "rule, a column of row numbers of the data, or of names of image files",
    )
    parser.add_argument(
        "--rule",
        type=str | None,
        help="rule that groups obey: an expression over column names of --groups, such as "
        '"a + b == s"; sum; or a .cnf file. Cluster j then stands for the value j',
    )
    parser.add_argument(
        "--outcome",
        type=str | None,
        help="column of --groups with the observed outcome; by default the rule holds for every "
        "group",
    )
    _source_options(parser, "stream_above", "streaming")
    parser.add_class_arguments(Settings, as_group=False)


def _data(parser: ArgumentParser, config: type[_ConfigFile] = _ConfigFile) -> None:
    """Add options for the data, and for a file of settings."""
    parser.add_argument("data", type=str, help=OPTIONS["data"].help)
    parser.add_argument(
        "--config", action=config, help="YAML file of settings, such as the settings.yaml of a run"
    )
    _source_options(parser, "label", "text", "features", "drop", "columns", *TABLE_OPTIONS)
    _source_options(parser, "n_points", "split", "image_size", "skip_bad")


def _source_options(parser: ArgumentParser, *names: str) -> None:
    """Add options of `Source`."""
    for name in names:
        parser.add_argument(f"--{name}", **OPTIONS[name].argument)


def _checkpoint_every(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--checkpoint-every",
        type=NonNegativeFloat,
        default=30.0,
        help="seconds between checkpoints; 0 saves one after every iteration",
    )


def _processes(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--devices",
        type=PositiveInt,
        default=1,
        help="number of processes on each machine, each on its own GPU if there are GPUs; they "
        "divide batch_size and buffer_size among them",
    )
    parser.add_argument(
        "--nodes",
        type=PositiveInt,
        default=1,
        help="number of machines that run this command together",
    )


def _subparser(
    description: str, *, usual: Mapping[str, Sequence[str]] | None = None
) -> "_GroupedParser":
    """Build the parser of a subcommand.

    Args:
        description: what the command does.
        usual: the options that `--help` shows, by heading; None shows all options.
    """
    parser = _GroupedParser(
        description=description, exit_on_error=False, print_config="--print-config"
    )
    parser.formatter_class = _formatter()
    if usual is not None:
        parser.usual = usual
        parser.add_argument("--help-all", action=_HelpAll, help="show every option and setting")
    return parser


class _GroupedParser(ArgumentParser):
    """A parser whose help shows only the options that most people need, under headings."""

    usual: Mapping[str, Sequence[str]] | None = None

    def format_help(self, formatter: Any = None) -> str:
        """Return the help of the usual options, or of all options if there are none."""
        if self.usual is None:
            return str(super().format_help())
        formatter = formatter or self._get_formatter()
        places = [action for action in self._actions if not action.option_strings]
        named = " ".join(action.dest for action in places)
        command = self.prog.replace("[options] ", "")
        formatter.add_usage(f"{command} {named} [options]", [], [])
        formatter.add_text(self.description)
        by_name = {name: each for each in self._actions for name in each.option_strings}
        by_name |= {action.dest: action for action in places}
        for heading, names in self.usual.items():
            formatter.start_section(heading)
            formatter.add_arguments([by_name[name] for name in names if name in by_name])
            formatter.end_section()
        formatter.add_text(_MORE)
        return str(formatter.format_help())


class _HelpAll(Action):
    """Prints the help with every option."""

    def __init__(self, option_strings: Sequence[str], dest: str, **options: Any) -> None:
        super().__init__(option_strings, SUPPRESS, nargs=0, default=SUPPRESS, **options)

    def __call__(self, parser: Any, namespace: Any, values: Any, option: Any = None) -> None:
        parser.usual = None
        parser.print_help()
        parser.exit()


def _formatter() -> Any:
    """A class that formats help like jsonargparse, but keeps the line breaks of descriptions."""
    from argparse import RawDescriptionHelpFormatter  # noqa: PLC0415

    from jsonargparse import DefaultHelpFormatter  # noqa: PLC0415

    class Formatter(DefaultHelpFormatter, RawDescriptionHelpFormatter):
        pass

    return Formatter


def _with_dashes(parser: ArgumentParser) -> ArgumentParser:
    """Show and accept --max-iter for the setting max_iter; --max_iter works as well."""
    for action in parser._actions:
        for option in list(action.option_strings):
            if option.startswith("--") and "_" in option:
                dashed = option.replace("_", "-")
                action.option_strings = [
                    dashed if known == option else known for known in action.option_strings
                ]
                parser._option_string_actions[dashed] = action
    return parser


_COMMANDS: dict[str, tuple[Callable[[], ArgumentParser], str]] = {
    "train": (_train, "train a model and write a run folder with a report"),
    "update": (_update, "train a run again with new rows, and show what has changed"),
    "sweep": (_sweep, "compare numbers of clusters, and suggest one"),
    "profile": (_profile, "show where the time of a training goes"),
    "resume": (_resume, "continue a training that was interrupted"),
    "evaluate": (_evaluate, "measure a trained model on its own data, or on other data"),
    "predict": (_predict, "cluster and score points"),
    "impute": (_impute, "fill in the missing values of a table"),
    "sample": (_sample, "draw points from p(x), or from one cluster"),
    "explore": (_explore, "look at a trained model in a browser"),
    "export": (_export, "write a trained model as an ONNX file"),
    "card": (_card, "write a model card, README.md, for a trained model"),
    "reproduce": (_reproduce, "compare methods, in the tables of the paper"),
    "doctor": (_doctor, "show what is installed, or what is wrong with a run"),
    "completion": (_completion, "print a script that completes commands in a shell"),
}
