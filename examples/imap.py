"""A mailbox that mail comes in at, for examples and tests: Dovecot, where it is installed."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from imaplib import IMAP4
from pathlib import Path
from tempfile import TemporaryDirectory

__all__ = ["PASSWORD", "USER", "ImapServer", "Tls", "dovecot", "start_imap"]

USER = "ann@example.com"
PASSWORD = "c0rrect horse"
"""What the examples log in with; a laptop has no secrets to keep."""

_STARTS_WITHIN = 30.0


@dataclass(frozen=True, kw_only=True)
class Tls:
    """The port that takes TLS from the first byte, and the certificate it shows."""

    port: int
    chain: Path
    key: Path


@dataclass(frozen=True, kw_only=True)
class ImapServer:
    """Dovecot with one user, whose mailbox is a Maildir in the folder."""

    port: int
    tls_port: int
    folder: Path

    def put(self, *mails: bytes, mailbox: str = "INBOX", flags: str = "") -> None:
        """Mails that have come in."""
        with self.client() as client:
            client.create(mailbox)
            for mail in mails:
                done, said = client.append(mailbox, flags, "", mail)
                assert done == "OK", said

    def flags(self, mailbox: str = "INBOX") -> list[str]:
        """Of every mail there, its flags, such as `\\Seen`."""
        with self.client() as client:
            client.select(mailbox, readonly=True)
            _, found = client.fetch("1:*", "(FLAGS)")
            lines = [bytes(line).decode() for line in found if isinstance(line, bytes)]
            return [line.partition("FLAGS (")[2].partition(")")[0] for line in lines]

    def empty(self) -> None:
        """Leave no mailbox, and a new INBOX."""
        with self.client() as client:
            _, listed = client.list()
            for line in listed:
                told = line.decode() if isinstance(line, bytes) else "INBOX"
                name = told.rpartition(" ")[2].strip('"')
                if name != "INBOX":
                    client.delete(name)
            if client.select("INBOX")[1] == [b"0"]:
                return
            client.store("1:*", "+FLAGS", "\\Deleted")
            client.expunge()

    def client(self) -> IMAP4:
        """The standard library's, to look behind the back of a flow."""
        client = IMAP4("127.0.0.1", self.port, timeout=10)
        client.login(USER, PASSWORD)
        return client


_CONFIG = """\
base_dir = {folder}/run
state_dir = {folder}/run
log_path = {folder}/dovecot.log
protocols = imap
listen = 127.0.0.1
disable_plaintext_auth = {guarded}
default_internal_user = {internal}
default_internal_group = {internal_group}
default_login_user = {login}
mail_location = maildir:{folder}/mail
mail_uid = {uid}
mail_gid = {gid}
first_valid_uid = 1
first_valid_gid = 0
auth_failure_delay = 0
passdb {{
  driver = passwd-file
  args = {folder}/users
}}
userdb {{
  driver = static
  args = uid={uid} gid={gid} home={folder}/home
}}
service imap-login {{
  chroot =
  inet_listener imap {{
    port = {port}
  }}
  inet_listener imaps {{
    port = {tls_port}
  }}
}}
service anvil {{
  chroot =
}}
namespace inbox {{
  inbox = yes
  separator = /
}}
"""


def dovecot() -> str | None:
    """The program, if it is installed."""
    return shutil.which("dovecot", path=f"{os.environ.get('PATH', '')}:/usr/sbin")


@contextmanager
def start_imap(port: int, tls: Tls | None = None) -> Iterator[ImapServer]:
    """A server of its own, in the foreground, whose files are where its own users can read them."""
    program = dovecot()
    if program is None:
        raise RuntimeError("dovecot is missing; scripts/imap.sh installs it on Debian as root")
    with TemporaryDirectory(prefix="imap-") as name:
        folder = Path(name)
        server = ImapServer(port=port, tls_port=tls.port if tls else 0, folder=folder)
        path = folder / "dovecot.conf"
        path.write_text(_config(server, tls))
        with _running([program, "-F", "-c", str(path)], folder / "out.log") as process:
            _await(server, process)
            yield server


@contextmanager
def _running(command: list[str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("wb") as out:
        process = subprocess.Popen(
            command,
            cwd=log.parent,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        yield process
    finally:
        process.terminate()
        process.wait(40)


def _await(server: ImapServer, process: subprocess.Popen[bytes]) -> None:
    """Until it takes the user in; raises RuntimeError, saying why, if it does not."""
    deadline = time.monotonic() + _STARTS_WITHIN
    while not _answers(server):
        if process.poll() is not None or time.monotonic() > deadline:
            said = (server.folder / "out.log").read_text(errors="replace")
            raise RuntimeError(f"dovecot does not answer at port {server.port}: {said}")
        time.sleep(0.05)


def _answers(server: ImapServer) -> bool:
    try:
        with server.client():
            return True
    except (OSError, IMAP4.error):
        return False


def _config(server: ImapServer, tls: Tls | None) -> str:
    root = os.getuid() == 0
    me = pwd.getpwuid(os.getuid())
    owner = pwd.getpwnam("nobody") if root else me
    for name in ("mail", "home", "run"):
        (server.folder / name).mkdir()
    (server.folder / "users").write_text(f"{USER}:{{PLAIN}}{PASSWORD}::::::\n")
    if root:
        server.folder.chmod(0o711)
        for each in (server.folder / "mail", server.folder / "home"):
            os.chown(each, owner.pw_uid, owner.pw_gid)
    common = _CONFIG.format(
        folder=server.folder,
        guarded="yes" if tls else "no",
        internal="dovecot" if root else me.pw_name,
        internal_group="dovecot" if root else "",
        login="dovenull" if root else me.pw_name,
        uid=owner.pw_uid,
        gid=owner.pw_gid,
        port=server.port,
        tls_port=server.tls_port,
    )
    return common + _with(tls)


def _with(tls: Tls | None) -> str:
    if tls is None:
        return "ssl = no\n"
    return f"ssl = yes\nssl_cert = <{tls.chain}\nssl_key = <{tls.key}\n"
