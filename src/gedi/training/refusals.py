"""What a plan refuses: settings that contradict each other, the data or the method.

Every function raises a `SettingsError` that says what was expected, and what came.
"""

from gedi.data.dataset import Dataset
from gedi.errors import SettingsError
from gedi.methods import Method
from gedi.settings import Settings, ViewSettings, WeightSettings
from gedi.settings.presets import COLOURS, NEUTRAL, changes_images
from gedi.training.custom import Custom

__all__ = [
    "check_evidence",
    "check_method",
    "check_pool",
    "check_processes",
    "check_restarts",
    "check_vera",
    "check_views",
    "refuse_colour_views",
    "refuse_image_views",
    "refuse_places",
    "refuse_to_find_number",
]


def refuse_to_find_number(dataset: Dataset, custom: Custom) -> None:
    """Refuse to look for clusters of images, whose distances mean little, and of symbols."""
    if dataset.image_shape is not None or custom.names_clusters:
        what = "images" if dataset.image_shape is not None else "clusters with a meaning"
        raise SettingsError(
            "setting n_clusters: expected how many clusters to look for, such as n_clusters=5, or "
            f"--n-clusters 5 on the command line; auto is not for {what}: `gedi sweep` compares "
            "several numbers without labels"
        )


def refuse_places(custom: Custom) -> None:
    """Refuse evidence that refers to the places of rows, which a stream does not keep."""
    known = {
        "labels": custom.classes,
        "groups that obey a rule": custom.groups,
        "positives": custom.positives,
    }
    for name, value in known.items():
        if value is not None:
            raise SettingsError(
                f"streaming: {name} are known by the places of rows, which a stream does not keep: "
                "leave them out, or train on data in memory"
            )


def check_evidence(settings: Settings, weights: WeightSettings, custom: Custom) -> None:
    """Refuse two sources of numbers for the clusters, and weights of terms that are absent."""
    if custom.like is not None and (custom.names_clusters or isinstance(settings.prior, list)):
        raise SettingsError(
            "like: clusters have names already, by known classes, a rule, or a prior of their own; "
            "leave out one of the two"
        )
    if weights.evidence != 1 and not custom.names_clusters:
        raise SettingsError(
            "setting weights.evidence: expected known classes or groups under a rule, whose weight "
            "it is; got neither"
        )
    evidence = weights.evidence if custom.names_clusters else 0.0
    if weights.gen == weights.inv == weights.prior == evidence == 0:
        raise SettingsError("settings weights: all are zero, so there is nothing to train")


def check_processes(settings: Settings, n_processes: int) -> None:
    """Refuse batches and chains that cannot be shared equally."""
    sizes = {
        "batch_size": settings.batch_size or 0,
        "sampler.buffer_size": settings.sampler.buffer_size or 0,
    }
    for name, size in sizes.items():
        if size % n_processes:
            raise SettingsError(
                f"setting {name}: expected a multiple of the {n_processes} processes, which share "
                f"it equally, got {size}"
            )


def refuse_image_views(views: ViewSettings) -> None:
    """Refuse views of images where points are vectors."""
    for name, nothing in (("preset", None), *NEUTRAL.items()):
        if getattr(views, name) not in (None, nothing):
            raise SettingsError(f"setting views.{name}: is for images, but these are vectors")


def refuse_colour_views(views: ViewSettings, n_channels: int) -> None:
    """Refuse views of colours where images have none."""
    for name in COLOURS:
        if getattr(views, name) not in (None, NEUTRAL[name]):
            raise SettingsError(
                f"setting views.{name}: is for images of three channels, but these have "
                f"{n_channels}: leave it out"
            )


def check_views(settings: Settings, image_shape: tuple[int, int, int] | None) -> None:
    """Check that INV, if it takes part, has at least one view that suits the data."""
    views = settings.views
    if image_shape is None:
        steps, crop = ["noise", "dropout"], ""
        seen = max(views.noise or 0.0, views.dropout) > 0
    else:
        unfit = {"crop", "aspect", *(COLOURS if image_shape[0] != 3 else ())}
        steps, crop = [name for name in NEUTRAL if name not in unfit], ", or crop below 1,"
        seen = changes_images({name: getattr(views, name) for name in NEUTRAL})
    seen = seen or bool(views.own)
    if settings.weights.inv > 0 and not (seen or views.adversarial or views.neighbours):
        raise SettingsError(
            f"settings views: expected one of {', '.join(steps)}, adversarial, neighbours above "
            f"zero{crop} for this kind of data, as weights.inv is not zero"
        )


def check_pool(settings: Settings, custom: Custom) -> None:
    """Refuse a pool for several networks, or where known points name the clusters already."""
    if not settings.restarts.pool:
        return
    if settings.restarts.n != 1 and settings.sampler.kind != "exact":
        raise SettingsError(
            "setting restarts.pool: expected false with several networks, because one starts from "
            f"the best partition; got restarts.n {settings.restarts.n}"
        )
    if custom.names_clusters:
        raise SettingsError(
            "setting restarts.pool: expected false or null with known classes or groups, which "
            "name the clusters already"
        )


def check_restarts(settings: Settings) -> None:
    """Check that k-means starts at most all restarts, and that warm-ups end before the choice."""
    chosen, weights = settings.restarts, settings.weights
    clustering = weights.inv != 0 or weights.prior != 0
    if (chosen.kmeans or 0) > (chosen.n or 1):
        raise SettingsError(
            f"setting restarts.kmeans: expected at most restarts.n, {chosen.n}, got {chosen.kmeans}"
        )
    warmup, ramp, iterations = chosen.warmup or 0, chosen.ramp or 0, chosen.iterations or 0
    if not (chosen.gen and clustering and warmup > 0 and (chosen.n or 1) > 1):
        return
    if warmup + ramp > iterations:
        raise SettingsError(
            "settings restarts.warmup and restarts.ramp: expected a sum of at most "
            f"restarts.iterations, {iterations}, got {warmup + ramp}"
        )


def check_method(
    settings: Settings, weights: WeightSettings, method: Method, custom: Custom
) -> None:
    """Refuse settings that only affect terms which the method does not give."""
    uses = {
        "gen": {"weights.gen 0": weights.gen == 0, "encoder.base false": not settings.encoder.base},
        "inv": {"weights.inv 0": weights.inv == 0},
        "prior": {
            "weights.prior 0": weights.prior == 0,
            "prior null": settings.prior is None,
            # The best restart is chosen by the gap, which has no meaning without PRIOR.
            "restarts.n 1": (settings.restarts.n or 1) == 1,
        },
        "evidence": {"no labels and no rules": not custom.names_clusters},
    }
    wrong = [
        expected
        for term, found in uses.items()
        for expected, holds in found.items()
        if term not in method.gives and not holds
    ]
    if wrong:
        raise SettingsError(
            f"setting method: {method.name} gives {', '.join(method.gives)} alone: expected "
            f"{', '.join(wrong)}"
        )


def check_vera(settings: Settings, image_shape: tuple[int, int, int] | None) -> None:
    """Check that VERA's sampler has one energy to learn, and images with sides it can produce.

    It produces images by doubling their sides twice.
    """
    restarts, shape = settings.restarts, image_shape
    if restarts.gen and (restarts.n or 1) > 1:
        raise SettingsError(
            "setting restarts.gen: expected false with sampler.kind vera and several restarts, or "
            "restarts.n 1, as its sampler follows one network; got "
            f"true with {restarts.n} restarts"
        )
    if settings.weights.gen == 0:
        raise SettingsError(
            "setting sampler.kind: vera makes the negatives of GEN, which weights.gen 0 leaves out"
        )
    if shape is not None and (shape[1] % 4 or shape[2] % 4):
        raise SettingsError(
            "setting sampler.kind: vera makes images whose sides are multiples of 4 pixels, got "
            f"{shape[1]} x {shape[2]}; take langevin, or change their size (--image-size)"
        )
