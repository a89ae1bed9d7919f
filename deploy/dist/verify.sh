#!/usr/bin/env bash
# Checks the files of `make dist`: deploy/dist/verify.sh DIRECTORY. Checksums; the files in each package; each blob of
# the image against its name, and the content of the images.
# shellcheck source=tests/lib/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/../../tests/lib/common.sh"

DIR=$1
UNPACKED=$(mktemp -d)
trap 'rm -rf "$UNPACKED"' EXIT

has() { # ROOT FILE...
    local root=$1 file
    shift
    for file in "$@"; do [[ -s $root/$file ]] || fail "$root: $file is missing"; done
}

verify_archive() { # FILE
    local name
    name=$(basename "$1" .tar.gz)
    tar -xzf "$1" -C "$UNPACKED"
    [[ -x $UNPACKED/$name/fanfare ]] || fail "$1: fanfare is not executable"
    has "$UNPACKED/$name" LICENSE fanfare.toml man/fanfare.1 man/fanfare-serve.1 completions/fanfare.{bash,zsh,fish} \
        systemd/fanfare.service
}

verify_package() { # FILE
    local root
    root=$UNPACKED/$(basename "$1")
    have dpkg-deb || return 0
    dpkg-deb --extract "$1" "$root"
    has "$root" etc/fanfare/fanfare.toml usr/bin/fanfare usr/lib/sysusers.d/fanfare.conf \
        usr/lib/systemd/system/{fanfare.service,fanfare.socket,fanfare@.service} \
        usr/lib/systemd/system/fanfare@.service.d/hand-over.conf \
        usr/share/man/man1/fanfare.1.gz usr/share/bash-completion/completions/fanfare
    dpkg-deb --info "$1" conffiles | grep -qx /etc/fanfare/fanfare.toml || fail "$1: its configuration is not a conffile"
}

verify_image() { # DIRECTORY
    local blob digest
    for blob in "$1"/blobs/sha256/*; do
        read -r digest _ < <(sha256sum "$blob")
        [[ $digest == "$(basename "$blob")" ]] || fail "$blob: its digest is $digest"
    done
    "$WORK/dist/bin/python" "$ROOT/deploy/dist/verify_image.py" "$1"
}

(cd "$DIR" && sha256sum --quiet --check SHA256SUMS)
for file in "$DIR"/*.tar.gz; do verify_archive "$file"; done
for file in "$DIR"/*.deb; do verify_package "$file"; done
verify_image "$DIR/image"
say "$DIR: whole"
