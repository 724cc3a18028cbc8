"""Mails taken apart: what people and programs send, and what is made to do harm."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from activities.mail.reading import Mail, decoded, read_mail


def read(raw: bytes, *wanted: str, whole: bool = True) -> Mail:
    return read_mail(raw, wanted=wanted, whole=whole, stop=lambda: False)


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        ("plain", "plain"),
        ("=?utf-8?q?Gr=C3=BC=C3=9Fe?=", "Grüße"),
        ("=?utf-8?b?R3LDvMOf?= =?utf-8?b?ZQ==?= x", "Grüße x"),
        ("=?iso-8859-1?q?a=E4?= =?utf-8?q?=C3=BC?=", "aäü"),
        ("=?utf-8?b?4oI=?= =?utf-8?b?rA==?=", "€"),
        ("a =?utf-8?q?b_c?= d", "a b c d"),
        ("=?nonsense?q?abc?=", "abc"),
        ("=?utf-8?b?%%%?=", ""),
        ("=?utf-8?q?a=0D=0ABcc:_b?=", "a  Bcc: b"),
        (r"c:\u0041", r"c:\u0041"),
    ],
)
def test_coded_words_are_read(raw: str, text: str) -> None:
    assert decoded(raw) == text


@pytest.mark.parametrize(
    ("head", "body", "text"),
    [
        ("text/plain; charset=iso-8859-1", b"Gr\xfc\xdfe", "Grüße"),
        ("text/plain; charset=utf-8", "Grüße".encode(), "Grüße"),
        ("text/plain; charset=nonsense", "Grüße".encode(), "Grüße"),
        ("text/plain", b"Gr\xfc\xdfe", "Grüße"),
        ("text/plain; charset=us-ascii", b"a\x80", "a€"),
        ("text/plain; charset=zlib", b"abc", "abc"),
        ("text/plain; charset=idna", b"abc", "abc"),
        ("text/plain; charset=utf-8", b"\xff", "ÿ"),
        ("text/plain; charset=shift_jis", "日本".encode("shift_jis"), "日本"),
        ("multipart/mixed", b"no parts", "no parts"),
        ('multipart/mixed; boundary="x"', b"none here", "none here"),
        ("", b"nothing said", "nothing said"),
    ],
)
def test_text_is_read_in_what_it_says_it_is_or_looks_like(
    head: str, body: bytes, text: str
) -> None:
    mail = read(f"Content-Type: {head}\n\n".encode() + body)
    assert (mail.text, mail.problems) == (text, [])


def test_headers_are_read_however_they_are_written() -> None:
    mail = read(
        b"subject: caf\xc3\xa9\r\n"
        b'FROM: =?utf-8?q?Zo=C3=AB?= <zoe@example.com>, "Lee, A" <a@example.com>\r\n'
        b"To: undisclosed-recipients:;\r\n"
        b"Date: Fri, 27 Feb 2026 10:00:00 +0100\r\n"
        b"X-Long: a\r\n b\r\n"
        b"x-long: c\r\n\r\n",
        "X-Long",
        "X-None",
    )
    assert mail.subject == "café"
    assert mail.people["from"] == [("Zoë", "zoe@example.com"), ("Lee, A", "a@example.com")]
    assert mail.people["to"] == []
    assert mail.date == "2026-02-27T10:00:00+01:00"
    assert mail.headers == {"x-long": "a b\nc"}
    assert read(b"Date: yesterday\n\n").date is None


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ('filename="a.txt"', "a.txt"),
        ('filename="../../etc/passwd"', "passwd"),
        (r'filename="C:\\Users\\x.doc"', "x.doc"),
        ("filename*=utf-8''%C3%B6.png", "ö.png"),
        ('filename="=?utf-8?q?=C3=B6?=.png"', "ö.png"),
        ('filename=".htaccess"', "htaccess"),
        ('filename="a\u202egnp.exe"', "a gnp.exe"),
        ('filename="' + "x" * 300 + '.pdf"', "x" * 189 + ".pdf"),
        ('filename=".."', "part-1"),
        ("", "part-1"),
    ],
)
def test_a_files_name_leads_nowhere(given: str, name: str) -> None:
    raw = f"Content-Type: application/pdf\nContent-Disposition: attachment; {given}\n\nx"
    [file] = read(raw.encode()).files
    assert (file.name, file.data) == (name, b"x")


def test_a_mail_in_a_mail_is_a_file() -> None:
    inner = b"Subject: inner\nContent-Type: text/plain\n\nhidden\n"
    raw = b'Content-Type: multipart/mixed; boundary="b"\n\n--b\n\nouter\n--b\n'
    mail = read(raw + b"Content-Type: message/rfc822\n\n" + inner + b"\n--b--\n")
    assert mail.text == "outer"
    [file] = mail.files
    assert (file.name, file.content_type) == ("part-2.eml", "message/rfc822")
    assert b"Subject: inner" in file.data


def nested(depth: int) -> bytes:
    return b"".join(
        b'Content-Type: multipart/mixed; boundary="%d"\n\n--%d\n' % (n, n) for n in range(depth)
    )


HARM = {
    "nesting": nested(5_000),
    "nesting and lines": nested(800) + b"\n" * 1_000_000,
    "parts": b'Content-Type: multipart/mixed; boundary="b"\n\n' + b"--b\n\n" * 100_000,
    "lines": b"\n" * 3_000_000,
    "headers": b"X: y\n" * 100_000 + b"\n",
    "one long header": b"Subject: " + b" x\n" * 500_000 + b"\n",
    "parameters": b"Content-Type: text/plain; " + b"a=b;" * 500_000 + b"\n\nx",
    "pieces of a name": b"Content-Disposition: attachment; "
    + b"".join(b"filename*%d*=%%41;" % n for n in range(100_000))
    + b"\n\nx",
    "parentheses": b"From: " + b"(" * 500_000 + b"\n\nx",
    "coded words": b"Subject: " + b"=?utf-8?q?a?=" * 100_000 + b"\n\nx",
    "half coded words": b"Subject: " + b"=?a?q?" * 100_000 + b"\n\nx",
    "escapes": b'Content-Type: text/plain; name="' + b'\\"' * 500_000 + b"\n\nx",
}


@pytest.mark.parametrize("name", HARM)
def test_what_is_made_to_do_harm_is_read_in_seconds(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("activities.mail.reading._SECONDS", 1.0)
    began = time.process_time()
    mail = read(b"Message-ID: <1@example.com>\n" + HARM[name], "subject")
    assert mail.message_id == "<1@example.com>"
    assert time.process_time() - began < 8
    assert len(mail.subject) <= 16 * 1024


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("nesting", "nested too deeply"),
        ("parts", "1,000 parts"),
        ("lines", "2,000,000 lines"),
        ("headers", "10,000 headers"),
    ],
)
def test_what_is_left_out_is_told(name: str, problem: str) -> None:
    mail = read(b"Subject: harm\n" + HARM[name])
    assert problem in mail.problems[0]
    assert (mail.subject, mail.text, mail.files) == ("harm", None, [])


def test_only_so_many_attachments_are_taken() -> None:
    part = b"--b\nContent-Type: image/png\n\nx\n"
    mail = read(b'Content-Type: multipart/mixed; boundary="b"\n\n' + part * 150 + b"--b--\n")
    assert len(mail.files) == 100
    assert mail.problems == ["50 attachments are left out: it has more than 100"]


def test_whoever_stops_waiting_stops_the_reading() -> None:
    mail = read_mail(b"Subject: x\n\nx", stop=lambda: True)
    assert mail.problems == ["it cannot be taken apart: it takes too long"]


def test_of_a_part_of_a_mail_only_the_headers_are_read() -> None:
    mail = read(b"Subject: x\nContent-Type: multipart/mixed; boundary=b\n\n--b", whole=False)
    assert (mail.subject, mail.text, mail.files, mail.problems) == ("x", None, [], [])


LINES = st.sampled_from(
    [
        b"Content-Type: multipart/mixed; boundary=b",
        b"Content-Type: text/html; charset*0*=x''%; name*=",
        b"Content-Type: message/rfc822",
        b"Content-Transfer-Encoding: base64",
        b"Content-Transfer-Encoding: x-uuencode",
        b"Content-Disposition: attachment; filename*1=a; filename*=utf-8'%ff",
        b"From: =?x?b?",
        b"Date: 99 99",
        b"--b",
        b"--b--",
        b"begin 644 x",
        b"",
        b" ",
        b":",
    ]
)


@given(st.lists(LINES | st.binary(max_size=20), max_size=30).map(b"\n".join))
def test_nothing_makes_it_fail(raw: bytes) -> None:
    mail = read(raw, "from", "date")
    everything = [mail.subject, mail.text or "", mail.html or "", *mail.headers.values()]
    for text in (*everything, *(file.name + file.content_type for file in mail.files)):
        text.encode()
