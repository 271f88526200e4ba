"""A web app in plain Python: pages, JSON, a health check, data that survives a redeploy, and a clean stop."""

import hashlib
import hmac
import html
import json
import os
import platform
import secrets
import signal
import sys
import threading
import time
from contextlib import contextmanager
from http.cookies import CookieError, SimpleCookie
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from string import Template

HOST = os.environ.get("HOST", "127.0.0.1")
PORT = int(os.environ.get("PORT", "8080"))
NAME = os.environ.get("SERVICE_NAME") or "This app"
GREETING = os.environ.get("GREETING") or "Hello!"
SECRET_KEY = (os.environ.get("SECRET_KEY") or secrets.token_urlsafe(32)).encode()
DATA = Path(os.environ.get("DATA_DIR") or "data")
COLOURS = {
    "green": ("#2b6a4d", "#8ce99a"),
    "blue": ("#1864ab", "#74c0fc"),
    "violet": ("#5f3dc4", "#b197fc"),
    "orange": ("#b3541e", "#ffa94d"),
}
PAGE = Template(Path(__file__).with_name("page.html").read_text(encoding="utf-8"))
STARTED = time.time()


class Visits:
    """A number on disk. It is written whole or not at all, so that a crash never spoils it."""

    def __init__(self, folder):
        folder.mkdir(parents=True, exist_ok=True)
        self.file = folder / "visits.txt"
        self.lock = threading.Lock()

    def read(self):
        try:
            return int(self.file.read_text())
        except (FileNotFoundError, ValueError):
            return 0

    def add(self):
        with self.lock:
            total = self.read() + 1
            partial = self.file.with_suffix(".partial")
            partial.write_text(str(total))
            partial.replace(self.file)
            return total


visits = Visits(DATA)


def sign(text):
    return hmac.new(SECRET_KEY, text.encode(), hashlib.sha256).hexdigest()


class App(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 75

    def do_GET(self):
        with server.work():
            self.route()

    def route(self):
        path = self.path.partition("?")[0]
        if path == "/health":
            self.answer(200, "text/plain", "ok\n")
        elif path == "/api/visits":
            self.answer(200, "application/json", json.dumps({"visits": visits.read()}))
        elif path == "/":
            self.page()
        else:
            self.answer(404, "text/plain", "There is nothing here.\n")

    do_HEAD = do_GET

    def page(self):
        total, yours = visits.add(), self.own_visits() + 1
        light, dark = COLOURS.get(os.environ.get("ACCENT", ""), COLOURS["green"])
        settings = {
            "Name": NAME,
            "PORT": str(PORT),
            "DATA_DIR": str(DATA),
            "Release": os.environ.get("HOMEPORT_RELEASE", "none"),
            "Up for": f"{int(time.time() - STARTED)} seconds",
        }
        rows = "".join(f"<dt>{html.escape(key)}</dt><dd>{html.escape(value)}</dd>" for key, value in settings.items())
        body = PAGE.substitute(
            name=html.escape(NAME),
            greeting=html.escape(GREETING),
            runtime=f"Python {platform.python_version()}",
            visits=total,
            yours=yours,
            settings=rows,
            light=light,
            dark=dark,
        )
        cookie = f"visits={yours}.{sign(str(yours))}; Path=/; Max-Age=31536000; HttpOnly; Secure; SameSite=Lax"
        self.answer(200, "text/html", body, {"Set-Cookie": cookie, "Cache-Control": "no-store"})

    def own_visits(self):
        """What the visitor's cookie says, if it was signed here."""
        try:
            cookie = SimpleCookie(self.headers.get("Cookie", "")).get("visits")
        except CookieError:
            return 0
        number, _, signature = (cookie.value if cookie else "").partition(".")
        known = number.isdecimal() and hmac.compare_digest(signature.encode(), sign(number).encode())
        return int(number) if known else 0

    def answer(self, status, kind, body, headers=None):
        data = body.encode()
        self.send_response(status)
        self.send_header("Content-Type", f"{kind}; charset=utf-8")
        self.send_header("Content-Length", str(len(data)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        if server.stopping:
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def handle_one_request(self):
        super().handle_one_request()
        if server.stopping:
            self.close_connection = True

    def log_request(self, code="-", size="-"):
        if self.path != "/health":
            print(f"{self.command} {self.path} {int(code)}", flush=True)

    def log_message(self, format, *arguments):
        print(format % arguments, file=sys.stderr, flush=True)


class Server(ThreadingHTTPServer):
    """Counts what is under way, so that a stop can wait for it. Idle connections hold nobody up."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.stopping = False
        self.under_way = 0
        self.changed = threading.Condition()

    @contextmanager
    def work(self):
        with self.changed:
            self.under_way += 1
        try:
            yield
        finally:
            with self.changed:
                self.under_way -= 1
                self.changed.notify_all()

    def finish(self, seconds):
        with self.changed:
            self.changed.wait_for(lambda: not self.under_way, seconds)


def stop(number, frame):
    print("asked to stop: finishing what is under way", flush=True)
    server.stopping = True
    threading.Thread(target=server.shutdown).start()


server = Server((HOST, PORT), App)

if __name__ == "__main__":
    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    print(f"{NAME} listens on {HOST} port {PORT}, Python {platform.python_version()}", flush=True)
    server.serve_forever(poll_interval=0.1)
    server.finish(seconds=9)
    server.server_close()
    print("stopped", flush=True)
