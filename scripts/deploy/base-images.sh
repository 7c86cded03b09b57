#!/usr/bin/env bash
# The two images that deploy/Dockerfile builds with and upon, made of Debian's packages and this machine's npm, where no registry of images
# is to be asked: localhost/ccx-build and localhost/ccx-run. Needs buildah and mmdebstrap; prints the arguments for make-image.sh.
set -euo pipefail
export BUILDAH_ISOLATION=${BUILDAH_ISOLATION:-chroot} STORAGE_DRIVER=${STORAGE_DRIVER:-vfs}
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
if ! buildah inspect --type image localhost/ccx-run > /dev/null 2>&1; then
  mmdebstrap --quiet --variant=essential --include=libstdc++6,ca-certificates,tzdata bookworm "$scratch/base.tar" >&2
  base=$(buildah from scratch)
  buildah add --quiet "$base" "$scratch/base.tar" / >&2
  buildah commit --quiet --rm "$base" localhost/ccx-run >&2
fi
run=$(buildah from localhost/ccx-run)
npm=$(dirname "$(dirname "$(readlink -f "$(command -v npm)")")")
node=$(node --print 'process.execPath')
buildah add --quiet "$run" "$node" /usr/local/bin/node >&2
buildah add --quiet "$run" "$npm" /usr/local/lib/node_modules/npm >&2
buildah run "$run" -- ln -s ../lib/node_modules/npm/bin/npm-cli.js /usr/local/bin/npm >&2
# What is built here trusts whom this machine trusts; nothing of it comes into the image that runs.
authorities=${NODE_EXTRA_CA_CERTS:-/etc/ssl/certs/ca-certificates.crt}
buildah add --quiet "$run" "$authorities" /etc/ccx-build-authorities.crt >&2
buildah config --env NODE_EXTRA_CA_CERTS=/etc/ccx-build-authorities.crt "$run"
buildah commit --quiet --rm "$run" localhost/ccx-build >&2
echo "--build-arg BUILD_IMAGE=localhost/ccx-build --build-arg RUN_IMAGE=localhost/ccx-run"
