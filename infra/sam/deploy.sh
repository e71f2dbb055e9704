#!/usr/bin/env bash
# Deploys template.yaml. The first time, sam asks for the parameters and stores the answers in samconfig.toml. Later
# deployments ask nothing. A first deployment ends with the first administrator's token in a file that only you can read.
#
# It needs the AWS CLI, credentials where the AWS CLI finds them, and sam. If sam is not on PATH, the variable SAM has
# its path. Two variables have an effect only in the first deployment: ARCH is the processor of the functions, and STACK
# is the proposed name of the stack.
set -euo pipefail
cd "$(dirname "$0")/../.."
. infra/sam/stack.sh

main() {
  need_aws
  local arch
  arch=$(saved_arch)
  arch=${arch:-${ARCH:-arm64}}
  build "$arch"
  if [ -f samconfig.toml ]; then
    deploy --no-confirm-changeset
  else
    deploy --guided --stack-name "${STACK:-apitoken}" --capabilities CAPABILITY_IAM --parameter-overrides "Arch=$arch"
    # The answers may have changed the processor: then build the functions again for this one.
    if [ "$(saved_arch)" != "$arch" ]; then
      build "$(saved_arch)"
      deploy --no-confirm-changeset
    fi
  fi
  administrator
}

# build uses the sources in place, because a copy for each function would also copy all caches.
build() { ARCH=$1 "$sam" build --build-in-source --parameter-overrides "Arch=$1"; }

deploy() { "$sam" deploy --no-fail-on-empty-changeset "$@"; }

# saved_arch prints the processor of the stack, nothing before the first deployment. The build must use the same one.
saved_arch() { [ ! -f samconfig.toml ] || sed -n 's/.*Arch=[\\"]*\([a-z0-9_]*\).*/\1/p' samconfig.toml | head -n 1; }

# administrator writes the first administrator's token, unless there is an administrator already. It passes the peppers
# in the environment, which other users cannot read, and never in a command line.
administrator() {
  read_stack
  local table url prefix PEPPERS
  table=$(output TokenTableName)
  url=$(output ApiUrl)
  prefix=$(parameter TokenPrefix)
  PEPPERS=$(AWS_REGION=$region bin/apitoken peppers --stack "$stack")
  PEPPERS=$PEPPERS TOKEN_PREFIX=$prefix AWS_REGION=$region bin/apitoken bootstrap --table "$table" --first
  echo "the service answers at $url"
}

main "$@"
