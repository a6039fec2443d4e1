"""What the explorer has open: a model, an image, a person in it, a keypoint; the forward pass is kept."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch.utils.data import DataLoader

from poseur_lib.data.coco import CocoPeople, Person, annotation_path
from poseur_lib.data.dataset import PoseCrops
from poseur_lib.errors import UserError
from poseur_study.experiments.notebook_parameters import ExplorerSettings
from poseur_study.experiments.profiles import profile
from poseur_study.explorer.attention.images import ShownImage, ValImages
from poseur_study.explorer.attention.open_model import OpenModel
from poseur_study.explorer.attention.person_view import Seen, see
from poseur_study.runs.datasets import data_folder

BATCH = 32
FIRST_KEYPOINTS = ("left_shoulder", "left_wrist")


@dataclass(frozen=True)
class Weights:
    """Self-attention of some people.

    Attributes:
        layers: of every layer passed and head; rows attend to columns.
        what: whose it is, for captions.
    """

    layers: Float[np.ndarray, "N M K K"]
    what: str

    def of(self, layer: int | None = None, head: int | None = None) -> tuple[Float[np.ndarray, "K K"], str, str]:
        """One layer's and head's (from 0 on; None: the mean) weights, which these are, and whose."""
        chosen = self.layers if layer is None else self.layers[[layer]]
        chosen = chosen if head is None else chosen[:, [head]]
        count, heads = self.layers.shape[:2]
        layers = f"mean of {count} layers" if layer is None else f"layer {layer + 1}"
        over = f"mean of {heads} heads" if head is None else f"head {head + 1}"
        return chosen.mean(axis=(0, 1)), f"{layers}, {over}", self.what


@torch.no_grad()
def mean_self_attention(model: OpenModel, people: Sequence[Person]) -> Float[np.ndarray, "N M K K"]:
    """Weights of every layer passed and head, averaged over people, each of whom weighs the same."""
    network, size = model.model, model.config.data.input_size
    crops = PoseCrops(people, model.keypoints, size, network.head.crop_rule, augment=None, seed=0)
    total = 0.0
    for batch in DataLoader(crops, batch_size=BATCH):
        layers = network.explain(batch.images).layers
        total = total + torch.stack([layer.self_attention.double().sum(dim=0) for layer in layers])
    return (total / len(people)).numpy()


class Session:
    """State of one explorer; what is computed of it is kept until it changes.

    Args:
        settings: the notebook's parameters, which say what is shown first.

    Attributes:
        model, image: None until one is chosen.
        person: number in the image, or in the one that is waited for.
        keypoint: number in the model's set.
        averages: what `average_attention` has found of models so far.
    """

    def __init__(self, settings: ExplorerSettings) -> None:
        self.settings = settings
        self.model: OpenModel | None = None
        self.image: ShownImage | None = None
        self.person, self.keypoint = settings.person, 0
        self.averages: dict[OpenModel, Weights] = {}
        self._val: dict[tuple[Path, str], ValImages] = {}
        self._seen: tuple[tuple[OpenModel, ShownImage, int], Seen] | None = None

    def choose_model(self, model: OpenModel) -> None:
        """Look into another model; of other keypoints, at the one that the parameters name first, if it is there.

        An image of another val set, or with other keypoints, is dropped. A checkpoint without `data` has no val set of
        its own and keeps the image.
        """
        before, self.model = self.model, model
        if before is None or before.keypoints != model.keypoints:
            names, wanted = model.keypoints.names, self.first_keypoints[0]
            self.keypoint = names.index(wanted) if wanted in names else 0
        if self.image is not None and (before.keypoints != model.keypoints or not self._goes_with(self.image)):
            self.image, self.person = None, 0

    @property
    def first_keypoints(self) -> Sequence[str]:
        """The names that the parameters list; [] takes `FIRST_KEYPOINTS`, or the model's first two if it lacks one."""
        names = self.model.keypoints.names
        return self.settings.keypoints or (FIRST_KEYPOINTS if {*FIRST_KEYPOINTS} <= {*names} else names[:2])

    def choose_image(self, image: ShownImage, person: int = 0) -> None:
        """Look at a person in another image.

        Raises:
            UserError: there is no person of that number.
        """
        image.person(person)
        self.image, self.person = image, person

    @property
    def val(self) -> ValImages:
        """The val set that goes with the model.

        Raises:
            UserError: it is not there, or its people have other keypoints.
        """
        root = self._data_folder()
        if root is None:
            raise UserError("a checkpoint has no val set of its own: give `data`, or an `image` of your own")
        if not annotation_path(root, "val").is_file():
            raise UserError(f"there is no val set in {root}: give `data`, or an `image` of your own")
        key = (root, self.model.keypoints.name)
        if key not in self._val:
            self._val[key] = ValImages(CocoPeople(root, "val", self.model.keypoints))
        return self._val[key]

    @property
    def seen(self) -> Seen | None:
        """The chosen person as the chosen model sees them; one forward pass a change. None until both are chosen."""
        if self.model is None or self.image is None:
            return None
        key = (self.model, self.image, self.person)
        if self._seen is None or self._seen[0] != key:
            who = f"{self.image.names[self.person]} of {self.image.name}"
            self._seen = key, see(self.model, self.image.image, self.image.people[self.person], who)
        return self._seen[1]

    def attention(self) -> Weights:
        """Self-attention of the chosen person.

        Raises:
            UserError: the model has none.
        """
        self._require_self_attention()
        layers = [layer.self_attention[0].numpy() for layer in self.seen.layers]
        return Weights(np.stack(layers), self.seen.who)

    def average_attention(self) -> Weights:
        """Self-attention averaged over the val set's first people; seconds at the first call.

        Raises:
            UserError: the model has none, or there is no val set.
        """
        self._require_self_attention()
        if self.model not in self.averages:
            everyone = [person for people in self.val.by_image for person in people]
            people = everyone[: self.settings.average_people]
            what = f"mean over {len(people):,} of {len(everyone):,} people of the val set"
            self.averages[self.model] = Weights(mean_self_attention(self.model, people), what)
        return self.averages[self.model]

    def _require_self_attention(self) -> None:
        if not self.model.head.self_attention:
            raise UserError(f"{self.model.name} has no self-attention between its keypoints (supp. Table 2)")

    def _goes_with(self, image: ShownImage) -> bool:
        """True if the model can be shown on the image: its own val set's, or one of one's own."""
        if image.data is None:
            return True
        with suppress(UserError):  # the folder of such a profile has to be given
            return self._data_folder() in (None, image.data)
        return False

    def _data_folder(self) -> Path | None:
        """Where the data set that goes with the model lies; None for a checkpoint without one."""
        data, of = self.settings.data, self.model.profile
        if not data and not of:
            return self.model.people
        return data_folder(profile(of or "paper"), data, self.model.keypoints.name)
