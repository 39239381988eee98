# The program in an image: built as on any Debian in the first stage, of which only the binary, the competition's scripts and the
# licence texts go into the second. `scripts/image.sh` builds and tries it; by hand:
#
#   docker build -t counterpatch --build-arg COMMIT="$(git rev-parse --short=12 HEAD)" .
#   docker run --rm -v "$PWD:/work" -u "$(id -u):$(id -g)" counterpatch verify network.onnx property.vnnlib
#
# RUST and DEBIAN name the images to start from; the second must not be older than the first.
ARG RUST=docker.io/library/rust:1-bookworm
ARG DEBIAN=docker.io/library/debian:bookworm-slim

FROM $RUST AS build
WORKDIR /counterpatch
COPY . .
# .git is not copied: pages get the commit from here.
ARG COMMIT=
RUN ./scripts/setup.sh \
    && COUNTERPATCH_COMMIT="$COMMIT" ./scripts/build.sh \
    && install -D -s "$(readlink -e build/counterpatch || echo target/release/counterpatch)" /image/bin/counterpatch \
    && install -D -t /image/share/counterpatch/scripts scripts/run_instance.sh scripts/prepare_instance.sh scripts/install_tool.sh \
    && ./scripts/licences.sh /image/share/doc/counterpatch/licences

FROM $DEBIAN
COPY --from=build /image /usr/local
ENV COUNTERPATCH_BINARY=/usr/local/bin/counterpatch
WORKDIR /work
ENTRYPOINT ["counterpatch"]
CMD ["--help"]
