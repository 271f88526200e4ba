"""The Dockerfile of a recipe: dependencies first, one user without rights, no secrets, no health check of its own."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable

from homeport.services.analysis.result import Recipe
from homeport.services.sources.plan import shell

USER = 10001
PACKAGE = re.compile(r"[a-z0-9][a-z0-9+.-]{1,60}\Z")


def render(recipe: Recipe, port: int) -> str:
    """Its text. What comes from the source stands only in JSON, where neither Docker nor a shell reads more into it."""
    lines = ["# Written by Homeport from what it found in the source."]
    if recipe.build_image is not None:
        lines += [
            f"FROM {recipe.build_image} AS build",
            "WORKDIR /app",
            *_install(recipe.build_packages),
            *recipe.layer,
            "COPY . .",
            *recipe.steps,
            "",
        ]
    lines += [f"FROM {recipe.image}", *(_install(recipe.packages) if recipe.debian else ())]
    if recipe.debian:
        made = f"useradd --uid {USER} --create-home app"
        lines += [f"RUN {made} && mkdir -p /app /data && chown {USER}:{USER} /app /data"]
    lines += ["WORKDIR /app"]
    if recipe.build_image is None:
        lines += [*recipe.layer, f"COPY --chown={USER}:{USER} . .", *recipe.steps]
    else:
        lines += [f"COPY --from=build --chown={USER}:{USER} {source} {target}" for source, target in recipe.copies]
    lines += recipe.finish
    env = {**recipe.env, "HOST": "0.0.0.0", "PORT": str(port)}
    lines += [f"ENV {name}={value}" for name, value in env.items()]
    lines += [f"USER {USER}:{USER}", f"EXPOSE {port}"]
    if recipe.start is not None:
        lines += [f"CMD {json.dumps(list(shell(recipe.start)))}"]
    return "\n".join(lines) + "\n"


def _install(packages: Iterable[str]) -> tuple[str, ...]:
    """Nothing but names of packages ever gets into this line."""
    names = [name for name in dict.fromkeys(packages) if PACKAGE.match(name)]
    if not names:
        return ()
    get = f"apt-get install -y --no-install-recommends {' '.join(names)}"
    return (f"RUN apt-get update && {get} && rm -rf /var/lib/apt/lists/*",)
