# The image of befriend: the binary on a small Debian, as an unprivileged user, nothing else.
#
# Nothing here needs BuildKit: Docker's classic builder takes it as well. Other base images:
#   docker build --build-arg RUST_IMAGE=… --build-arg RUNTIME_IMAGE=… .
# The two must have the same C library. Nothing is run in the runtime image, so it may well be one
# without a shell, such as a distroless "cc" image of the same Debian.
ARG RUST_IMAGE=rust:1.95-slim-bookworm
ARG RUNTIME_IMAGE=debian:bookworm-slim

FROM ${RUST_IMAGE} AS build
WORKDIR /src

# The dependencies in a layer of their own, which only the manifests change: with empty sources in
# place of ours, cargo builds everything else.
COPY Cargo.toml Cargo.lock ./
RUN mkdir src \
 && echo 'fn main() {}' | tee src/main.rs >build.rs \
 && touch src/lib.rs \
 && cargo build --locked --profile image --bin befriend \
 && rm -r src build.rs

# Files come with the times that they have outside, which may be older than the build above; cargo
# goes by the times, and would take the empty sources' work for ours.
COPY . .
RUN find build.rs src proto migrations -exec touch {} + \
 && cargo build --locked --profile image --bin befriend

FROM ${RUNTIME_IMAGE}
LABEL org.opencontainers.image.title="befriend" \
      org.opencontainers.image.description="A self-hosted friend-relationship service: friends, remarks and block lists on Postgres, over gRPC and the HTTP APIs of Easemob and NetEase" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY LICENSE /usr/share/doc/befriend/LICENSE
COPY --from=build /src/target/image/befriend /usr/local/bin/befriend

# By number, so that orchestrators can see that it isn't root; it needs no name and owns no file.
USER 65532:65532
# The loopback of a container is of no use to anybody outside it.
ENV BEFRIEND_LISTEN=0.0.0.0:50051
EXPOSE 50051
# Ends calls under way, for BEFRIEND_SHUTDOWN_TIMEOUT (20 s) at the most.
STOPSIGNAL SIGTERM
# Healthy while the database answers. With TLS, set BEFRIEND_HEALTH_URL: docs/containers.md.
HEALTHCHECK --interval=5s --timeout=5s --start-period=30s --retries=3 \
    CMD ["/usr/local/bin/befriend", "health"]
ENTRYPOINT ["/usr/local/bin/befriend"]
