// The timeline: one canvas for all rows on one axis of time, another above it for what follows the pointer.
'use strict';

document.documentElement.classList.add('scripted');
const run = JSON.parse(document.getElementById('run').textContent);
const by = (id) => document.getElementById(id);
const bytes = Uint8Array.from(atob(run.packed), (c) => c.charCodeAt(0)).buffer;
const N = run.count;
// Columns of numbers, one after the other: see packed.py.
const at = new Uint32Array(bytes, 0, N), took = new Uint32Array(bytes, N * 4, N);
const text = new Uint16Array(bytes, N * 8, N), weight = new Uint16Array(bytes, N * 10, N);
const kind = new Uint8Array(bytes, N * 12, N), how = new Uint8Array(bytes, N * 13, N);
const TICK = 1e-4, NEVER = 0xffffffff, OK = 0, FAIL = 1, INFO = 2;
const HOW = ['ok', 'failed', 'unanswered'];

const GUTTER = 128, RIGHT = 12, BAND = 24, DOTS = 270, STRIP = 54, LANE = 17, GAP = 14, STAGE = 18;
const state = { from: run.view[0], to: run.view[1], shown: [true, true, true], kinds: run.kinds.map(() => true), cursor: null, drag: null };
const chart = by('chart'), over = by('over'), brush = by('brush'), tip = by('tip');
let width = 0, colours = {}, rows = {};
let lanes = run.lanes.filter((lane) => !lane.quiet);

function readColours() {
  const css = getComputedStyle(document.documentElement);
  for (const name of ['ground', 'card', 'line', 'faint', 'ink', 'soft', 'pale', 'accent', 'accent-soft', 'ok', 'fail', 'info',
    'active', 'waiting', 'maintenance', 'blocked', 'error', 'other']) colours[name] = css.getPropertyValue('--' + name).trim();
  const dark = css.colorScheme.includes('dark');
  // Okabe and Ito's colours: told apart by everybody; each band has its name on it as well.
  const hues = ['86,180,233', '230,159,0', '0,158,115', '204,121,167', '150,130,220', '213,94,0', '160,150,60', '120,144,156'];
  colours.band = (n, alpha) => `rgba(${hues[n % hues.length]},${alpha * (dark ? 1.1 : 1)})`;
}

// Faults that overlap get rows of their own.
const depth = [];
for (const fault of run.faults) {
  let row = depth.findIndex((end) => end + 1 < fault.start);
  if (row < 0) row = depth.push(0) - 1;
  depth[row] = fault.healed ?? run.length;
  fault.row = row;
}
const faultKinds = [...new Set(run.faults.map((f) => f.kind))];
for (const fault of run.faults) fault.hue = faultKinds.indexOf(fault.kind);

function layout() {  // the rows of the dots stand still: `highs` counts on it
  let y = 2;
  rows.stages = y; y += run.stages.length ? STAGE + 4 : 0;
  rows.faults = y; y += Math.max(depth.length, 1) * BAND + 8;
  rows.dots = y; y += DOTS + GAP;
  rows.strip = y; y += STRIP + GAP;
  rows.lanes = y; y += lanes.length * LANE + (lanes.length ? 8 : 0);
  rows.axis = y; y += 24;
  rows.height = y;
}

const x = (t) => GUTTER + (t - state.from) / (state.to - state.from) * (width - GUTTER - RIGHT);
const timeAt = (px) => state.from + (px - GUTTER) / (width - GUTTER - RIGHT) * (state.to - state.from);
let low = 1e-3, high = 10;
for (let n = 0; n < N; n++) if (took[n] !== NEVER) {
  const s = Math.max(took[n] * TICK, 1e-4);
  if (s < low) low = s;
  if (s > high) high = s;
}
low = Math.max(low, 1e-4);
const never = took.includes(NEVER);
const NONE = 16;  // the rows of what was never answered, above the scale
const y = (n) => {
  if (took[n] === NEVER) return rows.dots + NONE / 2;
  const share = (Math.log(Math.max(took[n] * TICK, low)) - Math.log(low)) / (Math.log(high) - Math.log(low));
  return rows.dots + DOTS - 4 - share * (DOTS - NONE - 10);
};
// Logarithms of a hundred thousand latencies are worked out once.
const highs = new Float32Array(N);
layout();
for (let n = 0; n < N; n++) highs[n] = y(n);
function first(t) {  // the first operation that began at or after t
  let a = 0, b = N;
  while (a < b) { const m = (a + b) >> 1; if (at[m] * TICK < t) a = m + 1; else b = m; }
  return a;
}

// Seconds of the run, as the sentences, the plan and the journal have them.
const clock = (t, part = 0) => t.toLocaleString('en', { minimumFractionDigits: part, maximumFractionDigits: part }) + ' s';
const seconds = (s) => s < 1 ? (s * 1000).toFixed(s < 0.01 ? 1 : 0) + ' ms' : s.toFixed(2) + ' s';
const wall = (t) => run.epoch === null ? '' : new Date((run.epoch + t) * 1000).toISOString().slice(11, 19) + ' UTC';

function prepare(canvas, height) {
  const scale = window.devicePixelRatio || 1;
  canvas.width = Math.round(width * scale); canvas.height = Math.round(height * scale);
  canvas.style.height = height + 'px';
  const g = canvas.getContext('2d');
  g.setTransform(scale, 0, 0, scale, 0, 0);
  g.font = '12px Inter, system-ui, sans-serif';
  g.textBaseline = 'middle';
  return g;
}

function hatch(g, colour) {
  const tile = document.createElement('canvas');
  tile.width = tile.height = 8;
  const t = tile.getContext('2d');
  t.strokeStyle = colour; t.lineWidth = 2; t.beginPath();
  for (const d of [-8, 0, 8]) { t.moveTo(d, 8); t.lineTo(d + 8, 0); }
  t.stroke();
  return g.createPattern(tile, 'repeat');
}

function fitted(g, label, room) {
  if (g.measureText(label).width <= room) return label;
  while (label.length > 1 && g.measureText(label + '…').width > room) label = label.slice(0, -1);
  return label.length > 1 ? label + '…' : '';
}

function draw() {
  layout();
  const g = prepare(chart, rows.height);
  const right = width - RIGHT;
  g.clearRect(0, 0, width, rows.height);
  drawStages(g, right);
  drawGrid(g, right);
  g.save();
  g.beginPath(); g.rect(GUTTER, 0, right - GUTTER, rows.axis); g.clip();
  drawShades(g);
  drawDots(g);
  drawStrip(g);
  drawLanes(g);
  g.restore();
  drawLabels(g, right);
  placeBands(right);
  drawBrush();
  prepare(over, rows.height);
  drawCursor();
}

function drawStages(g, right) {
  if (!run.stages.length) return;
  label(g, 'stage', rows.stages + STAGE / 2);
  g.save(); g.beginPath(); g.rect(GUTTER, 0, right - GUTTER, rows.height); g.clip();
  for (const one of run.stages) {
    const a = Math.max(x(one.start), GUTTER), b = Math.min(x(one.end), right);
    if (b < a) continue;
    g.fillStyle = colours.faint; g.fillRect(a + 1, rows.stages, Math.max(b - a - 2, 1), STAGE - 2);
    g.fillStyle = colours.soft; g.fillText(fitted(g, one.what, b - a - 12), a + 7, rows.stages + STAGE / 2 - 1);
  }
  g.restore();
}

function steps() {
  const wanted = (state.to - state.from) / Math.max((width - GUTTER) / 110, 2);
  return [0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600, 7200].find((s) => s >= wanted) ?? 14400;
}

function drawGrid(g, right) {
  g.lineWidth = 1;
  const step = steps();
  for (let t = Math.ceil(state.from / step) * step; t <= state.to; t += step) {
    const px = Math.round(x(t)) + .5;
    g.strokeStyle = colours.faint;
    g.beginPath(); g.moveTo(px, rows.faults); g.lineTo(px, rows.axis); g.stroke();
    g.fillStyle = colours.pale; g.textAlign = 'center';
    if (px < right - 10) g.fillText(clock(t, step < 1 ? 1 : 0), px, rows.axis + 13);
    g.textAlign = 'left';
  }
  g.textAlign = 'right';
  for (const s of [1e-4, 1e-3, 1e-2, 0.1, 1, 10, 100]) {
    if (s < low * .99 || s > high * 1.01) continue;
    const share = (Math.log(s) - Math.log(low)) / (Math.log(high) - Math.log(low));
    const py = Math.round(rows.dots + DOTS - 4 - share * (DOTS - NONE - 10)) + .5;
    g.strokeStyle = colours.line; g.beginPath(); g.moveTo(GUTTER, py); g.lineTo(right, py); g.stroke();
    g.fillStyle = colours.pale; g.fillText(s < 1 ? s * 1000 + ' ms' : s + ' s', GUTTER - 8, py);
  }
  g.textAlign = 'left';
}

function drawShades(g) {
  for (const f of run.faults) {
    const a = x(f.start), b = x(f.healed ?? run.length);
    g.fillStyle = f.proven ? colours.band(f.hue, .13) : hatch(g, colours.band(f.hue, .16));
    g.fillRect(a, rows.dots, Math.max(b - a, 1), rows.axis - rows.dots - 6);
    if (f.rank === 1) {
      g.strokeStyle = colours.fail; g.setLineDash([3, 3]); g.globalAlpha = .6;
      for (const px of [a, b]) { g.beginPath(); g.moveTo(px, rows.faults); g.lineTo(px, rows.axis - 6); g.stroke(); }
      g.setLineDash([]); g.globalAlpha = 1;
    }
  }
}

function drawDots(g) {
  const a = first(state.from), b = first(state.to + 1e-3);
  const dense = (b - a) > 20000;
  const size = dense ? 1.6 : (b - a) > 4000 ? 2.4 : 3.2;
  if (state.shown[OK]) {
    g.fillStyle = colours.ok; g.globalAlpha = dense ? .45 : .7;
    const wide = TICK * (width - GUTTER - RIGHT) / (state.to - state.from), left = x(0) - size / 2;
    for (let n = a; n < b; n++) if (how[n] === OK && state.kinds[kind[n]]) g.fillRect(left + at[n] * wide, highs[n] - size / 2, size, size);
    g.globalAlpha = 1;
  }
  g.lineWidth = 1.4;
  if (state.shown[INFO]) {
    g.strokeStyle = colours.info; g.beginPath();
    for (let n = a; n < b; n++) if (how[n] === INFO && state.kinds[kind[n]]) {
      const px = x(at[n] * TICK), py = y(n);
      g.moveTo(px - 3.5, py); g.lineTo(px, py - 3.5); g.lineTo(px + 3.5, py); g.lineTo(px, py + 3.5); g.closePath();
    }
    g.stroke();
  }
  if (state.shown[FAIL]) {
    g.strokeStyle = colours.fail; g.beginPath();
    for (let n = a; n < b; n++) if (how[n] === FAIL && state.kinds[kind[n]]) {
      const px = x(at[n] * TICK), py = y(n);
      g.moveTo(px - 3, py - 3); g.lineTo(px + 3, py + 3); g.moveTo(px - 3, py + 3); g.lineTo(px + 3, py - 3);
    }
    g.stroke();
  }
  g.lineWidth = 1;
}

const PX = 5;
function shares(from, to, count) {  // of each bucket: all, failed, unanswered
  const all = new Float64Array(count), failed = new Float64Array(count), open = new Float64Array(count);
  for (let n = first(from), b = first(to); n < b; n++) {
    if (!state.kinds[kind[n]]) continue;
    const bucket = Math.min(count - 1, Math.floor((at[n] * TICK - from) / (to - from) * count));
    all[bucket] += weight[n];
    if (how[n] === FAIL) failed[bucket] += weight[n];
    if (how[n] === INFO) open[bucket] += weight[n];
  }
  return { all, failed, open };
}

function drawStrip(g) {
  const count = Math.max(1, Math.floor((width - GUTTER - RIGHT) / PX));
  const { all, failed, open } = shares(state.from, state.to, count);
  let most = 0.02;
  for (let n = 0; n < count; n++) if (all[n]) most = Math.max(most, (failed[n] + open[n]) / all[n]);
  rows.most = most;
  const base = rows.strip + STRIP;
  g.fillStyle = colours.line; g.fillRect(GUTTER, base, width, 1);
  for (let n = 0; n < count; n++) {
    if (!all[n]) continue;
    const px = GUTTER + n / count * (width - GUTTER - RIGHT);
    const f = failed[n] / all[n] / most * (STRIP - 4), i = open[n] / all[n] / most * (STRIP - 4);
    g.fillStyle = colours.fail; g.fillRect(px, base - f, PX - 1, f);
    g.fillStyle = colours.info; g.fillRect(px, base - f - i, PX - 1, i);
  }
}

const WORDS = { active: 'active', idle: 'active', waiting: 'waiting', allocating: 'waiting', maintenance: 'maintenance', executing: 'maintenance',
  blocked: 'blocked', error: 'error', lost: 'error', failed: 'error', terminated: 'other', unknown: 'other' };
const holders = [...new Set(run.lanes.flatMap((l) => l.vip ? l.spans.map((s) => s[2]) : []))];
function drawLanes(g) {
  lanes.forEach((lane, n) => {
    const top = rows.lanes + n * LANE;
    for (const [start, end, word, said] of lane.spans) {
      const a = Math.max(x(start), GUTTER - 2), b = Math.min(x(end), width);
      if (b < GUTTER || a > width) continue;
      const wrong = lane.vip && (word.includes(' + ') || word === 'nobody');  // a VIP has one owner
      g.fillStyle = wrong ? colours.error : lane.vip ? colours.band(holders.indexOf(word) + 2, .5) : colours[WORDS[word] ?? 'other'];
      g.fillRect(a, top + 2, Math.max(b - a - 1, 1.5), LANE - 4);
      if (word === 'active' || b - a < 34) continue;
      g.fillStyle = wrong || ['error', 'lost', 'failed'].includes(word) ? '#fff' : colours.ink; g.font = '11px Inter, system-ui, sans-serif';
      g.fillText(fitted(g, said && b - a > 150 ? `${word}: ${said}` : word, b - a - 10), Math.max(a, GUTTER) + 5, top + LANE / 2 + .5);
      g.font = '12px Inter, system-ui, sans-serif';
    }
    for (const [start, end, , said] of lane.hooks) {
      const a = x(start), b = x(end);
      if (b < GUTTER || a > width) continue;
      g.fillStyle = said === 'ok' ? colours.ink : colours.error; g.globalAlpha = said === 'ok' ? .35 : 1;
      g.fillRect(a, top + LANE - 4, Math.max(b - a, 1.5), said === 'ok' ? 2 : 3); g.globalAlpha = 1;
    }
  });
}

function label(g, words, py, colour) {
  g.fillStyle = colour ?? colours.soft; g.textAlign = 'left'; g.fillText(fitted(g, words, GUTTER - 12), 0, py);
}

function drawLabels(g) {
  label(g, run.faults.length ? 'faults' : 'no faults', rows.faults + BAND / 2 - 2);
  label(g, 'latency', rows.dots + NONE / 2 + 18);
  if (never) { g.textAlign = 'right'; g.fillStyle = colours.pale; g.fillText('no answer', GUTTER - 8, rows.dots + NONE / 2); g.textAlign = 'left'; }
  label(g, 'not ok', rows.strip + STRIP / 2);
  g.textAlign = 'right'; g.fillStyle = colours.pale;
  g.fillText((rows.most * 100).toFixed(rows.most < .1 ? 1 : 0) + ' %', GUTTER - 8, rows.strip + 6);
  g.fillText('0', GUTTER - 8, rows.strip + STRIP - 2); g.textAlign = 'left';
  lanes.forEach((lane, n) => {
    const struck = run.faults.some((f) => f.rank === 1 && f.targets.includes(lane.of));
    label(g, lane.of, rows.lanes + n * LANE + LANE / 2, struck ? colours.fail : colours.soft);
  });
  label(g, 'time', rows.axis + 13, colours.pale);
}

const buttons = run.faults.map((fault, n) => {
  const button = document.createElement('button');
  const name = document.createElement('span');
  name.textContent = (fault.rank ? `${'①②③'[fault.rank - 1] ?? ''} ` : '') + `${fault.kind} ${fault.targets.join(', ')}`;
  button.append(name);
  button.setAttribute('aria-label', `${fault.id} ${fault.kind} on ${fault.targets.join(', ')} from ${clock(fault.start)}`
    + `, ${fault.proven ? 'proven' : 'not proven'}${fault.rank ? `, suspect ${fault.rank}` : ''}`);
  button.addEventListener('click', () => look((fault.landed ?? fault.start), fault));
  button.addEventListener('dblclick', () => { const pad = ((fault.healed ?? run.length) - fault.start) * .4 + 2; zoom(fault.start - pad, (fault.healed ?? run.length) + pad); });
  const show = (event) => sayFault(fault, event.clientX ?? button.getBoundingClientRect().left, event.clientY ?? button.getBoundingClientRect().bottom);
  button.addEventListener('pointermove', show); button.addEventListener('focus', () => { const r = button.getBoundingClientRect(); sayFault(fault, r.left, r.bottom); });
  button.addEventListener('pointerleave', hush); button.addEventListener('blur', hush);
  by('bands').append(button);
  return button;
});

function placeBands(right) {
  run.faults.forEach((f, n) => {
    const a = Math.max(x(f.start), GUTTER), b = Math.min(x(f.healed ?? run.length), right), button = buttons[n];
    const hidden = b <= GUTTER || a >= right;
    button.style.display = hidden ? 'none' : 'block';
    button.style.left = a + 'px'; button.style.top = rows.faults + f.row * BAND + 'px';
    button.style.width = Math.max(b - a, 5) + 'px';
    // A name may reach beyond its band, up to the next band of its row.
    const next = Math.min(right, ...run.faults.filter((o) => o.row === f.row && o.start > f.start).map((o) => x(o.start) - 4));
    button.firstChild.style.width = Math.max(next - a, 5) + 'px';
    const strong = colours.band(f.hue, .55), weak = colours.band(f.hue, .2);
    button.style.background = f.proven ? strong : `repeating-linear-gradient(-45deg, ${strong} 0 3px, ${weak} 3px 8px)`;
    button.style.boxShadow = f.rank === 1 ? `inset 0 0 0 1.5px ${colours.fail}` : f.rank ? `inset 0 0 0 1px ${colours.fail}88` : 'none';
  });
}

let whole_ = {};  // the shares of the whole run change only with the chosen kinds
function drawBrush() {
  const g = prepare(brush, 46), w = width - GUTTER - RIGHT, px = (t) => GUTTER + t / run.length * w;
  g.clearRect(0, 0, width, 46);
  label(g, 'whole run', 14); label(g, clock(run.length), 31, colours.pale);
  g.fillStyle = colours.faint; g.fillRect(GUTTER, 0, w, 46);
  for (const f of run.faults) {
    g.fillStyle = colours.band(f.hue, f.proven ? .5 : .25); g.fillRect(px(f.start), 0, Math.max(px(f.healed ?? run.length) - px(f.start), 1), 5);
  }
  const count = Math.floor(w / 3), key = `${count} ${state.kinds}`;
  if (whole_.key !== key) whole_ = { key, ...shares(0, run.length, count) };
  const { all, failed, open } = whole_;
  const most = Math.max(1, ...all);
  for (let n = 0; n < count; n++) {
    const left = GUTTER + n * w / count;
    g.fillStyle = colours.ok; g.globalAlpha = .5; const h = all[n] / most * 26; g.fillRect(left, 42 - h, 2, h); g.globalAlpha = 1;
    const bad = failed[n] + open[n];
    if (bad) { g.fillStyle = failed[n] ? colours.fail : colours.info; const e = Math.max(3, bad / all[n] * 30); g.fillRect(left, 42 - e, 2, e); }
  }
  const a = px(state.from), b = px(state.to);
  g.fillStyle = colours.card; g.globalAlpha = .62; g.fillRect(GUTTER, 0, a - GUTTER, 46); g.fillRect(b, 0, width - RIGHT - b, 46); g.globalAlpha = 1;
  g.strokeStyle = colours.accent; g.lineWidth = 1.5; g.strokeRect(a + .75, .75, Math.max(b - a - 1.5, 2), 44.5);
  g.fillStyle = colours.accent;
  for (const edge of [a, b]) { g.beginPath(); g.roundRect(edge - 3, 14, 6, 18, 3); g.fill(); }
}
