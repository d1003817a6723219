// Flow completion: slowdown by size with percentiles, distributions, the slowest flows, the comparison of two runs.

const PERCENTILES = [['p50', 'median', 'solid'], ['p95', '95 %', 'dashed'], ['p99', '99 %', 'dotted'], ['max', 'slowest', [2, 7]]];

function flowSection(runs) {
  const cards = section('flows', 'Flow completion');
  const some = runs.some((run) => run.flows.buckets.length > 0);
  const two = runs.length > 1;
  chartCard(cards, {
    id: 'slowdown-by-size', wide: true, height: 400, title: 'Slowdown by flow size',
    help: 'How much longer a flow took than alone on the empty network. A point of a line is a bucket of flow sizes' +
      (some ? ', placed at its median size; the dots are single flows.' : '.'),
    empty: 'No flow has finished.',
  }, some ? () => slowdownBySize(runs, two) : null);

  for (const [key, title, help] of [
    ['slowdown', 'Distribution of slowdowns', 'Share of the flows that were at most so much slower than alone.'],
    ['fct', 'Distribution of completion times', 'Share of the flows that were finished within so much time.']]) {
    const curves = chosenCurves(runs, key);
    chartCard(cards, {id: key + '-cdf', title, help, empty: 'No flow has finished.'},
      curves.length ? () => distribution(chosenCurves(runs, key), key) : null);
  }
  if (two && some) ratioCard(cards, runs);
  const slowest = perRun(runs, (run) => slowestTable(run));
  card(cards, {title: 'The slowest flows', wide: true, controls: slowest.controls}, slowest.holder);
}

function slowdownBySize(runs, two) {
  const series = [];
  runs.forEach((run, i) => {
    if (run.flows.dots.length) {
      series.push({
        name: two ? run.label + ' flows' : 'flows', type: 'scatter', data: run.flows.dots, symbolSize: 4, z: 1, large: false,
        itemStyle: {color: two ? run.color() : theme.faint, opacity: 0.28}, emphasis: {itemStyle: {opacity: 1}},
        tooltip: {formatter: ({data}) => tipRows(`flow ${data[2]}: ${data[3]} to ${data[4]}`,
          [{name: 'size', value: formatSize(data[0])}, {name: 'slowdown', value: formatFactor(data[1])}])},
      });
    }
    PERCENTILES.forEach(([key, label, type], p) => {
      const color = two ? run.color() : theme.category([0, 2, 1, 7][p]);
      series.push({
        name: two ? `${run.label} ${label}` : label, type: 'line', z: 3, symbol: 'circle', symbolSize: 6, color,
        lineStyle: {type: two ? type : 'solid', width: 2}, itemStyle: {color},
        data: run.flows.buckets.map((bucket) => ({value: [bucket.bytes, bucket[key]], bucket, run})),
        tooltip: {formatter: ({data}) => tipRows(`${two ? run.label + ': ' : ''}${sizeRange(data.bucket)}`,
          [{name: 'flows', value: formatCount(data.bucket.count)}].concat(
            PERCENTILES.map(([k, l]) => ({name: l, value: formatFactor(data.bucket[k])}))))},
      });
    });
  });
  const sizes = runs.flatMap((run) => run.flows.buckets.flatMap((bucket) => [bucket.from, bucket.to]));
  const slowdowns = runs.flatMap((run) => run.flows.buckets.map((bucket) => bucket.max));
  return baseOption({
    legend: Object.assign(baseOption().legend, {selected: two ? Object.fromEntries(runs.map((run) => [run.label + ' flows', false])) : {}}),
    tooltip: tooltipOption({trigger: 'item'}),
    xAxis: axis({type: 'log', name: 'flow size', min: Math.max(1, Math.min(...sizes)) / 1.4, max: Math.max(...sizes) * 1.4,
      axisLabel: {formatter: (v) => formatSize(v, 2)}}),
    yAxis: yAxis({type: Math.max(...slowdowns) > 12 ? 'log' : 'value', name: 'slowdown',
      min: Math.min(1, ...runs.flatMap((run) => run.flows.buckets.map((b) => b.p50))), max: niceAbove(Math.max(...slowdowns)), axisLabel: {formatter: (v) => significant(v, 2) + '×'}}),
    series,
  });
}

function niceAbove(value) {
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 5, 10].map((m) => m * power).find((v) => v >= value * 0.9999) || value;
}

const sizeRange = (bucket) =>
  bucket.from === bucket.to ? formatSize(bucket.from) : `${formatSize(bucket.from, 3)} to ${formatSize(bucket.to, 3)}`;

// Of two runs the whole; of one also its workloads.
function chosenCurves(runs, key) {
  return runs.flatMap((run) => run.flows.curves.slice(0, runs.length > 1 ? 1 : undefined)
    .map((curve, i) => ({name: runs.length > 1 ? run.label : curve.name, points: curve[key + '_curve'], stats: curve[key],
      color: () => (runs.length > 1 ? run.color() : theme.category(i)), dashed: runs.length === 1 && i > 0})))
    .filter((curve) => curve.points.length > 0);
}

function distribution(curves, key) {
  const format = key === 'fct' ? formatTime : formatFactor;
  const values = curves.flatMap((curve) => curve.points.map((point) => point[0])).filter((v) => v > 0);
  return baseOption({
    tooltip: tooltipOption({trigger: 'axis', axisPointer: {type: 'line', snap: true}, formatter: (points) => {
      const at = points[0].axisValue;
      return tipRows('within ' + format(at), curves.map((curve) => ({name: curve.name, color: curve.color(), value: formatShare(shareWithin(curve.points, at))}))
        .concat(curves.length < 3 ? curves.flatMap((curve) => ['p50', 'p99', 'max'].map((p) => ({name: `${curve.name}: ${p}`, value: format(curve.stats[p])}))) : []));
    }}),
    xAxis: axis({type: 'log', name: key === 'fct' ? 'completion time' : 'slowdown', min: Math.min(...values) / 1.05, max: Math.max(...values) * 1.05,
      axisLabel: {formatter: (v) => (key === 'fct' ? formatTime(v, 2) : significant(v, 2) + '×')}}),
    yAxis: yAxis({type: 'value', name: 'share of flows', min: 0, max: 1, axisLabel: {formatter: (v) => Math.round(v * 100) + ' %'}}),
    series: curves.map((curve) => ({
      name: curve.name, type: 'line', step: 'end', showSymbol: false, data: curve.points, color: curve.color(),
      lineStyle: {width: 2, type: curve.dashed ? 'dashed' : 'solid'},
    })),
  });
}

function shareWithin(points, value) {
  let share = 0;
  for (const [at, upTo] of points) {
    if (at > value * 1.0000001) break;
    share = upTo;
  }
  return share;
}

function ratioCard(cards, runs) {
  const [a, b] = runs;
  const pairs = a.flows.buckets.map((bucket) => [bucket, b.flows.buckets.find((other) => other.bucket === bucket.bucket)])
    .filter((pair) => pair[1]);
  const bars = [['p50', 'median', 0], ['p99', '99 %', 3]];
  chartCard(cards, {
    id: 'slowdown-ratio', wide: true, height: 300, title: `Slowdown of ${b.label} relative to ${a.label}, by flow size`,
    help: `Below zero ${b.label} is faster.`, empty: 'The two runs have no flow size in common.',
  }, pairs.length ? () => baseOption({
    tooltip: tooltipOption({trigger: 'axis', axisPointer: {type: 'shadow', shadowStyle: {color: theme.grid, opacity: 0.5}}, formatter: (points) => {
      const [x, y] = pairs[points[0].dataIndex];
      return tipRows(sizeRange({from: Math.min(x.from, y.from), to: Math.max(x.to, y.to)}), bars.flatMap(([key, label, color]) => [
        {name: `${label}, ${a.label}`, value: formatFactor(x[key])}, {name: `${label}, ${b.label}`, value: formatFactor(y[key])},
        {name: label + ' change', color: theme.category(color), value: signedShare(y[key] / x[key] - 1)}]));
    }}),
    xAxis: axis({type: 'category', data: pairs.map(([x]) => formatSize(x.bytes, 3)), name: 'flow size'}),
    yAxis: yAxis({type: 'value', axisLabel: {formatter: (v) => signedShare(v)}, name: 'change'}),
    series: bars.map(([key, label, color]) => ({name: label, type: 'bar', barMaxWidth: 26, color: theme.category(color),
      data: pairs.map(([x, y]) => Number((y[key] / x[key] - 1).toPrecision(4)))})),
  }) : null);
}

const signedShare = (v) => (v > 0 ? '+' : '') + significant(v * 100, 3) + ' %';

function slowestTable(run) {
  return table([
    {name: 'Flow', number: true, cell: (f) => f.id}, {name: 'From', cell: (f) => f.source}, {name: 'To', cell: (f) => f.destination},
    {name: 'Workload', cell: (f) => f.tag}, {name: 'Size', number: true, cell: (f) => formatSize(f.bytes)},
    {name: 'Start', number: true, cell: (f) => formatTime(f.start)}, {name: 'Took', number: true, cell: (f) => formatTime(f.fct)},
    {name: 'Slowdown', number: true, cell: (f) => formatFactor(f.slowdown)},
  ].concat(run.flows.retransmitted === null ? [] : [
    {name: 'Packets sent again', number: true, cell: (f) => formatCount(f.retransmitted)}]), run.flows.slowest);
}
