#!/usr/bin/env bash
# All files of a release, into target/dist-VERSION: `make dist`.
#
#   fanfare-VERSION-ARCH-linux.tar.gz   a static binary, units for systemd, completions, manual pages
#   fanfare_VERSION-1_DEBARCH.deb       the same as a Debian package
#   fanfare-VERSION-image.tar           an OCI image of all architectures; image/ is the same, laid out
#   fanfare-VERSION.cdx.json            the list of its parts (CycloneDX)
#   SHA256SUMS
#
#   TARGETS     what is built (x86_64-unknown-linux-musl aarch64-unknown-linux-musl)
#   BUILD_STD=1 builds the standard library from its sources, where the toolchain has none for a target
#
# From one commit and one toolchain come the same bytes: times are the commit's.
# shellcheck source=tests/lib/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/../../tests/lib/common.sh"
cd "$ROOT"

read -ra TARGETS <<<"${TARGETS:-x86_64-unknown-linux-musl aarch64-unknown-linux-musl}"
BUILT=${CARGO_TARGET_DIR:-$ROOT/target}
VERSION=$(sed -n '/^\[workspace.package\]/,/^\[/s/^version = "\(.*\)"$/\1/p' Cargo.toml)
OUT=$ROOT/target/dist-$VERSION
STAGE=$WORK/stage # crates/fanfare/Cargo.toml names it
SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)
BUILD_REVISION=$(git rev-parse HEAD)
export SOURCE_DATE_EPOCH BUILD_REVISION
PATH=$WORK/dist/bin:$PATH

arch_of() { say "${1%%-*}"; }        # TARGET
binary_of() { say "$BUILT/$1/dist/fanfare"; } # TARGET

check_standard_libraries() {
    local rustc=${RUSTC:-rustc} target
    if [[ -n ${BUILD_STD:-} ]]; then
        [[ -e $("$rustc" --print sysroot)/lib/rustlib/src/rust/library/Cargo.lock ]] ||
            fail "make dist: BUILD_STD needs its sources: rustup component add rust-src (Debian: rust-web-src)"
        return
    fi
    for target in "${TARGETS[@]}"; do
        compgen -G "$("$rustc" --print target-libdir --target "$target")/libstd-*.rlib" >/dev/null ||
            fail "make dist: the toolchain has no standard library for $target: rustup target add $target, or BUILD_STD=1"
    done
}

# The standard library from its sources: cargo calls that unstable, and does it where RUSTC_BOOTSTRAP is set. A toolchain
# without this target has no musl either: the linker, which is Zig, adds its own.
use_sources() { # TARGET
    local flags=${1//-/_}
    flags=CARGO_TARGET_${flags^^}_RUSTFLAGS
    export RUSTC_BOOTSTRAP=1 CARGO_UNSTABLE_BUILD_STD=std,panic_abort "$flags=${!flags:-} -C link-self-contained=no"
}

# The kernels of some arm64 machines have pages of 64 KiB; jemalloc otherwise takes those of the machine that builds.
build() ( # TARGET
    say "== $1"
    [[ -z ${BUILD_STD:-} ]] || use_sources "$1"
    AARCH64_UNKNOWN_LINUX_MUSL_JEMALLOC_SYS_WITH_LG_PAGE=16 \
        cargo zigbuild --locked --profile dist -p fanfare --target "$1"
    [[ $(readelf --program-headers "$(binary_of "$1")") != *INTERP* ]] || fail "$(binary_of "$1") is not static"
)

# runner TARGET: sets RUN to the command that runs its binary here; fails where nothing runs it.
runner() {
    local arch
    arch=$(arch_of "$1")
    RUN=()
    [[ $(uname -m) == "$arch" ]] || RUN=("$(type -P "qemu-$arch-static" || type -P "qemu-$arch")")
}

# Runs a binary: its version, and a check of a configuration. Says so where nothing runs it.
try() { # TARGET
    local binary
    binary=$(binary_of "$1")
    if ! runner "$1"; then
        say "$1: built, not run (Debian: apt-get install qemu-user-static)"
        return
    fi
    say "$1: run${RUN[0]:+ by ${RUN[0]##*/}}"
    ${RUN[@]+"${RUN[@]}"} "$binary" version --verbose
    ${RUN[@]+"${RUN[@]}"} "$binary" check --dev
}

# Completions, manual pages and a file to begin with are the same on all systems: any binary that runs prints them.
write_papers() {
    local target shell
    for target in "${TARGETS[@]}"; do
        if ! runner "$target"; then continue; fi
        mkdir -p "$STAGE/completions"
        RUN+=("$(binary_of "$target")")
        "${RUN[@]}" man "$STAGE/man"
        for shell in bash zsh fish; do "${RUN[@]}" completions $shell >"$STAGE/completions/fanfare.$shell"; done
        (unset "${!FANFARE_@}" && "${RUN[@]}" config --explain >"$STAGE/fanfare.toml")
        return
    done
    fail "make dist: none of ${TARGETS[*]} runs on this machine, and one must"
}

archive() { # TARGET
    local name dir
    name=fanfare-$VERSION-$(arch_of "$1")-linux
    dir=$STAGE/$name
    mkdir -p "$dir"
    cp -r "$(binary_of "$1")" LICENSE README.md CHANGELOG.md deploy/systemd "$STAGE"/{completions,man,fanfare.toml} "$dir"
    tar --sort=name --mtime="@$SOURCE_DATE_EPOCH" --owner=0 --group=0 --numeric-owner --mode=go=rX,u+rw \
        -C "$STAGE" -c "$name" | gzip -n >"$OUT/$name.tar.gz"
}

package() { # TARGET
    cargo deb --quiet --locked -p fanfare --no-build --no-strip --profile dist --target "$1" --output "$OUT/"
}

image() {
    local target binaries=()
    for target in "${TARGETS[@]}"; do binaries+=("$(arch_of "$target")=$(binary_of "$target")"); done
    "$WORK/dist/bin/python" deploy/dist/image.py "$OUT/image" "$VERSION" "$BUILD_REVISION" "${binaries[@]}"
    tar --sort=name --mtime="@$SOURCE_DATE_EPOCH" --owner=0 --group=0 --numeric-owner \
        -C "$OUT/image" -cf "$OUT/fanfare-$VERSION-image.tar" .
}

bill_of_materials() {
    cargo cyclonedx --quiet --manifest-path crates/fanfare/Cargo.toml --format json --all-features \
        --target "${TARGETS[0]}" --override-filename sbom
    mv crates/fanfare/sbom.json "$OUT/fanfare-$VERSION.cdx.json"
    rm -f crates/*/sbom.json loadtest/*/sbom.json # it writes one for each crate of the workspace
}

main() {
    "$ROOT/tests/lib/install.sh" dist
    check_standard_libraries
    rm -rf "$OUT" "$STAGE"
    mkdir -p "$OUT" "$STAGE"
    local target
    for target in "${TARGETS[@]}"; do build "$target"; done
    write_papers
    for target in "${TARGETS[@]}"; do
        archive "$target"
        package "$target"
    done
    image
    bill_of_materials
    (cd "$OUT" && sha256sum -- *.* >SHA256SUMS)
    deploy/dist/verify.sh "$OUT"
    say "== The binaries, run"
    for target in "${TARGETS[@]}"; do try "$target"; done
    say "== $OUT"
    (cd "$OUT" && ls -l -- *.*)
}

main
