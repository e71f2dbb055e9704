# shellcheck shell=bash disable=SC2034,SC2154 # engines.sh sets and reads these variables
# The tools for the template: AWS SAM CLI 1.170.0, cfn-lint 1.58.0, and Lambda's runtime interface emulator (rie). The
# emulator is part of the SAM wheel. It can run a function's bootstrap without a container:
#
#   AWS_LAMBDA_FUNCTION_NAME=f "$(localstack/engines.sh tool rie)" \
#     --runtime-interface-emulator-address 127.0.0.1:9100 --runtime-api-address 127.0.0.1:9101 ./bootstrap
#   curl -d '{}' http://127.0.0.1:9100/2015-03-31/functions/function/invocations
#
# The start-up time is in the line INIT REPORT. The Init Duration in the line REPORT is wrong. Always pass a program:
# with only --help the emulator starts a server on all interfaces.

inputs=("$here"/engines/sam/*)

prerequisites() { find_python 3.11 3.12 3.13 >/dev/null; }

install() {
  local arch rie
  python_env "$(find_python 3.11 3.12 3.13)"
  case $(uname -m) in
    x86_64) arch=x86_64 ;;
    aarch64) arch=arm64 ;;
    *) die "the SAM wheel has no runtime interface emulator for $(uname -m)" ;;
  esac
  rie=$(echo "$home"/venv/lib/python3.*/site-packages/samcli/local/rapid/aws-lambda-rie-"$arch")
  chmod +x "$rie"
  mkdir "$home/bin"
  ln -s "$rie" "$home/bin/rie"
  ln -s "$home/venv/bin/cfn-lint" "$home/bin/cfn-lint"
  printf '#!/bin/sh\nexport SAM_CLI_TELEMETRY=0\nexec "%s" "$@"\n' "$home/venv/bin/sam" >"$home/bin/sam"
  chmod +x "$home/bin/sam"
}
