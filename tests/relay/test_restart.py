"""A portal that is killed: agents go on as if nothing had been."""

from __future__ import annotations

import socket
from pathlib import Path

from homeport.relay.relay_identity import FILE
from homeport.testing.relay_portal import RelayPortal


def test_agents_go_on_with_their_tokens_names_and_ports(tmp_path: Path) -> None:
    with RelayPortal(tmp_path) as portal:  # relay L.16
        client = portal.agent("demo")
        registration = client.register(tcp_enabled=True, ttl=600)
        client.renew(ttl=900)
        file = portal.ca_path.parents[1] / FILE
        key = file.read_bytes()
        portal.kill()
        portal.start()
        assert file.read_bytes() == key
        client.connect().close()
        assert client.post("/sdk/renew", {"ttl": 600}, token=client.token).status == 200
        port = int(str(registration.answer["tcp_addr"]).rpartition(":")[2])
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
        somebody = portal.agent("demo")
        answer = somebody.post("/sdk/register", somebody.signed(somebody.challenge()))
        assert (answer.status, answer.json()["error"]["code"]) == (409, "hostname_conflict")
