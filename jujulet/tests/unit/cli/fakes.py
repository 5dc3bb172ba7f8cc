"""A controller without daemon or machines, and `juju` as a function."""

from __future__ import annotations

import dataclasses
import json
import pathlib
import subprocess
from collections.abc import Iterator
from typing import Any

import jubilant
import pytest
import simulation

from jujulet import client, codec
from jujulet.cli import main
from jujulet.core import context, requests, status
from jujulet.core import model as model_

_METADATA = """\
name: {name}
summary: s
description: d
provides: {{db: {{interface: sql}}}}
requires: {{sink: {{interface: sql}}}}
resources: {{data: {{type: file, filename: data.txt}}}}
storage: {{files: {{type: filesystem, minimum-size: 1M, multiple: {{range: 0-}}}}}}
"""
_CONFIG = """\
options:
  greet: {type: string, default: hello, description: How to greet}
  count: {type: int, description: How often}
  flag: {type: boolean, default: false}
"""
_ACTIONS = 'do-thing: {description: Does it., params: {name: {type: string, default: x}}}\n'


def charm_folder(folder: pathlib.Path, name: str = 'tiny') -> pathlib.Path:
    folder.mkdir()
    (folder / 'metadata.yaml').write_text(_METADATA.format(name=name))
    (folder / 'config.yaml').write_text(_CONFIG)
    (folder / 'actions.yaml').write_text(_ACTIONS)
    dispatch = folder / 'dispatch'
    dispatch.write_text('#!/bin/sh\n')
    dispatch.chmod(0o755)
    return folder


def script(_model: model_.Model, found: context.Context) -> simulation.Done:
    """What the charm does: an action answers; everything else is well."""
    if found.hook.kind == 'action':
        results = {'a': {'b': 'c'}}
        return simulation.Done(
            outcome=context.Outcome(0, stdout=b'OUT\n', stderr=b'ERR\n'),
            action=context.ActionResult(results=results),
        )
    if found.hook.kind == 'exec':
        return simulation.Done(outcome=context.Outcome(0, stdout=b'foo\n'))
    return simulation.Done()


class Controller(client.Controller):
    """Answers as the daemon does; what is due is done before the next question, unless ``frozen``."""

    def __init__(self) -> None:
        super().__init__(pathlib.Path('/nonexistent'))
        self.worlds: dict[str, simulation.World] = {}
        self.frozen = False
        self.lacking: dict[str, str] = {}
        """By base: why this host can make no machine of it."""
        self.script: simulation.Script = script
        self.asked: list[str] = []

    def follow(self, question: str, **args: Any) -> Iterator[Any]:
        self.asked.append(question)
        args = json.loads(json.dumps(args))  # Nothing passes that a socket would not carry.
        reply = getattr(self, '_' + question.replace('-', '_'))(**args)
        yield from json.loads(json.dumps(reply))

    def running(self) -> bool:
        return True

    def world(self, name: str) -> simulation.World:
        short = name.rpartition('/')[2]
        for world in self.worlds.values():
            if short in (world.model.name, world.model.uuid):
                return world
        raise model_.Refused(f'model local:admin/{short} not found')

    def _models(self) -> list[Any]:
        models = [w.model for w in self.worlds.values()]
        return [[
            {'name': m.name, 'owner': m.owner, 'uuid': m.uuid, 'life': m.life, 'cloud': 'localhost'}
            for m in models
        ]]  # fmt: skip

    def _add_model(self, name: str, cloud: str, config: dict[str, Any]) -> list[Any]:
        if name in self.worlds:
            raise model_.Refused(f'model "{name}" already exists in this controller')
        world = simulation.World()
        uuid = f'663cb8aa-0000-4000-8000-{len(self.worlds):012}'
        world.model = dataclasses.replace(world.model, name=name, uuid=uuid)
        self.worlds[name] = world
        world.ask(requests.SetModelConfig(options=config))
        return [{'name': name, 'uuid': uuid, 'cloud': cloud or 'localhost'}]

    def _why_no_machine(self, base: str) -> list[str]:
        return [self.lacking.get(base, '')]

    def _change(self, model: str, kind: str, request: Any) -> list[Any]:
        world = self.world(model)
        reply = world.ask(codec.decode(getattr(requests, kind), request))
        for application in world.model.applications:
            world.scripts.setdefault(application, self.script)
        if not self.frozen:
            world.settle()
        return [reply]

    def _destroy_model(
        self, model: str, force: bool, destroy_storage: bool, timeout: float
    ) -> list[Any]:
        world = self.world(model)
        world.ask(requests.DestroyModel(force=force, destroy_storage=destroy_storage))
        world.settle()
        del self.worlds[world.model.name]
        return [{'machines': 1, 'applications': 1}]

    def _status(self, model: str) -> list[Any]:
        world = self.world(model)
        return [status.status(world.model, world.now, lambda uuid: self.world(uuid).model)]

    def _whole_model(self, model: str) -> list[Any]:
        return [codec.encode(self.world(model).model)]

    def _wait_task(self, model: str, ids: list[str], timeout: float) -> list[Any]:
        tasks = self.world(model).model.tasks
        return [{i: codec.encode(tasks[i]) for i in ids}]

    def _debug_log(self, model: str, limit: int) -> list[Any]:
        lines = [
            [1000.0, 'unit-a-0', 'INFO', 'unit.a/0.juju-log', 'hello', 1],
            [1001.5, 'unit-b-0', 'ERROR', 'unit.b/0.juju-log', 'oh no', 2],
        ]
        return [lines[-limit:] if limit else lines]


@dataclasses.dataclass
class Reply:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@dataclasses.dataclass
class Juju:
    """`juju` over a controller: call it with its arguments."""

    controller: Controller
    capture: pytest.CaptureFixture[str]

    def run(self, *argv: str) -> Reply:
        self.capture.readouterr()
        code = main.run(argv, self.controller)
        said = self.capture.readouterr()
        return Reply(code, said.out, said.err)

    def __call__(self, *argv: str) -> Reply:
        reply = self.run(*argv)
        assert reply.code == 0, reply.err
        return reply

    def world(self, name: str = 't') -> simulation.World:
        return self.controller.world(name)

    def jubilant(self, monkeypatch: pytest.MonkeyPatch, model: str | None = 't') -> jubilant.Juju:
        """Unmodified jubilant; only its ``subprocess.run`` leads here."""

        real: Any = subprocess.run

        def run(argv: list[str], **options: Any) -> subprocess.CompletedProcess[str]:
            if argv[0] != '/opt/juju':
                return real(argv, **options)
            reply = self.run(*argv[1:])
            if reply.code:
                raise subprocess.CalledProcessError(reply.code, argv, reply.out, reply.err)
            return subprocess.CompletedProcess(argv, 0, reply.out, reply.err)

        monkeypatch.setattr('jubilant._juju.subprocess.run', run)
        return jubilant.Juju(model=model, cli_binary='/opt/juju')
