# shellcheck shell=bash disable=SC2034,SC2154 # engines.sh sets and reads these variables
# VAST's command line vastpy-cli and its Python SDK, vastpy 0.3.22 as published. The tests run them against the service.
# The Python with the SDK is in the folder of vastpy-cli.

inputs=("$here"/engines/vast/*)

prerequisites() { find_python 3.11 3.12 3.13 >/dev/null; }

install() {
  python_env "$(find_python 3.11 3.12 3.13)"
  ln -s venv/bin "$home/bin"
}
