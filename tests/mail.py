"""Real servers of mail on loopback: SMTP by aiosmtpd, IMAP by Dovecot where it is installed."""

from __future__ import annotations

import asyncio
import ssl
import warnings
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

import examples.imap
from examples.imap import PASSWORD, USER, ImapServer, Tls, dovecot
from tests.server.support import free_port

__all__ = [
    "Certificates",
    "Mailroom",
    "make_certificates",
    "needs_imap_server",
    "start_imap",
    "start_smtp",
]


@dataclass(frozen=True, kw_only=True)
class Certificates:
    """One for `localhost`, and the authority that vouches for it: for `SSL_CERT_FILE`."""

    authority: Path
    chain: Path
    key: Path

    def context(self) -> ssl.SSLContext:
        """For a server."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.chain, self.key)
        return context


def make_certificates(folder: Path) -> Certificates:
    ca_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    ca_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Tests")])
    ca = (
        _certificate(ca_name, ca_name, ca_key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(ca_key, hashes.SHA256())
    )
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    names = x509.SubjectAlternativeName(
        [x509.DNSName("localhost"), x509.IPAddress(ip_address("127.0.0.1"))]
    )
    own = (
        _certificate(name, ca_name, key.public_key())
        .add_extension(names, critical=False)
        .sign(ca_key, hashes.SHA256())
    )
    made = Certificates(
        authority=folder / "authority.pem", chain=folder / "chain.pem", key=folder / "key.pem"
    )
    made.authority.write_bytes(ca.public_bytes(serialization.Encoding.PEM))
    made.chain.write_bytes(own.public_bytes(serialization.Encoding.PEM))
    made.key.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return made


def _certificate(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
    )


@dataclass(kw_only=True)
class Mailroom:
    """What an SMTP server is to answer, and what it has been given."""

    port: int = 0
    mails: list[Envelope] = field(default_factory=list)
    logins: list[tuple[str, str]] = field(default_factory=list)
    rejected: dict[str, str] = field(default_factory=dict)
    """By recipient, what to answer instead of taking it."""
    of_mail: str = "250 OK"
    of_data: str = "250 taken"
    of_data_once: list[str] = field(default_factory=list)
    """What to answer to the next mails instead."""
    dies_after_data: bool = False
    hangs: bool = False

    def message(self, number: int = -1) -> EmailMessage:
        """The mail as a program of its reader would see it."""
        content = self.mails[number].original_content
        assert content is not None
        read = message_from_bytes(content, policy=policy.default)
        assert isinstance(read, EmailMessage)
        return read

    def authenticate(
        self, _server: SMTP, _session: Session, _envelope: Envelope, mechanism: str, data: Any
    ) -> AuthResult:
        assert isinstance(data, LoginPassword), mechanism
        self.logins.append((data.login.decode(), data.password.decode()))
        right = self.logins[-1] == (USER, PASSWORD)
        return AuthResult(success=right, handled=False)

    async def handle_MAIL(
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return self.of_mail

    async def handle_RCPT(
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: Any
    ) -> str:
        if address in self.rejected:
            return self.rejected[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, _session: Session, envelope: Envelope) -> str:
        self.mails.append(envelope)
        if self.hangs:
            await asyncio.Event().wait()
        if self.dies_after_data:
            assert isinstance(server.transport, asyncio.WriteTransport)
            server.transport.abort()
        return self.of_data_once.pop(0) if self.of_data_once else self.of_data


@asynccontextmanager
async def start_smtp(
    certificates: Certificates | None = None, *, tls: bool = False, login: bool = False
) -> AsyncGenerator[Mailroom]:
    """An SMTP server in this process: with `tls` from the first byte, else with STARTTLS if it has
    a certificate."""
    room = Mailroom()
    context = certificates.context() if certificates else None
    loop = asyncio.get_running_loop()

    def serve() -> SMTP:
        with warnings.catch_warnings(action="ignore"):  # it does not see TLS from the first byte
            return SMTP(
                room,
                hostname="mail.test",
                tls_context=None if tls else context,
                require_starttls=context is not None and not tls,
                auth_required=login,
                auth_require_tls=not tls,
                authenticator=room.authenticate if login else None,
                loop=loop,
            )

    server = await loop.create_server(serve, "127.0.0.1", 0, ssl=context if tls else None)
    async with server:
        room.port = server.sockets[0].getsockname()[1]
        yield room


needs_imap_server = pytest.mark.skipif(
    dovecot() is None,
    reason="there is no dovecot here; scripts/imap.sh installs it on Debian as root",
)


@contextmanager
def start_imap(certificates: Certificates) -> Iterator[ImapServer]:
    """The examples' server, with TLS."""
    tls = Tls(port=free_port(), chain=certificates.chain, key=certificates.key)
    with examples.imap.start_imap(free_port(), tls) as server:
        yield server
