"""What training costs: processor time a person, crop and optimiser step included, of a method's stand-in.

Processor time of one thread says the same on a machine that does other things too, as far as caches allow.
"""

import time
from pathlib import Path

import torch
from torch.utils.data import DataLoader

from benchmarks.overfit import stand_in
from poseur_lib.data.coco import CocoPeople
from poseur_lib.data.dataset import PoseCrops
from poseur_lib.keypoints import COCO_17
from poseur_lib.models.build import build_model
from poseur_lib.runtime import keep_freed_memory
from poseur_lib.training.fit import pose_loss

WARM_UP, STEPS = 3, 20


def training_cpu_ms(method: str, backbone: str, data: Path) -> float:
    """Milliseconds of processor time a person, mean of steps at the batch of profile mini, after a warm-up.

    Args:
        data: a data set with fewer people than a batch: its people are taken again and again.
    """
    config = stand_in(method, backbone)
    torch.set_num_threads(1)
    keep_freed_memory("cpu")
    torch.manual_seed(config.seed)
    model = build_model(config).train()
    people = CocoPeople(data, "train", COCO_17).people()
    crops = PoseCrops(people, COCO_17, config.data.input_size, model.head.crop_rule, config.train.augment, config.seed,
                      cache_bytes=1 << 28)  # fmt: skip
    batch = config.train.global_batch
    order = [index % len(people) for index in range(batch * (WARM_UP + STEPS))]
    optimiser = torch.optim.AdamW(model.parameters(), lr=config.train.learning_rate)
    for step, people_of_step in enumerate(DataLoader(crops, batch_size=batch, sampler=order)):
        optimiser.zero_grad()
        pose_loss(model, people_of_step).total.backward()
        optimiser.step()
        if step == WARM_UP - 1:  # the next step's crops are counted, too
            start = time.process_time()
    return 1e3 * (time.process_time() - start) / (STEPS * batch)
