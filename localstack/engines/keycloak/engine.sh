# shellcheck shell=bash disable=SC2034,SC2154 # engines.sh sets and reads these variables
# Keycloak 26.7.3 from Maven Central, with its database in memory. It is the identity provider of the tests: the realm
# apitoken of realm.json, with its people, groups and clients. The administrator of Keycloak is admin, with the password
# admin.
#
# The issuer is the address at which a client asks: ENDPOINT/realms/apitoken. A proxy before Keycloak that keeps the
# header Host is thus an issuer of its own, with the same people and keys.
#
# An installation downloads 176 MB and takes about 25 s of CPU time. A start takes 17 s of CPU time and 365 MB of memory.

default_port=8577
inputs=("$here"/engines/keycloak/*)

prerequisites() {
  need mvn "Maven 3"
  need java "Java 17"
  need sha256sum "package coreutils"
}

version=26.7.3

# The compiler of the JVM that makes the fastest code would take half of the CPU time of a start.
jvm="-Xms128m -Xmx384m -XX:MaxMetaspaceSize=256m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -XX:+ExitOnOutOfMemoryError
  -Dfile.encoding=UTF-8"

# The build writes what each start would otherwise compute: the database, the features, and the classes for them.
install() {
  mvn -B -ntp -q -C org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy \
    -Dartifact=org.keycloak:keycloak-quarkus-dist:$version:tar.gz -DoutputDirectory="$home"
  local archive=$home/keycloak-quarkus-dist-$version.tar.gz
  echo "77657f30b7e90d70f727712ce1c967f430fd6a5e9f458d32d8c6df0635345f47  $archive" | sha256sum -c
  tar -xzf "$archive" -C "$home"
  rm "$archive"
  mv "$home/keycloak-$version" "$home/keycloak"
  mkdir -p "$home/keycloak/data/import"
  cp "$here/engines/keycloak/realm.json" "$home/keycloak/data/import"
  JAVA_OPTS=$jvm "$home/keycloak/bin/kc.sh" build --db=dev-mem --features-disabled=admin,account
}

# A busy machine may need two minutes.
launch() {
  : "${APITOKEN_ENGINES_WAIT:=180}"
  environment=(JAVA_OPTS="$jvm" KC_BOOTSTRAP_ADMIN_USERNAME=admin KC_BOOTSTRAP_ADMIN_PASSWORD=admin)
  command=("$home/keycloak/bin/kc.sh" start --optimized --import-realm --cache=local --http-enabled=true
    --http-host=127.0.0.1 "--http-port=$port" --hostname-strict=false)
}

answers() { [ "$(http_status /realms/apitoken/.well-known/openid-configuration)" = 200 ]; }
