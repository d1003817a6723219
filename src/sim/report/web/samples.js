// Queue depth and PFC pauses over time.

function sampleSection(runs) {
  const cards = section('queues', 'Queues and pauses');
  lines(cards, runs, {
    id: 'queue-depth', part: 'queues', key: 'tiers', title: 'Fullest egress queue over time', axisName: 'queued',
    help: 'The most bytes that one queue held, by the tier of its switch.', format: formatSize, empty: 'No queue was sampled.',
  });
  lines(cards, runs, {
    id: 'queue-top', part: 'queues', key: 'top', title: 'The queues that got fullest', axisName: 'queued', oneRun: true,
    help: 'Single queues: the most bytes in each interval.', format: formatSize, empty: 'No queue held a byte when it was sampled.',
  });
  lines(cards, runs, {
    id: 'pause', part: 'pauses', key: 'tiers', title: 'PFC pauses over time', axisName: 'ports paused',
    help: 'How many ports and priorities were not allowed to send, on average, by the tier of the node that had to wait.',
    format: (v) => significant(v, 3), empty: 'No port was paused.',
  });
  lines(cards, runs, {
    id: 'pause-top', part: 'pauses', key: 'top', title: 'The ports that were paused longest', axisName: 'time paused', oneRun: true,
    help: 'Share of each interval in which the port had to wait.', format: formatShare, empty: 'No port was paused.',
  });
}

// Lines over time of a part of the data: of both runs in one chart, or of the chosen one.
function lines(cards, runs, settings) {
  const {part, key, oneRun} = settings;
  const having = runs.filter((run) => run[part] && run[part][key].length > 0);
  if (having.length === 0) {
    chartCard(cards, settings, null);
    return;
  }
  let shown = oneRun ? [having[0]] : having;
  let entry = null;
  const controls = oneRun && having.length > 1 ? choice(having.map((run, i) => [i, run.label]), 0, (i) => {
    shown = [having[i]];
    entry.draw();
  }) : null;
  entry = chartCard(cards, Object.assign({controls}, settings), () => linesOption(shown, settings, runs.length > 1 && !oneRun));
}

function linesOption(shown, {part, key, axisName, format}, both) {
  const end = Math.max(...shown.map((run) => run.run.simulated_ps));
  const unit = timeUnit(end);
  const series = shown.flatMap((run) => run[part][key].map((line, i) => ({
    name: both ? `${run.label}: ${line.name}` : line.name, type: 'line', showSymbol: run[part].times.length < 3, symbolSize: 6,
    color: both ? run.color() : theme.category(i),
    lineStyle: {width: 1.6, type: both ? ['solid', 'dashed', 'dotted'][i % 3] : 'solid'}, sampling: 'max',
    data: line.values.map((value, t) => [run[part].times[t] / unit.scale, value]),
  })));
  return baseOption({
    tooltip: tooltipOption({trigger: 'axis', formatter: (points) => tipRows(
      'at ' + formatTime(points[0].axisValue * unit.scale),
      points.map((p) => ({name: p.seriesName, color: p.color, value: format(p.value[1])})))}),
    xAxis: axis({type: 'value', name: `simulated time (${unit.name})`, min: 0, max: end / unit.scale, axisLabel: {formatter: (v) => significant(v, 4)}}),
    yAxis: yAxis({type: 'value', name: axisName, min: 0, axisLabel: {formatter: (v) => format(v, 3)}}),
    dataZoom: [{type: 'inside', filterMode: 'none', zoomOnMouseWheel: 'ctrl'}],
    series,
  });
}

