# shellcheck shell=bash disable=SC2034,SC2154 # engines.sh sets and reads these variables
# The browser for the tests of the page: Debian's chromium, and axe-core 4.14.1, which looks for faults that keep people
# from a page. A chromium that is installed is taken. Otherwise the package is installed, which takes root: it needs many
# libraries.

inputs=("$here"/engines/browser/*)

prerequisites() {
  need node "Node.js 20"
  need npm "Node.js 20"
  find_chromium >/dev/null || need apt-get "Debian's package manager, or an installed chromium"
}

# find_chromium prints the path of an installed chromium.
find_chromium() { command -v chromium || command -v chromium-browser || command -v google-chrome; }

# npm takes only the files whose hashes are in the lock file, and runs no code of theirs. A list of packages that is
# missing or too old is renewed once.
install() {
  cp "$here"/engines/browser/package*.json "$home"
  npm --prefix "$home" ci --ignore-scripts --no-audit --no-fund
  find_chromium || apt_install || { apt-get update && apt_install; }
  mkdir "$home/bin"
  ln -s "$(find_chromium)" "$home/bin/chromium"
  "$home/bin/chromium" --version --no-sandbox
}

apt_install() { DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends chromium fonts-dejavu-core; }
