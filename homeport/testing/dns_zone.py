"""A name server on loopback that takes dynamic updates (RFC 2136) signed with TSIG, for one zone."""

from __future__ import annotations

import base64
import secrets
import socket
import struct
import threading
from types import TracebackType
from typing import Self

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.opcode
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rrset
import dns.tsig
import dns.tsigkeyring
import dns.update

from homeport.testing.ports import free_port


class DnsZone:
    """UDP and TCP on one free port of 127.0.0.1, in threads. Every name below `zone` is 127.0.0.1.

    `texts` maps a name without its last dot to its TXT records. Updates have to be signed with the key `key_name`.
    """

    def __init__(self, zone: str) -> None:
        self.zone = dns.name.from_text(zone)
        self.texts: dict[str, list[str]] = {}
        self.updates = 0
        self.key_name = "homeport"
        self.key_secret = base64.b64encode(secrets.token_bytes(32)).decode()
        self._keys = dns.tsigkeyring.from_text({self.key_name: self.key_secret})
        self._tcp = socket.create_server(("127.0.0.1", free_port()))
        self._udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._udp.bind(self._tcp.getsockname())
        for each in (self._tcp, self._udp):
            each.settimeout(0.1)
        self._ended = threading.Event()
        self._threads = [threading.Thread(target=work, daemon=True) for work in (self._serve_udp, self._serve_tcp)]

    @property
    def port(self) -> int:
        return int(self._tcp.getsockname()[1])

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join()
        self._tcp.close()
        self._udp.close()

    def _serve_udp(self) -> None:
        while not self._ended.is_set():
            try:
                wire, peer = self._udp.recvfrom(4096)
            except TimeoutError:
                continue
            self._udp.sendto(self._answer(wire), peer)

    def _serve_tcp(self) -> None:
        while not self._ended.is_set():
            try:
                connection, _ = self._tcp.accept()
            except TimeoutError:
                continue
            with connection, connection.makefile("rwb") as stream:
                connection.settimeout(2)
                try:
                    (length,) = struct.unpack("!H", stream.read(2))
                    answer = self._answer(stream.read(length))
                    stream.write(struct.pack("!H", len(answer)) + answer)
                    stream.flush()
                except (OSError, struct.error):
                    continue  # it went, or was too slow; the next one is served all the same

    def _answer(self, wire: bytes) -> bytes:
        try:
            query = dns.message.from_wire(wire, keyring=self._keys)
        except dns.tsig.BadSignature:
            return self._refusal(wire)
        except dns.message.UnknownTSIGKey:
            return self._refusal(wire)
        if query.opcode() == dns.opcode.UPDATE:
            return self._update(query)
        answer = dns.message.make_response(query)
        answer.flags |= dns.flags.AA | dns.flags.RA
        question = query.question[0]
        name = question.name.to_text(omit_final_dot=True).lower()
        soa = dns.rrset.from_text(self.zone, 60, "IN", "SOA", "ns.test. admin.test. 1 60 60 60 60")
        if not question.name.is_subdomain(self.zone):
            answer.set_rcode(dns.rcode.NXDOMAIN)
        elif question.rdtype == dns.rdatatype.TXT and self.texts.get(name):
            quoted = [f'"{text}"' for text in self.texts[name]]
            answer.answer.append(dns.rrset.from_text(question.name, 60, "IN", "TXT", *quoted))
        elif question.rdtype == dns.rdatatype.A:
            answer.answer.append(dns.rrset.from_text(question.name, 60, "IN", "A", "127.0.0.1"))
        else:
            answer.authority.append(soa)
        return answer.to_wire()

    def _update(self, query: dns.message.Message) -> bytes:
        answer = dns.message.make_response(query)
        if not query.had_tsig or not isinstance(query, dns.update.UpdateMessage):
            answer.set_rcode(dns.rcode.REFUSED)
            return answer.to_wire()
        for rrset in query.update:
            texts = self.texts.setdefault(rrset.name.derelativize(self.zone).to_text(omit_final_dot=True).lower(), [])
            for record in rrset:
                text = b"".join(record.strings).decode()
                if rrset.deleting == dns.rdataclass.NONE and text in texts:
                    texts.remove(text)
                elif rrset.deleting is None:
                    texts.append(text)
        self.updates += 1
        return answer.to_wire()

    @staticmethod
    def _refusal(wire: bytes) -> bytes:
        """NOTAUTH, unsigned: the key is not known here or the signature is wrong."""
        return wire[:2] + struct.pack("!HHHHH", 0x8000 | (5 << 11) | dns.rcode.NOTAUTH, 0, 0, 0, 0)
