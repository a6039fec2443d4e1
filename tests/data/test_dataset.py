"""Samples, batches, the order of an epoch, the cache, part labels; on real people where it matters."""

from collections import Counter

import cv2
import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from poseur_lib.config.data import AugmentConfig
from poseur_lib.data.coco import CocoPeople, Person
from poseur_lib.data.crop import CropRule
from poseur_lib.data.dataset import EpochSampler, PoseBatch, PoseCrops
from poseur_lib.data.parts import PartCrops, part_path, strided
from poseur_lib.keypoints import COCO_17

SIZE = (64, 48)


@pytest.fixture(scope="module")
def people(coco_tiny):
    return CocoPeople(coco_tiny, "train", COCO_17).people()


def test_batches_of_real_people(people):
    crops = PoseCrops(people, COCO_17, SIZE, CropRule(), AugmentConfig(), 0)
    batches = list(DataLoader(crops, batch_size=16, sampler=EpochSampler(len(crops), seed=0)))
    assert all(isinstance(batch, PoseBatch) for batch in batches)
    first = batches[0]
    assert first.images.shape == (16, 3, *SIZE) and first.images.dtype == torch.float32
    assert first.keypoints.shape == (16, 17, 2) and first.keypoints.dtype == torch.float32
    assert first.visibility.dtype == torch.int64 and first.inside.dtype == torch.bool
    assert first.center.shape == first.box_scale.shape == (16, 2)
    assert sorted(torch.cat([batch.position for batch in batches]).tolist()) == list(range(57))
    for batch in batches:
        assert not (batch.inside & (batch.visibility == 0)).any()
        assert ((batch.keypoints >= 0) & (batch.keypoints < 1))[batch.inside].all()


def test_workers_change_nothing(people):
    crops = PoseCrops(people[:12], COCO_17, SIZE, CropRule(), AugmentConfig(), 0, cache_bytes=10**6)
    sampler = EpochSampler(len(crops), seed=0)
    sampler.set_epoch(3)
    ours, theirs = (list(DataLoader(crops, batch_size=5, sampler=sampler, num_workers=n)) for n in (0, 2))
    for a, b in zip(ours, theirs, strict=True):
        assert all(torch.equal(left, right) for left, right in zip(a, b, strict=True))


def test_detections_have_no_targets(coco4):
    detections = CocoPeople(coco4, "val", COCO_17).detections()[:3]
    batch = next(iter(DataLoader(PoseCrops(detections, COCO_17, SIZE, CropRule(), None, 0), batch_size=3)))
    assert not batch.inside.any() and not batch.visibility.any() and not batch.keypoints.any()
    assert batch.images.std() > 0.1


def test_cache_stays_below_its_limit_and_changes_nothing(people):
    plain = PoseCrops(people, COCO_17, SIZE, CropRule(), None, 0)
    limit = 3 * 1024 * 1024
    cached = PoseCrops(people, COCO_17, SIZE, CropRule(), None, 0, cache_bytes=limit)
    for index in [*range(8), *range(8)]:
        assert torch.equal(cached[index].images, plain[index].images)
    assert 0 < cached.read.size == sum(image.nbytes for image in cached.read.kept.values()) <= limit
    assert not plain.read.kept


def test_sampler_reads_the_epoch_when_an_iteration_starts():
    sampler = EpochSampler(10, seed=0)
    first = iter(sampler)
    sampler.epoch = 1
    assert {epoch for epoch, _ in first} == {0}
    assert {epoch for epoch, _ in sampler} == {1}


def test_order_is_a_function_of_seed_and_epoch():
    def order(seed, epoch):
        sampler = EpochSampler(50, seed)
        sampler.set_epoch(epoch)
        return list(sampler)

    assert order(0, 4) == order(0, 4)
    assert [index for _, index in order(0, 4)] != [index for _, index in order(0, 5)]
    assert order(0, 4) != order(1, 4)


@pytest.mark.parametrize(("length", "world_size"), [(12, 3), (10, 4), (2, 5), (0, 2)])
def test_shards_cover_everyone_and_are_equally_long(length, world_size):
    shards = [list(EpochSampler(length, 0, rank=rank, world_size=world_size)) for rank in range(world_size)]
    assert {len(shard) for shard in shards} == {len(EpochSampler(length, 0, world_size=world_size))}
    counts = Counter(index for shard in shards for _, index in shard)
    assert set(counts) == set(range(length))
    assert sum(counts.values()) - length < max(world_size, 1)


def test_longer_epochs_are_passes_that_never_repeat():
    sampler = EpochSampler(4, seed=0, samples=10)
    drawn = []
    for epoch in range(3):
        sampler.set_epoch(epoch)
        keys = list(sampler)
        assert len(keys) == len(sampler) == 10
        assert set(Counter(index for _, index in keys).values()) <= {2, 3}
        drawn += keys
    assert len(set(drawn)) == len(drawn)
    assert len(list(EpochSampler(10, seed=0, samples=4))) == 4


def test_rank_is_checked():
    with pytest.raises(ValueError, match=r"rank must be in 0..1, got 2"):
        EpochSampler(4, 0, rank=2, world_size=2)


@pytest.fixture(scope="module")
def painted(tmp_path_factory):
    """An image whose left half is red and labelled 4, whose right half is green and labelled 5."""
    root = tmp_path_factory.mktemp("parts")
    image, labels = np.zeros((100, 80, 3), np.uint8), np.zeros((100, 80), np.uint8)
    image[10:90, 10:40, 2], image[10:90, 40:70, 1] = 255, 255
    labels[10:90, 10:40], labels[10:90, 40:70] = 4, 5
    path = root / "train2017" / "a.png"
    for target, content in ((path, image), (part_path(path), labels)):
        target.parent.mkdir()
        cv2.imwrite(str(target), content)
    return Person(1, path, (10.0, 10.0, 60.0, 80.0), keypoints_image=np.full((17, 2), 40, np.float32),
                  visibility=np.full(17, 2), area=4800.0)  # fmt: skip


def test_part_labels_lie_on_their_pixels(painted):
    """Each label is the part whose colour its 4 x 4 block shows, left and right exchanged in mirror images."""
    assert part_path(painted.image_path).parts[-2:] == ("parts_train2017", "a.png")
    crops = PartCrops([painted], COCO_17, SIZE, CropRule(), AugmentConfig(), 0)
    poses = PoseCrops([painted], COCO_17, SIZE, CropRule(), AugmentConfig(), 0)
    mirrored = 0
    for epoch in range(20):
        sample = crops[epoch, 0]
        assert torch.equal(sample.images, poses[epoch, 0].images)
        assert sample.labels.shape == (16, 12) and sample.labels.dtype == torch.int64
        blocks = sample.images.unfold(1, 4, 4).unfold(2, 4, 4).flatten(3)
        pure = blocks.std(-1).amax(0) < 1e-3
        red, green = blocks[0].mean(-1) > 1, blocks[1].mean(-1) > 1
        flipped = (sample.labels[pure & red] == 5).any() or (sample.labels[pure & green] == 4).any()
        mirrored += bool(flipped)
        assert (sample.labels[pure & red] == (5 if flipped else 4)).all()
        assert (sample.labels[pure & green] == (4 if flipped else 5)).all()
        assert (sample.labels[pure & ~red & ~green] == 0).all()
    assert 3 < mirrored < 17


def test_label_cells_are_centred_on_their_blocks():
    cells = strided(np.array([[1.0, 0, 0], [0, 1.0, 0]]), 4)
    np.testing.assert_allclose(cells @ [1.5, 5.5, 1], [0, 1])
