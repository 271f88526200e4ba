"""A stack as people run it: a web page, a worker and a PostgreSQL database, one image made of this machine's files.

The page at `/cgi-bin/visit` writes a row and answers how many there are; `/` is a plain file, for load.
"""

from __future__ import annotations

import io
import re
import subprocess
import tarfile
from pathlib import Path

from homeport.testing.busybox_image import busybox_archive

IMAGE = "homeport-test/three:1"
POSTGRES = Path("/usr/lib/postgresql/15")
SHARE = Path("/usr/share/postgresql/15")

COMPOSE = """
services:
  db:
    image: homeport-test/three:1
    command: ["sh", "/start-db"]
    user: "999:999"
    environment: {POSTGRES_PASSWORD: "${DB_PASSWORD}"}
    volumes: ["data:/data"]
    healthcheck:
      test: ["CMD", "/usr/lib/postgresql/15/bin/pg_isready", "-h", "127.0.0.1", "-U", "app", "-q"]
      interval: 1s
      timeout: 3s
      retries: 30
    stop_signal: SIGINT
    stop_grace_period: 10s
  worker:
    image: homeport-test/three:1
    command: ["sh", "/work"]
    init: true
    stop_grace_period: 1s
    depends_on: {db: {condition: service_healthy}}
    environment: {PGPASSWORD: "${DB_PASSWORD}"}
  web:
    image: homeport-test/three:1
    command: ["httpd", "-f", "-p", "8080", "-h", "/www"]
    init: true
    stop_grace_period: 1s
    depends_on: {db: {condition: service_healthy}}
    environment: {PGPASSWORD: "${DB_PASSWORD}", GREETING: "${GREETING:-hello}"}
    expose: ["8080"]
    labels: {homeport.route: "true"}
volumes: {data: {}}
"""

FILES = {
    "etc/passwd": "root:x:0:0::/:/bin/sh\npostgres:x:999:999::/data:/bin/sh\n",
    "etc/group": "root:x:0:\npostgres:x:999:\n",
    "start-db": """
set -e
bin=/usr/lib/postgresql/15/bin
if [ ! -s /data/db/PG_VERSION ]; then
  echo "$POSTGRES_PASSWORD" > /tmp/password
  $bin/initdb -D /data/db -U app -A scram-sha-256 --pwfile=/tmp/password --no-sync --no-locale -E UTF8 >/tmp/initdb.log
  echo "host all all all scram-sha-256" >> /data/db/pg_hba.conf
fi
exec $bin/postgres -D /data/db -k /tmp -c listen_addresses='*' -c shared_buffers=8MB
""",
    "work": 'echo "working"\nwhile :; do sleep 5; done\n',
    "www/index.html": "a page\n",
    "www/cgi-bin/visit": """#!/bin/sh
printf 'Content-Type: text/plain\\r\\n\\r\\n'
export PGOPTIONS="-c client_min_messages=warning"
run() { /usr/lib/postgresql/15/bin/psql -h db -U app -d postgres -qAtc "$1" 2>&1; }
run "create table if not exists visits (at timestamptz default now()); insert into visits default values"
echo "$GREETING $(run "select count(*) from visits")"
""",
}


def three_services_archive() -> bytes:
    """The image as `docker load` reads it: busybox, PostgreSQL 15 and the libraries that it needs. Takes 2 seconds."""
    return busybox_archive(IMAGE, files=FILES, tree=_postgres_tree(), cmd=("sleep", "1000"), owned={"data": 999})


def _postgres_tree() -> dict[str, Path]:
    """Path inside -> file of this machine."""
    programs = [POSTGRES / "bin" / name for name in ("postgres", "initdb", "psql", "pg_isready")]
    libraries = [POSTGRES / "lib" / name for name in ("plpgsql.so", "dict_snowball.so")]
    tree = {str(path)[1:]: path for path in (*programs, *libraries)}
    tree |= {str(path)[1:]: path for path in SHARE.rglob("*") if path.is_file() and "extension" not in path.parts}
    tree |= {str(path)[1:]: path for path in (SHARE / "extension").glob("plpgsql*")}
    for binary in (*programs, *libraries):
        linked = subprocess.run(["ldd", str(binary)], capture_output=True, text=True, check=True).stdout
        tree |= {found[1:]: Path(found) for found in re.findall(r"(/[^ ]+\.so[^ ]*)", linked)}
    return tree


def size_mb(archive: bytes) -> int:
    """Of an image's archive."""
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        return sum(entry.size for entry in tar) // 1_048_576
