"""The map that HRNet's classifier pools, against timm's."""

import timm
import torch

from poseur_lib.config import HRNetConfig
from poseur_lib.models.backbones import build_backbone


def test_it_is_timms_map_and_takes_timms_weights(monkeypatch):
    torch.manual_seed(0)
    theirs = timm.create_model("hrnet_w32", pretrained=False).eval()
    monkeypatch.setattr(timm, "create_model", lambda name, pretrained: theirs)
    ours = build_backbone(HRNetConfig(outputs="classification"), (32, 32)).eval()
    assert set(theirs.state_dict()) - set(ours.state_dict()) == {"classifier.weight", "classifier.bias"}
    images = torch.randn(1, 3, 32, 32)
    with torch.no_grad():
        (x,) = ours(images)
        expected = theirs.forward_features(images)
    assert x.shape == (1, 2048, 1, 1) and ours.channels == (2048,)
    torch.testing.assert_close(x, expected)
