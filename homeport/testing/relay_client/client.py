"""The relay's API as one identity uses it: probe, challenge, register, renew, unregister, connect."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from homeport.testing.relay_client.answers import Answer, Refused, read_answer
from homeport.testing.relay_client.relay import Relay
from homeport.testing.relay_client.session import ReverseSession, open_session
from homeport.testing.relay_client.wallet import Wallet

TOKEN_FIELD = "X-Portal-Access-Token"  # noqa: S105


@dataclass(frozen=True)
class Registration:
    """What the relay gave: `hostname` is derived where the relay does not name it."""

    hostname: str
    token: str
    expires_at: datetime
    sni_port: int
    answer: dict[str, Any]


class RelayClient:
    """`name` is the tunnel's, `protocol` what the relay must speak ("5" or "7")."""

    def __init__(self, relay: Relay, name: str, wallet: Wallet | None = None, *, protocol: str = "7") -> None:
        self.relay = relay
        self.name = name
        self.wallet = wallet or Wallet()
        self.protocol = protocol
        self.token = ""

    @property
    def identity(self) -> dict[str, str]:
        """As requests name it."""
        return {"name": self.name, "address": self.wallet.address}

    def request(
        self, method: str, path: str, body: object = None, fields: Mapping[str, str] | None = None, *, token: str = ""
    ) -> Answer:
        """One request on a connection of its own. `body` is sent as it is when it is bytes, else as JSON."""
        content = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        head = {"Host": self.relay.authority, "User-Agent": "Go-http-client/1.1", "Connection": "close"}
        if body is not None:
            head |= {"Content-Type": "application/json", "Content-Length": str(len(content))}
        if token:
            head[TOKEN_FIELD] = token
        head |= fields or {}
        lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in head.items() if value)]
        stream = self.relay.dial()
        try:
            stream.sendall("\r\n".join([*lines, "", ""]).encode("latin-1") + content)
            return read_answer(stream, method=method)
        finally:
            stream.close()

    def post(self, path: str, body: object, *, token: str = "") -> Answer:
        """The answer, whatever it is."""
        return self.request("POST", path, body, token=token)

    def probe(self) -> dict[str, Any]:
        """What the relay says of itself. Raises ValueError when it speaks another protocol."""
        data = self.request("GET", "/sdk/domain").data
        if data["protocol_version"] != self.protocol:
            raise ValueError(f"the relay speaks protocol {data['protocol_version']}")
        return data

    def challenge(self, **options: object) -> dict[str, Any]:
        """`challenge_id`, `expires_at`, `siwe_message`; `options` are ttl, metadata, udp_enabled and so on. Raises
        Refused."""
        answer = self.post("/sdk/register/challenge", {"identity": self.identity, **options})
        data = answer.data
        if answer.status != 201 or not str(data["challenge_id"]).startswith("rch_"):
            raise ValueError(f"not a challenge: {answer.status} {data}")
        return data

    def signed(self, challenge: Mapping[str, Any]) -> dict[str, Any]:
        """What answers a challenge: its text as it came, signed."""
        text = challenge["siwe_message"]
        return {
            "challenge_id": challenge["challenge_id"],
            "siwe_message": text,
            "siwe_signature": self.wallet.sign(text),
        }

    def register(self, *, reported_ip: str = "", **options: object) -> Registration:
        """Challenge, sign, register. Raises Refused."""
        body = self.signed(self.challenge(**options))
        if reported_ip:
            body["reported_ip"] = reported_ip
        answer = self.post("/sdk/register", body)
        data = answer.data
        if answer.status != 201:
            raise Refused(answer)
        given = data["identity"]
        if given["address"].lower() != self.wallet.address.lower():
            raise ValueError("the relay registered somebody else")
        self.token = str(data["access_token"]).strip()
        if not self.token:
            raise ValueError("the relay gave no token")
        hostname = str(data["hostname"]) if self.protocol == "5" else f"{given['name']}.{self.relay.host}"
        expires_at = datetime.fromisoformat(data["expires_at"])
        return Registration(hostname, self.token, expires_at, int(data.get("sni_port", 0)), data)

    def renew(self, **options: object) -> dict[str, Any]:
        """A fresh token, kept, and the new `expires_at`. Raises Refused."""
        data = self.post("/sdk/renew", {"access_token": self.token, **options}).data
        self.token = data["access_token"]
        return data

    def unregister(self) -> None:
        """End the lease. Raises Refused."""
        if self.post("/sdk/unregister", {"access_token": self.token}).data != {}:
            raise ValueError("unregister answered with something")

    def connect(self) -> ReverseSession:
        """A connection that waits for a visitor. Raises Refused."""
        return open_session(self.relay, self.token)
