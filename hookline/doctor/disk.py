"""Room for the data directory, and whether its file system can carry a database."""

import os
from pathlib import Path

from django.conf import settings

from hookline.doctor.findings import Findings, error, ok, warning

MOUNTS = Path("/proc/self/mountinfo")
# A lock there does not hold, or shared memory is not shared: SQLite's log needs both.
OVER_A_NETWORK = {
    "nfs", "nfs4", "cifs", "smb", "smb3", "smbfs", "9p", "afs", "ceph", "glusterfs", "lustre", "ncpfs",
    "fuse.sshfs", "fuse.glusterfs", "fuse.s3fs", "fuse.rclone", "fuse.ceph", "virtiofs", "vboxsf", "drvfs",
}  # fmt: skip
GONE_WITH_A_CONTAINER = {"overlay", "tmpfs", "ramfs"}
MEBIBYTE = 2**20
LEAST_BYTES, LITTLE_BYTES = 64 * MEBIBYTE, 1024 * MEBIBYTE
LITTLE_SHARE = 0.05
MORE_ROOM = "Make room, or lower HL_RETENTION_SECS."


def disk() -> Findings:
    path = _nearest(settings.HL_DATA_DIR)
    space = os.statvfs(path)
    yield from room(space.f_bavail * space.f_frsize, space.f_blocks * space.f_frsize)
    if space.f_files and space.f_favail / space.f_files < LITTLE_SHARE:
        yield warning(
            "The disk of HL_DATA_DIR has hardly any file entries left.", "Remove small files there."
        )
    if not os.access(path, os.W_OK | os.X_OK):
        yield error(f"{path} cannot be written to by this user.", "chown it, or set another HL_DATA_DIR.")
    if settings.EMBEDDED:
        yield from file_system(path, MOUNTS.read_text())


def room(free: int, total: int) -> Findings:
    told = (
        f"{free / MEBIBYTE:,.0f} MiB are free on the disk of HL_DATA_DIR, {free / max(total, 1):.0%} of it."
    )
    if free < LEAST_BYTES:
        yield error(told, MORE_ROOM)
    elif free < LITTLE_BYTES or free / total < LITTLE_SHARE:
        yield warning(told, MORE_ROOM)
    else:
        yield ok(told)


def file_system(path: Path, mounts: str) -> Findings:
    kind = kind_of(path.resolve(), mounts)
    if kind in OVER_A_NETWORK:
        yield error(
            f"HL_DATA_DIR is on {kind}, where SQLite damages its file sooner or later.",
            "Put HL_DATA_DIR on a disk of this machine, or use PostgreSQL.",
        )
    elif kind in GONE_WITH_A_CONTAINER:
        yield warning(
            f"HL_DATA_DIR is on {kind}, which goes with its container or with the next restart.",
            "Mount a volume there, or set HL_DATA_DIR to one.",
        )


def kind_of(path: Path, mounts: str) -> str:
    """The type of the file system that holds a path, from /proc/self/mountinfo."""
    found, kind = -1, ""
    for line in mounts.splitlines():
        place, _, rest = line.partition(" - ")
        mounted_at = Path(place.split()[4].encode().decode("unicode_escape"))
        if path.is_relative_to(mounted_at) and len(mounted_at.parts) >= found:
            found, kind = len(mounted_at.parts), rest.split()[0]
    return kind


def _nearest(path: Path) -> Path:
    """The directory itself, or what it would be made in."""
    return next(place for place in (path, *path.parents) if place.exists())
