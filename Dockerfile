# Homeport in a container: pages and packages are built apart, the runtime is a user of its own and no root.
#
#   docker build --tag homeport .
#   docker run --detach --init --name homeport --publish 8443:8443 --volume homeport:/data homeport
#
# Where no registry is reachable: name base images of your own, put wheels of requirements.lock (and setuptools) into
# wheels/, built pages into ui/dist, and build with
#   --build-arg PYTHON_IMAGE=… --build-arg NODE_IMAGE=… --build-arg UI=given --build-arg SYSTEM_PACKAGES=
#   --build-arg PIP_ARGS="--no-index --find-links /wheels"
ARG NODE_IMAGE=docker.io/library/node:22-bookworm-slim
ARG PYTHON_IMAGE=docker.io/library/python:3.12-slim-bookworm

FROM ${NODE_IMAGE} AS ui
ARG UI=build
WORKDIR /src/ui
COPY ui ./
RUN if [ "$UI" = given ]; then test -f dist/index.html; else npm ci --no-audit --no-fund && npm run build; fi

FROM ${PYTHON_IMAGE} AS packages
ARG PIP_ARGS=
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
# wheels/ need not be there
COPY requirements.lock wheel[s] /wheels/
RUN python3 -m venv /opt/homeport && /opt/homeport/bin/python -m pip install $PIP_ARGS --requirement /wheels/requirements.lock
WORKDIR /src
COPY pyproject.toml README.md LICENSE ./
COPY homeport homeport
COPY --from=ui /src/ui/dist homeport/web/ui
RUN /opt/homeport/bin/python -m pip install $PIP_ARGS --no-deps . && /opt/homeport/bin/python -m pip check

FROM ${PYTHON_IMAGE}
# git fetches what is deployed; more for what your apps are built with
ARG SYSTEM_PACKAGES="git ca-certificates"
RUN if [ -n "$SYSTEM_PACKAGES" ]; then \
        apt-get update && apt-get install --yes --no-install-recommends $SYSTEM_PACKAGES && rm -rf /var/lib/apt/lists/*; \
    fi && \
    echo "homeport:x:10001:10001:Homeport:/data:/usr/sbin/nologin" >>/etc/passwd && \
    echo "homeport:x:10001:" >>/etc/group && \
    mkdir -p /data && chown 10001:10001 /data && chmod 700 /data
COPY --from=packages /opt/homeport /opt/homeport
ENV PATH=/opt/homeport/bin:/usr/local/bin:/usr/bin:/bin HOME=/data HOMEPORT_DATA_DIR=/data HOMEPORT_BIND=0.0.0.0
USER 10001:10001
WORKDIR /data
VOLUME /data
# portal and apps; client certificates; orders of certificates
EXPOSE 8443 9292 80
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=15s --timeout=5s --start-period=60s --retries=3 CMD ["homeport", "answers"]
CMD ["homeport", "up"]
