"""What a web visitor sees when the agent has nobody to ask."""

from __future__ import annotations

_BODY = b"""<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>Nothing answers here</title>
<style>
  :root { color-scheme: light dark; font: 1rem/1.5 system-ui, sans-serif }
  body { display: grid; min-height: 100vh; margin: 0; place-content: center; padding: 1.5rem; box-sizing: border-box }
  h1 { font-size: 1.25rem; margin: 0 0 .5rem }
  p { margin: 0; max-width: 32rem }
</style>
<h1>Nothing answers here just now</h1>
<p>The tunnel is open, but the service at its end is not running. Try again in a moment.</p>
</html>
"""

UNAVAILABLE = (
    b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/html; charset=utf-8\r\nCache-Control: no-store\r\n"
    b"Retry-After: 5\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s" % (len(_BODY), _BODY)
)
