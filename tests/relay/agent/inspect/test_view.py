"""What the page is given of a request."""

from __future__ import annotations

import base64
import gzip
import json
import zlib

import pytest

from homeport.kit.masking import MASK
from homeport.relay.agent.inspect.exchanges import BODY_BYTES, ExchangeLog
from homeport.relay.agent.inspect.tap import HttpTap
from homeport.relay.agent.inspect.view import details, is_secret, masked_target, replayable, summary
from homeport.testing.clock import ManualClock

REQUEST = (
    b"GET /in?token=abc&page=2&api_key=k HTTP/1.1\r\nHost: demo\r\nAuthorization: Bearer s3cret\r\n"
    b"Cookie: sid=s3cret\r\nAccept: text/plain\r\n\r\n"
)


def exchanged(
    request: bytes = REQUEST, headers: bytes = b"Set-Cookie: sid=s3cret\r\n", body: bytes = b"hi"
) -> ExchangeLog:
    log = ExchangeLog()
    tap = HttpTap(log, ManualClock())
    tap.received(memoryview(request))
    tap.sent(memoryview(b"HTTP/1.1 200 OK\r\n%sContent-Length: %d\r\n\r\n%s" % (headers, len(body), body)))
    return log


def test_secrets_are_not_given_until_they_are_asked_for() -> None:
    found = exchanged().list()[0]
    hidden = json.dumps([summary(found), details(found, reveal=False)])
    assert "s3cret" not in hidden
    assert "abc" not in hidden
    shown = json.dumps(details(found, reveal=True))
    assert shown.count("s3cret") == 3
    assert "token=abc" in shown


@pytest.mark.parametrize(
    "name", ["Authorization", "Cookie", "Set-Cookie", "X-Api-Key", "X-Portal-Access-Token", "X-CSRF-Token"]
)
def test_fields_that_let_somebody_in_are_secret(name: str) -> None:
    assert is_secret(name)


@pytest.mark.parametrize(
    "name", ["Accept", "Content-Type", "User-Agent", "WWW-Authenticate", "Sec-WebSocket-Key", "Host"]
)
def test_other_fields_are_not(name: str) -> None:
    assert not is_secret(name)


def test_a_paths_secrets_are_masked_one_by_one() -> None:
    assert masked_target("/in?token=abc&page=2&sig=&x") == f"/in?token={MASK}&page=2&sig=&x"
    assert masked_target("/token/abc") == "/token/abc"


def test_addresses_in_fields_are_masked_as_the_path_is() -> None:
    found = exchanged(headers=b"Location: /in?code=s3cret&page=2\r\n").list()[0]
    row = details(found, reveal=False)["response"]["headers"][0]
    assert (row["value"], row["secret"]) == (f"/in?code={MASK}&page=2", True)


@pytest.mark.parametrize(
    ("coding", "packed"),
    [
        (b"gzip", gzip.compress(b"hello", mtime=0)),
        (b"deflate", zlib.compress(b"hello")),
        (b"deflate", zlib.compress(b"hello")[2:-4]),
    ],
)
def test_a_compressed_body_can_be_read(coding: bytes, packed: bytes) -> None:
    found = exchanged(headers=b"Content-Encoding: %s\r\n" % coding, body=packed).list()[0]
    body = details(found, reveal=False)["response"]["body"]
    assert (body["text"], body["decoded"], body["size"]) == ("hello", coding.decode(), len(packed))


def test_a_small_body_that_unpacks_to_very_much_stays_small() -> None:
    found = exchanged(headers=b"Content-Encoding: gzip\r\n", body=gzip.compress(b"x" * 20_000_000)).list()[0]
    body = details(found, reveal=False)["response"]["body"]
    assert (len(body["text"]), body["cut"]) == (BODY_BYTES, True)


def test_bytes_that_are_no_text_come_as_bytes() -> None:
    found = exchanged(body=b"\x89PNG\x00\xff").list()[0]
    body = details(found, reveal=False)["response"]["body"]
    assert base64.b64decode(body["base64"]) == b"\x89PNG\x00\xff"


def test_a_text_that_was_cut_within_a_letter_is_a_text() -> None:
    found = exchanged(body="ü".encode() * BODY_BYTES).list()[0]
    body = details(found, reveal=False)["response"]["body"]
    assert set(body["text"]) == {"ü"}
    assert body["cut"]


def test_only_a_request_that_is_here_as_a_whole_can_be_sent_again() -> None:
    assert replayable(exchanged().list()[0])
    large = b"PUT / HTTP/1.1\r\nHost: demo\r\nContent-Length: 70000\r\n\r\n" + b"x" * 70_000
    assert not replayable(exchanged(large).list()[0])
    upgrade = b"GET / HTTP/1.1\r\nHost: demo\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n"
    assert not replayable(exchanged(upgrade).list()[0])
