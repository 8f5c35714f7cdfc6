#!/bin/sh
# Makes the stores that only keytool and openssl's legacy provider can write, with keys invented here and used
# nowhere else. The password of each is "fixture-pass". Needs openssl 3 with its legacy provider, and keytool.
set -eu
cd "$(dirname "$0")"
pass=fixture-pass
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$work/ca.key" -out ca.pem \
  -days 16500 -subj "/CN=fixture ca"
openssl req -newkey rsa:2048 -nodes -keyout "$work/client.key" -out "$work/client.csr" -subj "/CN=fixture client"
openssl x509 -req -in "$work/client.csr" -CA ca.pem -CAkey "$work/ca.key" -days 16500 -out "$work/client.pem"

p12() {  # file, cipher of the certificates, cipher of the key
  openssl pkcs12 -export -legacy -certpbe "$2" -keypbe "$3" -macalg sha1 -passout "pass:$pass" \
    -inkey "$work/client.key" -in "$work/client.pem" -certfile ca.pem -out "$1"
}
p12 client-rc2.p12 PBE-SHA1-RC2-40 PBE-SHA1-3DES
p12 client-rc2-key.p12 PBE-SHA1-RC2-128 PBE-SHA1-RC2-40
p12 client-3des.p12 PBE-SHA1-3DES PBE-SHA1-3DES

import() {  # file, type, further options for the JVM
  rm -f "$1"
  keytool ${3:-} -importcert -noprompt -alias platform -file ca.pem -keystore "$1" -storetype "$2" -storepass "$pass"
}
import trust.jks JKS
import trust-pkcs12.jks PKCS12
import trust-pkcs12-java8.jks PKCS12 -J-Dkeystore.pkcs12.legacy
import trust.jceks JCEKS

rm -f key-and-trust.jks key-only.jks
keytool -importkeystore -noprompt -srckeystore client-3des.p12 -srcstoretype PKCS12 -srcstorepass "$pass" \
  -destkeystore key-only.jks -deststoretype JKS -deststorepass "$pass"
cp key-only.jks key-and-trust.jks
keytool -importcert -noprompt -alias platform -file ca.pem -keystore key-and-trust.jks -storepass "$pass"

two() {  # file, type: two key pairs whose certificates sign themselves, the first one's for a server on loopback
  rm -f "$1"
  keytool -genkeypair -alias First -keyalg EC -groupname secp256r1 -validity 16500 -dname "CN=fixture first" \
    -ext san=ip:127.0.0.1 -keystore "$1" -storetype "$2" -storepass "$pass" -keypass "$pass"
  keytool -genkeypair -alias Second -keyalg EC -groupname secp256r1 -validity 16500 -dname "CN=fixture second" \
    -keystore "$1" -storetype "$2" -storepass "$pass" -keypass "$pass"
}
two two-keys.p12 PKCS12
two two-keys.jks JKS
