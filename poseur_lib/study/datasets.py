"""The data set of a profile: generated where it can be, and known by its content."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from poseur_lib.data.coco import CocoPeople
from poseur_lib.errors import UserError
from poseur_lib.keypoints import keypoint_set
from poseur_lib.study.profiles import Profile
from poseur_lib.study.provenance import cpu_count
from poseur_lib.study.roots import below_root


@dataclass(frozen=True)
class DataSet:
    """A data set that is there.

    Attributes:
        fingerprint: identity of its content, independent of its path.
        generated: True for generated people, which are no evidence about COCO.
        val_images: images of the val split.
    """

    root: Path
    keypoints_name: str
    fingerprint: str
    generated: bool
    val_images: int

    @cached_property
    def val(self) -> CocoPeople:
        """The val split, indexed once."""
        return CocoPeople(self.root, "val", keypoint_set(self.keypoints_name))


def data_folder(profile: Profile, data: str) -> Path:
    """Where a profile's data set lies: the folder given, else `data/<profile>` for generated people.

    Raises:
        UserError: the profile needs a folder and none was given.
    """
    if data:
        return below_root(data)
    if profile.people is None:
        raise UserError(f"profile {profile.name!r} needs a data set in COCO's layout: give its folder with --data")
    return below_root("data") / profile.name


def open_data(profile: Profile, data: str, progress: bool = True) -> DataSet:
    """The profile's data set, generated first if it is a generated one and not there.

    Raises:
        UserError: the folder is missing or not a data set.
    """
    root = data_folder(profile, data)
    if not data and profile.people is not None:
        from poseur_lib.people import generate

        generate(root, profile.people, workers=cpu_count(), progress=progress)
    if not root.is_dir():
        raise UserError(f"data set {root} does not exist")
    name = profile.config.data.keypoint_set
    people = CocoPeople(root, "val", keypoint_set(name))
    annotations = people.coco.dataset.get("annotations", [])
    generated = any("poseur_people" in annotation for annotation in annotations)
    opened = DataSet(root, name, people.fingerprint(), generated, len(people.coco.getImgIds()))
    opened.__dict__["val"] = people
    return opened
