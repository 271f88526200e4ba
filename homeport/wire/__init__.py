"""Pure protocols: bytes in, events and bytes out; no sockets, clocks, logs or other Homeport imports."""
