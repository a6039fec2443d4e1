"""JupyterLab on this machine's loopback, with nothing of the user's, and a notebook opened in it."""

import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import nbformat

if TYPE_CHECKING:
    from playwright.sync_api import Page

PATIENCE_SECONDS = 240
SETTINGS = {
    # Nothing is asked of a network, and cells out of sight are on the page too.
    "apputils-extension/notification": {"checkForUpdates": False, "fetchNews": "false"},
    "extensionmanager-extension/plugin": {"enabled": False},
    "notebook-extension/tracker": {"windowingMode": "none", "autoStartDefaultKernel": True},
}
# It ends with the tests even where they are killed, and its kernels end with it.
START = (
    "from poseur_study.runs.heartbeat import die_with_parent; die_with_parent(); "
    "from jupyterlab.labapp import main; main()"
)
OPTIONS = (
    "--no-browser", "--allow-root", "--ServerApp.port_retries=0", "--LabApp.extension_manager=readonly",
    "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate", "--ServerApp.terminals_enabled=False",
)  # fmt: skip


@dataclass(frozen=True)
class Lab:
    """A running JupyterLab."""

    address: str
    token: str
    folder: Path

    def url(self, notebook: str) -> str:
        """Where a notebook of the folder is edited, by itself."""
        return f"{self.address}/doc/tree/{notebook}?token={self.token}"


@contextmanager
def jupyter_lab(folder: Path, own: Path, **environment: str) -> Iterator[Lab]:
    """Serve a folder until the block ends; kernels end with the server.

    Args:
        own: an empty folder for its settings, its log and whatever else it writes.
        environment: more variables for the server and its kernels.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    lab = Lab(f"http://127.0.0.1:{port}", secrets.token_hex(16), folder)
    log = own / "jupyterlab.log"
    command = [
        sys.executable, "-c", START, "--ip=127.0.0.1", f"--port={port}", f"--IdentityProvider.token={lab.token}",
        f"--ServerApp.root_dir={folder}", *OPTIONS,
    ]  # fmt: skip
    with log.open("wb") as output:
        server = subprocess.Popen(
            command, cwd=folder, env=_environment(own) | environment, stdout=output, stderr=output,
            start_new_session=True,
        )  # fmt: skip
        try:
            _wait(server, lab, log)
            yield lab
        finally:
            _stop(server)


def _environment(own: Path) -> dict[str, str]:
    """The process's own environment with every place that Jupyter writes to below `own`."""
    for name, content in SETTINGS.items():
        path = own / "settings" / "@jupyterlab" / f"{name}.jupyterlab-settings"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(content))
    places = {
        "JUPYTER_CONFIG_DIR": "config", "JUPYTER_DATA_DIR": "data", "JUPYTER_RUNTIME_DIR": "runtime",
        "JUPYTERLAB_SETTINGS_DIR": "settings", "JUPYTERLAB_WORKSPACES_DIR": "workspaces", "IPYTHONDIR": "ipython",
    }  # fmt: skip
    folders = {variable: str(own / place) for variable, place in places.items()}
    return os.environ | folders | {"OMP_NUM_THREADS": "1", "JUPYTER_PREFER_ENV_PATH": "1"}


def _wait(server: subprocess.Popen, lab: Lab, log: Path) -> None:
    ends = time.monotonic() + PATIENCE_SECONDS
    while True:
        assert server.poll() is None, f"JupyterLab ended: {log.read_text()[-3000:]}"
        try:
            with urllib.request.urlopen(f"{lab.address}/api/status?token={lab.token}", timeout=5):
                return
        except OSError:
            assert time.monotonic() < ends, f"JupyterLab did not start: {log.read_text()[-3000:]}"
            time.sleep(0.2)


def _stop(server: subprocess.Popen) -> None:
    """The server ends its kernels when told to end; its process group is killed where it does not."""
    server.terminate()
    try:
        server.wait(30)
    except subprocess.TimeoutExpired:
        os.killpg(server.pid, signal.SIGKILL)
        server.wait()


@dataclass(frozen=True)
class LabNotebook:
    """A notebook in a JupyterLab page."""

    page: "Page"
    n_code: int
    """Cells of code, the empty ones not counted."""

    @classmethod
    def open(cls, page: "Page", lab: Lab, name: str) -> "LabNotebook":
        """Open a notebook of the lab's folder and wait until all of it and its kernel are there."""
        cells = nbformat.read(lab.folder / name, as_version=4).cells
        page.set_default_timeout(PATIENCE_SECONDS * 1000)
        page.goto(lab.url(name))
        page.wait_for_function("n => document.querySelectorAll('.jp-Notebook .jp-Cell').length === n", arg=len(cells))
        opened = cls(page, sum(cell.cell_type == "code" and bool(cell.source.strip()) for cell in cells))
        opened.wait_until_idle()
        return opened

    def run_all(self) -> None:
        """Choose "Run All Cells" from the menu and wait until every cell has run, or did not because one failed."""
        self.page.get_by_role("menuitem", name="Run", exact=True).click()
        self.page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
        self.page.wait_for_function(
            """(n) => {
                const found = [...document.querySelectorAll('.jp-CodeCell .jp-InputPrompt')];
                const prompts = found.map((one) => one.textContent);
                const run = prompts.filter((text) => /^\\[\\d+\\]:$/.test(text)).length;
                const failed = document.querySelector(".jp-CodeCell [data-mime-type='application/vnd.jupyter.stderr']");
                return run === n || (failed && run > 0 && !prompts.includes('[*]:'));
            }""",
            arg=self.n_code,
        )
        self.wait_until_idle()

    def wait_until_idle(self) -> None:
        """Wait until the kernel is there and has nothing to do: the status bar says so."""
        self.page.locator("#jp-bottom-panel", has_text="| Idle").wait_for()

    @property
    def failures(self) -> list[str]:
        """What cells wrote to standard error or raised, and widgets that could not be shown."""
        wrong = "[data-mime-type='application/vnd.jupyter.stderr'], .jupyter-widgets-error-widget"
        return self.page.locator(f".jp-Notebook :is({wrong})").all_inner_texts()
