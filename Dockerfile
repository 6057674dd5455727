# The image of befriend: the binary on a small Debian, run by an unprivileged user.
#
# The file needs no BuildKit: Docker's classic builder accepts it too. Other base images:
#   docker build --build-arg RUST_IMAGE=… --build-arg RUNTIME_IMAGE=… .
# Both must have the same C library. No command runs in the runtime image, so it can be one without a
# shell, such as a distroless "cc" image of the same Debian version. A digest (debian@sha256:…) in place of a tag
# gives the same base for every build: see docs/containers.md.
ARG RUST_IMAGE=rust:1.95-slim-bookworm
ARG RUNTIME_IMAGE=debian:bookworm-slim

FROM ${RUST_IMAGE} AS build
WORKDIR /src

# The dependencies have a layer of their own, which depends on the manifests only: cargo builds them
# with empty sources in place of befriend's.
COPY Cargo.toml Cargo.lock ./
COPY clients/rust/Cargo.toml clients/rust/
RUN mkdir src clients/rust/src \
 && echo 'fn main() {}' | tee src/main.rs >build.rs \
 && touch src/lib.rs clients/rust/src/lib.rs \
 && cargo build --locked --profile image --bin befriend \
 && rm -r src clients/rust/src build.rs

# cargo compares modification times. COPY keeps those of the files, which may be older than the build
# above; without `touch`, cargo would keep the result of the empty sources.
COPY . .
RUN find build.rs src clients proto migrations -exec touch {} + \
 && cargo build --locked --profile image --bin befriend

FROM ${RUNTIME_IMAGE}
COPY LICENSE /usr/share/doc/befriend/LICENSE
COPY --from=build /src/target/image/befriend /usr/local/bin/befriend

# A number, so that orchestrators can see that the user is not root. It has no name and owns no files.
USER 65532:65532
# The loopback address of a container can't be reached from outside.
ENV BEFRIEND_LISTEN=0.0.0.0:50051
EXPOSE 50051
# befriend then finishes the calls under way, within BEFRIEND_SHUTDOWN_TIMEOUT (20 s).
STOPSIGNAL SIGTERM
# Healthy while the database answers. With TLS, set BEFRIEND_HEALTH_URL: see docs/containers.md.
HEALTHCHECK --interval=5s --timeout=5s --start-period=30s --retries=3 \
    CMD ["/usr/local/bin/befriend", "health"]
ENTRYPOINT ["/usr/local/bin/befriend"]

# What the image was built from, as `make image` tells. Last, because a new commit changes them. An ARG from before
# the first FROM has to be named again to be seen here.
ARG RUNTIME_IMAGE
ARG VERSION=unknown
ARG REVISION=unknown
ARG SOURCE=unknown
LABEL org.opencontainers.image.title="befriend" \
      org.opencontainers.image.description="A self-hosted friend-relationship service: friends, remarks and block lists on Postgres, over gRPC and the HTTP APIs of Easemob and NetEase" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.source="${SOURCE}" \
      org.opencontainers.image.base.name="${RUNTIME_IMAGE}"
