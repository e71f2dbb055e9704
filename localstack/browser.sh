#!/usr/bin/env bash
# Drives the page in chromium. It installs the browser and axe-core if they are missing. The arguments go to go test:
# -run NAME, -v. The pictures of all pages are in APITOKEN_SCREENSHOTS; the default is a folder beside the engines.
set -euo pipefail
cd "$(dirname "$0")/.."
home=$(localstack/engines.sh install browser)
export APITOKEN_CHROMIUM=$home/bin/chromium APITOKEN_AXE=$home/node_modules/axe-core/axe.min.js
export APITOKEN_SCREENSHOTS=${APITOKEN_SCREENSHOTS:-${home%/*}/screenshots}
mkdir -p "$APITOKEN_SCREENSHOTS"
rm -f "$APITOKEN_SCREENSHOTS"/*.png
go test -tags browser -count 1 -timeout 5m -run ^TestBrowser "$@" ./functions/httpapi/page
echo "the pictures of the pages are in $APITOKEN_SCREENSHOTS"
