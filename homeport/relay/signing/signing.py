"""Keyless TLS: signatures of handshakes with the relay's own key, for whoever holds a lease (R29, digest D.1)."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Awaitable, Callable
from typing import NamedTuple

import structlog

from homeport.identity.access import ANONYMOUS, Actor
from homeport.identity.audit import PORTAL, Act
from homeport.identity.client_address import network_of
from homeport.kit.clock import Clock
from homeport.kit.problems import Problem
from homeport.relay.certificates.pairs import Pair
from homeport.relay.lease import Lease
from homeport.relay.problems import LeaseRejected, RateLimited
from homeport.relay.signing.algorithms import Algorithm, Signer, signer_of
from homeport.relay.signing.asked import Asked, digest_of, read_asked
from homeport.relay.signing.meter import MINUTE, Meter, Verdict
from homeport.relay.signing.replies import JSON, NotSigned, Reply, enveloped, http_date, refused
from homeport.wire.http_head import RequestHead

log = structlog.get_logger()

PATH = "/v1/sign"
KEY_ID = "relay-cert"
READ_BYTES = 64 * 1024  # what a front reads before it gives up: a body in between gets the answer of this path
SKEW_SECONDS = 30
LONGEST_NONCE = 128  # characters; clients send 32
MOST_HOLDERS = 20_000  # who is counted at a time
IN_THREADS = 2  # signatures of slow keys at once; the others wait their turn


class _Wanted(NamedTuple):
    """A request that has passed every check."""

    algorithm: Algorithm
    digest: bytes
    slow: bool

    def signed(self) -> Reply:
        """Takes about 25 us with a key on P-256, a millisecond with RSA."""
        try:
            signature = self.algorithm.sign(self.digest)
        except Exception as fault:
            log.error("a handshake could not be signed", algorithm=self.algorithm.name, exc_info=fault)
            return refused(500, "the signature could not be made")
        return Reply(
            200,
            b'{"key_id":"%b","algorithm":"%b","signature":"%b"}\n'
            % (KEY_ID.encode(), self.algorithm.name.encode(), base64.b64encode(signature)),
        )


class Signing:
    """Owns nothing but counters.

    `pair` gives the pair that is used now (None: keyless is off), `holder` the lease of a token (raises TokenRefused,
    LeaseNotFound), `routable` says whether an identity's key may be visited. `limit` is signatures a minute for one
    identity, 0 none. `without_token` serves clients of before May 2026, too, who are counted by address. `record`
    appends to the audit log: what was signed for each holder, once a minute.
    """

    def __init__(
        self,
        clock: Clock,
        pair: Callable[[], Pair | None],
        holder: Callable[[str], Lease],
        routable: Callable[[str], bool],
        record: Callable[[Act], Awaitable[None]],
        *,
        limit: int = 0,
        without_token: bool = False,
    ) -> None:
        self._clock = clock
        self._pair = pair
        self._holder = holder
        self._routable = routable
        self._record = record
        self._limit = limit
        self._without_token = without_token
        self._meters: dict[str, Meter] = {}
        self._signer: tuple[Pair, Signer] | None = None
        self._threads = asyncio.Semaphore(IN_THREADS)

    def answer(self, head: RequestHead, body: bytes, peer: str) -> bytes | Awaitable[bytes]:
        """One request as the fast path has it (relay/tunnels/front.py): the whole response, at once if it is quick."""
        found = self.judge(head.method, head.value(b"x-portal-access-token"), head.value(b"content-type"), body, peer)
        if isinstance(found, _Wanted):
            if found.slow:
                return self._later(found, head.keep_alive)
            found = found.signed()
        encoded = found.encoded(keep_alive=head.keep_alive, date=self._date())
        return encoded if head.method != b"HEAD" else encoded[: -len(found.body)]

    async def reply(self, method: bytes, token: bytes, kind: bytes, body: bytes, peer: str) -> Reply:
        """The same for who has parsed the request otherwise."""
        found = self.judge(method, token, kind, body, peer)
        return await self._signed(found) if isinstance(found, _Wanted) else found

    def judge(self, method: bytes, token: bytes, kind: bytes, body: bytes, peer: str) -> Reply | _Wanted:
        """Every check in the order of digest D.1. `kind` is the Content-Type, empty where there is none."""
        pair = self._pair()
        if pair is None:
            return Reply(404, b"404 page not found\n", b"text/plain; charset=utf-8")
        try:
            meter = self._meter(token, peer)
        except Problem as problem:
            return enveloped(problem)
        if method != b"POST":
            return refused(405, "method not allowed", (b"Allow", b"POST"))
        if kind and not kind.lower().startswith(JSON):
            return refused(415, "the body has to be application/json")
        try:
            return self._wanted(read_asked(body), self._signer_of(pair), meter)
        except NotSigned as problem:
            return problem.reply

    async def run(self) -> None:
        """Tell the audit log each minute, until it is cancelled."""
        while True:
            await self._clock.sleep(MINUTE)
            try:
                await self.flush()
            except Problem as problem:
                log.error("the audit log did not hear of signatures", reason=problem.message)

    async def flush(self) -> None:
        """Tell the audit log what it has not heard; forget who has been idle for longer than anything counts."""
        now = self._clock.monotonic()
        for key, meter in list(self._meters.items()):
            signed, refused_, meter.signed, meter.refused = meter.signed, meter.refused, 0, 0
            if now - meter.used_at > 2 * MINUTE:
                del self._meters[key]
            if signed or refused_:
                await self._record(_act(key, meter, signed, refused_))

    def _meter(self, token: bytes, peer: str) -> Meter:
        if token or not self._without_token:
            lease = self._holder(token.decode("latin-1"))
            key, name = lease.key, lease.hostname
            if not self._routable(key):
                raise LeaseRejected("This tunnel is not approved.")
        else:
            key, name = f"address:{network_of(peer)}", ""
        meter = self._meters.get(key)
        if meter is None:
            meter = Meter(name, peer, self._clock.monotonic())
            if len(self._meters) < MOST_HOLDERS:
                self._meters[key] = meter
            else:
                raise RateLimited("Too many tunnels have handshakes signed at the moment: try again in a minute.")
        meter.name, meter.address = name, peer
        return meter

    def _signer_of(self, pair: Pair) -> Signer:
        if self._signer is None or self._signer[0] is not pair:
            self._signer = (pair, signer_of(pair.key_and_chain))
        return self._signer[1]

    def _wanted(self, asked: Asked, signer: Signer, meter: Meter) -> _Wanted:
        key_id, name, digest64, nonce, timestamp = asked
        digest = digest_of(digest64)
        if key_id != KEY_ID:
            raise NotSigned(403, "there is no such key")
        if abs(int(self._clock.now().timestamp()) - timestamp) > SKEW_SECONDS:
            raise NotSigned(400, f"timestamp_unix is more than {SKEW_SECONDS} s from the relay's time")
        algorithm = signer.algorithms.get(name)
        if algorithm is None:
            raise NotSigned(400, f"the key makes no such signatures: use {', '.join(signer.algorithms)}")
        if len(digest) != algorithm.digest_bytes:
            raise NotSigned(400, f"the digest of {algorithm.name} has {algorithm.digest_bytes} bytes")
        if len(nonce) > LONGEST_NONCE:
            raise NotSigned(400, f"the nonce is longer than {LONGEST_NONCE} characters")
        now = self._clock.monotonic()
        verdict = meter.take(nonce, self._limit, now)
        if verdict is Verdict.USED:
            raise NotSigned(400, "the nonce was used before")
        if verdict is Verdict.TOO_MANY:
            wait = b"%d" % meter.retry_after(now)
            raise NotSigned(429, "too many handshakes of this tunnel were signed", (b"Retry-After", wait))
        return _Wanted(algorithm, digest, signer.slow)

    async def _later(self, wanted: _Wanted, keep_alive: bool) -> bytes:
        reply = await self._signed(wanted)
        return reply.encoded(keep_alive=keep_alive, date=self._date())

    async def _signed(self, wanted: _Wanted) -> Reply:
        if not wanted.slow:
            return wanted.signed()
        async with self._threads:
            return await asyncio.to_thread(wanted.signed)

    def _date(self) -> bytes:
        return http_date(int(self._clock.now().timestamp()))


def _act(key: str, meter: Meter, signed: int, refused_: int) -> Act:
    actor = Actor(id="", kind="anonymous", name=key, role=ANONYMOUS.role, scopes=()) if meter.name else PORTAL
    return Act(
        "sign_handshakes",
        actor,
        address=meter.address,
        target_type="tunnel" if meter.name else "address",
        target_id=meter.name or meter.address,
        details={"signed": signed, "refused": refused_},
    )
