"""Who may talk to a dask cluster: its own batch alone, by TLS with a certificate on both sides.

A scheduler and its workers execute what they are sent. The clusters that a batch starts trust one certificate, which is
made for that batch and is in its memory; files of it exist for Slurm's jobs alone, in a folder that only their owner
reads and that goes with the batch. Nothing is served by HTTP but on 127.0.0.1, and nothing is there to be read.
"""

import json
import shlex
import sys
import tempfile
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import yaml
from distributed.security import Security
from pydantic import BaseModel

from poseur_lib.config.base import Frozen
from poseur_lib.errors import UserError, validated

Options = TypeVar("Options", bound=BaseModel)
HTTP = "127.0.0.1:0"
"""Where dask's pages are served; `:0` would be every address."""
NO_PAGES = {
    "distributed.scheduler.http.routes": [],
    "distributed.worker.http.routes": [],
}


class TlsFiles(Frozen):
    """What `--security` names, by the names of dask's own settings: PEM files, relative to the file that names them.

    Attributes:
        ca_file: whose certificates are trusted.
        cert: our certificate.
        key: its key; may lie in `cert`, too.
    """

    ca_file: str
    cert: str
    key: str | None = None


def read_options(file: Path, options: type[Options], what: str) -> Options:
    """The options in a YAML or TOML file; `what` begins every message.

    Raises:
        UserError: the file is missing or no such file, or an option is unknown or ill-typed.
    """
    try:
        text = file.read_text(encoding="utf-8")
        content: Any = tomllib.loads(text) if file.suffix == ".toml" else yaml.safe_load(text)
    except OSError as error:
        raise UserError(f"{what} {file}: {error.strerror}") from None
    except (yaml.YAMLError, ValueError) as error:
        raise UserError(f"{what} {file}: {' '.join(str(error).split())}") from None
    if not isinstance(content, dict):
        raise UserError(f"{what} {file}: NAME: VALUE lines are expected, not {json.dumps(content)[:40]}")
    try:
        return validated(options, content)
    except UserError as error:
        raise UserError(f"{what} {file}: {error}") from None


def security_for(address: str, file: Path | None) -> Security | None:
    """How to connect to a scheduler that was running: with the certificate in the files that `file` names.

    Without a file, dask's own settings hold (`distributed.comm.tls`). An address without TLS is warned of.

    Raises:
        UserError: the file or one that it names cannot be used, or it is given for an address without TLS.
    """
    encrypted = address.startswith("tls://")
    if file is None:
        if not encrypted:
            print(
                f"warning: {address} is not encrypted: whoever reaches its port executes code as its workers' user; "
                "tls://HOST:PORT with --security FILE shuts it",
                file=sys.stderr,
            )
        return None
    if not encrypted:
        raise UserError(f"--security {file} is for an address that begins with tls://, not {address!r}")
    given = read_options(file, TlsFiles, "security options")
    files = [file.absolute().parent / name for name in (given.ca_file, given.cert, given.key or given.cert)]
    if missing := [str(path) for path in files if not path.is_file()]:
        raise UserError(f"security options {file}: {missing[0]}: no such file")
    names = zip(("tls_ca_file", "tls_client_cert", "tls_client_key"), map(str, files), strict=True)
    security = Security(require_encryption=True, **dict(names))
    try:
        security.get_connection_args("client")
    except OSError as error:
        raise UserError(f"security options {file}: no certificate and its key: {error.strerror}") from None
    return security


@contextmanager
def worker_files(security: Security, folder: Path) -> Iterator[list[str]]:
    """A temporary security as files below a shared folder, and the words of a worker's command line that name them."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".tls-", dir=folder) as private:
        words = []
        for role in ("ca-file", "cert", "key"):
            file = Path(private, f"{role}.pem")
            file.touch(0o600)
            file.write_text(
                security.tls_ca_file if role == "ca-file" else getattr(security, f"tls_worker_{role}"), encoding="utf-8"
            )
            words += [f"--tls-{role}", shlex.quote(str(file))]
        yield words
