#!/usr/bin/env bash
# An installation for a site without a network: the code at HEAD, its packages without those for development, and Node itself, for Linux
# with glibc. Leaves in FOLDER: ccx-notifications-VERSION-linux-ARCH.tar.gz, its bill of materials (CycloneDX) and its checksums.
#   deploy/air-gapped/make-archive.sh x64|arm64 FOLDER
set -euo pipefail
arch=${1:?usage: make-archive.sh x64|arm64 FOLDER}
mkdir -p "${2:?usage: make-archive.sh x64|arm64 FOLDER}"
out=$(cd "$2" && pwd)
case $arch in x64 | arm64) ;; *) echo "make-archive.sh: $arch is neither x64 nor arm64" >&2; exit 2 ;; esac
cd "$(dirname "$0")/../.."

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
version=$(sed -n 's/^ *"version": "\(.*\)",/\1/p' package.json | head -1)
name=ccx-notifications-$version-linux-$arch
mkdir "$scratch/$name"
git archive HEAD -- package.json package-lock.json .npmrc LICENSE README.md CHANGELOG.md docs deploy migrations src |
  tar --extract --directory "$scratch/$name"
(
  cd "$scratch/$name"
  # No package needs its install script: nothing of another machine's kind is run.
  npm ci --omit=dev --ignore-scripts --os=linux --cpu="$arch" --libc=glibc --no-audit --no-fund >&2
  test -x "node_modules/node-linux-$arch/bin/node" || { echo "make-archive.sh: there is no Node for $arch" >&2; exit 1; }
  ln -sf "../node-linux-$arch/bin/node" node_modules/.bin/node
  npm sbom --omit=dev --package-lock-only --sbom-format=cyclonedx > "$scratch/$name.cdx.json"
)
# The same input makes the same bytes: names in order, times of the commit, nobody's account.
tar --create --directory "$scratch" --sort=name --owner=0 --group=0 --numeric-owner \
  --mtime="$(git log -1 --format=%cI)" "$name" | gzip -6n > "$scratch/$name.tar.gz"
# Whole files or none.
mv "$scratch/$name.tar.gz" "$scratch/$name.cdx.json" "$out"
cd "$out"
sha256sum "$name.tar.gz" "$name.cdx.json" > "$name.sha256"
echo "$out/$name.tar.gz"
