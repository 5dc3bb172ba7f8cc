"""The notes of a journal: what each kind means and holds. Pure.

kind            value
run             {bundle, digest, seed, model, version, options, juju}: the first entry
test.start      the test's name (also: test.complete, test.overdue)
rule.create     the rule's task
rule.done       {task, phase, message}
state.change    {name, value}
plan            the plan of the chaos that follows, as a file of the second format holds it
phase           'settled', 'control' (load, no fault yet), 'chaos', 'recovery' (all healed), 'readback'
load            {kinds, rate, sentence, writes: [[write, read]]}: what the load that starts now will do
load.late       {kind, seconds}: the runner, not the bundle, was late
load.none       why there is no load
refused         {event, fault, reason}: an event that could not be carried out
fingerprint     {moment: 'before' | 'after', applications: {...}}
owners          {address, units}: who holds a VIP at this moment
log             {unit, lines}: an excerpt of a unit's log, at the moment of a failure
waits           [sentence, …]: why each rule that is not over does not go on
run.end         {ending, code}: the last entry
"""

from __future__ import annotations

RUN = 'run'
TEST_START = 'test.start'
TEST_COMPLETE = 'test.complete'
RULE_DONE = 'rule.done'
STATE_CHANGE = 'state.change'
PLAN = 'plan'
PHASE = 'phase'
LOAD = 'load'
LOAD_LATE = 'load.late'
LOAD_NONE = 'load.none'
REFUSED = 'refused'
FINGERPRINT = 'fingerprint'
OWNERS = 'owners'
LOG = 'log'
WAITS = 'waits'
RUN_END = 'run.end'
