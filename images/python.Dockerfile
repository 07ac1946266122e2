# An image with Python, with corepilot in a virtual environment of its own that has no pip:
#
#     docker build -f images/python.Dockerfile --build-arg PLUGINS="corepilot-consul" -t my-image .
#
# BASE has a Python from 3.11 on, and pip. PLUGINS are packages of this checkout or of PyPI.
ARG BASE=python:3.13-slim

FROM ${BASE} AS build
COPY . /src
ARG PLUGINS="corepilot-consul corepilot-etcd corepilot-zookeeper corepilot-prometheus corepilot-otlp corepilot-statsd"
RUN pip wheel --quiet --wheel-dir /wheels /src /src/backends/* /src/plugins/*
RUN python3 -m venv --without-pip /opt/corepilot \
 && pip --python /opt/corepilot/bin/python install --quiet --no-compile --find-links /wheels corepilot ${PLUGINS} \
 && /opt/corepilot/bin/python -m compileall -q --invalidation-mode unchecked-hash -x '/(tests|testing)/' /opt/corepilot/lib

FROM ${BASE}
LABEL org.opencontainers.image.title="corepilot" \
      org.opencontainers.image.description="A container init and service-discovery supervisor" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /opt/corepilot /opt/corepilot
RUN ln -s /opt/corepilot/bin/corepilot /opt/corepilot/bin/containerpilot /usr/local/bin/
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=6s --start-period=30s --retries=3 CMD ["corepilot", "health"]
ENTRYPOINT ["corepilot"]
