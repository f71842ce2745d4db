"""What the command line understands; no torch here, so that `--help` comes at once."""

import sys
from argparse import SUPPRESS, Action, ArgumentError
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from jsonargparse import (  # type: ignore[attr-defined]
    ActionConfigFile,
    ArgumentParser,
    Namespace,
)
from jsonargparse.typing import NonNegativeFloat, PositiveInt

import gedi
from gedi.cli.wording import worded
from gedi.data.source import OPTIONS
from gedi.errors import SettingsError
from gedi.experiments.comparisons import Budget, PresetName, TableName, TaskName
from gedi.settings import Settings
from gedi.untrusted import yaml_of

__all__ = ["build_parser", "parse"]

Command = Callable[[Namespace], int]

# What `--help` shows of commands that take all settings; `--help-all` shows the rest as well.
_USUAL: Mapping[str, Sequence[str]] = {
    "data": ["data", "--label", "--drop", "--image-size", "--streaming"],
    "clusters": ["--n-clusters", "--prior", "--like"],
    "length": ["--max-time", "--max-iter", "--seed"],
    "output": ["--out", "--overwrite"],
    "machine": ["--device", "--devices"],
    "settings": ["--config", "--print-config", "--help", "--help-all"],
}
_MORE = (
    "Every other setting (weights, network, chains, views, restarts) has a default that is chosen "
    "from the data: --help-all lists them, with when to change each."
)
_MOST_VALUES = 2000  # in a file of settings; jsonargparse needs seconds for a list of as many

_DESCRIPTION = """\
One network, trained without labels, that clusters, scores and generates.

  gedi train digits                        train on scikit-learn's digits, write a report
  gedi train table.csv --n-clusters 5      train on your own table
  gedi predict runs/table new.csv          cluster and score other rows
  gedi sample runs/table -n 64             draw new points
  gedi explore runs/table                  look at it in a browser
"""

_TRAIN = """\
Train on a built-in set (moons, circles, digits), on a file (.npy, .npz, .csv, .parquet), on a
folder of images, or on images of the Hugging Face hub (mnist, cifar10, cifar100, svhn, or
hf://owner/name).

Labels are never trained on; if there are some, the report compares the clusters with them.
Settings can come from a YAML file (--config) and be overridden one by one; --print-config shows
all of them. JEM without labels: --weights.inv 0 --weights.prior 0; GEDI no gen: --weights.gen 0.
"""

_PROFILE = """\
Run a few iterations of a training, and tell where their time goes: data and settings are those of
`gedi train`. Beside each part is its floor: the time that its matrix products and convolutions take
alone, at the same shapes and with the same threads, measured in turn with it.
"""

_SWEEP = """\
How many clusters? At each number, networks are trained on different halves of the data. A number
stands out if other halves lead to the same clusters, and finer ones tell hardly more of points that
were not trained on; it may well be that none does, and then the page says so. It costs as many
trainings as numbers times --n-parts; --max-iter or --max-time make them shorter. Each is kept as
it ends; a sweep that is stopped goes on, also with more numbers.
"""

_REPRODUCE = """\
Train and measure GEDI, GEDI no gen, JEM, Barlow Twins and SwAV on the same data, encoder, views
and budget, and print a table. Every cell (method, data, seed) is kept in a run folder of its own
as it ends, a training that was stopped goes on where it was, and only gaps are filled.
"""


def build_parser() -> ArgumentParser:
    """The parser with all subcommands."""
    parser = ArgumentParser(
        prog="gedi", description=_DESCRIPTION, version=gedi.__version__, exit_on_error=False
    )
    parser.formatter_class = _formatter()
    commands = parser.add_subcommands(dest="command")
    for name, build, summary in (
        ("train", _train, "train a model and write a run folder with a report"),
        ("sweep", _sweep, "compare numbers of clusters, and suggest one"),
        ("profile", _profile, "tell where the time of a training goes"),
        ("resume", _resume, "go on with a training that was interrupted"),
        ("evaluate", _evaluate, "measure a trained model on its data, or on other data"),
        ("predict", _predict, "cluster and score points"),
        ("sample", _sample, "draw points from p(x), or from one cluster"),
        ("explore", _explore, "look at a trained run in a browser"),
        ("export", _export, "write a trained model as an ONNX file"),
        ("reproduce", _reproduce, "compare methods in the paper's tables"),
        ("doctor", _doctor, "tell what is installed, or what is the matter with a run"),
        ("completion", _completion, "print a script that completes commands in a shell"),
    ):
        commands.add_subcommand(name, _with_dashes(build()), help=summary)
    return parser


def parse(arguments: Sequence[str] | None) -> tuple[Command, Namespace]:
    """The function of the chosen subcommand, and its options.

    Raises:
        SettingsError: for an option that does not exist or a value that does not fit.
    """
    typed = sys.argv[1:] if arguments is None else list(arguments)
    parser = build_parser()
    if not typed:
        parser.print_help(sys.stderr)
        raise SettingsError("expected a command, such as: gedi train table.csv --n-clusters 5")
    try:
        options = parser.parse_args(typed)
    except ArgumentError as error:
        assert parser._subcommands_action is not None
        commands = parser._subcommands_action._name_parser_map
        known = {name: set(each._option_string_actions) for name, each in commands.items()}
        message = worded(str(error), typed, known)
        raise SettingsError(f"{message}; `gedi COMMAND --help` lists them all") from error
    name = options.command
    module = import_module(f"gedi.cli.{name}")
    command: Command = module.run
    return command, options[name]


class _ConfigFile(ActionConfigFile):
    """Settings in a file, which is looked at before jsonargparse follows all its aliases."""

    for_sweep = False

    def __call__(self, parser: Any, cfg: Any, values: Any, option_string: str | None = None) -> Any:
        path = Path(values)
        try:
            tree = yaml_of(path, most_values=_MOST_VALUES)
        except (OSError, ValueError) as error:
            raise SettingsError(f"--config: {path}: cannot be read: {error}") from error
        if not isinstance(tree, dict):
            raise SettingsError(f"--config: {path}: expected names with values")
        number = tree.get("n_clusters")
        if number is not None and not isinstance(number, list) and self.for_sweep:
            raise SettingsError(
                f"--config: {path}: n_clusters: expected a list, as a sweep tries several, got "
                f"{number!r}: remove it from the file, and give --n-clusters 2 3 4"
            )
        return super().__call__(parser, cfg, values, option_string)  # type: ignore[no-untyped-call]


class _SweepConfigFile(_ConfigFile):
    """Settings of a sweep: all but the number of clusters."""

    for_sweep = True


def _train() -> ArgumentParser:
    parser = _subparser(_TRAIN, usual=_USUAL)
    _data_and_settings(parser)
    parser.add_argument(
        "--like",
        type=str | None,
        help="an earlier run, as of data that have grown since: clusters that are the same get the "
        "numbers that they had there",
    )
    parser.add_argument("--out", type=str | None, help="run folder; by default runs/NAME")
    parser.add_argument(
        "--overwrite", action="store_true", help="replace a run that is in the folder already"
    )
    _checkpoint_every(parser)
    _processes(parser)
    return parser


def _sweep() -> ArgumentParser:
    parser = _subparser(_SWEEP, usual=_USUAL)
    _data(parser, _SweepConfigFile)
    parser.add_argument(
        "--n-clusters",
        type=int,
        nargs="+",
        default=[2, 3, 4, 5, 6, 7, 8],
        help="numbers to try",
    )
    parser.add_argument(
        "--n-parts", type=int, default=3, help="halves of the data to train on at each number"
    )
    parser.add_argument("--out", type=str | None, help="folder; by default runs/NAME-sweep")
    parser.add_class_arguments(Settings, as_group=False, skip={"n_clusters"})
    return parser


def _profile() -> ArgumentParser:
    parser = _subparser(_PROFILE, usual=_USUAL)
    _data_and_settings(parser)
    parser.add_argument(
        "--side-by-side",
        action="store_true",
        help="look at all restarts in one computation, instead of the one that goes on",
    )
    parser.add_argument(
        "--cycles",
        type=int,
        default=10,
        help="how many to look at; the chains move once in each, see sampler.every",
    )
    parser.add_argument(
        "--threads", type=int | None, help="of the CPU; by default as many as torch takes"
    )
    parser.add_argument(
        "--processor-time",
        action="store_true",
        help="count the processor's time instead of the clock's, for machines that do other work",
    )
    parser.add_argument("--out", type=str | None, help="also write the figures to a file (.json)")
    return parser


def _resume() -> ArgumentParser:
    parser = _subparser("Go on with a training from its last checkpoint, with its settings.")
    parser.add_argument("folder", type=str, help="run folder")
    _checkpoint_every(parser)
    _processes(parser)
    return parser


def _evaluate() -> ArgumentParser:
    parser = _subparser(
        "Measure a trained model. Without --data: on the data it was trained on; on fresh points "
        "for moons and circles."
    )
    parser.add_argument("folder", type=str, help="run folder")
    parser.add_argument("--data", type=str | None, help="a file or folder to measure on instead")
    _source_options(parser, "label", "split", "skip_bad")
    parser.add_argument(
        "--measure",
        choices=["clustering", "embedding", "generation", "ood"],
        nargs="+",
        default=["clustering"],
        help="what to measure: clusters, collapse gap and density; how well the embedding tells "
        "classes; samples against images; scores against outliers",
    )
    parser.add_argument(
        "--against",
        type=str,
        nargs="+",
        help="for ood: further sets of outliers, as PATH or NAME=PATH",
    )
    parser.add_argument(
        "--features",
        type=str | None,
        help="for generation: inception, or a file of its weights (.pth); or a feature network "
        "(.safetensors) or the folder it is in, trained "
        "with the labels of the training data where there is none; by default in the run folder",
    )
    parser.add_argument(
        "--n-samples",
        type=int | None,
        help="points of each set at most; by default 1000 for generation, 5000 for ood",
    )
    parser.add_argument(
        "--n-steps",
        type=int | None,
        help="for generation: rounds of moves for each sample; by default 400 Langevin steps",
    )
    parser.add_argument("--seed", type=int, default=0, help="of the random numbers")
    parser.add_argument("--out", type=str | None, help="also write the figures to a file (.json)")
    return parser


def _predict() -> ArgumentParser:
    parser = _subparser(
        "Write one line for each point: the file it comes from (for folders of images), its "
        "cluster, the probability of every cluster, and its log-density in nats (up to a constant "
        "above two dimensions); low means unusual. Tables (.csv, .parquet, a folder of .parquet "
        "files) and .npy files may be larger than memory, and where that was interrupted the same "
        "command goes on."
    )
    parser.add_argument("folder", type=str, help="run folder")
    parser.add_argument("data", type=str, help="points: a file or a folder, as for train")
    _source_options(parser, "split", "skip_bad")
    parser.add_argument(
        "--out", type=str, default="clusters.csv", help="file to write (.csv or .parquet)"
    )
    return parser


def _sample() -> ArgumentParser:
    parser = _subparser("Draw points by Langevin chains: arrays x (n, d) and cluster (n,).")
    parser.add_argument("folder", type=str, help="run folder")
    parser.add_argument("-n", "--n", type=int, default=64, help="how many points")
    parser.add_argument("--cluster", type=int | None, help="draw from p(x|y) of this cluster")
    parser.add_argument("--out", type=str, default="samples.npz", help="file to write (.npz)")
    parser.add_argument("--n-steps", type=int, default=100, help="rounds of moves for each chain")
    parser.add_argument(
        "--denoise",
        type=bool,
        default=True,
        help="take out the noise with which training smoothed images",
    )
    parser.add_argument("--seed", type=int, default=0, help="of the random numbers")
    return parser


def _explore() -> ArgumentParser:
    parser = _subparser(
        "Look at a trained run in a browser: clusters by their points, points of your own, samples "
        "as they form, parts made up, names for clusters. Served on this machine alone, until "
        "Ctrl-C. Needs the extra: pip install 'gedi[explore]'."
    )
    parser.add_argument("folder", type=str, help="run folder")
    parser.add_argument("--against", type=str | None, help="another run, to compare with")
    parser.add_argument("--host", type=str, default="127.0.0.1", help="address to serve on")
    parser.add_argument("--port", type=int | None, help="port; by default one from 7860 on")
    parser.add_argument("--browser", type=bool, default=True, help="open the browser")
    return parser


def _export() -> ArgumentParser:
    parser = _subparser(
        "Write a trained model as one ONNX file: from points x in your units, (n, d) or "
        "(n, C, H, W), float64, to probabilities (n, c), energy (n,) in nats and, where log Z is "
        "known, log_density (n,). It is compared with PyTorch on points of noise. Needs the extra: "
        "pip install 'gedi[export]'."
    )
    parser.add_argument("folder", type=str, help="run folder")
    parser.add_argument("--out", type=str, default="model.onnx", help="file to write (.onnx)")
    return parser


def _reproduce() -> ArgumentParser:
    parser = _subparser(_REPRODUCE)
    parser.add_argument(
        "table",
        type=TableName | TaskName,
        help="clustering, generation, ood or toy; or a task of which only a rule over several "
        "digits is observed: addition, carry, parity, ordering or sudoku",
    )
    parser.add_argument("--preset", type=PresetName, default="cpu", help="cpu, gpu or paper")
    parser.add_argument(
        "--data", type=str, nargs="+", help="data sets, as for train; by default the preset's"
    )
    parser.add_argument(
        "--against", type=str, nargs="+", help="ood: further sets of images, as outliers"
    )
    parser.add_argument("--image-size", type=int | None, help="of all sets; see train")
    parser.add_argument("--methods", type=str, nargs="+", help="by default all five")
    parser.add_argument("--seeds", type=int | None, help="how many; by default the preset's")
    parser.add_argument(
        "--budget",
        type=Budget,
        default="updates",
        help="what all methods have as much of: updates or minutes",
    )
    parser.add_argument(
        "--minutes",
        type=float | None,
        help="of the budget `minutes`, by default 10; of each training with a rule, by default 2.5",
    )
    parser.add_argument(
        "--n", type=int, nargs="+", help="with a rule: numbers of groups; by default the task's"
    )
    parser.add_argument(
        "--unlabelled",
        action="store_true",
        help="with a rule: let all other images be there too, without outcomes",
    )
    parser.add_argument("--max-iter", type=int | None, help="updates, instead of the preset's")
    parser.add_argument(
        "--settings", type=str | None, help="a YAML file of settings over the preset's"
    )
    parser.add_argument(
        "--stop-after", type=float | None, help="minutes after which to stop, to go on later"
    )
    parser.add_argument("--out", type=str, default="runs/reproduce", help="folder of the cells")
    return parser


def _doctor() -> ArgumentParser:
    parser = _subparser(
        "Without a run folder: versions, devices, memory, and what optional features need. With "
        "one: what is the matter with its training, where it shows, and which setting to change."
    )
    parser.add_argument("folder", type=str | None, nargs="?", help="run folder")
    return parser


def _completion() -> ArgumentParser:
    parser = _subparser(
        "Print a script that completes commands and options; for bash: "
        "eval \"$(gedi completion bash)\". Needs the extra: pip install 'gedi[completion]'."
    )
    parser.add_argument("shell", choices=["bash", "zsh", "tcsh"], help="for which shell")
    return parser


def _data_and_settings(parser: ArgumentParser) -> None:
    """What a training is made from."""
    _data(parser)
    parser.add_argument(
        "--groups",
        type=str | None,
        help="a table (.csv, .parquet) of inputs that are seen together and obey a rule: a column "
        "of row numbers of the data, or of names of image files, for each symbol",
    )
    parser.add_argument(
        "--rule",
        type=str | None,
        help='of the groups: an expression over the names of the columns, such as "a + b == s"; '
        "sum; or a .cnf file. Cluster j is then the value j",
    )
    parser.add_argument(
        "--outcome",
        type=str | None,
        help="the column of --groups that says what was observed; by default the rule always holds",
    )
    _source_options(parser, "stream_above", "streaming")
    parser.add_class_arguments(Settings, as_group=False)


def _data(parser: ArgumentParser, config: type[_ConfigFile] = _ConfigFile) -> None:
    """Where data come from, and a file of settings."""
    parser.add_argument("data", type=str, help=OPTIONS["data"].help)
    parser.add_argument("--config", action=config, help="a YAML file of settings")
    _source_options(parser, "label", "drop", "n_points", "split", "image_size", "skip_bad")


def _source_options(parser: ArgumentParser, *names: str) -> None:
    """Options of `Source`."""
    for name in names:
        parser.add_argument(f"--{name}", **OPTIONS[name].argument)


def _checkpoint_every(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--checkpoint-every",
        type=NonNegativeFloat,
        default=30.0,
        help="seconds from one checkpoint to the next; 0 is after every iteration",
    )


def _processes(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--devices",
        type=PositiveInt,
        default=1,
        help="processes on each machine, each with a GPU of its own where there are GPUs; they "
        "share batch_size and buffer_size",
    )
    parser.add_argument(
        "--nodes", type=PositiveInt, default=1, help="machines that run this command together"
    )


def _subparser(
    description: str, *, usual: Mapping[str, Sequence[str]] | None = None
) -> "_GroupedParser":
    """A parser of a subcommand.

    Args:
        description: what the command does.
        usual: headings, and the options under each that `--help` shows; None shows all.
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
    """A parser whose help shows the options that most people need, under headings."""

    usual: Mapping[str, Sequence[str]] | None = None

    def format_help(self, formatter: Any = None) -> str:
        """The help: the usual options where there are some, else all of them."""
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
    """Jsonargparse's help with its types and defaults, and line breaks as they are written."""
    from argparse import RawDescriptionHelpFormatter  # noqa: PLC0415

    from jsonargparse import DefaultHelpFormatter  # noqa: PLC0415

    class Formatter(DefaultHelpFormatter, RawDescriptionHelpFormatter):
        pass

    return Formatter


def _with_dashes(parser: ArgumentParser) -> ArgumentParser:
    """Show and accept --max-iter for the setting max_iter; the underscore works as well."""
    for action in parser._actions:
        for option in list(action.option_strings):
            if option.startswith("--") and "_" in option:
                dashed = option.replace("_", "-")
                action.option_strings = [
                    dashed if known == option else known for known in action.option_strings
                ]
                parser._option_string_actions[dashed] = action
    return parser
