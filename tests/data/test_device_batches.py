"""Crops cut on the device equal those of the processor; here the device is a processor too.

Grey levels are compared as bytes. Measured with OpenCV 5, in levels of 255: a mean difference below 0.001 and at most 1
where no colours are distorted; below 0.1 and at most 5 where they are, as OpenCV's way back from HSV truncates most
pixels and rounds the others.
"""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch._subclasses import FakeTensorMode
from torch.utils._pytree import tree_map_only
from torch.utils.data import DataLoader, default_collate

from poseur_lib.config.data import AugmentConfig
from poseur_lib.data import batches, device_images
from poseur_lib.data.augment import augmentation_rng
from poseur_lib.data.batches import DeviceBatches, on_device, people_batches
from poseur_lib.data.coco import CocoPeople, Person
from poseur_lib.data.crop import CropRule
from poseur_lib.data.crop_batch import _normalisation, crop_batch, hsv_to_rgb, rgb_to_hsv
from poseur_lib.data.dataset import IMAGE_STD, EpochSampler, PoseBatch, PoseCrops
from poseur_lib.data.device_images import RUNS_PER_GPU, DeviceImages, goes_on_device, image_bytes
from poseur_lib.data.parts import PartBatch, PartCrops, part_path
from poseur_lib.data.streams import sample_streams
from poseur_lib.errors import UserError
from poseur_lib.keypoints import COCO_17
from poseur_lib.runtime import InferenceRuntime

CPU = torch.device("cpu")
IMAGE_SIZES = ((1, 1), (1, 40), (33, 1), (2, 3), (97, 131), (120, 64), (64, 200), (240, 320))
AUGMENTS = {
    "none": None,
    "usual": AugmentConfig(),
    "half bodies": AugmentConfig(half_body_probability=1.0, half_body_min_keypoints=0),
    "mirrored": AugmentConfig(flip_probability=1.0, rotation_probability=0.0),
    "turned": AugmentConfig(flip_probability=0.0, rotation_probability=1.0, rotation_degrees=90.0),
    "cutout": AugmentConfig(cutout=True),
}
COLOURS = AugmentConfig(photometric=True, cutout=True)


@pytest.fixture(scope="module")
def paths(tmp_path_factory) -> list[Path]:
    """Smooth images of many sizes: sharp noise would show how OpenCV rounds places, which its versions do unalike."""
    folder, rng = tmp_path_factory.mktemp("images"), np.random.default_rng(0)
    files = []
    for height, width in IMAGE_SIZES:
        noise = rng.integers(0, 256, (height, width, 3), np.uint8)
        files.append(folder / f"{height}x{width}.png")
        cv2.imwrite(str(files[-1]), cv2.normalize(cv2.GaussianBlur(noise, (0, 0), 2), None, 0, 255, cv2.NORM_MINMAX))
    return files


def random_people(paths, count, seed) -> list[Person]:
    """Boxes of 1 pixel to twice the image, partly or wholly outside it; keypoints in and around them."""
    rng, people = np.random.default_rng(seed), []
    for number in range(count):
        image = int(rng.integers(len(paths)))
        size = np.array(IMAGE_SIZES[image][::-1])
        box = np.concatenate([rng.uniform(-0.5, 1, 2) * size, np.maximum(1, rng.uniform(0, 2, 2) * size)])
        if number % 8 == 0:
            box[2:] = 1
        visibility = rng.integers(0, 3, 17) if number % 5 else np.full(17, number % 3)
        points = (box[:2] + rng.uniform(-0.2, 1.2, (17, 2)) * box[2:]).astype(np.float32)
        people.append(Person(
            image, paths[image], tuple(float(value) for value in box), image_size=IMAGE_SIZES[image],
            keypoints_image=np.where(visibility[:, None] > 0, points, np.float32(0)), visibility=visibility, area=1.0,
        ))  # fmt: skip
    return people


def joined(batches) -> PoseBatch:
    return PoseBatch(*(torch.cat(fields) for fields in zip(*batches, strict=True)))


def both(crops, keys, batch=16, device=CPU, workers=0) -> tuple[PoseBatch, PoseBatch]:
    ours = joined(DeviceBatches(crops, device, batch, keys, workers))
    return PoseBatch(*(field.cpu() for field in ours)), default_collate([crops[key] for key in keys])


def grey_difference(ours, theirs) -> torch.Tensor:
    return ((ours.images - theirs.images) * torch.from_numpy(255 * IMAGE_STD)[:, None, None]).abs()


def assert_same_numbers(ours, theirs):
    for name in ("visibility", "inside", "position"):
        assert torch.equal(getattr(ours, name), getattr(theirs, name)), name
    for name in ("center", "box_scale"):
        torch.testing.assert_close(getattr(ours, name), getattr(theirs, name), rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(ours.keypoints, theirs.keypoints, rtol=1e-6, atol=1e-5)
    assert all(a.dtype == b.dtype for a, b in zip(ours, theirs, strict=True))


@pytest.mark.parametrize("unbiased", [False, True])
@pytest.mark.parametrize("augment", AUGMENTS.values(), ids=AUGMENTS)
@given(st.integers(0, 2**31), st.sampled_from([(64, 48), (33, 17), (128, 96)]))
@settings(max_examples=6)
def test_crops_equal_the_processors(paths, augment, unbiased, seed, size):
    people = random_people(paths, 40, seed)
    crops = PoseCrops(people, COCO_17, size, CropRule(unbiased=unbiased), augment, seed)
    ours, theirs = both(crops, [(epoch, index) for epoch in range(2) for index in range(40)])
    assert_same_numbers(ours, theirs)
    difference = grey_difference(ours, theirs)
    assert difference.mean() < 0.01 and difference.max() < 3.5


@given(st.integers(0, 2**31), st.sampled_from([(64, 48), (128, 96)]))
@settings(max_examples=8)
def test_colours_equal_the_processors(paths, seed, size):
    crops = PoseCrops(random_people(paths, 40, seed), COCO_17, size, CropRule(), COLOURS, seed)
    ours, theirs = both(crops, [(epoch, index) for epoch in range(2) for index in range(40)])
    assert_same_numbers(ours, theirs)
    difference = grey_difference(ours, theirs)
    assert difference.mean() < 0.2 and difference.max() < 8


def test_real_people(coco_tiny):
    people = CocoPeople(coco_tiny, "train", COCO_17).people()
    assert all(person.image_size is not None for person in people)
    for augment in (AugmentConfig(), COLOURS):
        ours, theirs = both(PoseCrops(people, COCO_17, (128, 96), CropRule(), augment, 0), list(range(len(people))))
        assert_same_numbers(ours, theirs)
        assert grey_difference(ours, theirs).mean() < 0.5


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("workers", [0, 2])
def test_a_gpus_crops_equal_the_processors(paths, workers):
    for augment, mean in ((AugmentConfig(), 0.01), (COLOURS, 0.2)):
        crops = PoseCrops(random_people(paths, 100, 0), COCO_17, (64, 48), CropRule(), augment, 0)
        ours, theirs = both(crops, list(range(100)), device=torch.device("cuda"), workers=workers)
        assert_same_numbers(ours, theirs)
        assert grey_difference(ours, theirs).mean() < mean


def test_nothing_waits_for_a_gpu(paths):
    """On tensors without values, which a step refuses that would need one; nor is a tensor left on the processor."""
    made = DeviceBatches(PoseCrops(random_people(paths, 8, 0), COCO_17, (64, 48), CropRule(), COLOURS, 0), CPU, 8)
    draws, gpu = next(iter(made.draws)), torch.device("cuda", 0)
    _normalisation.cache_clear()
    with FakeTensorMode() as mode:
        empty = tree_map_only(torch.Tensor, mode.from_tensor, draws)
        for name in ("pixels", "first", "height", "width"):
            setattr(made.images, name, mode.from_tensor(getattr(made.images, name)).to(gpu))
        crops = crop_batch(made.images, on_device(empty, gpu), (64, 48))
    _normalisation.cache_clear()
    assert crops.device == gpu and crops.shape == (8, 3, 64, 48)


def test_hsv_is_opencvs():
    """All hues exactly; the way back truncated, as in OpenCV's vector code, but for one level here and there."""
    rng = np.random.default_rng(0)
    rgb = rng.integers(0, 256, (96, 128, 3), np.uint8)
    rgb[:8] = rgb[:8, :, :1]  # grey
    theirs = cv2.cvtColor(rgb, cv2.COLOR_RGB2HSV)
    ours = torch.stack(rgb_to_hsv(torch.from_numpy(rgb).permute(2, 0, 1)[None].float()), -1)[0]
    np.testing.assert_array_equal(ours.numpy(), theirs)
    hsv = np.stack([rng.integers(0, limit, (96, 128), np.uint8) for limit in (180, 256, 256)], -1)
    back = hsv_to_rgb(*torch.from_numpy(hsv).permute(2, 0, 1)[:, None].float())[0].permute(1, 2, 0).numpy()
    difference = np.abs(back - cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB))
    assert difference.max() <= 1 and difference.mean() < 0.4


def test_streams_are_numpys_generators():
    numbers = np.random.default_rng(0).integers(0, 2**32, (40, 2)).tolist()
    keys = [(0, 0), (0, 1), (2**32 - 1, 2**32 - 1), *((epoch, index) for epoch, index in numbers)]
    for seed in (0, 3, 2**32 - 1, 2**32, 2**70):
        for key, rng in zip(keys, sample_streams(seed, keys), strict=True):
            theirs = augmentation_rng(seed, *key)
            assert rng.bit_generator.state == theirs.bit_generator.state
            assert rng.integers(0, 7) == theirs.integers(0, 7)  # which leaves half a word for the next one to forget
    assert [rng.random() for rng in sample_streams(0, [(2**40, 1)])] == [augmentation_rng(0, 2**40, 1).random()]


def test_a_sample_does_not_depend_on_its_batch(paths):
    people = random_people(paths, 30, 1)
    crops = PoseCrops(people, COCO_17, (64, 48), CropRule(), COLOURS, 3)
    keys = [(7, index) for index in range(30)]
    together, alone = joined(DeviceBatches(crops, CPU, 30, keys)), joined(DeviceBatches(crops, CPU, 1, keys[::-1]))
    assert all(torch.equal(a, b.flip(0)) for a, b in zip(together, alone, strict=True))
    other = joined(DeviceBatches(crops, CPU, 30, [(8, index) for index in range(30)]))
    assert not torch.equal(other.images, together.images)


@pytest.mark.parametrize("workers", [0, 2])
def test_order_and_length_are_the_loaders(paths, workers, monkeypatch):
    """Epoch by epoch, with and without what fills no batch; crops made a few batches at a time."""
    monkeypatch.setattr("poseur_lib.data.batches.CROPPED_TOGETHER", 2 * 4 * 64 * 48)
    crops = PoseCrops(random_people(paths, 22, 2), COCO_17, (64, 48), CropRule(), AugmentConfig(), 0)
    for drop_last in (True, False):
        sampler = EpochSampler(22, seed=5)
        ours = DeviceBatches(crops, CPU, 4, sampler, workers, drop_last)
        theirs = DataLoader(crops, batch_size=4, sampler=sampler, drop_last=drop_last)
        assert len(ours) == len(theirs)
        for epoch in (3, 4):
            sampler.set_epoch(epoch)
            made, expected = list(ours), list(theirs)
            assert [batch.position.tolist() for batch in made] == [batch.position.tolist() for batch in expected]
            assert all(isinstance(batch, PoseBatch) and batch.images.is_contiguous() for batch in made)
            torch.testing.assert_close(joined(made).keypoints, joined(expected).keypoints)


def test_part_labels_equal_the_processors(paths, tmp_path):
    """But for cells whose centre lies between two pixels, to float32 rounding."""
    rng, people = np.random.default_rng(0), random_people(paths, 40, 0)
    moved = [replace(person, image_path=tmp_path / "train2017" / person.image_path.name) for person in people]
    for folder in ("train2017", "parts_train2017"):
        (tmp_path / folder).mkdir()
    for path, size in zip(paths, IMAGE_SIZES, strict=True):
        (tmp_path / "train2017" / path.name).write_bytes(path.read_bytes())
        cv2.imwrite(str(part_path(tmp_path / "train2017" / path.name)), rng.integers(0, 15, size, np.uint8))
    for augment in (AugmentConfig(), None):
        crops = PartCrops(moved, COCO_17, (64, 48), CropRule(), augment, 0)
        asked = InferenceRuntime(device="cpu", data_on_device="yes")
        keys = [(epoch, index) for epoch in range(3) for index in range(40)]
        batches = list(people_batches(crops, 32, asked, keys))
        ours = PartBatch(*(torch.cat(fields) for fields in zip(*batches, strict=True)))
        theirs = default_collate([crops[key] for key in keys])
        assert isinstance(batches[0], PartBatch) and ours.labels.dtype == theirs.labels.dtype
        assert (ours.labels == theirs.labels).float().mean() > 0.999
        assert grey_difference(ours, theirs).mean() < 0.01


def test_images_are_kept_once_and_as_they_are(paths):
    images = DeviceImages([*paths, *paths], CPU)
    assert len(images.position) == len(paths) and images.sizes.tolist() == [list(size) for size in IMAGE_SIZES]
    for path, position in images.position.items():
        height, width = images.sizes[position]
        pixels = images.pixels[images.first[position] :][: height * width].reshape(height, width, 3)
        np.testing.assert_array_equal(pixels.numpy()[..., ::-1], cv2.imread(str(path)))
    wrong = DeviceImages(paths, CPU, expected_pixels=7)
    assert torch.equal(wrong.pixels, images.pixels)


def test_a_file_that_is_no_image_is_named(paths, tmp_path):
    bad = tmp_path / "bad.png"
    bad.write_bytes(paths[4].read_bytes()[:-40])
    people = [replace(person, image_path=bad) for person in random_people(paths, 3, 0)]
    crops = PoseCrops(people, COCO_17, (64, 48), CropRule(), None, 0)
    with pytest.raises(UserError, match=r"bad\.png: image file is truncated"):
        people_batches(crops, 4, InferenceRuntime(device="cpu", data_on_device="yes"))


def test_an_image_of_another_size_than_its_annotation_says_is_named(paths):
    people = random_people(paths, 3, 0)
    height, width = people[1].image_size
    people[1] = replace(people[1], image_size=(height + 1, width))
    crops = PoseCrops(people, COCO_17, (64, 48), CropRule(), None, 0)
    with pytest.raises(UserError, match=rf"{people[1].image_path.name}.*says {width} x {height + 1}"):
        people_batches(crops, 2, InferenceRuntime(device="cpu", data_on_device="yes"))


def test_when_images_go_on_the_device(paths, monkeypatch):
    people = random_people(paths, 50, 0)
    needed = image_bytes(people)
    assert needed == sum(3 * height * width for height, width in IMAGE_SIZES)
    gpu = torch.device("cuda", 0)
    for free, fits in ((2 * needed, True), (2 * needed - 2, False)):
        monkeypatch.setattr(device_images, "free_bytes", lambda device, free=free: free)
        assert goes_on_device(people, "auto", gpu) is fits
        assert goes_on_device(people, "yes", gpu)
        assert not goes_on_device(people, "no", gpu) and not goes_on_device(people, "auto", CPU)
    monkeypatch.setenv(RUNS_PER_GPU, "4")
    for free, fits in ((8 * needed, True), (8 * needed - 2, False)):
        monkeypatch.setattr(device_images, "free_bytes", lambda device, free=free: free)
        assert goes_on_device(people, "auto", gpu) is fits
    assert not goes_on_device([], "yes", gpu)
    assert not goes_on_device([*people, replace(people[0], image_path=Path("x"), image_size=None)], "auto", gpu)
    monkeypatch.setattr(device_images, "free_bytes", lambda device: needed - 1)
    with pytest.raises(UserError, match=f"decoded images take {needed} bytes, and cuda:0 has {needed - 1} free"):
        goes_on_device(people, "yes", gpu)


def test_what_is_cut_where(paths):
    people, asked = random_people(paths, 5, 0), InferenceRuntime(device="cpu", data_on_device="yes")
    arguments = (people, COCO_17, (64, 48), CropRule(), None, 0)
    assert isinstance(people_batches(PoseCrops(*arguments), 4, asked), DeviceBatches)
    given_images = PoseCrops(*arguments, read=lambda path: np.zeros((9, 9, 3), np.uint8))
    assert isinstance(people_batches(given_images, 4, asked), DataLoader)
    for where in ("auto", "no"):
        kept = people_batches(PoseCrops(*arguments), 4, replace(asked, data_on_device=where))
        assert isinstance(kept, DataLoader)


def no_memory(*_):
    raise torch.OutOfMemoryError


def test_auto_trusts_a_device_that_cuts_what_a_processor_cuts(paths, monkeypatch, capsys):
    crops = PoseCrops(random_people(paths, 5, 0), COCO_17, (64, 48), CropRule(), AugmentConfig(), 0)
    auto = InferenceRuntime(device="cpu", data_on_device="auto")
    monkeypatch.setattr(batches, "goes_on_device", lambda *_: True)
    assert isinstance(people_batches(crops, 4, auto), DeviceBatches) and not capsys.readouterr().err
    with monkeypatch.context() as full:
        full.setattr(DeviceImages, "_reserve", no_memory)  # other runs took it after it was counted
        assert isinstance(people_batches(crops, 4, auto), DataLoader)
        assert "not on the device: " in (said := capsys.readouterr().err) and "no room on cpu after 0 bytes" in said
        with pytest.raises(UserError, match="no room on cpu"):
            people_batches(crops, 4, replace(auto, data_on_device="yes"))
    monkeypatch.setattr(batches, "crop_batch", lambda *given: crop_batch(*given).flip(3))
    assert isinstance(people_batches(crops, 4, auto), DataLoader)
    assert "crops are cut by processes, not on the device: its crops are" in capsys.readouterr().err
