"""Send a request again, as it came, to where it went."""

from __future__ import annotations

import asyncio

from homeport.kit.clock import Clock
from homeport.kit.problems import Conflict
from homeport.relay.agent.inspect.exchanges import Exchange, ExchangeLog
from homeport.relay.agent.inspect.tap import HttpTap
from homeport.relay.agent.inspect.view import replayable
from homeport.relay.agent.observer import Visitor
from homeport.relay.agent.problems import TargetUnreachable
from homeport.relay.agent.targets import Target
from homeport.wire.http_head import RequestHead

SECONDS = 30.0
MOST_BYTES = 64 * 1024 * 1024  # of an answer; what comes after it is not waited for
READ_BYTES = 64 * 1024
# Of the connection that it came by (RFC 9110 section 7.6.1), or about a body that is here as a whole now.
_DROPPED = frozenset(
    b"connection keep-alive proxy-connection te trailer transfer-encoding upgrade expect content-length".split()
)


class NotReplayable(Conflict):
    """Part of the request is not here: its body was too large to keep, or it is still coming."""

    code = "not_replayable"


async def replay(exchange: Exchange, target: Target, log: ExchangeLog, clock: Clock) -> Exchange:
    """The new exchange, complete or as far as it got within SECONDS. Raises NotReplayable, TargetUnreachable."""
    if not replayable(exchange):
        raise NotReplayable("This request cannot be sent again: not all of it was kept.")
    head = exchange.head
    sock = await target.open(Visitor(0, "tls", head.host.decode("latin-1"), ""))
    tap = HttpTap(log, clock, replay_of=exchange.number)
    loop = asyncio.get_running_loop()
    request = rebuilt(head, bytes(exchange.request.kept))
    tap.received(memoryview(request))
    newest = tap.newest
    if newest is None:
        sock.close()
        raise NotReplayable("This request cannot be sent again.")
    try:
        async with asyncio.timeout(SECONDS):
            await loop.sock_sendall(sock, request)
            total = 0
            while newest.state == "open" and total < MOST_BYTES:
                data = await loop.sock_recv(sock, READ_BYTES)
                if not data:
                    break
                total += len(data)
                tap.sent(memoryview(data))
    except TimeoutError:
        newest.reason = f"There was no complete answer within {SECONDS:.0f} seconds."
    except OSError as problem:
        raise TargetUnreachable(f"{target} ended the connection: {problem.strerror or problem}.") from None
    finally:
        tap.closed()
        sock.close()
    return newest


def rebuilt(head: RequestHead, body: bytes) -> bytes:
    """The request for a connection of its own: fields word for word, except those about the old connection."""
    named = {option for option in head.connection if option not in (b"close", b"keep-alive")}
    lines = [head.method + b" " + head.target + b" HTTP/1.1"]
    lines += [each.line for each in head.fields if each.name not in _DROPPED and each.name not in named]
    if not any(each.name == b"host" for each in head.fields):
        lines.append(b"Host: " + (head.host or b"localhost"))
    if body or any(each.name in (b"content-length", b"transfer-encoding") for each in head.fields):
        lines.append(b"Content-Length: %d" % len(body))
    lines.append(b"Connection: close")
    return b"\r\n".join(lines) + b"\r\n\r\n" + body
