# shellcheck shell=bash disable=SC2034,SC2154 # engines.sh sets and reads these variables
# Qumulo's command line qq and its Python bindings, qumulo_api 7.10.2.1 as published. The tests run them against the service.
# The Python with the bindings is in the folder of qq.

inputs=("$here"/engines/qumulo/*)

prerequisites() { find_python 3.11 3.12 3.13 >/dev/null; }

install() {
  python_env "$(find_python 3.11 3.12 3.13)"
  ln -s venv/bin "$home/bin"
}
