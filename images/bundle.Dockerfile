# An image without Python, with corepilot as a bundle:
#
#     docker build -f images/bundle.Dockerfile --build-arg BASE=alpine:3 -t my-image .
#
# BASE is any image for the architecture that it is built on; scratch is one with nothing in it.
ARG BASE=scratch

FROM debian:bookworm-slim AS build
RUN apt-get update && apt-get install -y --no-install-recommends \
    binutils ca-certificates gcc libc-bin musl-tools python3 python3-venv python3.11-venv
COPY . /src
ARG SOURCE_DATE_EPOCH
RUN /src/tools/bundle /made
RUN mkdir -p /links/usr/local/bin && ln -s /opt/corepilot/bin/corepilot /opt/corepilot/bin/containerpilot /links/usr/local/bin/

FROM ${BASE}
LABEL org.opencontainers.image.title="corepilot" \
      org.opencontainers.image.description="A container init and service-discovery supervisor" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /made/corepilot /opt/corepilot
COPY --from=build /links/ /
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=6s --start-period=30s --retries=3 CMD ["corepilot", "health"]
ENTRYPOINT ["corepilot"]
