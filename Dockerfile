ARG BASE_IMAGE=python:3.11-slim-bookworm
FROM ${BASE_IMAGE} AS build

ENV UV_COMPILE_BYTECODE=1 \
    UV_LINK_MODE=copy \
    UV_NO_CACHE=1 \
    VIRTUAL_ENV=/opt/venv

WORKDIR /project
COPY requirements.lock pyproject.toml ./

# uv verifies every package against the hashes of the lock, which is the only source of versions.
RUN python3 -m venv /opt/uv \
    && awk '/^uv==/ {on=1; print; next} on && /^ / {print; next} {on=0}' requirements.lock > /opt/uv/uv.lock \
    && /opt/uv/bin/python -m pip install --quiet --no-cache-dir --no-deps --require-hashes -r /opt/uv/uv.lock \
    && python3 -m venv --without-pip /opt/venv \
    && /opt/uv/bin/uv pip install --quiet --constraints requirements.lock --extra workflow --extra serve --extra postgresql -r pyproject.toml hatchling editables

COPY . .

# Whole seconds survive an image's layers: machine code stays valid only while its source's time does.
RUN find src -name '*.py' -exec touch --date=2000-01-01T00:00:00Z {} + \
    && /opt/uv/bin/uv pip install --quiet --no-deps --no-build-isolation --editable . \
    && /opt/venv/bin/python -m compileall -q src flows \
    && /opt/venv/bin/python -m modemap.kernels.warm \
    && /opt/venv/bin/python -c "from prefect.server.api.server import create_ui_app; create_ui_app(ephemeral=False)" \
    && mkdir -p data models mlruns reports .prefect .modemap .dvc/cache .dvc/tmp \
    && mv dvc.lock .dvc/committed.lock \
    && ln -s models/dvc.lock dvc.lock \
    && printf '[core]\n    no_scm = true\n' > .dvc/config.local \
    && chmod -R go=u,go-w . \
    && chown -R 10001:10001 data models mlruns reports .prefect .modemap .dvc/cache .dvc/tmp


FROM ${BASE_IMAGE}

ARG COMMIT=unknown
LABEL org.opencontainers.image.title="modemap" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.revision="${COMMIT}"

# What is written outside the volumes goes to /tmp: mount a tmpfs there when the root is read-only.
ENV PATH=/opt/venv/bin:$PATH \
    HOME=/tmp \
    USER=modemap \
    DVC_SITE_CACHE_DIR=/tmp/dvc \
    MPLCONFIGDIR=/tmp/matplotlib \
    MODEMAP_COMMIT=${COMMIT}

RUN groupadd --gid 10001 modemap \
    && useradd --uid 10001 --gid modemap --no-create-home --home-dir /tmp --shell /usr/sbin/nologin modemap

COPY --from=build /opt/venv /opt/venv
COPY --from=build /project /project

WORKDIR /project
USER 10001:10001
VOLUME ["/project/data", "/project/models", "/project/mlruns", "/project/reports", "/project/.prefect", "/project/.modemap", "/project/.dvc/cache", "/project/.dvc/tmp"]

# DVC writes dvc.lock, so it lies in the volume of the models; a fresh volume gets the committed one.
ENTRYPOINT ["/bin/sh", "-c", "[ -e dvc.lock ] || cp .dvc/committed.lock models/dvc.lock; exec \"$@\"", "--"]
CMD ["modemap", "run"]
