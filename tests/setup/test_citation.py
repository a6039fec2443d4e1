"""CITATION.cff names this version and the paper."""

import yaml

from tests.setup.project import PROJECT, ROOT


def test_version_and_licence_are_the_packages() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert citation["version"] == PROJECT["version"]
    assert citation["license"] == PROJECT["license"] == "Apache-2.0"
    assert "Apache License" in (ROOT / "LICENSE").read_text()


def test_the_paper_is_cited() -> None:
    (paper,) = yaml.safe_load((ROOT / "CITATION.cff").read_text())["references"]
    assert paper["title"] == "Poseur: Direct Human Pose Regression with Transformers"
    assert paper["authors"][0]["family-names"] == "Mao"
    assert paper["year"] == 2022
