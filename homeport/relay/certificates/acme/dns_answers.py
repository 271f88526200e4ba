"""dns-01: TXT records set by a dynamic update (RFC 2136), by a web hook, or by a person."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, field_validator

from homeport.kit.clock import Clock
from homeport.kit.guard import OutboundGuard
from homeport.relay.certificates.acme.answers import Answers, Record, Tell
from homeport.relay.certificates.acme.challenges import txt_name, txt_value
from homeport.relay.certificates.acme.transport import Transport
from homeport.relay.certificates.problems import AcmeFailed

if TYPE_CHECKING:
    import dns.message
    import dns.name

SECONDS = 10.0  # for one exchange with a name server
PERSON_SECONDS = 3600.0  # to set a record by hand


class _Config(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Rfc2136(_Config):
    """A name server that takes dynamic updates, and the TSIG key that it knows us by."""

    provider: Literal["rfc2136"]
    server: str = Field(max_length=253, description="The name server's host name or address.")
    port: int = Field(53, ge=1, le=65535)
    zone: str = Field("", max_length=253, description="The zone to update; empty: the server is asked.")
    key_name: str = Field(max_length=253)
    key_secret: str = Field(max_length=1024, description="Base64. Kept sealed, and never given out.")
    key_algorithm: Literal["hmac-sha224", "hmac-sha256", "hmac-sha384", "hmac-sha512"] = "hmac-sha256"
    ttl: int = Field(60, ge=1, le=86400)
    propagation_seconds: int = Field(0, ge=0, le=600, description="Wait before the directory may look.")

    @field_validator("key_secret")
    @classmethod
    def _base64(cls, value: str) -> str:
        try:
            base64.b64decode(value, validate=True)
        except ValueError:
            raise ValueError("it is not base64") from None
        return value


class Webhook(_Config):
    """A web service that sets records: POST {url}/present and {url}/cleanup with {fqdn, value}."""

    provider: Literal["webhook"]
    url: str = Field(pattern=r"^https://", max_length=1000)
    username: str = Field("", max_length=200)
    password: str = Field("", max_length=1000, description="Kept sealed, and never given out.")
    propagation_seconds: int = Field(0, ge=0, le=600)


class Manual(_Config):
    """A person sets the record, and says so."""

    provider: Literal["manual"]


DnsConfig = Annotated[Rfc2136 | Webhook | Manual, Field(discriminator="provider")]
_CONFIG: TypeAdapter[Rfc2136 | Webhook | Manual] = TypeAdapter(DnsConfig)


def dns_answers(
    config: Mapping[str, Any],
    guard: OutboundGuard,
    transport: Transport,
    clock: Clock,
    tell: Tell,
    go_on: asyncio.Event,
) -> Answers:
    """Who sets the records, as it was configured; `tell` hears of those that a person has to set, until `go_on`."""
    read = _CONFIG.validate_python(dict(config))
    if isinstance(read, Rfc2136):
        return DynamicUpdates(read, guard, clock)
    if isinstance(read, Webhook):
        return WebhookCalls(read, transport, clock)
    return ByHand(tell, go_on)


class DynamicUpdates:
    """Adds and removes single TXT records, signed with TSIG; other records of the name stay."""

    def __init__(self, config: Rfc2136, guard: OutboundGuard, clock: Clock) -> None:
        self._config = config
        self._guard = guard
        self._clock = clock

    async def present(self, domain: str, _token: str, authorization: str) -> None:
        await self._update(domain, authorization, add=True)

    async def ready(self) -> None:
        if self._config.propagation_seconds:
            await self._clock.sleep(self._config.propagation_seconds)

    async def withdraw(self, domain: str, _token: str, authorization: str) -> None:
        await self._update(domain, authorization, add=False)

    async def _update(self, domain: str, authorization: str, *, add: bool) -> None:
        import dns.exception
        import dns.name
        import dns.rcode
        import dns.tsig
        import dns.tsigkeyring
        import dns.update

        config = self._config
        name = dns.name.from_text(txt_name(domain))
        keys = dns.tsigkeyring.from_text({config.key_name: config.key_secret})
        try:
            zone = dns.name.from_text(config.zone) if config.zone else await self._zone(name)
            update = dns.update.UpdateMessage(
                zone, keyring=keys, keyname=dns.name.from_text(config.key_name), keyalgorithm=f"{config.key_algorithm}."
            )
            if add:
                update.add(name, config.ttl, "TXT", txt_value(authorization))
            else:
                update.delete(name, "TXT", txt_value(authorization))
            code = (await self._ask(update)).rcode()
        except (dns.exception.DNSException, OSError, TimeoutError) as problem:
            reason = str(problem)[:200] or type(problem).__name__
            raise AcmeFailed(f"The name server {config.server} did not take the update: {reason}.") from None
        if code != dns.rcode.NOERROR:
            raise AcmeFailed(f"The name server {config.server} refused the update: {dns.rcode.to_text(code)}.")

    async def _zone(self, name: dns.name.Name) -> dns.name.Name:
        """The zone that the name lies in, as the server says."""
        import dns.message
        import dns.name
        import dns.rdatatype

        while name != dns.name.root:
            answer = await self._ask(dns.message.make_query(name, "SOA"))
            for rrset in (*answer.answer, *answer.authority):
                if rrset.rdtype == dns.rdatatype.SOA:
                    return rrset.name
            name = name.parent()
        raise AcmeFailed(f"The name server {self._config.server} knows no zone for this name.")

    async def _ask(self, message: dns.message.Message) -> dns.message.Message:
        import dns.asyncquery

        address = (await self._guard.resolve(self._config.server, self._config.port))[0]
        return await dns.asyncquery.tcp(message, address, timeout=SECONDS, port=self._config.port)


class WebhookCalls:
    """Tells a web service of records to set and to remove."""

    def __init__(self, config: Webhook, transport: Transport, clock: Clock) -> None:
        self._config = config
        self._transport = transport
        self._clock = clock

    async def present(self, domain: str, _token: str, authorization: str) -> None:
        await self._call("present", domain, authorization)

    async def ready(self) -> None:
        if self._config.propagation_seconds:
            await self._clock.sleep(self._config.propagation_seconds)

    async def withdraw(self, domain: str, _token: str, authorization: str) -> None:
        await self._call("cleanup", domain, authorization)

    async def _call(self, what: str, domain: str, authorization: str) -> None:
        body = json.dumps({"fqdn": f"{txt_name(domain)}.", "value": txt_value(authorization)}).encode()
        headers = {"Content-Type": "application/json"}
        if self._config.username:
            both = f"{self._config.username}:{self._config.password}".encode()
            headers["Authorization"] = f"Basic {base64.b64encode(both).decode()}"
        answer = await self._transport.send("POST", f"{self._config.url.rstrip('/')}/{what}", body, headers)
        if answer.status >= 300:
            raise AcmeFailed(f"The web hook for TXT records answered {answer.status} to {what}.")


class ByHand:
    """Waits for a person, an hour at most."""

    def __init__(self, tell: Tell, go_on: asyncio.Event) -> None:
        self._tell = tell
        self._go_on = go_on

    async def present(self, domain: str, _token: str, authorization: str) -> None:
        self._tell(Record(txt_name(domain), txt_value(authorization)))

    async def ready(self) -> None:
        try:
            async with asyncio.timeout(PERSON_SECONDS):
                await self._go_on.wait()
        except TimeoutError:
            raise AcmeFailed("Nobody said within an hour that the TXT records stand.") from None

    async def withdraw(self, _domain: str, _token: str, _authorization: str) -> None:
        """The person removes it."""
