"""The host writes into a machine, and no link that the machine laid leads it out of it."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from pathlib import Path

import hypothesis
import pytest
from hypothesis import strategies

from jujulet.machines import files


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    path = tmp_path / 'outside'
    path.mkdir()
    (path / 'secret').write_text("the host's")
    return path


@pytest.fixture
def root(tmp_path: Path) -> Path:
    path = tmp_path / 'root'
    path.mkdir()
    return path


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def test_a_file_is_made_with_its_directories_and_read_back(root: Path) -> None:
    old = os.umask(0o077)
    try:
        files.write(root, 'etc/a/b', 'text', mode=0o644)
    finally:
        os.umask(old)
    assert files.read(root, 'etc/a/b') == 'text'
    assert (mode(root / 'etc'), mode(root / 'etc/a'), mode(root / 'etc/a/b')) == (
        0o755,
        0o755,
        0o644,
    )
    assert os.listdir(root / 'etc/a') == ['b']


def test_an_empty_file_is_made_too(root: Path) -> None:
    files.write(root, 'empty', '')
    assert files.exists(root, 'empty')


def test_a_link_in_place_of_the_file_is_replaced_not_followed(root: Path, outside: Path) -> None:
    (root / 'etc').mkdir()
    (root / 'etc/hosts').symlink_to(outside / 'secret')
    assert files.read(root, 'etc/hosts') == ''
    files.write(root, 'etc/hosts', 'new')
    assert (outside / 'secret').read_text() == "the host's"
    assert not (root / 'etc/hosts').is_symlink()


def test_a_link_leads_where_it_leads_the_machine(root: Path) -> None:
    """As ``/var/run`` of Debian, an absolute link: Juju's agent is inside, and goes to ``/run`` of the machine."""
    (root / 'var').mkdir()
    (root / 'var/run').symlink_to('/run')
    files.write(root, 'var/run/x/y', 'text')
    assert (root / 'run/x/y').read_text() == 'text'
    assert files.read(root, '/var/run/x/../x/y') == 'text'


def test_links_that_lead_to_one_another_are_an_error_as_for_the_kernel(root: Path) -> None:
    (root / 'a').symlink_to('/b')
    (root / 'b').symlink_to('a')
    with pytest.raises(OSError, match='Too many levels of symbolic links'):
        files.make_folder(root, 'a/x')


def test_a_file_in_place_of_a_directory_is_an_error(root: Path) -> None:
    (root / 'etc').write_text('')
    with pytest.raises(NotADirectoryError):
        files.write(root, 'etc/new', 'x')


def test_a_pipe_does_not_hang_the_reader(root: Path) -> None:
    os.mkfifo(root / 'pipe')
    assert files.read(root, 'pipe') == ''


def test_a_file_may_have_the_owner_of_a_directory(root: Path) -> None:
    (root / 'home').mkdir()
    if os.geteuid() == 0:
        os.chown(root / 'home', 1234, 1234)
    files.write(root, 'home/.ssh/keys', 'k', mode=0o600, like='home')
    assert (root / 'home/.ssh/keys').stat().st_uid == (root / 'home').stat().st_uid
    assert (root / 'home/.ssh').stat().st_uid == (root / 'home').stat().st_uid


def test_a_program_is_one_as_the_machine_sees_it(root: Path, outside: Path) -> None:
    (root / 'opt').mkdir()
    (root / 'opt/run').write_text('')
    (root / 'opt/run').chmod(0o755)
    (root / 'dispatch').symlink_to('/opt/run')
    (root / 'hosts').symlink_to('/bin/sh')  # The host has one, the machine has none.
    (root / 'text').write_text('')
    assert files.executable(root, 'dispatch')
    assert not any(
        files.executable(root, name) for name in ('hosts', 'text', 'opt', 'none', 'none/none')
    )


def test_a_tree_replaces_links_that_the_machine_laid_in_it(root: Path, outside: Path) -> None:
    source = outside.parent / 'source'
    (source / 'lib/deep').mkdir(parents=True)
    (source / 'lib/deep/secret').write_text('new')
    (source / 'alias').symlink_to('lib')
    (source / 'run').write_text('')
    (source / 'run').chmod(0o755)
    (root / 'charm').mkdir()
    (root / 'charm/lib').symlink_to(outside)
    (root / 'charm/alias').mkdir()
    (root / 'charm/alias/old').write_text('')
    files.put_tree(root, 'charm', source)
    assert (root / 'charm/lib/deep/secret').read_text() == 'new'
    assert not (root / 'charm/lib').is_symlink()
    assert os.readlink(root / 'charm/alias') == 'lib'
    assert mode(root / 'charm/run') == 0o755


def test_what_is_dropped_is_not_looked_for_behind_a_link(root: Path, outside: Path) -> None:
    (root / 'charm/kept').mkdir(parents=True)
    (root / 'charm/kept/own').write_text('')
    (root / 'charm/gone').mkdir()
    (root / 'charm/lib').symlink_to(outside)
    files.drop(root, 'charm', ['lib/secret', 'kept', 'gone', 'never'])
    assert sorted(os.listdir(root / 'charm')) == ['kept', 'lib']


def test_a_copy_within_a_machine_keeps_owners_and_leaves_out(root: Path) -> None:
    (root / 'old/charm').mkdir(parents=True)
    (root / 'old/state').write_text('s')
    (root / 'old/charm/brought').write_text('')
    os.mkfifo(root / 'old/pipe')
    if os.geteuid() == 0:
        os.chown(root / 'old/state', 1234, 1234)
    files.copy_tree(root, 'old', 'new', without=['charm/brought'])
    assert sorted(os.listdir(root / 'new')) == ['charm', 'state']
    assert os.listdir(root / 'new/charm') == []
    assert (root / 'new/state').stat().st_uid == (root / 'old/state').stat().st_uid


def test_a_directory_is_not_copied_into_itself(root: Path) -> None:
    (root / 'kept/in').mkdir(parents=True)
    (root / 'a').symlink_to('..')
    with pytest.raises(OSError, match='into itself'):
        files.copy_tree(root, 'a', 'kept/new')


def test_what_is_too_deep_is_an_error_that_can_be_told(root: Path) -> None:
    deep = root / 'old'
    deep.mkdir()
    here = os.open(deep, os.O_RDONLY)
    for _ in range(files.DEPTH + 2):
        os.mkdir('d', dir_fd=here)
        below = os.open('d', os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(here)
    with pytest.raises(OSError, match='200 deep'):
        files.copy_tree(root, 'old', 'new')


WRITES: dict[str, Callable[[Path, str, Path], object]] = {
    'write': lambda root, name, source: files.write(root, name, 'x'),
    'put': lambda root, name, source: files.put(root, name, source / 'file'),
    'put_tree': lambda root, name, source: files.put_tree(root, name, source),
    'make_folder': lambda root, name, source: files.make_folder(root, name),
    'link': lambda root, name, source: files.link(root, name, 'x', anew=True),
    'remove': lambda root, name, source: files.remove(root, name),
    'rename': lambda root, name, source: files.rename(root, 'kept', name),
    'rename from': lambda root, name, source: files.rename(root, name, 'kept/new'),
    'drop': lambda root, name, source: files.drop(root, '.', [name]),
    'copy_tree': lambda root, name, source: files.copy_tree(root, 'kept', name),
    'copy_tree from': lambda root, name, source: files.copy_tree(root, name, 'kept/new'),
}


@pytest.mark.parametrize('which', WRITES)
@hypothesis.given(
    links=strategies.lists(
        strategies.tuples(
            strategies.sampled_from(['a', 'a/b', 'a/b/c', 'd']),
            strategies.sampled_from(
                ['OUTSIDE', 'OUTSIDE/sub', '../outside', '../../outside/sub', '/', '..', 'd', '/d']
            ),
        ),
        max_size=3,
    ),
    name=strategies.sampled_from(
        ['a', 'a/b', 'a/b/c', 'a/../b', '../../outside/secret', 'd/secret']
    ),
)
@hypothesis.settings(suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture])
def test_whatever_links_are_laid_nothing_outside_changes(
    which: str,
    links: list[tuple[str, str]],
    name: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    world = tmp_path_factory.mktemp('world')
    root, outside, source = world / 'root', world / 'outside', world / 'source'
    (root / 'kept/in').mkdir(parents=True)
    (outside / 'sub').mkdir(parents=True)
    (outside / 'secret').write_text("the host's")
    source.mkdir()
    (source / 'file').write_text('new')
    for path, target in links:
        if not os.path.lexists(root / path) and (root / path).parent.is_dir():
            (root / path).symlink_to(target.replace('OUTSIDE', str(outside)))
    before = _seen(world, root)
    with contextlib.suppress(OSError):
        WRITES[which](root, name, source)
    assert _seen(world, root) == before


def _seen(world: Path, root: Path) -> list[tuple[str, int, int]]:
    """All that is outside of the root: names, modes and times of change."""
    found: list[tuple[str, int, int]] = []
    for parent, folders, names in os.walk(world):
        if Path(parent) == world:
            folders.remove(root.name)
        for name in (*folders, *names):
            said = os.lstat(os.path.join(parent, name))
            found.append((os.path.join(parent, name), said.st_mode, said.st_mtime_ns))
    return sorted(found)


def test_a_writer_that_followed_links_would_be_noticed(
    root: Path, outside: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sabotaged twin: what the kernel itself would do."""
    (root / 'a').symlink_to(outside)
    before = _seen(root.parent, root)
    monkeypatch.setattr(files, '_FOLDER', os.O_RDONLY | os.O_DIRECTORY)
    files.write(root, 'a/b', 'x')
    assert _seen(root.parent, root) != before
