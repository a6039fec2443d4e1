"""How many keypoints lie outside the crop in training: what the knob `supervise_outside_crop` has to act on."""

from collections.abc import Mapping, Sequence
from typing import Any

from poseur_lib.config.data import AugmentConfig
from poseur_lib.data.coco import CocoPeople
from poseur_lib.data.crop import PLAIN, inside_crop
from poseur_lib.data.dataset import view_person
from poseur_study.table_study import TableStudy

PEOPLE = 1000


def outside_in_training(study: TableStudy) -> Sequence[Mapping[str, Any]]:
    """A line for the table's own augmentation and one for the profile's: the share of labelled keypoints outside.

    Of the first people of the train split, one augmented crop each, by the plain crop rule.
    """
    data, config = CocoPeople(study.data.root, "train", study.data.val.keypoints), next(iter(study.configs.values()))
    kinds = {"this table": config.train, f"profile {study.profile.name}": study.profile.config.train}
    size = config.data.input_size
    return [{"augmentation of": name} | _counted(data, train.augment, size) for name, train in kinds.items()]


def _counted(data: CocoPeople, augment: AugmentConfig | None, input_size: tuple[int, int]) -> dict[str, Any]:
    labelled = outside = 0
    people = data.people()[:PEOPLE]
    for index, person in enumerate(people):
        width = data.coco.imgs[person.image_id]["width"]
        view = view_person(person, width, data.keypoints, input_size, PLAIN, augment, (0, 0, index))
        known = view.visibility > 0
        labelled += int(known.sum())
        outside += int((known & ~inside_crop(view.keypoints_px, input_size)).sum())
    return {
        "people": f"{len(people):,}",
        "labelled keypoints": f"{labelled:,}",
        "outside the crop, %": f"{100 * outside / max(labelled, 1):.1f}",
    }
