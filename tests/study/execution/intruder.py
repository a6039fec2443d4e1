"""Another user, who knows the port of a cluster and wants code executed; and what a process listens on."""

import asyncio
import json
import os
import urllib.error
import urllib.request
from pathlib import Path

import psutil
from distributed import Client
from distributed.security import Security


def code_executed_by(address: str, security: Security | None = None) -> bool:
    """Whether a client of its own, with this certificate, has a worker execute code within a few seconds."""

    async def enter() -> int:
        client = Client(address, security=security, timeout=2, set_as_default=False, asynchronous=True)
        try:
            await client
            return await asyncio.wait_for(client.submit(os.getpid, pure=False), 10)
        finally:
            await client.close()

    try:
        return asyncio.run(enter()) > 0
    except (OSError, TypeError, RuntimeError, ValueError, TimeoutError):
        return False


def ways_in(address: str) -> list[str]:
    """The attempts that succeed: without TLS, with TLS and no certificate, with a certificate of one's own."""
    plain, own = address.replace("tls://", "tcp://"), Security.temporary()
    tries = {"plain": (plain, None), "no certificate": (address, None), "own certificate": (address, own)}
    return [name for name, how in tries.items() if code_executed_by(*how)]


def listens_on(*pids: int) -> set[str]:
    """The addresses that processes accept connections at."""
    sockets = [socket for pid in pids for socket in psutil.Process(pid).net_connections(kind="tcp")]
    return {socket.laddr.ip for socket in sockets if socket.status == psutil.CONN_LISTEN}


def pages(port: int) -> list[str]:
    """The paths of dask's own pages that an HTTP server of this machine answers."""
    answered = []
    for path in ("/", "/status", "/info/main/workers.html", "/json/counts.json", "/metrics", "/health"):
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=2).close()
            answered.append(path)
        except urllib.error.HTTPError:
            pass
    return answered


def files_for(security: Security, folder: Path) -> Path:
    """A certificate as files, and the file for `--security` that names them."""
    options = {"ca_file": "ca.pem", "cert": "cert.pem", "key": "key.pem"}
    texts = (security.tls_ca_file, security.tls_client_cert, security.tls_client_key)
    for name, text in zip(options.values(), texts, strict=True):
        (folder / name).write_text(text)
    (folder / "security.yaml").write_text(json.dumps(options))
    return folder / "security.yaml"
