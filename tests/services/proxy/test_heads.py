"""What an app and a client are told, and what not."""

from __future__ import annotations

import json

import pytest

from homeport.services.proxy import heads, pages
from homeport.services.proxy.heads import Visitor
from homeport.wire.http1 import RequestHead, RequestReader, ResponseHead, ResponseReader

VISITOR = Visitor(b"192.0.2.9", b"https")


def request(*lines: str, method: str = "GET", host: str = "app.localhost:8443") -> RequestHead:
    reader = RequestReader()
    reader.receive("\r\n".join([f"{method} /x HTTP/1.1", f"Host: {host}", *lines, "", ""]).encode())
    head = reader.next_event()
    assert isinstance(head, RequestHead)
    return head


def response(*lines: str, status: str = "200 OK") -> ResponseHead:
    reader = ResponseReader()
    reader.receive("\r\n".join([f"HTTP/1.1 {status}", *lines, "", ""]).encode())
    head = reader.next_event()
    assert isinstance(head, ResponseHead)
    return head


def told(head: RequestHead) -> list[str]:
    data = heads.to_app(head, head.host, VISITOR)
    assert data.endswith(b"\r\n\r\n")
    return data.decode().split("\r\n")[:-2]


def test_an_app_is_told_who_asks_and_how() -> None:
    assert told(request("Accept: */*")) == [
        "GET /x HTTP/1.1",
        "Host: app.localhost:8443",
        "Accept: */*",
        "X-Forwarded-For: 192.0.2.9",
        "X-Real-IP: 192.0.2.9",
        "X-Forwarded-Proto: https",
        "X-Forwarded-Host: app.localhost:8443",
        "X-Forwarded-Port: 8443",
    ]


@pytest.mark.parametrize(("host", "port"), [("a.localhost", "443"), ("a.localhost:80", "80"), ("[::1]:81", "81")])
def test_the_forwarded_port_is_the_one_that_was_typed(host: str, port: str) -> None:
    assert told(request(host=host))[-1] == f"X-Forwarded-Port: {port}"


@pytest.mark.parametrize(
    "line",
    [
        "X-Forwarded-For: 6.6.6.6",
        "x-forwarded-proto: http",
        "X_Forwarded_For: 6.6.6.6",
        "X-Forwarded_Host: evil",
        "X-Real-IP: 6.6.6.6",
        "Forwarded: for=6.6.6.6",
        "Proxy: http://evil",
        "Transfer_Encoding: chunked",
        "Content_Length: 5",
        "Connection: keep-alive",
        "Keep-Alive: timeout=5",
        "Proxy-Connection: keep-alive",
        "TE: trailers",
        "Upgrade: h2c",
        "HTTP2-Settings: AAMAAABkAAQAAP__",
    ],
)
def test_what_a_client_says_in_our_place_or_for_this_hop_is_removed(line: str) -> None:
    assert told(request(line)) == told(request())


def test_fields_that_the_client_names_in_connection_end_here() -> None:
    assert "X-Secret: 1" not in told(request("Connection: X-Secret", "X-Secret: 1"))


def test_naming_our_own_fields_in_connection_removes_nothing() -> None:
    lines = told(request("Connection: Host, X-Forwarded-For, Content-Length", "Content-Length: 3", method="POST"))
    assert "Host: app.localhost:8443" in lines
    assert "X-Forwarded-For: 192.0.2.9" in lines
    assert "Content-Length: 3" in lines


def test_the_body_is_framed_in_one_way() -> None:
    assert "Transfer-Encoding: chunked" in told(request("Transfer-Encoding: Chunked", method="POST"))
    assert "Content-Length: 0" in told(request(method="POST"))
    assert not [line for line in told(request()) if line.startswith("Content-Length")]


def test_an_upgrade_is_passed_on() -> None:
    lines = told(request("Connection: keep-alive, Upgrade", "Upgrade: websocket"))
    assert lines.count("Connection: Upgrade") == 1
    assert lines.count("Upgrade: websocket") == 1


def test_an_answer_loses_what_was_meant_for_this_hop_only() -> None:
    head = response("Content-Length: 2", "Connection: close, X-Hop", "X-Hop: 1", "Keep-Alive: 5", "Set-Cookie: a=b")
    data = heads.to_client(head, connection=b"", chunked=False)
    assert data == b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nSet-Cookie: a=b\r\n\r\n"


def test_an_answer_says_its_length_once_and_not_where_it_has_none() -> None:
    assert (
        heads.to_client(response("Content-Length: 2", "Content-Length: 2"), connection=b"", chunked=False).count(b"2\r")
        == 1
    )
    assert b"Content-Length" not in heads.to_client(
        response("Content-Length: 2", status="204 No Content"), connection=b"", chunked=False
    )


def test_a_browser_gets_a_page_and_a_program_json() -> None:
    page = heads.trouble(pages.NO_SUCH_APP, name="<x>", head=request("Accept: text/html,*/*"), keep_alive=True)
    assert b"Content-Type: text/html" in page
    assert b"&lt;x&gt;" in page
    assert b"prefers-color-scheme:dark" in page
    plain = heads.trouble(pages.NO_SUCH_APP, name="x", head=request(), keep_alive=True)
    body = json.loads(plain.split(b"\r\n\r\n")[1])
    assert body["code"] == "no_such_app"
    assert body["status"] == 404
    assert body["error"] == body["message"]


def test_an_answer_to_head_has_the_length_and_not_the_page() -> None:
    answer = heads.trouble(pages.NO_SUCH_APP, name="x", head=request(method="HEAD"), keep_alive=True)
    assert answer.endswith(b"\r\n\r\n")
    assert b"Content-Length: 0" not in answer


@pytest.mark.parametrize("line", ["X-Homeport-User: admin", "x-homeport-user: admin", "X_Homeport_User: admin"])
def test_nobody_says_of_themselves_who_signed_in(line: str) -> None:
    assert not any("homeport" in one.lower() for one in told(request(line)))


def test_an_app_behind_a_sign_in_is_told_who_signed_in() -> None:
    head = request("X-Homeport-User: admin")
    data = heads.to_app(head, head.host, Visitor(b"192.0.2.9", b"https", b"eve"))
    assert [line for line in data.split(b"\r\n") if b"homeport" in line.lower()] == [b"X-Homeport-User: eve"]
