"""The supply chain, looked through: `make audit`.

Writes the bill of materials of requirements.lock (`sbom.cdx.json`, CycloneDX), searches our code with bandit, and asks
a service for known vulnerabilities of the locked packages (pip-audit: needs the internet). The three tools are
installed into a temporary environment, since none is needed to use or to test the project.
"""

import subprocess
import sys
import tempfile
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TOOLS = ("bandit==1.9.4", "cyclonedx-bom==7.5.0", "pip-audit==2.10.1")
LOCK, BILL = "requirements.lock", "sbom.cdx.json"
OURS = ("poseur_lib", "poseur_study", "synthetic_people", "tools", "benchmarks")
STEPS = {
    "bill of materials": ("cyclonedx-py", "requirements", "--output-reproducible", "--short-PURLs", "--validate",
                          "--pyproject", "pyproject.toml", "--output-file", BILL, LOCK),
    "bandit": ("bandit", "--quiet", "--configfile", "pyproject.toml", "--recursive", *OURS),
    "pip-audit": ("pip-audit", "--requirement", LOCK, "--no-deps", "--disable-pip", "--strict",
                  "--progress-spinner", "off"),
}  # fmt: skip


def main() -> int:
    """Every step, also after one that found something; 1 where one did."""
    with tempfile.TemporaryDirectory(prefix="poseur-audit-") as folder:
        venv.create(folder, with_pip=True)
        programs = Path(folder) / "bin"
        subprocess.run([programs / "python", "-m", "pip", "install", "--quiet", *TOOLS], check=True)
        failed = []
        for name, (program, *arguments) in STEPS.items():
            print(f"== {name}", flush=True)
            if subprocess.run([programs / program, *arguments], cwd=ROOT, check=False).returncode:
                failed.append(name)
    print(f"bill of materials: {ROOT / BILL}")
    print(f"found something, or could not be done: {', '.join(failed)}" if failed else "nothing found")
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main())
