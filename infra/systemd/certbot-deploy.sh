#!/bin/sh
# The deploy hook of certbot for apitoken.service: copies the renewed pair to where the
# group of the service may read it, and lets the service read it without a restart.
# Usage: certbot --deploy-hook "certbot-deploy [FOLDER [GROUP]]"
set -eu
folder=${1:-/etc/apitoken} group=${2:-apitoken}
: "${RENEWED_LINEAGE:?certbot sets it; run this as certbot --deploy-hook}"
install -m 0640 -g "$group" "$RENEWED_LINEAGE/fullchain.pem" "$folder/tls.crt"
install -m 0640 -g "$group" "$RENEWED_LINEAGE/privkey.pem" "$folder/tls.key"
systemctl try-reload-or-restart apitoken
