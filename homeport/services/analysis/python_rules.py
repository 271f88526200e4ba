"""Python: version, system packages, installation and start."""

from __future__ import annotations

import re
import shlex

from homeport.services.analysis.found import Found, Notes, copy, line_of, packages_for, pick_version, run
from homeport.services.analysis.inventory import Files
from homeport.services.analysis.result import Recipe
from homeport.services.sources.python_app import MAIN_FILES, PythonApp, find_python

DEFAULT = "3.13"
PORT = 8000
_GCC = ("gcc", "libc6-dev")
# library -> Debian packages to build it, and those to run it
SYSTEM = (
    (frozenset({"psycopg2"}), (*_GCC, "libpq-dev"), ("libpq5",)),
    (frozenset({"psycopg"}), (), ("libpq5",)),
    (frozenset({"mysqlclient"}), (*_GCC, "pkg-config", "default-libmysqlclient-dev"), ("libmariadb3",)),
    (frozenset({"pycairo", "cairosvg", "cairocffi"}), (*_GCC, "pkg-config", "libcairo2-dev"), ("libcairo2",)),
    (frozenset({"weasyprint"}), (), ("libpango-1.0-0", "libpangoft2-1.0-0", "libharfbuzz-subset0")),
    (frozenset({"pdf2image"}), (), ("poppler-utils",)),
    (frozenset({"pydub", "ffmpeg-python", "moviepy", "yt-dlp", "openai-whisper"}), (), ("ffmpeg",)),
    (frozenset({"opencv-python", "opencv-contrib-python"}), (), ("libgl1", "libglib2.0-0")),
    (frozenset({"python-magic"}), (), ("libmagic1",)),
    (frozenset({"pytesseract"}), (), ("tesseract-ocr",)),
    (frozenset({"python-ldap"}), (*_GCC, "libldap2-dev", "libsasl2-dev"), ("libldap2",)),
    (frozenset({"xmlsec", "python3-saml"}), (*_GCC, "pkg-config", "libxmlsec1-dev"), ("libxmlsec1-openssl",)),
    (frozenset({"gitpython"}), (), ("git",)),
    (frozenset({"uwsgi"}), _GCC, ()),
)
# framework, and the server that has to be among the packages ("" when none has) -> start line for `{target}`
STARTS = (
    ("Django", "gunicorn", "python manage.py migrate --noinput && exec gunicorn {target} --bind 0.0.0.0:$PORT"),
    ("Django", "", "python manage.py migrate --noinput && exec python manage.py runserver --noreload 0.0.0.0:$PORT"),
    ("FastAPI", "", "uvicorn {target} --host 0.0.0.0 --port $PORT"),
    ("FastHTML", "", "uvicorn {target} --host 0.0.0.0 --port $PORT"),
    ("Flask", "gunicorn", "gunicorn {target} --bind 0.0.0.0:$PORT"),
    ("Flask", "", "flask --app {target} run --host 0.0.0.0 --port $PORT"),
)  # fmt: skip
_LOCAL = re.compile(r"^\s*(?:-r|-c|-e|--requirement|--constraint|--editable|\.{1,2}/|\.(?:\[|$)|file:)", re.MULTILINE)
_MANIFEST = {"requirements.txt", "pyproject.toml", "Pipfile"}


def find(files: Files) -> Found | None:
    """None where nothing speaks of Python."""
    app = find_python(files)
    if app is None:
        return None
    notes = Notes()
    version = pick_version(app.wish, DEFAULT, 2)
    notes.add(f"{app.framework or 'Python'} app", f"{app.evidence} is there", 0.95 if app.target else 0.7)
    notes.add(f"Python {version.text}", version.because, version.confidence)
    build, runtime, wanting = packages_for(app.packages, SYSTEM)
    if wanting:
        shown = ", ".join(dict.fromkeys((*build, *runtime)))
        notes.add(f"system packages {shown}", f"needed by {', '.join(wanting)}", 0.85)
    layer, steps = _install(files, app)
    start, source = _start(files, app)
    if start:
        notes.add(f"starts with `{start}`", source, 0.9 if app.framework else 0.75)
    image = f"python:{version.text}-slim"
    recipe = Recipe(
        language="python", version=version.text, framework=app.framework, image=image,
        build_image=image if app.install else None, build_packages=build, packages=runtime,
        layer=("RUN python -m venv /venv", "ENV PATH=/venv/bin:$PATH", *layer) if app.install else (),
        steps=steps, copies=(("/venv", "/venv"), ("/app", "/app")) if app.install else (),
        env={"PYTHONUNBUFFERED": "1", **({"PATH": "/venv/bin:$PATH"} if app.install else {})}, start=start,
    )  # fmt: skip
    main = app.target if app.target in MAIN_FILES else None
    return Found(
        recipe, PORT, f"{app.framework or 'Python'} apps usually listen there", app.framework is not None,
        (main,) if main else (), tuple(notes.findings), tuple(notes.warnings),
    )  # fmt: skip


def _install(files: Files, app: PythonApp) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Lines before the source is copied, and after: what installs from the source itself has to wait for it."""
    if not app.install:
        return (), ()
    command = run("pip", "install", "--no-cache-dir", *app.install)
    if app.install[0] == "--":  # a list of names: no file is needed
        return (command,), ()
    if app.install == ("-r", "requirements.txt") and not _LOCAL.search(files.read("requirements.txt") or ""):
        return (*copy(files, ["requirements.txt"]), command), ()
    return (), (command,)


def _start(files: Files, app: PythonApp) -> tuple[str | None, str]:
    if app.target is None:
        return None, ""
    for framework, server, line in STARTS:
        usable = framework == app.framework and (not server or server in app.packages)
        if usable and not (server and app.target == "manage.py"):
            file = app.target.partition(":")[0].replace(".", "/") + ".py"
            where = file if files.has(file) else "manage.py" if framework == "Django" else app.evidence
            how = f"{server} is among its packages" if server else f"that is how {framework} is served"
            return line.format(target=shlex.quote(app.target)), f"{where} makes the app, and {how}"
    return f"python {app.target}", f"{line_of(files, app.target, '__main__')} is its main file"
