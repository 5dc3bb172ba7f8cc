// What the pointer, the keys and the buttons do; and what is said beside the timeline.

function zoom(from, to) {
  const least = 0.5, span = Math.min(Math.max(to - from, least), run.length);
  from = Math.max(0, Math.min(from, run.length - span));
  state.from = from; state.to = from + span;
  requestDraw();
}
let asked = false;
function requestDraw() {
  if (asked) return;
  asked = true;
  requestAnimationFrame(() => { asked = false; draw(); });
}

function hush() { tip.style.visibility = 'hidden'; }
function say(px, py, lines) {  // every line is text, never markup: it comes from a model
  tip.replaceChildren(...lines.filter(Boolean).map(([words, name]) => {
    const line = document.createElement('div');
    const inner = document.createElement(name === 'b' ? 'b' : 'span');
    if (name && name !== 'b') inner.className = name;
    inner.textContent = words;
    line.append(inner);
    return line;
  }));
  const box = tip.getBoundingClientRect();
  tip.style.left = Math.max(8, Math.min(px + 14, innerWidth - box.width - 12)) + 'px';
  tip.style.top = (py + 18 + box.height > innerHeight ? py - box.height - 12 : py + 16) + 'px';
  tip.style.visibility = 'visible';
}
function sayFault(f, px, py) {
  const end = f.healed === null ? 'not seen to heal' : `healed after ${(f.healed - f.start).toFixed(1)} s`;
  say(px, py, [
    [`${f.id}  ${f.kind}  ${f.targets.join(', ')}`, 'b'],
    [`${clock(f.start, 1)}, ${end}`],
    [f.landed === null ? 'not seen to land: hatched' : `landed: ${f.proof || 'seen'}`, f.landed === null ? 'unsure' : 'quiet'],
    f.rank ? [`suspect ${f.rank} (${f.score.toFixed(1)}): ${f.why.join('; ')}`, 'bad'] : f.why.length ? [f.why.join('; '), 'quiet'] : null,
  ]);
}

function nearest(px, py) {
  let best = -1, near = 11 * 11;
  for (let n = first(timeAt(px - 11)), b = first(timeAt(px + 11)); n < b; n++) {
    if (!state.shown[how[n]] || !state.kinds[kind[n]]) continue;
    const dx = x(at[n] * TICK) - px, dy = y(n) - py, d = (dx * dx + dy * dy) * (how[n] === OK ? 1.6 : 1);
    if (d < near) { near = d; best = n; }
  }
  return best;
}
const badIndex = new Map(run.bad.map((one) => [one[0], one]));
function sayDot(n, px, py) {
  const [endpoint, error] = run.texts[text[n]], more = badIndex.get(n);
  say(px, py, [
    [`${run.kinds[kind[n]]}: ${HOW[how[n]]}`, 'b'],
    [took[n] === NEVER ? 'never answered' : seconds(took[n] * TICK)],
    error ? [error, how[n] === FAIL ? 'bad' : 'unsure'] : null,
    [`${clock(at[n] * TICK, 2)}  ${wall(at[n] * TICK)}`, 'quiet'],
    endpoint ? [endpoint, 'quiet'] : null,
    more ? [`journal entry ${more[1]}${more[2] ? `, ${more[2]}` : ''}`, 'quiet'] : null,
    weight[n] > 1 ? [`${weight[n]} operations at this very place`, 'quiet'] : null,
  ]);
}
function sayLane(px, py, cx, cy) {
  const lane = lanes[Math.floor((py - rows.lanes) / LANE)], t = timeAt(px), slack = 3 * (state.to - state.from) / width;
  if (!lane) return hush();
  const span = lane.spans.findLast((s) => s[0] <= t && t <= s[1]);
  const hook = lane.hooks.find((h) => h[0] - slack <= t && t <= h[1] + slack);
  if (!span && !hook) return hush();
  say(cx, cy, [
    [lane.of + (span ? `: ${span[2]}` : ''), 'b'],
    span && span[3] ? [span[3]] : null,
    span ? [`${clock(span[0], 1)} to ${clock(span[1], 1)}`, 'quiet'] : null,
    hook ? [`hook ${hook[2]}: ${hook[3]}, ${seconds(hook[1] - hook[0])}`, hook[3] === 'ok' ? 'quiet' : 'bad'] : null,
  ]);
}
function sayStrip(px, cx, cy) {
  const step = (state.to - state.from) / Math.floor((width - GUTTER - RIGHT) / PX), t = state.from + Math.floor((timeAt(px) - state.from) / step) * step;
  const { all, failed, open } = shares(t, t + step, 1);
  if (!all[0]) return hush();
  say(cx, cy, [
    [`${((failed[0] + open[0]) / all[0] * 100).toFixed(1)} % not ok`, 'b'],
    [`${all[0]} operations, ${failed[0]} failed, ${open[0]} unanswered`], [`${clock(t, 1)} to ${clock(t + step, 1)}`, 'quiet'],
  ]);
}

function drawCursor() {
  const g = over.getContext('2d');
  g.clearRect(0, 0, width, rows.height);
  if (state.drag && state.drag.kind === 'zoom') {
    g.fillStyle = colours.accent; g.globalAlpha = .14;
    g.fillRect(Math.min(state.drag.px, state.drag.now), rows.faults, Math.abs(state.drag.now - state.drag.px), rows.axis - rows.faults); g.globalAlpha = 1;
  }
  if (state.cursor === null || state.cursor < state.from || state.cursor > state.to) return;
  const px = Math.round(x(state.cursor)) + .5;
  g.strokeStyle = colours.accent; g.globalAlpha = .55; g.beginPath(); g.moveTo(px, rows.faults); g.lineTo(px, rows.axis + 2); g.stroke(); g.globalAlpha = 1;
  const words = clock(state.cursor, 1), w = g.measureText(words).width + 12;
  g.fillStyle = colours.accent; g.beginPath(); g.roundRect(px - w / 2, rows.axis + 3, w, 19, 5); g.fill();
  g.fillStyle = colours.card; g.textAlign = 'center'; g.fillText(words, px, rows.axis + 13); g.textAlign = 'left';
}

const spot = (event) => { const box = chart.getBoundingClientRect(); return [event.clientX - box.left, event.clientY - box.top]; };
chart.addEventListener('pointerdown', (event) => {
  if (event.button) return;
  const [px] = spot(event);
  if (px < GUTTER) return;
  chart.setPointerCapture(event.pointerId);
  state.drag = { kind: event.shiftKey ? 'pan' : 'zoom', px, now: px, from: state.from, to: state.to };
});
chart.addEventListener('pointermove', (event) => {
  const [px, py] = spot(event), drag = state.drag;
  state.cursor = px < GUTTER ? null : timeAt(px);
  if (drag) {
    drag.now = px; hush();
    if (drag.kind === 'pan') { const d = (drag.px - px) / (width - GUTTER - RIGHT) * (drag.to - drag.from); zoom(drag.from + d, drag.to + d); }
    return drawCursor();
  }
  drawCursor();
  if (px < GUTTER) return hush();
  if (py > rows.lanes) return sayLane(px, py, event.clientX, event.clientY);
  if (py > rows.strip) return sayStrip(px, event.clientX, event.clientY);
  const n = nearest(px, py);
  n < 0 ? hush() : sayDot(n, event.clientX, event.clientY);
});
chart.addEventListener('pointerup', (event) => {
  const drag = state.drag, [px] = spot(event);
  state.drag = null;
  if (!drag) return;
  if (Math.abs(px - drag.px) < 5) return look(timeAt(px));
  if (drag.kind === 'zoom') { const a = timeAt(Math.min(px, drag.px)), b = timeAt(Math.max(px, drag.px)); zoom(a, b); }
});
chart.addEventListener('pointercancel', () => { state.drag = null; drawCursor(); });
chart.addEventListener('pointerleave', () => { state.cursor = null; hush(); drawCursor(); });
chart.addEventListener('dblclick', () => zoom(run.view[0], run.view[1]));
chart.addEventListener('wheel', (event) => {
  const span = state.to - state.from;
  if (event.ctrlKey || event.metaKey) {
    event.preventDefault();
    const t = timeAt(spot(event)[0]), by_ = Math.exp(event.deltaY * .004);
    zoom(t - (t - state.from) * by_, t + (state.to - t) * by_);
  } else if (Math.abs(event.deltaX) > Math.abs(event.deltaY)) {
    event.preventDefault(); zoom(state.from + event.deltaX / width * span, state.to + event.deltaX / width * span);
  }
}, { passive: false });

function troubles() {
  const found = [];
  for (let n = 0; n < N; n++) if (how[n] !== OK && state.kinds[kind[n]] && state.shown[how[n]]) found.push(n);
  return found;
}
chart.addEventListener('keydown', (event) => {
  const span = state.to - state.from, middle = (state.from + state.to) / 2, here = state.cursor ?? middle;
  const keys = {
    ArrowLeft: () => zoom(state.from - span * .2, state.to - span * .2), ArrowRight: () => zoom(state.from + span * .2, state.to + span * .2),
    '+': () => zoom(here - (here - state.from) * .6, here + (state.to - here) * .6), '=': () => keys['+'](),
    '-': () => zoom(middle - span * .8, middle + span * .8), 0: () => zoom(0, run.length),
    n: () => jump(troubles().find((n) => at[n] * TICK > here + 1e-3)), p: () => jump(troubles().findLast((n) => at[n] * TICK < here - 1e-3)),
    Enter: () => look(here), Escape: () => { state.cursor = null; hush(); drawCursor(); },
  };
  if (!keys[event.key] || event.ctrlKey || event.metaKey || event.altKey) return;
  event.preventDefault();
  keys[event.key]();
});
function jump(n) {
  if (n === undefined) return;
  const t = at[n] * TICK, span = state.to - state.from;
  if (t < state.from || t > state.to) zoom(t - span / 2, t + span / 2);
  state.cursor = t; draw();
  const box = chart.getBoundingClientRect();
  sayDot(n, box.left + x(t), box.top + y(n));
}

let grip = null;
const whole = (event) => Math.max(0, Math.min(1, (event.clientX - brush.getBoundingClientRect().left - GUTTER) / (width - GUTTER - RIGHT))) * run.length;
brush.addEventListener('pointerdown', (event) => {
  brush.setPointerCapture(event.pointerId);
  const t = whole(event), near = run.length * 8 / width;
  grip = Math.abs(t - state.from) < near ? { edge: 'from' } : Math.abs(t - state.to) < near ? { edge: 'to' }
    : t > state.from && t < state.to ? { pan: t, from: state.from, to: state.to } : { start: t };
});
brush.addEventListener('pointermove', (event) => {
  if (!grip) return;
  const t = whole(event);
  if (grip.edge === 'from') zoom(Math.min(t, state.to - .5), state.to);
  else if (grip.edge === 'to') zoom(state.from, Math.max(t, state.from + .5));
  else if (grip.pan !== undefined) zoom(grip.from + t - grip.pan, grip.to + t - grip.pan);
  else zoom(Math.min(t, grip.start), Math.max(t, grip.start));
});
for (const kind_ of ['pointerup', 'pointercancel']) brush.addEventListener(kind_, () => { grip = null; });

// ±10 s of the logs and of what was not ok, around a moment.
const ILL = /error|fail|traceback|exception|refused|lost|down\b|critical|denied|timed? ?out/i;
function look(t, fault) {
  const lines = run.logs.filter(([when]) => Math.abs(when - t) <= 10);
  const first_ = fault ? new Set(fault.targets) : null;
  by('moment').textContent = `±10 s around ${clock(t, 1)}${fault ? ` (${fault.id} ${fault.kind} ${fault.targets.join(', ')})` : ''}`;
  by('moment-note').textContent = lines.length ? '' : run.logs.length
    ? 'No log excerpt was taken around this moment. Excerpts are taken from the implicated units at the moment of a failure.'
    : 'This run took no log excerpts: they are taken at the moment of a failure.';
  const order = first_ ? [...lines].sort((a, b) => first_.has(b[1]) - first_.has(a[1]) || a[0] - b[0]) : lines;
  const box = by('log');
  box.classList.toggle('hidden', !lines.length);
  box.replaceChildren(...order.slice(0, 2000).map(([when, unit, line]) => row([clock(when, 1), unit, line], (ILL.test(line) ? 'ill ' : '') + (Math.abs(when - t) < .6 ? 'now' : ''))));
  const bad = [];
  for (let n = first(t - 10), b = first(t + 10); n < b && bad.length < 60; n++) if (how[n] !== OK) bad.push(n);
  by('moment-bad').replaceChildren(...bad.map((n) => {
    const [endpoint, error] = run.texts[text[n]], more = badIndex.get(n);
    return row([clock(at[n] * TICK, 1), run.kinds[kind[n]], `${HOW[how[n]]} ${took[n] === NEVER ? '' : `after ${seconds(took[n] * TICK)}`}  ${error}  ${endpoint}${more && more[2] ? `  ${more[2]}` : ''}`], how[n] === FAIL ? 'ill' : '');
  }));
  by('moment-bad').classList.toggle('hidden', !bad.length);
  by('moment-bad-note').textContent = bad.length ? `Not ok in these 20 s${bad.length === 60 ? ' (the first 60)' : ''}` : 'Every operation of these 20 s was ok.';
  by('look').classList.remove('hidden');
  const now = box.querySelector('.now') ?? box.firstChild;
  if (now) box.scrollTop = now.offsetTop - box.offsetTop - box.clientHeight / 2;
  state.cursor = t; drawCursor();
}
function row(cells, name) {
  const line = document.createElement('div');
  if (name.trim()) line.className = name.trim();
  line.append(...cells.map((words) => { const cell = document.createElement('span'); cell.textContent = words; return cell; }));
  return line;
}

function chip(words, count, mark, pressed, toggle) {
  const button = document.createElement('button');
  button.className = 'chip'; button.setAttribute('aria-pressed', pressed);
  if (mark !== null) { const i = document.createElement('i'); i.className = mark; button.append(i); }
  button.append(words + ' ');
  const small = document.createElement('small'); small.textContent = count.toLocaleString('en'); button.append(small);
  button.addEventListener('click', () => { const on = toggle(); button.setAttribute('aria-pressed', on); requestDraw(); });
  return button;
}
const totals = [0, 0, 0], ofKind = run.kinds.map(() => 0);
for (let n = 0; n < N; n++) { totals[how[n]] += weight[n]; ofKind[kind[n]] += weight[n]; }
by('outcomes').append(...HOW.map((words, n) => chip(words, totals[n], ['ok', 'fail', 'info'][n], true, () => (state.shown[n] = !state.shown[n]))));
by('kinds').append(...run.kinds.map((words, n) => chip(words, ofKind[n], null, true, () => (state.kinds[n] = !state.kinds[n]))));
const quiet = run.lanes.filter((lane) => lane.quiet).length;
if (quiet) by('kinds').append(chip('quiet applications and machines', quiet, null, false, () => {
  const all = lanes.length < run.lanes.length;
  lanes = run.lanes.filter((lane) => all || !lane.quiet);
  return all;
}));
const places = [...run.tests.filter((t) => t.end > t.start).map((t) => [t.name, t.start, t.end]), ['whole run', 0, run.length]];
if (run.view[0] > 0 || run.view[1] < run.length) places.unshift(['load and faults', ...run.view]);
by('places').append(...places.map(([name, from, to]) => {
  const button = document.createElement('button');
  button.className = 'small'; button.textContent = name;
  button.addEventListener('click', () => zoom(from, to));
  return button;
}));

for (const button of document.querySelectorAll('[data-copy]')) {
  button.addEventListener('click', async () => {
    const from = by(button.dataset.copy);
    try { await navigator.clipboard.writeText(from.textContent); } catch {  // a page from a file may not use the clipboard
      const range = document.createRange(); range.selectNodeContents(from);
      const chosen = getSelection(); chosen.removeAllRanges(); chosen.addRange(range); document.execCommand('copy');
    }
    button.textContent = 'copied'; setTimeout(() => { button.textContent = 'copy'; }, 1500);
  });
}
const themes = ['auto', 'light', 'dark'], theme = by('theme');
const remembered = () => { try { return localStorage.getItem('matrix-theme') ?? 'auto'; } catch { return 'auto'; } };
function dress(name) {
  if (name === 'auto') delete document.documentElement.dataset.theme; else document.documentElement.dataset.theme = name;
  theme.textContent = `theme: ${name}`;
  try { localStorage.setItem('matrix-theme', name); } catch { /* a page from a file may have no storage */ }
  readColours(); requestDraw();
}
theme.addEventListener('click', () => dress(themes[(themes.indexOf(theme.textContent.slice(7)) + 1) % 3]));
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => dress(theme.textContent.slice(7)));
new ResizeObserver(() => { width = by('timeline').clientWidth; draw(); }).observe(by('timeline'));
width = by('timeline').clientWidth;
dress(remembered());
if (location.hash.startsWith('#t=')) look(Number(location.hash.slice(3)) || 0);
