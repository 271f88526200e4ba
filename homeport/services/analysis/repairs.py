"""Bounded repairs: what the log of a failed build or start tells, and the analysis that takes it into account."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from homeport.services.analysis.analyse import assemble, rewrite
from homeport.services.analysis.result import Analysis, Finding, Need, Recipe

MAX_ATTEMPTS = 3
MAX_LOG = 64 * 1024  # characters of the log's end that are looked at
_COLOURS = re.compile(r"\x1b\[[0-9;?]{0,20}[A-Za-z]")
_LISTENING = re.compile(
    r"(?:listening|started|running|serving|ready|available|bound)\b[^\n]{0,80}?(?:port[ :=]{1,3}|https?://[\w.\[\]:-]{1,60}?:"
    r"|(?:0\.0\.0\.0|127\.0\.0\.1|localhost|\[::\]|\*)?:)(\d{2,5})\b",
    re.IGNORECASE,
)
_COMMAND = re.compile(r"(?:^|[\s:])([a-z][a-z0-9_.+-]{1,40}):(?: \d+:)? (?:command )?not found\b", re.MULTILINE)
_EXEC = re.compile(r"exec:? \"?([\w./-]{1,60})\"?:.{0,40}(?:executable file not found|no such file)", re.IGNORECASE)
_MODULE = re.compile(r"ModuleNotFoundError: No module named '(uvicorn|gunicorn|flask)'")


@dataclass(frozen=True)
class _Missing:
    """A sentence of a log that means: these Debian packages are missing, at build or at run time."""

    sign: re.Pattern[str]
    build: tuple[str, ...] = ()
    runtime: tuple[str, ...] = ()


def _missing(sign: str, build: str = "", runtime: str = "") -> _Missing:
    return _Missing(re.compile(sign, re.IGNORECASE), tuple(build.split()), tuple(runtime.split()))


MISSING = (
    _missing(r"pg_config (?:executable )?not found|libpq-fe\.h", "gcc libc6-dev libpq-dev", "libpq5"),
    _missing(r"libpq\.so\.5|libpq library not found", runtime="libpq5"),
    _missing(r"mysql_config|mysqlclient\.pc|Can not find valid pkg-config name",
             "gcc libc6-dev pkg-config default-libmysqlclient-dev",
             "libmariadb3"),
    _missing(r"libmariadb\.so\.3", runtime="libmariadb3"),
    _missing(r"libGL\.so\.1", runtime="libgl1 libglib2.0-0"),
    _missing(r"libgthread-2\.0\.so|libglib-2\.0\.so", runtime="libglib2.0-0"),
    _missing(r"libcairo\.so\.2|no library called \"cairo", runtime="libcairo2"),
    _missing(r"libpango-1\.0|no library called \"?(?:lib)?pango", runtime="libpango-1.0-0 libpangoft2-1.0-0"),
    _missing(r"libmagic(?:\.so)?|failed to find libmagic", runtime="libmagic1"),
    _missing(r"libssl\.so\.3", runtime="libssl3"),
    _missing(r"openssl/(?:ssl|opensslv)\.h|Could not find directory of OpenSSL", "pkg-config libssl-dev", "libssl3"),
    _missing(r"ffi\.h: No such file", "gcc libc6-dev libffi-dev"),
    _missing(r"libxml/xmlversion\.h|xmlversion\.h", "gcc libc6-dev libxml2-dev libxslt1-dev", "libxml2 libxslt1.1"),
    _missing(r"sqlite3\.h: No such file", "gcc libc6-dev libsqlite3-dev", "libsqlite3-0"),
    _missing(r"Python\.h: No such file|error: command '?(?:gcc|cc|x86_64-linux-gnu-gcc)'? failed: No such file"
             r"|unable to execute '?gcc",
             "gcc g++ libc6-dev"),
    _missing(r"linker `cc` not found|cgo: C compiler \"gcc\" not found", "gcc libc6-dev"),
    _missing(r"x509: certificate signed by unknown authority|no such file.{0,40}ca-certificates",
             runtime="ca-certificates"),
)  # fmt: skip
# programs that apps call, and the packages that bring them
PROGRAMS = dict(
    pair.split(":")
    for pair in [
        "ffmpeg:ffmpeg",
        "ffprobe:ffmpeg",
        "convert:imagemagick",
        "magick:imagemagick",
        "git:git",
        "curl:curl",
        "wget:wget",
        "make:make",
        "gcc:gcc",
        "g++:g++",
        "cc:gcc",
        "cmake:cmake",
        "pdftotext:poppler-utils",
        "pdftoppm:poppler-utils",
        "tesseract:tesseract-ocr",
        "pandoc:pandoc",
        "unzip:unzip",
        "zip:zip",
        "bash:bash",
        "chromium:chromium",
        "psql:postgresql-client",
        "mysql:default-mysql-client",
        "pkg-config:pkg-config",
        "python3:python3",
        "openssl:openssl",
        "xz:xz-utils",
        "rsync:rsync",
        "jq:jq",
        "nc:netcat-openbsd",
        "protoc:protobuf-compiler",
    ]
)
# what an app says that has no database to talk to, and what it then needs
REFUSED = (
    (re.compile(r"ECONNREFUSED \S{0,40}:6379"
                r"|redis\S{0,40} connection (?:error|refused)|connecting to \S{1,40}:6379", re.IGNORECASE), "redis"),
    (re.compile(r"ECONNREFUSED \S{0,40}:5432"
                r"|port 5432 failed|connection to server at .{0,60}5432", re.IGNORECASE), "postgres"),
    (re.compile(r"ECONNREFUSED \S{0,40}:3306|Can't connect to (?:local )?MySQL server", re.IGNORECASE), "mysql"),
    (re.compile(r"ECONNREFUSED \S{0,40}:27017|ServerSelectionTimeoutError.{0,80}27017", re.IGNORECASE), "mongo"),
)  # fmt: skip


@dataclass(frozen=True)
class Repair:
    """`analysis` is None where nothing can be repaired; `reason` is one sentence either way."""

    analysis: Analysis | None
    reason: str


def repair(analysis: Analysis, log: str, attempt: int) -> Repair:
    """The analysis for try number `attempt` + 1 (the first try is 1), from the end of the log of the try that failed.

    A pure function: only ports, packages of a fixed list, needs and start lines of a fixed form ever change.
    """
    if attempt >= MAX_ATTEMPTS:
        return Repair(None, f"It failed {attempt} times; no further repair is tried.")
    if analysis.own_compose is not None:
        return Repair(None, f"{analysis.own_compose} is the repository's own; it is not changed.")
    text = _COLOURS.sub("", log[-MAX_LOG:])
    for mend in (_packages, _program, _module, _need, _port, _start):
        mended = mend(analysis, text)
        if mended is not None:
            return mended
    return Repair(None, "The log holds nothing that is known how to repair.")


def _packages(analysis: Analysis, text: str) -> Repair | None:
    recipe = analysis.recipe
    if recipe is None or not recipe.debian:
        return None
    for one in MISSING:
        sign = one.sign.search(text)
        if sign is None:
            continue
        build = tuple(name for name in one.build if name not in recipe.build_packages)
        runtime = tuple(name for name in one.runtime if name not in recipe.packages)
        if recipe.build_image is None:
            runtime, build = tuple(dict.fromkeys((*runtime, *(n for n in build if n not in recipe.packages)))), ()
        if build or runtime:
            return _with_packages(analysis, recipe, build, runtime, f"the log says {sign[0][:80]!r}")
    return None


def _program(analysis: Analysis, text: str) -> Repair | None:
    recipe = analysis.recipe
    if recipe is None or not recipe.debian:
        return None
    names = [match[1].rpartition("/")[2] for pattern in (_COMMAND, _EXEC) for match in pattern.finditer(text)]
    for name in names:
        package = PROGRAMS.get(name)
        if package is not None and package not in recipe.packages:
            build = (package,) if recipe.build_image and package not in recipe.build_packages else ()
            return _with_packages(analysis, recipe, build, (package,), f"the log says that {name} is not found")
    return None


def _module(analysis: Analysis, text: str) -> Repair | None:
    """A server that starts the app and is not among its packages."""
    recipe, match = analysis.recipe, _MODULE.search(text)
    if recipe is None or recipe.language != "python" or match is None or recipe.build_image is None:
        return None
    line = f'RUN ["pip", "install", "--no-cache-dir", "{match[1]}"]'
    if line in recipe.steps:
        return None
    finding = Finding(f"adds the package {match[1]}", "the log says that it is missing", 0.8)
    return _changed(analysis, replace(recipe, steps=(*recipe.steps, line)), finding)


def _need(analysis: Analysis, text: str) -> Repair | None:
    for sign, kind in REFUSED:
        if sign.search(text) and kind not in analysis.dependencies:
            need = Need(kind, f"the log says that no {kind} answers", 0.7)
            finding = Finding(f"needs {kind}", need.because, need.confidence)
            added = assemble(replace(
                analysis, needs=(*analysis.needs, need), findings=(*analysis.findings, finding), warnings=()
            ))  # fmt: skip
            kept = {one.name: one for one in analysis.variables}
            variables = tuple(kept.get(one.name, one) for one in added.variables)
            mended = replace(added, variables=variables, warnings=analysis.warnings)
            return Repair(mended, f"It {finding.what}: {finding.because}.")
    return None


def _port(analysis: Analysis, text: str) -> Repair | None:
    """The port that the app itself names last, where it is another than the one that was asked."""
    ports = [int(match[1]) for match in _LISTENING.finditer(text)]
    said = next((port for port in reversed(ports) if 80 <= port <= 65535), None)
    if said is None or said == analysis.port:
        return None
    finding = Finding(f"listens on port {said}", "its log says so", 0.85)
    return Repair(with_port(analysis, finding, said), f"It {finding.what}, not on {analysis.port}: {finding.because}.")


def with_port(analysis: Analysis, finding: Finding, port: int) -> Analysis:
    """The same with another port, in both texts."""
    kept = tuple(one for one in analysis.findings if not one.what.startswith("listens on port"))
    lines = re.compile(rf"^(\s+(?:- |homeport\.port: |PORT: )'){analysis.port}'$", re.MULTILINE)
    compose = lines.sub(rf"\g<1>{port}'", analysis.compose)
    return rewrite(replace(analysis, port=port, compose=compose, findings=(*kept, finding)))


_STARTS = {"python": ("main.py", "app.py", "server.py"), "node": ("index.js", "server.js", "app.js")}
_NO_FILE = re.compile(r"(?:can't open file '?\S*?|Cannot find module '?/app/)([\w./-]+\.(?:py|js))'?", re.IGNORECASE)
_NO_SCRIPT = re.compile(r"Missing script: \"?start|no start command|No command specified", re.IGNORECASE)


def _start(analysis: Analysis, text: str) -> Repair | None:
    """A start command that is missing, or names a file that is not there: the next usual one."""
    recipe = analysis.recipe
    names = _STARTS.get(recipe.language, ()) if recipe is not None else ()
    if recipe is None or not names:
        return None
    gone = _NO_FILE.search(text)
    if gone is None and not _NO_SCRIPT.search(text) and recipe.start is not None:
        return None
    used = gone[1].rpartition("/")[2] if gone is not None else ""
    place = names.index(used) + 1 if used in names else 0
    if place >= len(names):
        return None
    start = f"{recipe.language} {names[place]}"
    if start == recipe.start:
        return None
    finding = Finding(f"starts with `{start}`", f"the log says that {used or 'a start command'} is missing", 0.4)
    return _changed(analysis, replace(recipe, start=start), finding)


def _with_packages(
    analysis: Analysis, recipe: Recipe, build: tuple[str, ...], runtime: tuple[str, ...], because: str
) -> Repair:
    shown = ", ".join(dict.fromkeys((*build, *runtime)))
    changed = replace(
        recipe, build_packages=(*recipe.build_packages, *build), packages=(*recipe.packages, *runtime)
    )  # fmt: skip
    return _changed(analysis, changed, Finding(f"adds the system packages {shown}", because, 0.85))


def _changed(analysis: Analysis, recipe: Recipe, finding: Finding) -> Repair:
    mended = rewrite(replace(analysis, recipe=recipe, findings=(*analysis.findings, finding)))
    return Repair(mended, f"It {finding.what}: {finding.because}.")
