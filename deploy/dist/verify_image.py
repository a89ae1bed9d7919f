"""Walks an OCI image layout as a runtime does: verify_image.py DIRECTORY. Checks every descriptor's size and every
layer's digest, also unpacked. Each image is for another machine, and starts its one program."""

import gzip
import hashlib
import io
import json
import sys
import tarfile
from pathlib import Path

DIRECTORY = Path(sys.argv[1])
MACHINES = {"amd64": 62, "arm64": 183}  # e_machine of ELF


def check(holds, sentence):
    if not holds:
        sys.exit(f"{DIRECTORY}: {sentence}")


def read(descriptor):
    algorithm, digest = descriptor["digest"].split(":")
    data = (DIRECTORY / "blobs" / algorithm / digest).read_bytes()
    check(len(data) == descriptor["size"], f"{digest} has {len(data)} bytes, not {descriptor['size']}")
    return data


def read_json(descriptor):
    return json.loads(read(descriptor))


def files(manifest, config):
    """The files of the layers, by path."""
    found = {}
    for descriptor, digest in zip(manifest["layers"], config["rootfs"]["diff_ids"], strict=True):
        layer = gzip.decompress(read(descriptor))
        check(digest == "sha256:" + hashlib.sha256(layer).hexdigest(), f"{digest} is not what is packed")
        with tarfile.open(fileobj=io.BytesIO(layer)) as archive:
            found |= {entry.name: (entry.mode, archive.extractfile(entry).read()) for entry in archive if entry.isfile()}
    return found


def check_image(descriptor):
    manifest = read_json(descriptor)
    config = read_json(manifest["config"])
    machine = descriptor["platform"]["architecture"]
    check(config["architecture"] == machine, f"the image for {machine} says {config['architecture']}")
    has = files(manifest, config)
    check(b"BEGIN CERTIFICATE" in has["etc/ssl/certs/ca-certificates.crt"][1], f"{machine}: no certificate authority")
    mode, program = has["usr/local/bin/" + config["config"]["Entrypoint"][0]]
    check(mode == 0o755, f"{machine}: the program's mode is {mode:o}")
    is_elf = program[:4] == b"\x7fELF" and int.from_bytes(program[18:20], "little") == MACHINES[machine]
    check(is_elf, f"{machine}: the program is for another machine")
    return machine


def main():
    whole = json.loads((DIRECTORY / "index.json").read_text())["manifests"]
    check(len(whole) == 1, "index.json names more than one index")
    machines = [check_image(descriptor) for descriptor in read_json(whole[0])["manifests"]]
    check(machines and len(set(machines)) == len(machines), f"the images are for {machines}")


main()
