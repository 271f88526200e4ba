"""Go, Rust, Java and .NET: built in one stage, run in a smaller one."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

from homeport.services.analysis.found import PLAIN_PATH, Found, Notes, Version, copy, pick_version
from homeport.services.analysis.inventory import Files
from homeport.services.analysis.result import Finding, Recipe
from homeport.services.sources.manifests import first_line, from_mise, from_tool_versions, read_toml, table, text_of
from homeport.services.sources.versions import Wish

PORT = 8080
SLIM = "debian:bookworm-slim"
GO, RUST, JAVA, DOTNET = "1.23", "1.89", "21", "8.0"
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,100}\Z")


def _wish(*sources: tuple[str, str | None]) -> Wish | None:
    return next((Wish(text.strip(), name) for name, text in sources if text), None)


def _found(recipe: Recipe, notes: Notes, version: Version, kind: str, evidence: str, sources: tuple[str, ...] = (),
           *, obeys: bool = False, certain: float = 0.95) -> Found:  # fmt: skip
    notes.findings.insert(0, Finding(kind, f"{evidence} is there", certain))
    notes.findings.insert(1, Finding(f"{kind} {version.text}", version.because, version.confidence))
    return Found(recipe, PORT, f"{kind} apps usually listen there", obeys, sources, tuple(notes.findings),
                 tuple(notes.warnings))  # fmt: skip


def find_go(files: Files) -> Found | None:
    evidence = next((name for name in ("go.mod", "go.work", "main.go") if files.has(name)), None)
    if evidence is None:
        return None
    notes = Notes()
    module = files.read("go.mod") or ""
    line = re.search(r"^go\s+(\d+\.\d+)", module, re.MULTILINE)
    version = pick_version(
        _wish(("mise.toml", from_mise(files, "go")), (".tool-versions", from_tool_versions(files, "golang", "go")),
              ("go.mod", line[1] if line else None)), GO, 2)  # fmt: skip
    package = "."
    if not files.has("main.go"):
        folders = [name for name in files.names("cmd") if _NAME.match(name) and files.has(f"cmd/{name}/main.go")]
        if folders:
            package = f"./cmd/{folders[0]}"
            notes.add(f"builds {package}", "the first program in cmd/", 0.9 if len(folders) == 1 else 0.6)
    cgo = "mattn/go-sqlite3" in module
    notes.add("starts with `./out`", f"the program that {package} is built into", 0.9)
    recipe = Recipe(
        language="go", version=version.text, image=SLIM, build_image=f"golang:{version.text}",
        packages=("ca-certificates",), start="./out", copies=(("/app", "/app"),),
        layer=(f"ENV CGO_ENABLED={int(cgo)}", *((*copy(files, ["go.mod", "go.sum"]), "RUN go mod download")
                                               if files.has("go.mod") and "replace " not in module else ())),
        steps=(f'RUN ["go", "build", "-trimpath", "-ldflags", "-s -w", "-o", "out", "{package}"]',),
    )  # fmt: skip
    main = "main.go" if package == "." else f"{package[2:]}/main.go"
    return _found(recipe, notes, version, "Go", evidence, (main,))


def find_rust(files: Files) -> Found | None:
    if not files.has("Cargo.toml"):
        return None
    notes = Notes()
    cargo = read_toml(files, "Cargo.toml")
    version = pick_version(
        _wish(("mise.toml", from_mise(files, "rust")), ("Cargo.toml", text_of(table(cargo, "package"), "rust-version")),
              ("rust-toolchain", first_line(files, "rust-toolchain"))), RUST, 2)  # fmt: skip
    bins = cargo.get("bin")
    first = bins[0] if isinstance(bins, list) and bins and isinstance(bins[0], dict) else {}
    name = text_of(first, "name") or text_of(table(cargo, "package"), "name")
    if name is None or not _NAME.match(name):
        notes.warnings.append("Cargo.toml names no package to run: add a Procfile.")
        name = None
    else:
        notes.add(f"starts with `./bin/{name}`", "Cargo.toml names it", 0.9)
    fetch = (*copy(files, ["Cargo.toml", "Cargo.lock"]),
             "RUN mkdir -p src && echo 'fn main() {}' > src/main.rs && cargo fetch")  # fmt: skip
    plain = "workspace" not in cargo and "path" not in (files.read("Cargo.toml") or "")
    recipe = Recipe(
        language="rust", version=version.text, image=SLIM, build_image=f"rust:{version.text}-slim-bookworm",
        build_packages=("pkg-config", "libssl-dev"), packages=("ca-certificates", "libssl3"),
        layer=fetch if plain else (),
        steps=("RUN cargo build --release", "RUN mkdir -p bin && find target/release -maxdepth 1 -type f -executable"
               " -exec cp {} bin/ ';' && rm -rf target"),
        copies=(("/app", "/app"),), start=f"./bin/{name}" if name else None,
    )  # fmt: skip
    return _found(recipe, notes, version, "Rust", "Cargo.toml", ("src/main.rs",))


def find_java(files: Files) -> Found | None:
    maven = files.has("pom.xml")
    gradle = next((name for name in ("build.gradle", "build.gradle.kts") if files.has(name)), None)
    if not maven and gradle is None:
        return None
    notes = Notes()
    text = (files.read("pom.xml") if maven else files.read(gradle or "")) or ""
    number = re.search(
        r"<(?:java\.version|maven\.compiler\.release|release)>\s*(\d+)|JavaLanguageVersion\.of\((\d+)\)"
        r"|sourceCompatibility\s*=\s*['\"]?(?:JavaVersion\.VERSION_)?(\d+)", text)  # fmt: skip
    asked = next((one for one in number.groups() if one), None) if number else None
    evidence = "pom.xml" if maven else gradle or ""
    version = pick_version(_wish((evidence, asked), ("mise.toml", from_mise(files, "java"))), JAVA, 1)
    spring = "spring-boot" in text or "org.springframework.boot" in text
    wrapper = "mvnw" if maven else "gradlew"
    if maven:
        program, target = ("sh mvnw" if files.has("mvnw") else "mvn"), "target"
        build = f"RUN {program} -B -q -DskipTests package"
        image = f"maven:3-eclipse-temurin-{version.text}" if program == "mvn" else f"eclipse-temurin:{version.text}-jdk"
    else:
        program, target = ("sh gradlew" if files.has("gradlew") else "gradle"), "build/libs"
        build = f"RUN {program} --no-daemon build -x test"
        image = f"eclipse-temurin:{version.text}-jdk" if "gradlew" in program else f"gradle:8-jdk{version.text}"
    notes.add(f"built with {program.removeprefix('sh ')}", wrapper if "sh" in program else evidence, 0.9)
    notes.add("starts with `java -jar app.jar`", f"the archive that the build leaves in {target}", 0.8)
    jar = f"RUN cp \"$(ls {target}/*.jar | grep -vE '(sources|javadoc|original|plain)' | head -n 1)\" /app/app.jar"
    recipe = Recipe(
        language="java", version=version.text, framework="Spring Boot" if spring else None, build_image=image,
        image=f"eclipse-temurin:{version.text}-jre", steps=(build, jar), copies=(("/app/app.jar", "/app/app.jar"),),
        start="java -jar app.jar" + (" --server.port=$PORT" if spring else ""),
    )  # fmt: skip
    return _found(recipe, notes, version, "Java", evidence, obeys=spring)


def find_dotnet(files: Files) -> Found | None:
    project = _project(files)
    if project is None:
        return None
    notes = Notes()
    text = files.read(project) or ""
    framework = re.search(r"<TargetFramework>\s*net(\d+\.\d+)", text)
    version = pick_version(_wish((project, framework[1] if framework else None)), DOTNET, 2)
    name = re.search(r"<AssemblyName>\s*([\w.-]+)\s*<", text)
    program = f"{name[1] if name else PurePosixPath(project).stem}.dll"
    notes.add(f"starts with `dotnet {program}`", f"{project} builds it", 0.85)
    web = "Microsoft.NET.Sdk.Web" in text
    recipe = Recipe(
        language="dotnet", version=version.text, framework="ASP.NET" if web else None,
        build_image=f"mcr.microsoft.com/dotnet/sdk:{version.text}",
        image=f"mcr.microsoft.com/dotnet/aspnet:{version.text}",
        steps=(f"RUN dotnet publish {project} -c Release -o /out",), copies=(("/out", "/app"),),
        start=f"ASPNETCORE_URLS=http://0.0.0.0:$PORT exec dotnet {program}",
    )  # fmt: skip
    return _found(recipe, notes, version, ".NET", project, obeys=web)


def _project(files: Files) -> str | None:
    """The first project at the top, else one folder deep."""
    top = files.names()
    for name in top:
        if name.endswith((".csproj", ".fsproj")) and PLAIN_PATH.match(name) and files.has(name):
            return name
    for folder in [name for name in top[:100] if PLAIN_PATH.match(name) and files.has_folder(name)]:
        for name in files.names(folder, limit=200):
            if name.endswith((".csproj", ".fsproj")) and PLAIN_PATH.match(name) and "test" not in name.lower():
                return f"{folder}/{name}"
    return None
