#!/bin/sh
# Fetches the model that tests compare with llama.cpp (98 MB, once, into the model cache). Where it cannot be had, those
# tests skip and say so; everything else is tested all the same.
here=$(dirname "$0")
if ! node "$here/../packages/cli/bin/lathe.js" models pull smollm2-135m; then
  echo "tests that need the model smollm2-135m are skipped" >&2
fi
exit 0
