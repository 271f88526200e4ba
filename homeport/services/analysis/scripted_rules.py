"""Ruby and PHP."""

from __future__ import annotations

import re

from homeport.services.analysis.found import Found, Notes, copy, line_of, packages_for, pick_version
from homeport.services.analysis.inventory import Files
from homeport.services.analysis.result import Recipe
from homeport.services.sources.manifests import first_line, from_mise, from_tool_versions, read_json, table, text_of
from homeport.services.sources.versions import Wish

RUBY, RUBY_PORT = "3.4", 3000
PHP, PHP_PORT = "8.4", 8080
GEMS = (
    (frozenset({"pg"}), ("libpq-dev",), ("libpq5",)),
    (frozenset({"mysql2"}), ("default-libmysqlclient-dev",), ("libmariadb3",)),
    (frozenset({"sqlite3"}), (), ("libsqlite3-0",)),
    (frozenset({"image_processing", "ruby-vips"}), (), ("libvips42",)),
    (frozenset({"mini_magick", "rmagick"}), ("libmagickwand-dev",), ("imagemagick",)),
)
_GEM = re.compile(r"^\s*gem\s+[\"']([\w-]+)[\"']", re.MULTILINE)
# what must be there (a gem, a file, or both) -> framework and start line
RUBY_STARTS = (
    ("rails", "config/environment.rb", "Rails",
     "bundle exec rails db:prepare && exec bundle exec rails server -b 0.0.0.0 -p $PORT"),
    ("puma", "config.ru", None, "bundle exec puma -b tcp://0.0.0.0:$PORT"),
    (None, "config.ru", None, "bundle exec rackup -o 0.0.0.0 -p $PORT"),
    ("sinatra", "app.rb", "Sinatra", "bundle exec ruby app.rb -o 0.0.0.0 -p $PORT"),
    (None, "main.rb", None, "bundle exec ruby main.rb"),
    (None, "app.rb", None, "bundle exec ruby app.rb"),
)  # fmt: skip
_ASSETS = "RUN SECRET_KEY_BASE_DUMMY=1 RAILS_ENV=production bundle exec rails assets:precompile"
# PHP's own modules that have to be added, by what composer.json asks for
EXTENSIONS = frozenset({
    "bcmath", "exif", "gd", "gmp", "imagick", "intl", "mysqli", "pcntl", "pdo_mysql", "pdo_pgsql", "pgsql", "redis",
    "soap", "sockets", "xsl", "zip",
})  # fmt: skip


def find_ruby(files: Files) -> Found | None:
    gemfile = files.read("Gemfile")
    if gemfile is None:
        return None
    notes = Notes()
    gems = set(_GEM.findall(gemfile))
    asked = re.search(r"^\s*ruby\s+[\"']([^\"']+)[\"']", gemfile, re.MULTILINE)
    texts = (
        (".ruby-version", (first_line(files, ".ruby-version") or "").removeprefix("ruby-")),
        ("Gemfile", asked[1] if asked else None),
        ("mise.toml", from_mise(files, "ruby")), (".tool-versions", from_tool_versions(files, "ruby")),
    )  # fmt: skip
    version = pick_version(next((Wish(text, source) for source, text in texts if text), None), RUBY, 2)
    build, runtime, wanting = packages_for(gems, GEMS)
    start = framework = None
    for gem, file, name, line in RUBY_STARTS:
        if (gem is None or gem in gems) and files.has(file):
            start, framework = line, name
            notes.add(f"starts with `{line}`", f"{file} is there", 0.9 if name or "config.ru" in file else 0.7)
            break
    first = Notes()
    first.add(f"{framework or 'Ruby'} app", "Gemfile is there", 0.95)
    first.add(f"Ruby {version.text}", version.because, version.confidence)
    if wanting:
        first.add(f"system packages {', '.join(runtime)}", f"needed by {', '.join(wanting)}", 0.85)
    assets = framework == "Rails" and files.has_folder("app/assets")
    recipe = Recipe(
        language="ruby", version=version.text, framework=framework, build_image=f"ruby:{version.text}",
        image=f"ruby:{version.text}-slim", build_packages=build, packages=runtime,
        layer=("ENV BUNDLE_PATH=/bundle BUNDLE_WITHOUT=development:test",
               *copy(files, ["Gemfile", "Gemfile.lock", ".ruby-version"]),
               "RUN bundle install"),
        steps=(_ASSETS,) if assets else (),
        copies=(("/bundle", "/bundle"), ("/app", "/app")),
        env={"BUNDLE_PATH": "/bundle", "BUNDLE_WITHOUT": "development:test", "RACK_ENV": "production",
             **({"RAILS_ENV": "production", "RAILS_LOG_TO_STDOUT": "1"} if framework == "Rails" else {})},
        start=start,
    )  # fmt: skip
    return Found(recipe, RUBY_PORT, "Ruby apps usually listen there", bool(start and "$PORT" in start),
                 ("app.rb", "main.rb"), (*first.findings, *notes.findings), ())  # fmt: skip


def find_php(files: Files) -> Found | None:
    evidence = next((name for name in ("composer.json", "index.php", "public/index.php") if files.has(name)), None)
    if evidence is None:
        return None
    notes = Notes()
    composer = read_json(files, "composer.json") or {}
    wanted = {**table(composer, "require")}
    php = text_of(wanted, "php")
    version = pick_version(Wish(php, "composer.json") if php else None, PHP, 2)
    laravel = "laravel/framework" in wanted and files.has("artisan")
    notes.add(f"{'Laravel' if laravel else 'PHP'} app", f"{evidence} is there", 0.9)
    notes.add(f"PHP {version.text}", version.because, version.confidence)
    root = "/app/public" if files.has("public/index.php") else "/app"
    extensions = sorted({name.removeprefix("ext-") for name in wanted if name.startswith("ext-")} & EXTENSIONS)
    if extensions:
        notes.add(f"modules {', '.join(extensions)}", line_of(files, "composer.json", f"ext-{extensions[0]}"), 0.9)
    notes.add("starts with FrankenPHP", f"serves {root.removeprefix('/app') or 'the top'}", 0.85)
    install = "RUN composer install --no-dev --no-interaction --no-progress --optimize-autoloader"
    recipe = Recipe(
        language="php", version=version.text, framework="Laravel" if laravel else None,
        image=f"dunglas/frankenphp:1-php{version.text}",
        layer=((f"RUN install-php-extensions {' '.join(extensions)}",) if extensions else ())
        + (("COPY --from=composer:2 /usr/bin/composer /usr/local/bin/composer",) if composer else ()),
        steps=(install,) if composer else (),
        # A copy has no right to low ports, which a container without that right may not run.
        finish=("RUN cp /usr/local/bin/frankenphp /usr/local/bin/serve",
                *(("RUN chown -R 10001:10001 storage bootstrap/cache",) if laravel else ())),
        env={"XDG_CONFIG_HOME": "/tmp", "XDG_DATA_HOME": "/tmp"},  # noqa: S108  inside the container
        start=f"/usr/local/bin/serve php-server --listen :$PORT --root {root}",
    )  # fmt: skip
    return Found(recipe, PHP_PORT, "the server listens there", True, (), tuple(notes.findings), ())
