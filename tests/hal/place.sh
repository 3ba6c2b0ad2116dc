#!/bin/sh
# Gives simulated libraries the vendor's names in a directory of their own:
# place.sh STAMP DIRECTORY [NAME LIBRARY]...
set -e
stamp=$1 directory=$2
shift 2
rm -rf "$directory"
mkdir -p "$directory"
while [ $# -ge 2 ]; do
  ln -s "$2" "$directory/$1"
  shift 2
done
: > "$stamp"
