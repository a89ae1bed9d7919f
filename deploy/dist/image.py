"""An OCI image of static binaries, laid out without Docker: image.py DIRECTORY VERSION REVISION ARCH=BINARY...

The layout (OCI image layout specification 1.0) has one image for each architecture behind an index. An image is two
layers: the certificate authorities, and the binary. It has nothing else, so nothing else needs updates.

The same input makes the same bytes: times are SOURCE_DATE_EPOCH.
"""

import gzip
import hashlib
import io
import json
import os
import sys
import tarfile
from datetime import datetime, timezone
from pathlib import Path

import certifi

EPOCH = int(os.environ["SOURCE_DATE_EPOCH"])
CREATED = datetime.fromtimestamp(EPOCH, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
# The kernel's names of machines, and those of Go.
PLATFORMS = {
    "x86_64": {"architecture": "amd64", "os": "linux"},
    "aarch64": {"architecture": "arm64", "os": "linux", "variant": "v8"},
}
SECOND = 1_000_000_000
# As in deploy/Dockerfile, but without a base image.
CONFIG = {
    "User": "65532:65532",
    "ExposedPorts": {"8080/tcp": {}},
    "Env": ["PATH=/usr/local/bin"],
    "Entrypoint": ["fanfare"],
    "Cmd": ["serve"],
    "StopSignal": "SIGTERM",
    # Docker's own: the specification has no health check.
    "Healthcheck": {
        "Test": ["CMD", "fanfare", "health"],
        "Interval": 5 * SECOND,
        "Timeout": 6 * SECOND,
        "StartPeriod": 30 * SECOND,
    },
}


class Layout:
    """A directory of blobs, each named by its digest."""

    def __init__(self, directory):
        self.directory = Path(directory)
        self.blobs = self.directory / "blobs" / "sha256"
        self.blobs.mkdir(parents=True)
        (self.directory / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')

    def add(self, kind, data):
        """Its descriptor."""
        digest = hashlib.sha256(data).hexdigest()
        (self.blobs / digest).write_bytes(data)
        return {"mediaType": f"application/vnd.oci.image.{kind}", "digest": f"sha256:{digest}", "size": len(data)}

    def add_json(self, kind, value):
        return self.add(kind, json.dumps(value, separators=(",", ":")).encode())

    def finish(self, index):
        (self.directory / "index.json").write_text(json.dumps(index, indent=2))


def tar(path, data, mode):
    """One file and the directories above it."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for parent in reversed(Path(path).parents[:-1]):
            entry = tarfile.TarInfo(str(parent))
            entry.type, entry.mode, entry.mtime = tarfile.DIRTYPE, 0o755, EPOCH
            archive.addfile(entry)
        entry = tarfile.TarInfo(path)
        entry.size, entry.mode, entry.mtime = len(data), mode, EPOCH
        archive.addfile(entry, io.BytesIO(data))
    return packed.getvalue()


def image(layout, platform, labels, files):
    """The descriptor of one architecture's image."""
    layers, plain, history = [], [], []
    for path, data, mode in files:
        layer = tar(path, data, mode)
        layers.append(layout.add("layer.v1.tar+gzip", gzip.compress(layer, mtime=0)))
        plain.append("sha256:" + hashlib.sha256(layer).hexdigest())
        history.append({"created": CREATED, "created_by": f"COPY /{path}"})
    config = {
        **platform,
        "created": CREATED,
        "config": {**CONFIG, "Labels": labels},
        "rootfs": {"type": "layers", "diff_ids": plain},
        "history": history,
    }
    manifest = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": layout.add_json("config.v1+json", config),
        "layers": layers,
        "annotations": labels,
    }
    return {**layout.add_json("manifest.v1+json", manifest), "platform": platform}


def index(manifests, **more):
    kind = "application/vnd.oci.image.index.v1+json"
    return {"schemaVersion": 2, "mediaType": kind, "manifests": manifests, **more}


def main(directory, version, revision, *binaries):
    named = {
        "title": "Fanfare",
        "description": "A WebSocket gateway that scales out",
        "source": "https://github.com/fanfare-rs/fanfare",
        "licenses": "Apache-2.0",
        "version": version,
        "revision": revision,
    }
    labels = {f"org.opencontainers.image.{name}": value for name, value in named.items()}
    authorities = ("etc/ssl/certs/ca-certificates.crt", Path(certifi.where()).read_bytes(), 0o644)
    layout = Layout(directory)
    images = []
    for architecture, binary in (pair.split("=", 1) for pair in binaries):
        files = [authorities, ("usr/local/bin/fanfare", Path(binary).read_bytes(), 0o755)]
        images.append(image(layout, PLATFORMS[architecture], labels, files))
    whole = layout.add_json("index.v1+json", index(images, annotations=labels))
    layout.finish(index([{**whole, "annotations": {"org.opencontainers.image.ref.name": version}}]))


main(*sys.argv[1:])
