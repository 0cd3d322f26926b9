# Paper mode as it is; testnet or live by environment alone:
#   docker build -t inband . && docker run --init -p 127.0.0.1:8080:8080 -v inband:/data inband
# backtest, compare, sweep and data need more libraries: --build-arg LOCK=study
ARG BASE=docker.io/library/python:3.13-slim

FROM ${BASE} AS builder
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
RUN python3 -m venv /opt/venv
ARG LOCK=runtime
COPY config/${LOCK}.lock /build/chosen.lock
RUN /opt/venv/bin/python -m pip install --no-deps --require-hashes -r /build/chosen.lock
COPY bot /app/bot
COPY strategies /app/strategies
COPY config /app/config
# Compiled here, since the running user may write nothing there. A pip is of no use to a daemon.
RUN /opt/venv/bin/python -m pip uninstall --yes --quiet pip \
    && /opt/venv/bin/python -m compileall -q -j 0 /opt/venv /app

FROM ${BASE}
# BOT_NO_BOOTSTRAP: everything is here already. The port is published by the container's owner or not at all,
# so inside the server listens everywhere.
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    BOT_NO_BOOTSTRAP=1 \
    INBAND_DATA_DIR=/data \
    INBAND_WEB__HOST=0.0.0.0 \
    INBAND_WEB__MAKE_TOKEN=true \
    INBAND_WEB__PORT=8080
COPY --from=builder /opt/venv /opt/venv
COPY --from=builder /app /app
RUN mkdir /data && chown 10001:10001 /data && chmod 0700 /data
WORKDIR /app
USER 10001:10001
VOLUME /data
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request; urllib.request.urlopen(f\"http://127.0.0.1:{os.environ['INBAND_WEB__PORT']}/healthz\", timeout=2)"]
ENTRYPOINT ["python", "-m", "bot"]
CMD ["run"]
