#!/usr/bin/env bash
# The image of deploy/Dockerfile as a docker-archive for a site without a network, by buildah, which needs no daemon. Leaves in FOLDER:
# ccx-notifications-VERSION-ARCH.image.tar (podman load, docker load), its bill of materials (CycloneDX) and its checksums.
#   deploy/air-gapped/make-image.sh FOLDER [--build-arg NAME=VALUE …]
# BUILD_IMAGE and RUN_IMAGE say what it is built with and upon, where registries are not to be asked.
set -euo pipefail
mkdir -p "${1:?usage: make-image.sh FOLDER [--build-arg NAME=VALUE …]}"
out=$(cd "$1" && pwd)
shift
cd "$(dirname "$0")/../.."
version=$(sed -n 's/^ *"version": "\(.*\)",/\1/p' package.json | head -1)
arch=$(uname -m | sed 's/x86_64/x64/; s/aarch64/arm64/')
name=ccx-notifications-$version-$arch
image=localhost/ccx-notifications:$version
# chroot and vfs work without rights that a build in a container lacks.
export BUILDAH_ISOLATION=${BUILDAH_ISOLATION:-chroot} STORAGE_DRIVER=${STORAGE_DRIVER:-vfs}
buildah bud --quiet --network host --file deploy/Dockerfile --ignorefile .dockerignore --tag "$image" "$@" . >&2
rm -f "$out/$name.image.tar"
buildah push --quiet "$image" "docker-archive:$out/$name.image.tar:$image" >&2
npm sbom --omit=dev --package-lock-only --sbom-format=cyclonedx > "$out/$name.image.cdx.json"
cd "$out"
sha256sum "$name.image.tar" "$name.image.cdx.json" > "$name.image.sha256"
echo "$out/$name.image.tar"
