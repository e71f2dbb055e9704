# shellcheck shell=bash disable=SC2034,SC2154 # engines.sh sets and reads these variables
# DynamoDB Local 2.6.1 from Maven Central, in memory: the judge of our transactions, conditions, streams and TTL.
#
# Start-up takes about a second and every start is an empty database. It never returns TransactionConflict, never
# throttles and reads global indexes without delay, so tests have to inject those. In a table with a global index,
# expired items without the index's key attributes are never deleted.
#
# Its licence asks for an AWS account in good standing and forbids redistribution: keep the cache folder private.

default_port=8021
inputs=("$here"/engines/dynamodb/*)

prerequisites() {
  need mvn "Maven 3"
  need javac "a Java 17 development kit"
  need jar "a Java 17 development kit"
  need java "Java 17"
}

# The names DynamoDBLocal.jar, DynamoDBLocal_lib and ddb-local-loader-0.1.jar are those LocalStack looks for, so that
# it can use this folder too.
install() {
  mvn -B -ntp -q -C -f "$here/engines/dynamodb/pom.xml" \
    org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies \
    -DincludeScope=runtime -DoutputDirectory="$home/DynamoDBLocal_lib"
  javac --release 17 -cp "$home/DynamoDBLocal_lib/*" -d "$home/classes" "$here/engines/dynamodb/Loopback.java"
  manifest >"$home/manifest"
  jar cfm "$home/DynamoDBLocal.jar" "$home/manifest" -C "$home/classes" Loopback.class
  ln -s DynamoDBLocal.jar "$home/ddb-local-loader-0.1.jar"
}

# A manifest's line may hold only 72 bytes: each jar stands on a continuation line, which starts with one space, and
# the second space divides it from the jar before.
manifest() {
  local jar
  printf 'Main-Class: Loopback\nPremain-Class: Loopback\nClass-Path: .\n'
  for jar in "$home"/DynamoDBLocal_lib/*.jar; do
    printf '  DynamoDBLocal_lib/%s\n' "${jar##*/}"
  done
}

launch() {
  command=(java -Xmx256m "-Djava.library.path=$home/DynamoDBLocal_lib" -jar "$home/DynamoDBLocal.jar"
    -port "$port" -inMemory -sharedDb -disableTelemetry)
}

# A bare GET is no DynamoDB call; 400 is how it says so once it is up.
answers() { [ "$(http_status /)" = 400 ]; }
