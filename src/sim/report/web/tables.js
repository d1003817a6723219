// The figures at the top, the comparison of two runs, and the tables: findings, counters, settings, scenario.

const last = (run) => run.flows.curves[0];
const stat = (run, key, p) => (last(run)[key] ? last(run)[key][p] : null);

// By flow where that was counted, else by the hosts; null: by nobody.
function sentAgain(run) {
  if (run.flows.retransmitted !== null) return run.flows.retransmitted;
  const counter = run.counters.find((c) => c.name === 'resent_packets');
  if (counter) return counter.total;
  return run.counters.length ? 0 : null;
}

// [name, value(run), format, whether less is better (null: neither)]
const FIGURES = [
  ['Flows finished', (run) => run.flows.finished, formatCount, false],
  ['Flows failed', (run) => run.flows.failed, formatCount, true],
  ['Flows not finished', (run) => run.flows.unfinished, formatCount, true],
  ['Median completion time', (run) => stat(run, 'fct', 'p50'), formatTime, true],
  ['99 % completion time', (run) => stat(run, 'fct', 'p99'), formatTime, true],
  ['Mean slowdown', (run) => stat(run, 'slowdown', 'mean'), formatFactor, true],
  ['Median slowdown', (run) => stat(run, 'slowdown', 'p50'), formatFactor, true],
  ['99 % slowdown', (run) => stat(run, 'slowdown', 'p99'), formatFactor, true],
  ['99.9 % slowdown', (run) => stat(run, 'slowdown', 'p999'), formatFactor, true],
  ['Last flow finished at', (run) => run.flows.last_finish || null, formatTime, true],
  ['Fullest queue', (run) => run.queues && run.queues.max, formatSize, true],
  ['Paused, all ports together', (run) => (run.pauses ? run.pauses.paused : run.links && run.links.samples ? 0 : null), formatTime, true],
  ['Packets sent again', sentAgain, formatCount, true],
  ['Packets', (run) => run.run.packets, formatCount, null],
  ['Packet-hops', (run) => run.run.packet_hops, formatCount, null],
  ['Simulated time', (run) => run.run.simulated_ps, formatTime, null],
  ['Time it took here', (run) => run.run.cost && run.run.cost.wall_s * 1e12, formatTime, null],
  ['Findings', (run) => run.findings.count, formatCount, true],
];

function summary(runs) {
  const main = document.getElementById('main');
  for (const run of runs) {
    if (run.run.status === 'interrupted' || run.run.status === 'failed') {
      main.append(element('div', {class: 'partial', text: `${runs.length > 1 ? run.label + ': ' : ''}partial results: the run ${
        run.run.status === 'failed' ? 'failed' : 'was interrupted'} at ${formatTime(run.run.simulated_ps)}. ${run.run.detail}`}));
    }
  }
  const chosen = ['Flows finished', 'Median completion time', '99 % completion time', 'Median slowdown', '99 % slowdown', 'Fullest queue',
    'Paused, all ports together', 'Packets sent again', 'Packet-hops', 'Simulated time', 'Time it took here', 'Findings'];
  const more = {
    'Flows finished': (run) => `of ${formatCount(run.flows.count)}, ${formatSize(run.flows.bytes)}`,
    'Packet-hops': (run) => (run.run.cost && run.run.cost.wall_s > 0 ? `${formatCount(run.run.packet_hops / run.run.cost.wall_s)} a second` : ''),
    'Time it took here': (run) => (run.run.cost ? `${run.run.cost.threads} thread${run.run.cost.threads === 1 ? '' : 's'}` +
      (run.run.cost.peak_memory_bytes ? `, ${formatSize(run.run.cost.peak_memory_bytes, 3)}` : '') : ''),
  };
  const tiles = FIGURES.filter(([name]) => chosen.includes(name)).map(([name, value, format]) => element('div', {class: 'tile'}, [
    element('div', {class: 'name', text: name}),
    ...runs.map((run) => element('div', {class: 'value' + (runs.length > 1 ? ' two' : '')}, [
      runs.length > 1 ? element('span', {class: 'chip', style: `background:var(--c${run.index})`}) : null,
      document.createTextNode(format(value(run)))])),
    runs.length === 1 && more[name] ? element('div', {class: 'more', text: more[name](runs[0])}) : null]));
  main.append(element('section', {id: 'summary'}, [element('div', {class: 'tiles'}, tiles)]));
}

function comparisonSection(runs) {
  if (runs.length < 2) return;
  const [a, b] = runs;
  const cards = section('comparison', 'Comparison');
  card(cards, {title: 'Figures', help: `Change from ${a.label} to ${b.label}.`}, table([
    {name: '', cell: ([name]) => name},
    {name: a.label, number: true, cell: ([, value, format]) => format(value(a))},
    {name: b.label, number: true, cell: ([, value, format]) => format(value(b))},
    {name: 'change', number: true, cell: ([, value, , less]) => {
      const [x, y] = [value(a), value(b)];
      if (!x || y === null || y === undefined || x === y) return '';
      const kind = less === null ? '' : (y < x) === less ? 'better' : 'worse';
      return element('span', {class: kind, text: signedShare(y / x - 1)});
    }}], FIGURES));
  const keys = [...new Set(runs.flatMap((run) => Object.keys(run.run.settings)))].sort();
  const rows = [['version', a.run.version, b.run.version], ['seed', a.run.seed, b.run.seed]]
    .concat(keys.map((key) => [key, a.run.settings[key], b.run.settings[key]])).filter(([, x, y]) => x !== y);
  card(cards, {title: 'Settings that differ'}, rows.length ? table([
    {name: 'Setting', cell: (row) => row[0]}, {name: a.label, cell: (row) => row[1]}, {name: b.label, cell: (row) => row[2]}], rows) :
    element('div', {class: 'empty', text: 'None: the two runs have the same settings, seed and version.'}));
}

function findingSection(runs) {
  const cards = section('findings', 'Findings and counters');
  const findings = perRun(runs, (run) => {
    if (run.findings.count === 0) return element('div', {class: 'empty', text: 'None: nothing that a person should know of.'});
    const kinds = run.findings.kinds.map((kind) => element('span', {class: 'badge ' + kind.severity, text: `${formatCount(kind.count)} × ${kind.kind}`}));
    const hidden = run.findings.count - run.findings.rows.length;
    return element('div', {}, [
      element('div', {class: 'controls'}, kinds),
      table([
        {name: 'Time', number: true, cell: (f) => formatTime(f.at)},
        {name: 'Severity', cell: (f) => element('span', {class: 'badge ' + f.severity, text: f.severity})},
        {name: 'Kind', cell: (f) => f.kind}, {name: 'Where', cell: (f) => f.where}, {name: 'What', cell: (f) => f.text}], run.findings.rows),
      hidden > 0 ? element('p', {class: 'help', text: `${formatCount(hidden)} more are in the results file.`}) : null]);
  });
  card(cards, {title: 'Findings', wide: true, controls: findings.controls}, findings.holder);
  const counters = perRun(runs, (run) => (run.counters.length === 0 ? element('div', {class: 'empty', text: 'No counter was recorded.'}) : table([
    {name: 'Counter', cell: (c) => c.name}, {name: 'Sum', number: true, cell: (c) => formatCount(c.total)},
    {name: 'Places', number: true, cell: (c) => formatCount(c.places)}, {name: 'Largest', number: true, cell: (c) => formatCount(c.max)},
    {name: 'at', cell: (c) => c.where || 'the whole run'}], run.counters)));
  card(cards, {title: 'Counters', wide: true, controls: counters.controls}, counters.holder);
}

function scenarioSection(runs) {
  const cards = section('scenario', 'Scenario');
  const texts = perRun(runs, (run) => element('pre', {text: run.run.scenario}));
  card(cards, {title: 'Scenario file', controls: texts.controls}, texts.holder);
  const settings = perRun(runs, (run) => table([
    {name: 'Setting', cell: ([key]) => key}, {name: 'Value', cell: ([, value]) => value}], Object.entries(run.run.settings)));
  card(cards, {title: 'Settings in force', controls: settings.controls}, settings.holder);
}
