#!/usr/bin/env bash
# Builds the container image with Docker, Podman or Buildah, from a static program that it builds
# first. The labels are the version and the commit that Go wrote into the program.
#
#   image.sh [NAME]        build the image NAME (default apitoken)
#   image.sh --files DIR   only write the files of the image into the new folder DIR
#
# ARCH is the architecture: amd64 or arm64 (default: that of this machine). APITOKEN_BUILDER is
# the tool (default: the first of docker, podman, buildah).
set -euo pipefail
cd "$(dirname "$0")/.."

# write_files writes the context of the Dockerfile.
write_files() {
  CGO_ENABLED=0 GOOS=linux GOARCH=$arch go build -trimpath -ldflags='-s -w' -o "$1/apitoken" ./cmd/apitoken
  chmod 0755 "$1/apitoken"
  install -d -m 0755 "$1/volume"
  install -d -m 0700 "$1/volume/data"
}

# built prints a value that Go wrote into the program: mod (the version) or vcs.revision.
built() {
  local value
  value=$(go version -m "$files/apitoken" | awk -v key="$1" '$1 == key { print $3 } index($2, key "=") == 1 { print substr($2, length(key) + 2) }')
  echo "${value:-unknown}"
}

builder() {
  local tool
  for tool in ${APITOKEN_BUILDER:-docker podman buildah}; do
    if command -v "$tool"; then return; fi
  done
  echo "an image needs ${APITOKEN_BUILDER:-docker, podman or buildah}, and there is none" >&2
  return 1
}

case ${ARCH:=$(go env GOARCH)} in
  amd64 | x86_64) arch=amd64 ;;
  arm64 | aarch64) arch=arm64 ;;
  *) echo "ARCH: \"$ARCH\" is unknown; allowed: amd64, arm64" >&2 && exit 2 ;;
esac
if [ "${1:-}" = --files ]; then
  write_files "${2:?--files needs a folder}"
  exit
fi

tool=$(builder)
options=()
# Without --format the other two write a format that has no health check.
[ "${tool##*/}" = docker ] || options+=(--format docker)
files=$(mktemp -d)
trap 'rm -rf "$files"' EXIT
write_files "$files"
"$tool" build "${options[@]}" --platform "linux/$arch" -f localstack/Dockerfile -t "${1:-apitoken}" \
  --build-arg VERSION="$(built mod)" --build-arg COMMIT="$(built vcs.revision)" "$files"
