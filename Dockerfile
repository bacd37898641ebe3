# A static program on an image that has nothing else: docker run --rm -v "$PWD:/src" ghcr.io/OWNER/sf-scan .
FROM rust:1.95-alpine AS build
RUN apk add --no-cache musl-dev
WORKDIR /build
COPY . .
RUN cargo build --release --locked --bin sf-scan

FROM gcr.io/distroless/static-debian12:nonroot
LABEL org.opencontainers.image.title="sf-scan" \
      org.opencontainers.image.description="Finds leaked Sixtyfour API keys in working trees and in git" \
      org.opencontainers.image.licenses="MIT OR Apache-2.0" \
      org.opencontainers.image.source="https://github.com/OWNER/sf-scan"
COPY --from=build /build/target/release/sf-scan /usr/bin/sf-scan
WORKDIR /src
USER nonroot
ENTRYPOINT ["/usr/bin/sf-scan"]
