"""The data set of a profile: generated where it can be, and known by its content."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path

from poseur_lib.config import ExperimentConfig
from poseur_lib.config.data import Split
from poseur_lib.data.coco import CocoPeople, annotation_path, fingerprint
from poseur_lib.data.part_labels import has_part_labels
from poseur_lib.errors import UserError, validated
from poseur_lib.keypoints import KeypointSet, keypoint_set
from poseur_study.experiments.profiles import Profile
from poseur_study.runs.heartbeat import heartbeat
from poseur_study.runs.lease import waiting_lease
from poseur_study.runs.project import below_root
from poseur_study.runs.provenance import cpu_count
from poseur_study.runs.record import RECORD_FILE, read_record
from synthetic_people.settings import PeopleSettings

MADE_BY = {"lsp14": "lspet", "mpii16": "mpii"}
"""Keypoint sets by what of `poseur data convert` makes a data set of them."""
RECORDS_ASKED = 20
NOT_GENERATED = "not generated yet"
SHOWN_PEOPLE = PeopleSettings(train_images=1, val_images=12, parts=False)
"""The first ones of the small profiles' val sets, which no model of theirs was trained on."""


@dataclass(frozen=True)
class DataSet:
    """A data set that is there.

    Attributes:
        fingerprint: identity of its content, independent of its path.
        generated: True for generated people, which are no evidence about COCO.
        val_images: images of the val split.
        learnt_from: makes the data set that backbones are pretrained on, gives its fingerprint; None: it is this one.
    """

    root: Path
    keypoints_name: str
    fingerprint: str
    generated: bool
    val_images: int
    learnt_from: Callable[[], str] | None = None

    @property
    def keypoints(self) -> KeypointSet:
        """The keypoints that its people are labelled with."""
        return keypoint_set(self.keypoints_name)

    def split(self, name: Split) -> CocoPeople:
        """One split; val is indexed once."""
        return self.val if name == "val" else CocoPeople(self.root, name, self.keypoints)

    @cached_property
    def val(self) -> CocoPeople:
        """The val split, indexed once."""
        return CocoPeople(self.root, "val", self.keypoints)


@dataclass(frozen=True)
class KnownData:
    """What is known of a profile's data set before anything is executed.

    Attributes:
        fingerprint, pretext: of the data set, and of that which backbones are pretrained on; None for a generated one
            that is not there and that no record knows.
        note: what a person should know of that; "" if the data set is there.
    """

    root: Path
    fingerprint: str | None
    pretext: str | None
    note: str = ""

    def learnt_from(self, profile: Profile, make: bool = True) -> Callable[[], str]:
        """What gives the fingerprint of the data set that backbones are pretrained on.

        Args:
            make: generate it if it is not there; else it is `NOT_GENERATED`.
        """
        return lambda: self.pretext or (made_fingerprint(profile) if make else NOT_GENERATED)


def pretext_data(profile: Profile, data: str) -> str:
    """Whose part labels backbones are pretrained on: the folder given, if it has some, else "", the profile's own."""
    own = not data or profile.config.pretext_run is None or has_part_labels(below_root(data), "train")
    return data if own else ""


def other_keypoints(profile: Profile, data: str, keypoints: str) -> bool:
    """Whether the profile's generated people are asked for with other keypoints than its own: a data set beside it."""
    return not data and keypoints not in ("", profile.config.data.keypoints_name)


def data_folder(profile: Profile, data: str, keypoints: str = "") -> Path:
    """Where a profile's data set lies: the folder given, else `data/<profile>` for generated people.

    Args:
        keypoints: what people are labelled with, where it is not the profile's own set: `data/<profile>_<keypoints>`.

    Raises:
        UserError: the profile needs a folder and none was given.
    """
    if data:
        return below_root(data)
    if profile.people is None:
        by = MADE_BY.get(keypoints or profile.config.data.keypoints_name)
        made = f" (poseur data convert {by} makes it)" if by else ""
        raise UserError(
            f"profile {profile.name!r} needs a data set in COCO's layout{made}: give its folder with --data"
        )
    name = f"{profile.name}_{keypoints}" if other_keypoints(profile, data, keypoints) else profile.name
    return below_root("data") / name


def known_data(profile: Profile, data: str, runs: Path, keypoints: str = "") -> KnownData:
    """The identity of a profile's data set; nothing is generated.

    Args:
        keypoints: as of `data_folder`.
        runs: folder of the profile's runs: the records in it know the data set that they were made with.

    Raises:
        UserError: a folder was given or is needed, and is not there.
    """
    root, other = data_folder(profile, data, keypoints), other_keypoints(profile, data, keypoints)
    if annotation_path(root, "val").is_file():
        own, pretext = fingerprint(root), pretext_data(profile, data)
        if pretext == data and not other:
            return KnownData(root, own, own)
        learnt_from = known_data(profile, pretext, runs)
        return KnownData(root, own, learnt_from.pretext, learnt_from.note)
    if data or profile.people is None:
        raise UserError(f"data set {root} does not exist, or has no {annotation_path(root, 'val').name}")
    images = profile.people.train_images + profile.people.val_images
    note = f"data set {root} is not there: `poseur study run` generates it first ({images} images)"
    known = _recorded_fingerprints(runs, keypoints or profile.config.data.keypoints_name)
    own = known.pop() if len(known) == 1 else None
    pretext = known_data(profile, "", runs).pretext if other else own
    if own is not None:
        return KnownData(root, own, pretext, f"{note}; until then, its identity is taken from the records in {runs}")
    return KnownData(root, None, pretext, f"{note}; the hashes in the runs' names are known after that")


def shown_people() -> Path:
    """A data set with a few generated people to look at, made in seconds where it is not there."""
    from synthetic_people import generate

    root = below_root("data") / "shown_people"
    generate(root, SHOWN_PEOPLE, workers=0, progress=False)
    return root


def make_data(profile: Profile, data: str, keypoints: str = "") -> None:
    """Generate the profile's data set if it is a generated one and not there; one process does, others wait for it.

    Images that are not as they were made are made again. Where all are, nothing is written but a note that they were
    read: a set that is whole may lie on a disk that cannot be written to.
    """
    root = data_folder(profile, data, keypoints)
    if data or profile.people is None:
        return
    from synthetic_people.generate import is_whole, mend

    people = _people(profile, keypoints)
    if is_whole(root, people):
        return
    with waiting_lease(root.parent / f".{root.name}.lease") as held, heartbeat(held):
        _generate(people, root)
        mend(root, people)


def made_fingerprint(profile: Profile) -> str:
    """Of the profile's own people, made first if they are not there."""
    make_data(profile, "")
    return fingerprint(data_folder(profile, ""))


def pretext_people(profile: Profile, config: ExperimentConfig, data: Path) -> Path:
    """The data set that a configuration's backbone is pretrained on, generated where `data` has no part labels.

    Raises:
        UserError: it has none, and there is no project to generate people in.
    """
    if config.pretext_run is None or pretext_data(profile, str(data)):
        return data
    try:
        people = data_folder(profile, "")
    except UserError as error:
        alone = "--set model.backbone.weights=none --set pretext=null trains from random weights"
        raise UserError(f"{data} has no part labels to pretrain the backbone with, and {error}; {alone}") from None
    make_data(profile, "")
    return people


def _people(profile: Profile, keypoints: str) -> PeopleSettings:
    """What is generated; part labels are for the profile's own keypoints, whose images are the same."""
    if not other_keypoints(profile, "", keypoints):
        return profile.people
    return validated(PeopleSettings, {**dict(profile.people), "keypoints": keypoints, "parts": False})


def _generate(people: PeopleSettings, root: Path, progress: bool = True) -> None:
    from synthetic_people import generate

    generate(root, people, workers=cpu_count(), progress=progress)


def _recorded_fingerprints(runs: Path, keypoints: str) -> set[str]:
    """The generated data sets of a keypoint set that some records in a folder name."""
    found, asked = set(), 0
    for file in sorted(runs.glob(f"*/{RECORD_FILE}")):
        with suppress(UserError):
            record = read_record(file.parent)
            if record.provenance.generated_data and record.config.data.keypoints_name == keypoints:
                found.add(record.provenance.data_fingerprint)
                asked += 1
        if asked == RECORDS_ASKED:
            break
    return found


def open_data(profile: Profile, data: str, progress: bool = True, keypoints: str = "") -> DataSet:
    """The profile's data set, generated first if it is a generated one and not there.

    Args:
        keypoints: as of `data_folder`.

    Raises:
        UserError: the folder is missing or not a data set, or its people have other keypoints.
    """
    root = data_folder(profile, data, keypoints)
    if not data and profile.people is not None:
        _generate(_people(profile, keypoints), root, progress)
    if not root.is_dir():
        raise UserError(f"data set {root} does not exist")
    name = keypoints or profile.config.data.keypoints_name
    people = CocoPeople(root, "val", keypoint_set(name))
    own = pretext_data(profile, data) == data and not other_keypoints(profile, data, keypoints)
    learnt_from = None if own else partial(made_fingerprint, profile)
    images = len(people.coco.getImgIds())
    opened = DataSet(root, name, fingerprint(root), people.generated, images, learnt_from)
    opened.__dict__["val"] = people
    return opened
