"""The rules that keep spaces apart: every bridge against every other, and nothing else."""

from __future__ import annotations

from jujulet.machines import isolation


def test_a_bridge_reaches_itself_and_none_of_the_others():
    assert (
        isolation.rules(['podman2', 'podman1', 'podman2'])
        == """\
table inet jujulet
delete table inet jujulet
table inet jujulet {
 chain others {
  oifname "podman1" drop
  oifname "podman2" drop
 }
 chain forward {
  type filter hook forward priority -5; policy accept;
  iifname "podman1" oifname != "podman1" jump others
  iifname "podman2" oifname != "podman2" jump others
 }
}
"""
    )


def test_without_spaces_there_are_no_rules():
    assert isolation.rules([]) == 'table inet jujulet\ndelete table inet jujulet\n'
