"""The notes of a journal: what each kind means and holds. Pure.

kind            value
run             {bundle, digest, seed, model, version, options, juju}: the first entry
test.start      the test's name (also: test.complete, test.overdue)
rule.create     the rule's task
rule.done       {task, phase, message, gates}; `gates`: whether its failure counts
state.change    {name, value}
plan            the plan of the chaos that follows, as a file of the second format holds it
phase           'settled', 'control' (load, no fault yet), 'chaos', 'recovery' (all healed), 'readback',
                'clearing' (what lasts is let go)
load            {kinds, weights, rate, trace, stages: [[seconds, rate]], sentence, writes: [[write, read]], own,
                keeps: [[create, look, delete]]}: what
                the load that starts now will do; `keeps`: kinds of operation on what lasts; `own`: it is the
                bundle's, and says by itself what it does; `nothing`: [[read, control]], a kind of operation that reads
                what was never written, and is `ok` with a true value when it rightly finds nothing
load.late       {kind, seconds, not_sent}: the runner, not the bundle, was late, or why it did not send an operation
load.end        {seconds, tried, worked, not_sent, gave_away: [kind]}: the load has ended; counts of operations, and the
                kinds that had nothing to do when it was their turn
left            {made: {sort: count}, asked: [service], unseen: [service], seconds, left: [{service, what, name, id,
                how, state, because: [name]}]}: what was there after all that lasts had been let go. `unseen` did not
                answer; `how`: 'stuck' (it cannot be deleted) or 'orphan' (of something that is gone); `because`: what
                of unknown outcome explains it
load.none       why there is no load
load.left       {left: [{what, name, where, why}]}: what the load had made and could not remove when it ended
cells           {places: {kind: [application]}, phases: [phase]}: all that a plan of this chaos could be made of
coverage        {runs, never: [sentence], on, in, with: [tried, all]}: what this run and those beside it have tried
short           {asked, planned, why}: the plan has fewer events than were asked for, or none
control.run     the plan that follows has no event on purpose: what fails in it, no fault has broken
refused         {event, fault, reason}: an event that could not be carried out
units           {event, counts: {application: units}}: as it was before an event that changes the model
undo            {event, commands: [[word]]}: the `juju` commands that undo an event that no machine can
fingerprint     {moment: 'before' | 'after', applications: {...}}
expect          {…}: what this test allows and asks for, where it differs from what `judge.expect` has
owners          {address, units, at, unseen}: who held a VIP at this second of the run, and which units did not say
usage           {application: {memory, connections, files, processes}}: what its machines used after the faults, under
                load; bytes and counts
log             {unit, lines}: an excerpt of a unit's log, at the moment of a failure
waits           [sentence, …]: why each rule that is not over does not go on
model           the name of the model that the next test runs in
replay          {number, events: [id], faults: [words], how, sentence, seconds}: a run of a part of the plan
search          what the search for the smallest plan may do, and for how long
not again       {replays, in_time, shown, dead, broken, reason, why}: the failure did not come again; counts of replays:
                that could have shown it, in which the service was dead before any fault, that could not be carried
                out (`reason`: of the last); `why`: why nothing was looked for
probes          [{…}]: the probes of the test that begins, as `judge.probes` reads them
probe           {name, on, code, text, error}: what a probe gave; `error`: it could not be asked
aborted         {why, kind}: the run was stopped, and all healed, because it cost more than it may
warmup          {seconds, settled, until, first, last}: how long answers took to be as quick as they get;
                `first`, `last`: their median (seconds) in the first and the last stretch that was looked at
resources       {machine, took, services: {name: {memory, descriptors, processes, connections, started}}, disk}: what
                the services of a machine have (bytes, counts), and what its own files take (bytes)
lost            Juju does not answer any more, and why
killed          {left: [words], healed: [sentence], failed: [sentence]}: written by a later run, or by
                `juju matrix heal`, to the journal of one that was killed: its faults that were not seen healed, and
                what came of them
earlier         {lock: [sentence], healed: [sentence], failed: [sentence]}: what this run found of one that was killed
run.end         {ending, code}: the last entry
"""

from __future__ import annotations

from collections.abc import Mapping

RUN = 'run'
TEST_START = 'test.start'
TEST_COMPLETE = 'test.complete'
RULE_DONE = 'rule.done'
STATE_CHANGE = 'state.change'
PLAN = 'plan'
PHASE = 'phase'
LOAD = 'load'
LOAD_LATE = 'load.late'
LOAD_END = 'load.end'
LOAD_NONE = 'load.none'
LOAD_LEFT = 'load.left'
LEFT = 'left'
NO_LOAD_WANTED = 'the bundle says that it has no load'
REFUSED = 'refused'
SHORT = 'short'
CONTROL_RUN = 'control.run'
CELLS = 'cells'
COVERAGE = 'coverage'
UNITS = 'units'
UNDO = 'undo'
FINGERPRINT = 'fingerprint'
EXPECT = 'expect'
OWNERS = 'owners'
USAGE = 'usage'
LOG = 'log'
WAITS = 'waits'
MODEL = 'model'
REPLAY = 'replay'
NOT_AGAIN = 'not again'
SEARCH = 'search'
PROBES = 'probes'
PROBE = 'probe'
ABORTED = 'aborted'
WARMUP = 'warmup'
RESOURCES = 'resources'
LOST = 'lost'
GONE = 'is gone: somebody destroyed it'
"""In a note `lost`: the model itself is no more."""
KILLED = 'killed'
EARLIER = 'earlier'
RUN_END = 'run.end'

NEEDED: Mapping[str, tuple[str, ...]] = {
    LOAD: ('kinds', 'rate'), LOAD_END: (), PLAN: ('events',), RULE_DONE: ('task', 'phase'), REFUSED: (),
    FINGERPRINT: ('moment', 'applications'), OWNERS: ('address',), LEFT: (), PROBE: ('name',), ABORTED: (),
    RESOURCES: ('machine',),
}  # fmt: skip
"""Kinds of notes whose value is a mapping that has at least these keys: without, nothing can be judged by them."""


def wrong(kind: str, value: object) -> str:
    """Why a note says nothing; '' where it says what its kind does."""
    if kind not in NEEDED:
        return ''
    if not isinstance(value, Mapping):
        return f'the note {kind!r} is no mapping'
    lacking = [key for key in NEEDED[kind] if key not in value]
    return f'the note {kind!r} has no {lacking[0]!r}' if lacking else ''
