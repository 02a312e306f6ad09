#!/bin/sh
# Sees to the system packages that candidates' isolation needs: bubblewrap; and chromium for tests in a browser and, with
# libvulkan1, for tests of the GPU's way on the software GPU that it brings.
#
#   ensure-system.sh [--require] [--chromium]
#
# As root on a system with apt-get what is missing is installed; otherwise the command that installs it is printed.
# Exit 0 even then, because tests that need it skip with the reason; with --require exit 1.
set -eu

require=no
packages=
for argument in "$@"; do
  case $argument in
    --require) require=yes ;;
    --chromium) packages=chromium ;;
    *) echo "usage: ensure-system.sh [--require] [--chromium]" >&2; exit 2 ;;
  esac
done

missing=
command -v bwrap >/dev/null 2>&1 || missing=bubblewrap
if [ "$packages" = chromium ] && ! command -v chromium >/dev/null 2>&1; then missing="$missing chromium"; fi
if [ "$packages" = chromium ] && ! ls /usr/lib/*/libvulkan.so.1 >/dev/null 2>&1; then missing="$missing libvulkan1"; fi
missing=${missing# }
[ -n "$missing" ] || exit 0

install() {
  # shellcheck disable=SC2086 # the names are to be split
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null 2>&1
}

if [ "$(uname -s)" != Linux ]; then
  echo "Lathe isolates candidates with bubblewrap, which exists on Linux only; this is $(uname -s)." >&2
elif [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
  echo "installing $missing" >&2
  # The package lists are fetched only where the ones at hand do not do.
  if install || { apt-get update -qq >/dev/null 2>&1 && install; }; then exit 0; fi
  echo "could not install $missing; try: apt-get update && apt-get install -y $missing" >&2
elif command -v apt-get >/dev/null 2>&1; then
  echo "missing: $missing. Install with: sudo apt-get install -y $missing" >&2
elif command -v dnf >/dev/null 2>&1; then
  echo "missing: $missing. Install with: sudo dnf install -y $missing" >&2
elif command -v pacman >/dev/null 2>&1; then
  echo "missing: $missing. Install with: sudo pacman -S --noconfirm $missing" >&2
else
  echo "missing: $missing. Install it with the system's package manager." >&2
fi
[ "$require" = no ] || exit 1
