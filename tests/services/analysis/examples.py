"""A repository of each kind that is known, and what is to be found in it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Example:
    """`says` are words of findings, `holds` lines of the Dockerfile."""

    files: Mapping[str, str]
    language: str | None
    start: str | None
    port: int
    needs: tuple[str, ...] = ()
    says: tuple[str, ...] = ()
    holds: tuple[str, ...] = ()
    variables: tuple[str, ...] = field(default=())


def package(**fields: object) -> str:
    return json.dumps(fields, indent=1)


EXAMPLES: dict[str, Example] = {
    "fastapi": Example(
        {"requirements.txt": "fastapi==0.115\nuvicorn\nsqlalchemy\nasyncpg\n", ".python-version": "3.12\n",
         "main.py": "from fastapi import FastAPI\napp = FastAPI()\n",
         ".env.example": "SECRET_KEY=changeme\nGREETING=hi\n"},
        "python", "uvicorn main:app --host 0.0.0.0 --port $PORT", 8000, ("postgres",),
        ("FastAPI app", "Python 3.12", "needs postgres"),
        ("FROM python:3.12-slim AS build", "COPY requirements.txt ./", "USER 10001:10001", "EXPOSE 8000"),
        ("POSTGRES_PASSWORD", "SECRET_KEY", "GREETING"),
    ),
    "flask": Example(
        {"requirements.txt": "flask\ngunicorn\npymysql\ncelery\nffmpeg-python\n",
         "app.py": "from flask import Flask\napp = Flask(__name__)\n"},
        "python", "gunicorn app:app --bind 0.0.0.0:$PORT", 8000, ("mysql", "redis"),
        ("system packages ffmpeg",), ("ffmpeg",), ("MYSQL_PASSWORD", "MYSQL_ROOT_PASSWORD"),
    ),
    "django": Example(
        {"requirements.txt": "Django>=5\ngunicorn\npsycopg2\n", "manage.py": "import django\n",
         "shop/settings.py": "WSGI_APPLICATION = 'shop.wsgi.application'\n"},
        "python", "python manage.py migrate --noinput && exec gunicorn shop.wsgi:application --bind 0.0.0.0:$PORT",
        8000, ("postgres",), ("system packages gcc, libc6-dev, libpq-dev, libpq5",), ("libpq-dev", "libpq5"),
        ("POSTGRES_PASSWORD",),
    ),
    "script": Example(
        {"main.py": "import http.server\nserver = http.server.HTTPServer(('0.0.0.0', 5055), None)\n"},
        "python", "python main.py", 5055, (), ("starts with `python main.py`",), ("FROM python:3.13-slim",),
    ),
    "express": Example(
        {"package.json": package(scripts={"start": "node server.js"}, engines={"node": "20.x"},
                                 dependencies={"express": "4", "mongoose": "8", "bullmq": "5"}),
         "package-lock.json": "{}", "server.js": "const port = process.env.PORT || 3000\napp.listen(port)\n"},
        "node", "node server.js", 3000, ("mongo", "redis"), ("Node 20", "installed with npm"),
        ("FROM node:20 AS build", "RUN npm ci --no-audit --no-fund", "FROM node:20-slim"), ("MONGO_PASSWORD",),
    ),
    "vite": Example(
        {"package.json": package(scripts={"build": "vite build"}, devDependencies={"vite": "6"}),
         "pnpm-lock.yaml": "x: 1", "index.html": "<div>"},
        "node", "/usr/local/bin/caddy run --config /etc/caddy/Caddyfile", 8080, (), ("Vite app", "the files in dist"),
        ("RUN corepack enable", "RUN pnpm run build", "FROM caddy:2-alpine", "/app/dist /srv"),
    ),
    "go": Example(
        {"go.mod": "module example.org/shop\n\ngo 1.22\n\nrequire github.com/jackc/pgx/v5 v5.5.0\n",
         "cmd/web/main.go": 'package main\nfunc main() { http.ListenAndServe(":9090", nil) }\n'},
        "go", "./out", 9090, ("postgres",), ("Go 1.22", "builds ./cmd/web"),
        ("FROM golang:1.22 AS build", "RUN go mod download", "FROM debian:bookworm-slim"), ("POSTGRES_PASSWORD",),
    ),
    "rust": Example(
        {"Cargo.toml": '[package]\nname = "shop"\nrust-version = "1.80"\n[dependencies]\nredis = "0.27"\n',
         "src/main.rs": 'fn main() { let p = std::env::var("PORT"); }\n'},
        "rust", "./bin/shop", 8080, ("redis",), ("Rust 1.80",), ("RUN cargo build --release",),
    ),
    "rails": Example(
        {"Gemfile": 'source "https://rubygems.org"\nruby "3.3.1"\ngem "rails"\ngem "pg"\n',
         "config/environment.rb": "x", "config.ru": "x", "Gemfile.lock": "x"},
        "ruby", "bundle exec rails db:prepare && exec bundle exec rails server -b 0.0.0.0 -p $PORT", 3000,
        ("postgres",),
        ("Rails app", "Ruby 3.3"), ("RUN bundle install", "libpq-dev"), ("POSTGRES_PASSWORD", "SECRET_KEY_BASE"),
    ),
    "laravel": Example(
        {"composer.json": package(require={"php": "^8.3", "laravel/framework": "^11", "ext-pdo_mysql": "*"}),
         "artisan": "x", "public/index.php": "<?php", ".env.example": "APP_KEY=\nDB_HOST=127.0.0.1\nDB_PASSWORD=\n"},
        "php", "/usr/local/bin/serve php-server --listen :$PORT --root /app/public", 8080, ("mysql",),
        ("Laravel app", "modules pdo_mysql"), ("RUN install-php-extensions pdo_mysql",), ("APP_KEY", "MYSQL_PASSWORD"),
    ),
    "spring": Example(
        {"pom.xml": "<project><java.version>17</java.version>\n<artifactId>spring-boot-starter-web</artifactId>"
                    "\n<groupId>org.postgresql</groupId></project>\n"},
        "java", "java -jar app.jar --server.port=$PORT", 8080, ("postgres",), ("Java 17", "built with mvn"),
        ("FROM maven:3-eclipse-temurin-17 AS build", "FROM eclipse-temurin:17-jre"), ("POSTGRES_PASSWORD",),
    ),
    "dotnet": Example(
        {"Shop.csproj": '<Project Sdk="Microsoft.NET.Sdk.Web"><TargetFramework>net9.0</TargetFramework></Project>'},
        "dotnet", "ASPNETCORE_URLS=http://0.0.0.0:$PORT exec dotnet Shop.dll", 8080, (), (".NET 9.0",),
        ("RUN dotnet publish Shop.csproj -c Release -o /out",),
    ),
    "static": Example(
        {"public/index.html": "<h1>"}, "static", "/usr/local/bin/caddy run --config /etc/caddy/Caddyfile", 8080, (),
        ("static site", "the files in public"), ("cp -r /app/public /srv",),
    ),
    "shell": Example({"start.sh": "#!/bin/bash\nexec nc -l -p 7000\n"}, "shell", "bash start.sh", 8080),
    "procfile": Example(
        {"Procfile": "release: python migrate.py\nweb: python serve.py --port $PORT\nworker: python work.py\n",
         "requirements.txt": "bottle\n", "serve.py": "x"},
        "python", "python serve.py --port $PORT", 8000, (), ("starts with `python serve.py",),
        ('CMD ["/bin/sh", "-c", "exec python serve.py --port $PORT"]',),
    ),
    "dockerfile": Example(
        {"Dockerfile": "FROM alpine AS one\nEXPOSE 1\nFROM alpine\nEXPOSE 4000/tcp\n", "requirements.txt": "redis\n",
         "main.py": "x"},
        "python", None, 4000, ("redis",), ("its own Dockerfile is used", "listens on port 4000"),
    ),
    "compose": Example(
        {"compose.yaml": "services:\n  web:\n    build: .\n    ports: ['80:5000']\n  db:\n    image: postgres:16\n"
                         "    environment: {POSTGRES_PASSWORD: '${DB_PASSWORD}'}\n"
                         "    volumes: ['d:/var/lib/postgresql/data']\n"
                         "volumes: {d: {}}\n", "Dockerfile": "FROM alpine\n", ".env.example": "DB_PASSWORD=x\n"},
        None, None, 5000, ("postgres",), ("its own compose file is used",), (), ("DB_PASSWORD",),
    ),
}  # fmt: skip
