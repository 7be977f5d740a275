#!/bin/sh
# Copies what Node needs of a Debian system, and nothing else, to an image's root: no shell, no package manager.
#
#     sh root.sh SYSTEM TARGET
#
# SYSTEM is a root directory with the packages below: "" for the running one, or the extracted packages, in which case
# their archives are in its var/cache/apt/archives. Needs libc6, libstdc++6, libgcc-s1, ca-certificates, tzdata, tini.
set -eu
export LC_ALL=C
system=$1
target=$2
packages="libc6 libgcc-s1 gcc-12-base libstdc++6 ca-certificates tzdata tini"

# The libraries that `ldd node` names, and those that glibc loads to resolve names.
libraries="libc.so.6 libdl.so.2 libm.so.6 libpthread.so.0 libresolv.so.2 libnss_dns.so.2 libnss_files.so.2 libgcc_s.so.1 libstdc++.so.6"
for name in $libraries; do
  found=$(find "$system/lib/" "$system/usr/lib/" -name "$name" | sort | head -n 1)
  [ -n "$found" ] || { echo "root.sh: there is no $name below $system/lib" >&2; exit 1; }
  folder="$target/lib/$(basename "$(dirname "$found")")"
  mkdir -p "$folder"
  cp -L "$found" "$folder/$name"
done

# The path of the loader is written into every program.
loader=$(find "$system/lib/" "$system/lib64/" "$system/usr/lib/" "$system/usr/lib64/" -name 'ld-linux-*.so.*' 2>/dev/null | sort | head -n 1)
case "$loader" in
  *x86-64*) folder="$target/lib64" ;;
  *) folder="$target/lib" ;;
esac
mkdir -p "$folder"
cp -L "$loader" "$folder/"

mkdir -p "$target/usr/bin"
cp "$system/usr/bin/tini" "$target/usr/bin/tini"

mkdir -p "$target/etc/ssl/certs"
cat "$system"/usr/share/ca-certificates/mozilla/*.crt > "$target/etc/ssl/certs/ca-certificates.crt"

mkdir -p "$target/usr/share"
cp -R "$system/usr/share/zoneinfo" "$target/usr/share/zoneinfo"
rm -rf "$target/usr/share/zoneinfo/posix" "$target/usr/share/zoneinfo/right"

# Scanners read here which Debian packages are inside; the licences of those packages ask for their copyright files.
mkdir -p "$target/var/lib/dpkg/status.d"
for package in $packages; do
  copyright="$system/usr/share/doc/$package/copyright"
  if [ -f "$copyright" ]; then
    mkdir -p "$target/usr/share/doc/$package"
    cp -L "$copyright" "$target/usr/share/doc/$package/copyright"
  fi
  archive=$(find "$system/var/cache/apt/archives/" -name "${package}_*.deb" 2>/dev/null | sort | head -n 1)
  if [ -n "$archive" ]; then
    dpkg-deb --field "$archive" > "$target/var/lib/dpkg/status.d/$package"
  elif dpkg-query --admindir="$system/var/lib/dpkg" -s "$package" >/dev/null 2>&1; then
    dpkg-query --admindir="$system/var/lib/dpkg" -s "$package" > "$target/var/lib/dpkg/status.d/$package"
  fi
done

echo 'docket:x:65532:65532:Docket:/data:/nonexistent' > "$target/etc/passwd"
echo 'docket:x:65532:' > "$target/etc/group"
echo 'hosts: files dns' > "$target/etc/nsswitch.conf"
cp "$system/usr/lib/os-release" "$target/etc/os-release" 2>/dev/null || true
mkdir -p "$target/tmp"
chmod 1777 "$target/tmp"
