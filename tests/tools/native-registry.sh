#!/bin/sh
# native-registry.sh COMMAND…
#
# Runs COMMAND (a test under an instrument) after GStreamer's registry was
# brought up to date without the instrument: plugins of others are loaded for
# that, and their leaks and their slowness are not what the test is about.
[ -z "${GST_REGISTRY_1_0-}" ] ||
  gst-inspect-1.0 fakesink > /dev/null 2>&1 ||
  echo "native-registry.sh: gst-inspect-1.0 failed, going on" >&2
exec "$@"
