"""`python -m tools.draw_people`: `docs/people.jpg`, six generated people with their labelled keypoints."""

from pathlib import Path

from poseur_study.profile_study import ProfileStudy

OUT = Path(__file__).resolve().parents[1] / "docs" / "people.jpg"


def main() -> None:
    """Draw people of profile mini's val split, whose data set has to be there."""
    OUT.write_bytes(ProfileStudy("mini").sample_people(6).saved("jpeg"))


if __name__ == "__main__":
    main()
