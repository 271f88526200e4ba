"""A whole app for Homeport: it listens on PORT, answers a greeting, and prints a line for each request.

Browsers get a page, everything else one line of text. On SIGTERM it takes no more and ends.
"""

import html
import os
import signal
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

GREETING = os.environ.get("GREETING", "Hello from Homeport!")
RELEASE = os.environ.get("HOMEPORT_RELEASE", "none")
VERSION = "1"

PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{greeting}</title>
<style>
body {{ display: grid; place-content: center; min-height: 100vh; margin: 0; padding: 1.5rem; box-sizing: border-box;
  text-align: center; font: 1.125rem/1.5 system-ui, sans-serif; background: #f3f6fa; color: #1f2933; }}
h1 {{ font-size: clamp(2.2rem, 9vw, 4.5rem); line-height: 1.1; letter-spacing: -.03em; margin: 0 0 1rem; }}
p {{ margin: 0; color: #52606d; }}
@media (prefers-color-scheme: dark) {{ body {{ background: #14181d; color: #e6eaef; }} p {{ color: #a3afbb; }} }}
</style>
<h1>{greeting}</h1>
<p>Version {version}, release {release}. Change <code>app.py</code> and deploy again.</p>
</html>
"""


class Hello(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 75

    def do_GET(self) -> None:
        if "text/html" in self.headers.get("Accept", ""):
            kind = "text/html"
            text = PAGE.format(greeting=html.escape(GREETING), version=VERSION, release=html.escape(RELEASE))
        else:
            kind, text = "text/plain", f"{GREETING} (version {VERSION})\n"
        body = text.encode()
        self.send_response(200)
        self.send_header("Content-Type", f"{kind}; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        print(f"{self.command} {self.path}", flush=True)


if __name__ == "__main__":
    port = int(os.environ.get("PORT", "8000"))
    server = ThreadingHTTPServer(("127.0.0.1", port), Hello)
    signal.signal(signal.SIGTERM, lambda number, frame: threading.Thread(target=server.shutdown).start())
    print(f"hello listens on port {port}", flush=True)
    server.serve_forever(poll_interval=0.1)
