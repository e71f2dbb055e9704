# shellcheck shell=bash disable=SC2034,SC2154 # engines.sh sets and reads these variables
# DynamoDB Local 2.6.1 from Maven Central, in memory. It tests our transactions, conditions, streams and TTL.
#
# A start takes about one second, and the database is then empty. DynamoDB Local never returns TransactionConflict,
# never throttles, and reads global indexes without delay. So tests must inject these. In a table with a global index it
# never deletes expired items that lack the index's key attributes.
#
# Its licence requires an AWS account in good standing and forbids redistribution. So keep the cache folder private.

default_port=8021
inputs=("$here"/engines/dynamodb/*)

prerequisites() {
  need mvn "Maven 3"
  need javac "a Java 17 development kit"
  need jar "a Java 17 development kit"
  need java "Java 17"
}

# LocalStack uses this folder too. It expects the names DynamoDBLocal.jar, DynamoDBLocal_lib and
# ddb-local-loader-0.1.jar.
install() {
  mvn -B -ntp -q -C -f "$here/engines/dynamodb/pom.xml" \
    org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies \
    -DincludeScope=runtime -DoutputDirectory="$home/DynamoDBLocal_lib"
  javac --release 17 -cp "$home/DynamoDBLocal_lib/*" -d "$home/classes" "$here/engines/dynamodb/Loopback.java"
  manifest >"$home/manifest"
  jar cfm "$home/DynamoDBLocal.jar" "$home/manifest" -C "$home/classes" Loopback.class
  ln -s DynamoDBLocal.jar "$home/ddb-local-loader-0.1.jar"
}

# manifest prints the manifest of our jar. A line may have only 72 bytes, so each jar of the class path has its own
# continuation line. The first space marks the continuation, the second separates the jars.
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

# A GET without a DynamoDB call gets 400 when the server is ready.
answers() { [ "$(http_status /)" = 400 ]; }
