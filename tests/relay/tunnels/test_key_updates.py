"""A peer that asks for new keys for ever and takes none of the answers."""

from __future__ import annotations

import asyncio
import contextlib
import socket

import pytest

from homeport.relay.tunnels.tls_stream import TlsStream
from homeport.testing.wires import Wires


async def test_answers_that_nobody_takes_do_not_pile_up(wires: Wires) -> None:  # RFC 8446 section 4.6.3
    loop = asyncio.get_running_loop()
    with socket.create_server(("127.0.0.1", 0)) as front, socket.create_server(("127.0.0.1", 0)) as back:
        for listener in (front, back):
            listener.setblocking(False)
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client = await asyncio.create_subprocess_exec(
            "openssl", "s_client", "-brief", "-tls1_3", "-connect", f"127.0.0.1:{front.getsockname()[1]}",
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        near, _ = await loop.sock_accept(front)
        far = socket.socket()
        far.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        far.setblocking(False)
        await loop.sock_connect(far, back.getsockname())
        ours, _ = await loop.sock_accept(back)
        for sock in (near, ours):
            sock.setblocking(False)
        there, back_again = asyncio.create_task(pass_on(near, far)), asyncio.create_task(pass_on(far, near))
        stream = TlsStream(ours, wires.context)
        try:
            await stream.handshake(10)
            await asyncio.sleep(0.1)
            back_again.cancel()  # from now on nobody takes what we send
            assert client.stdin is not None
            with pytest.raises(ConnectionAbortedError):
                await ask_for_keys(client.stdin, stream)
        finally:
            there.cancel()
            client.kill()
            await client.wait()
            await asyncio.gather(there, back_again, return_exceptions=True)
            for sock in (near, far, ours):
                sock.close()


async def ask_for_keys(commands: asyncio.StreamWriter, stream: TlsStream) -> None:
    """One after the other: what it reads at once openssl takes for one command."""
    came = asyncio.Event()
    asyncio.get_running_loop().add_reader(stream.sock, came.set)
    try:
        for _ in range(3000):
            commands.write(b"K\n")
            async with asyncio.timeout(10):
                await came.wait()
            stream.read()
            came.clear()
    finally:
        asyncio.get_running_loop().remove_reader(stream.sock)


async def pass_on(source: socket.socket, target: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    with contextlib.suppress(OSError):
        while data := await loop.sock_recv(source, 4096):
            await loop.sock_sendall(target, data)
