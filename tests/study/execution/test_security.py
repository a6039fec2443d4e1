"""A cluster executes what its own batch sends it, and nobody else's code: tried by somebody else."""

import os
import re

import pytest
from distributed.security import Security

from poseur_lib.errors import UserError
from poseur_study.execution.cluster import open_engine
from poseur_study.execution.run_job import RunOptions
from poseur_study.execution.security import security_for, worker_files
from tests.study.execution.intruder import code_executed_by, files_for, listens_on, pages, ways_in


def test_nobody_else_gets_code_executed_by_a_local_cluster(engine):
    address, own = engine.client.scheduler.address, engine.client.security
    assert code_executed_by(address, own)
    assert ways_in(address) == []
    pids = [os.getpid(), *engine.client.run(os.getpid).values(), *engine.client.run(os.getpid, nanny=True).values()]
    assert listens_on(*pids) == {"127.0.0.1"}


def test_a_cluster_shows_no_pages(engine):
    scheduler = engine.client.cluster.scheduler
    ports = [scheduler.http_server.port, *(of["services"]["dashboard"] for of in engine._workers().values())]
    assert [pages(port) for port in ports] == [[]] * 3


def test_files_for_jobs_are_their_owner_s_alone_and_vanish(tmp_path):
    security, shared = Security.temporary(), tmp_path / "all runs"
    with pytest.raises(KeyboardInterrupt), worker_files(security, shared) as words:
        (folder,) = shared.iterdir()
        modes = {path.name: oct(path.stat().st_mode & 0o777) for path in (folder, *folder.iterdir())}
        assert modes == {folder.name: "0o700", "ca-file.pem": "0o600", "cert.pem": "0o600", "key.pem": "0o600"}
        assert words[4:] == ["--tls-key", f"'{folder}/key.pem'"]
        assert (folder / "key.pem").read_text() == security.tls_worker_key
        raise KeyboardInterrupt
    assert list(shared.iterdir()) == []


def test_a_running_cluster_is_joined_with_the_certificate_that_a_file_names(tmp_path, engine):
    address, file = engine.client.scheduler.address, files_for(engine.client.security, tmp_path)
    with open_engine(RunOptions("smoke", scheduler=address, security=file)) as joined:
        assert joined.slots() == 2
    with pytest.raises(UserError, match="needs a certificate: --security FILE"):
        open_engine(RunOptions("smoke", scheduler=address)).__enter__()


def test_a_running_cluster_without_tls_is_warned_of(capsys):
    assert security_for("tcp://10.0.0.1:8786", None) is None
    assert re.fullmatch(
        r"warning: tcp://10.0.0.1:8786 is not encrypted: .* --security FILE.*\n", capsys.readouterr().err
    )
    assert security_for("tls://10.0.0.1:8786", None) is None
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("address", "text", "message"),
    [
        ("tcp://a:1", "", r"is for an address that begins with tls://, not 'tcp://a:1'"),
        ("tls://a:1", "ca_file: a.pem", "cert: missing"),
        ("tls://a:1", "ca_fil: a.pem", "unknown parameter 'ca_fil': did you mean 'ca_file'"),
        ("tls://a:1", "{ca_file: ca.pem, cert: no.pem}", "no.pem: no such file"),
        ("tls://a:1", "{ca_file: ca.pem, cert: cert.pem, key: other.pem}", "no certificate and its key"),
        ("tls://a:1", "{ca_file: ca.pem, cert: cert.pem}", "no certificate and its key"),
    ],
)
def test_a_certificate_that_cannot_be_used_is_named(tmp_path, address, text, message):
    file = files_for(Security.temporary(), tmp_path)
    (tmp_path / "other.pem").write_text(Security.temporary().tls_client_key)
    file.write_text(text)
    with pytest.raises(UserError, match=message):
        security_for(address, file)
    (tmp_path / "ca.pem").write_text("nothing")
    file.write_text("{ca_file: ca.pem, cert: cert.pem, key: key.pem}")
    with pytest.raises(UserError, match="no certificate and its key"):
        security_for("tls://a:1", file)
