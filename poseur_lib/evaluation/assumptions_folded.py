"""What a number depends on and weights do not tell, in words: printed with every result."""

from poseur_lib.config import ExperimentConfig, PoseurConfig


def assumptions(config: ExperimentConfig) -> str:
    """Input size, normalisation, scores and, where the head has a choice, the fusion of the flip test."""
    height, width = config.data.input_size
    said = [f"input {height}x{width}", "RGB by ImageNet's mean and deviation"]
    if isinstance(config.model.head, PoseurConfig):
        said += [f"flip fusion {config.model.head.flip_fusion}", f"keypoint score {config.model.head.keypoint_score}"]
    else:
        said.append(f"head {config.model.head.kind}")
    return ", ".join([*said, f"instance score {config.evaluation.instance_score}"])
