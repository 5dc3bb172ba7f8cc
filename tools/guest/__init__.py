"""A guest for servers of a cloud under test: Debian's kernel and busybox in 24 MiB, built without mounts or devices.

It takes its address by DHCP, reads its metadata, serves a page on port 80 that says what it found, and says all that on
its console, too. ``python -m tools.guest`` builds it, or finds that it is built, and prints where it is.

Facts that its parts follow (measured on emulated processors): the kernel wants ``no_timer_check`` on a busy host; the
static busybox's ``wget`` ends with a segmentation fault, its ``nc`` does not.
"""
