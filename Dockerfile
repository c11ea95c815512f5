# One image with all of Rhea's binaries; compose.yaml picks one per service.
FROM golang:1.26 AS build
WORKDIR /src
COPY . .
ARG VERSION=docker
# Modules and compiled packages stay in the builder: a rebuild downloads nothing
# again and compiles what has changed.
RUN --mount=type=cache,target=/go/pkg/mod --mount=type=cache,target=/cache \
    GOCACHE=/cache CGO_ENABLED=0 go build -trimpath -ldflags "-s -w -X rhea/proto/stage.version=${VERSION}" -o /out/ \
      ./rhea/cmd/rhea ./gateway/cmd/rhea-gateway ./ingester/cmd/rhea-ingester \
      ./writer/cmd/rhea-writer ./reqworker/cmd/rhea-reqworker \
      ./monitor/cmd/rhea-monitor ./negentropy/cmd/rhea-negentropy \
 && mkdir -p /empty/data

FROM scratch
# For a NATS with TLS whose certificate a public authority has signed.
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build /out/ /bin/
# The data folder belongs to the user that the binaries run as.
COPY --from=build --chown=65532:65532 /empty/data /data
USER 65532:65532
ENV RHEA_WRITER_DIR=/data
EXPOSE 7777
CMD ["/bin/rhea", "--help"]
