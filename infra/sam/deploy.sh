#!/usr/bin/env bash
# Deploys template.yaml. The first time sam asks for the parameters and keeps the answers in samconfig.toml; after that
# nothing is asked. A first deployment ends with the first administrator's token in a file that only you can read.
#
# It needs sam (SAM), the AWS CLI and credentials, as the AWS CLI finds them. ARCH is the processor of the functions,
# STACK what a first deployment proposes as the stack's name.
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
    # Whoever changed the processor among the answers gets functions that are made for it.
    if [ "$(saved_arch)" != "$arch" ]; then
      build "$(saved_arch)"
      deploy --no-confirm-changeset
    fi
  fi
  administrator
}

# build works on the sources in place: a copy for each function would copy every cache with it.
build() { ARCH=$1 "$sam" build --build-in-source --parameter-overrides "Arch=$1"; }

deploy() { "$sam" deploy --no-fail-on-empty-changeset "$@"; }

# saved_arch is the processor that the stack has; the build has to agree with it.
saved_arch() { [ ! -f samconfig.toml ] || sed -n 's/.*Arch=[\\"]*\([a-z0-9_]*\).*/\1/p' samconfig.toml | head -n 1; }

# administrator writes the first administrator's token, unless somebody is one already. The peppers come by the
# environment, which is nobody else's to read, and stand in no command line.
administrator() {
  read_stack
  local table url prefix PEPPERS
  table=$(output TokenTableName)
  url=$(output ApiUrl)
  prefix=$(parameter TokenPrefix)
  PEPPERS=$(peppers "$(output PepperSecrets)")
  PEPPERS=$PEPPERS TOKEN_PREFIX=$prefix AWS_REGION=$region bin/apitoken bootstrap --table "$table" --first
  echo "the service answers at $url"
}

# peppers turns "KID=ARN,KID=ARN" into "KID:value,KID:value".
peppers() {
  local entry value all=''
  for entry in ${1//,/ }; do
    value=$(aws secretsmanager get-secret-value --region "$region" --secret-id "${entry#*=}" \
      --query SecretString --output text)
    all=$all${all:+,}${entry%%=*}:$value
  done
  echo "$all"
}

main "$@"
